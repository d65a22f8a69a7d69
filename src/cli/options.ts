/** Values of options, as people write them. */
import { UsageError } from './cli-error.ts'
import { type Given, textOf } from './command.ts'

const MULTIPLES: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }
const LIMITS = [
  ['requests-per-minute', 'requestsPerMinute'],
  ['stored-bytes', 'storedBytes'],
  ['runs', 'runs'],
  ['body-bytes', 'bodyBytes'],
] as const

/** The limits that are given; "none" takes one away. */
export function limitsIn(given: Given) {
  const limits: Record<string, number | null> = {}
  for (const [option, name] of LIMITS) {
    const text = given[option]
    if (typeof text === 'string') limits[name] = text === 'none' ? null : numberIn(text, option)
  }
  return limits
}

function numberIn(text: string, option: string): number {
  const [, digits, unit = ''] = /^(\d+)\s*([KMGT]?)(?:i?B)?$/i.exec(text) ?? []
  const number = Number(digits) * (MULTIPLES[unit.toUpperCase()] ?? Number.NaN)
  if (Number.isSafeInteger(number)) return number
  throw new UsageError(`--${option} must be a number as 500, 20G or none`)
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3600_000, d: 24 * 3600_000 }

/** The time at which something expires, as RFC 3339; null when nothing is given. */
export function expiryIn(given: Given, now: number = Date.now()): string | null {
  return timeIn(given, 'expires', (span) => now + span) ?? null
}

/** A moment of the past, as RFC 3339, or as the server reads a day; undefined when nothing is given. */
export function pastIn(given: Given, option: string, now: number = Date.now()): string | undefined {
  return timeIn(given, option, (span) => now - span)
}

/** @param at the time that a span of milliseconds names */
function timeIn(given: Given, option: string, at: (span: number) => number): string | undefined {
  const text = textOf(given, option)
  if (text === undefined) return undefined
  const [, digits, unit = ''] = /^(\d+)([mhd])$/.exec(text) ?? []
  const time = digits === undefined ? Date.parse(text) : at(Number(digits) * (UNITS[unit] ?? Number.NaN))
  if (!Number.isNaN(time) && Math.abs(time) < 8.64e15) return new Date(time).toISOString()
  throw new UsageError(`--${option} must be as 12h, 30d, 2026-12-31 or 2026-12-31T23:59:59Z`)
}

/** A whole number from 0 on; undefined when nothing is given. */
export function countIn(given: Given, option: string, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
  const text = textOf(given, option)
  if (text === undefined) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (number <= most) return number
  throw new UsageError(`--${option} must be a whole number from 0 to ${most}`)
}

/** One of some choices; undefined when nothing is given. */
export function choiceIn<const T extends string>(given: Given, option: string, choices: readonly T[]): T | undefined {
  const text = textOf(given, option)
  if (text === undefined) return undefined
  const choice = choices.find((each) => each === text)
  if (choice !== undefined) return choice
  throw new UsageError(`--${option} must be ${choices.join(' or ')}`)
}

/** An index of a slice, of any size and sign; undefined when nothing is given. */
export function indexIn(given: Given, option: string): bigint | undefined {
  const text = textOf(given, option)
  if (text === undefined) return undefined
  if (/^[+-]?\d{1,30}$/.test(text)) return BigInt(text)
  throw new UsageError(`--${option} must be a whole number`)
}
