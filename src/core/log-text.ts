/** Text of others on its way to a log: each entry stays on its line, moves no cursor, and holds no key. */
import { withoutKeys } from './redaction.ts'

/** Characters of one text that a log takes: an address may have a quarter of a million. */
const LONGEST = 4096
/** Lines of a stack: the place of a defect, and the way to it. */
const FRAMES = 8

const PLAIN = /^[\x20-\x7e]*$/
/** Controls, marks that turn the direction of writing, line and paragraph separators, halves of characters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** The text with invisible characters written as `\u001b`, so that JSON keeps its value. */
export function oneLine(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSEEN, escaped)
}

function escaped(character: string): string {
  return character.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A text of others as a log may hold it. */
export function loggable(text: string): string {
  // Cut before all else, so that the work has a bound. Half a key is found as well.
  const cut = text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…(${text.length})`
  return oneLine(withoutKeys(cut))
}

/** An error in one line: its message, its cause, and the place of a defect. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let last: unknown = error
  for (let cause: unknown = error; cause !== undefined && parts.length < 10; ) {
    parts.push(textOf(cause))
    last = cause
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return loggable([parts.join(' <- '), ...framesOf(last)].join(' '))
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  return `${error.name}${code}: ${error.message}`
}

function framesOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const lines = stack.split('\n').flatMap((line) => (/^\s+at /.test(line) ? [line.trim()] : []))
  return lines.slice(0, FRAMES)
}

/** The line of a failure, for servers whose only log is the console. */
export function reportLine(requestId: string, error: unknown): string {
  return `${loggable(requestId)} ${describeError(error)}`
}
