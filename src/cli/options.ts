/** Values of options, as people write them. */
import { CliError } from './cli-error.ts'

const MULTIPLES: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }
const LIMITS = [
  ['requests-per-minute', 'requestsPerMinute'],
  ['stored-bytes', 'storedBytes'],
  ['runs', 'runs'],
  ['body-bytes', 'bodyBytes'],
] as const

/** The limits that are given; "none" takes one away. */
export function limitsIn(given: { readonly [option: string]: string | boolean | undefined }) {
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
  throw new CliError(`--${option} must be a number as 500, 20G or none`)
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3600_000, d: 24 * 3600_000 }

/** A time as RFC 3339; null when nothing is given. */
export function timeIn(text: string | boolean | undefined, now: number = Date.now()): string | null {
  if (typeof text !== 'string') return null
  const [, digits, unit = ''] = /^(\d+)([mhd])$/.exec(text) ?? []
  const time = digits === undefined ? Date.parse(text) : now + Number(digits) * (UNITS[unit] ?? Number.NaN)
  if (!Number.isNaN(time) && Math.abs(time) < 8.64e15) return new Date(time).toISOString()
  throw new CliError('--expires must be as 12h, 30d or 2026-12-31T23:59:59Z')
}
