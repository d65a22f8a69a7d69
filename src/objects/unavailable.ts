/** Failures of a disk as callers of the storage get them: they may pass, and nothing was changed. */
import { McbError } from '../core/errors.ts'
import { isMissing } from './disk.ts'

/** The error for one of the disk; a file that is missing, and errors of ours, stay as they are. */
export function unavailable(error: unknown): unknown {
  if (error instanceof McbError || isMissing(error)) return error
  const cause = error instanceof Error ? error : new Error(String(error))
  const detail = 'the storage cannot take this now; nothing was changed'
  return new McbError('storage_unavailable', detail, { retryAfter: 5 }, { cause })
}
