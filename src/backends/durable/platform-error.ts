/** Errors that the platform throws where an object restarts, is overloaded or cannot be reached. */
import { McbError } from '../../core/errors.ts'

/** Objects answer all that their own code throws as data: an error that a call throws is the platform's, or a defect here. */
export function toUnavailable(error: unknown, what: string): unknown {
  if (error instanceof TypeError || error instanceof RangeError || isNamed(error, 'DataCloneError')) return error
  const detail = `${what} is restarting or busy; send the request again`
  return new McbError('storage_unavailable', detail, { retryAfter: 1 }, { cause: error })
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name
}
