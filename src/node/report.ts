/**
 * Failures in the log: a defect with its stack; a storage that cannot take something now in one line, and only now and
 * then, since each request meets it.
 */

import { McbError } from '../core/errors.ts'
import { withoutKeys } from '../core/redaction.ts'

/** Milliseconds between two lines that tell the same. */
const PAUSE_MS = 10_000
/** Causes that are told apart; beyond them all are told again. */
const CAUSES = 100

interface Told {
  readonly at: number
  /** Times that the cause was not told since. */
  more: number
}

export function reportTo(
  write: (requestId: string, told: unknown) => void,
  now: () => number,
): (requestId: string, error: unknown) => void {
  const told = new Map<string, Told>()
  return (requestId, error) => {
    const id = withoutKeys(requestId)
    if (!(error instanceof McbError) || error.status !== 503) {
      write(id, error)
      return
    }
    const line = oneLine(error)
    // The free space of a disk, say, differs from one time to the next.
    const cause = line.replaceAll(/\d+/g, '0')
    const last = told.get(cause)
    if (last !== undefined && now() - last.at < PAUSE_MS) {
      last.more++
      return
    }
    if (told.size >= CAUSES) told.clear()
    told.set(cause, { at: now(), more: 0 })
    write(id, last === undefined || last.more === 0 ? line : `${line} (${last.more} more since the last line)`)
  }
}

function oneLine(error: McbError): string {
  const parts: string[] = []
  for (let cause: unknown = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    parts.push(cause instanceof Error ? cause.message : String(cause))
  }
  return withoutKeys(`${error.code}: ${parts.join(' <- ')}`.replace(/\s+/g, ' '))
}
