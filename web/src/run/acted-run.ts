/** A run that something is done to, and refusals of it in words. */
import { ApiProblem } from '../api/http.ts'
import type { About, RunLine } from '../api/shapes.ts'

/** The part of a run that actions need: a line of the list, or what is known of a run that is open. */
export type ActedRun = Pick<RunLine, 'rid' | 'name' | 'tags' | 'archived' | 'chains' | 'draws' | 'state'>

export interface ActionsProps {
  readonly run: ActedRun
  /** Learns what the run is called from now on. */
  readonly onChanged: (about: About) => void
  readonly onDeleted: () => void
}

/** @param what was tried, as “rename the run” */
export function refusal(what: string, error: unknown): string {
  if (!(error instanceof ApiProblem)) throw error
  const { status, code, message } = error
  if (status === 0) {
    return `The server does not answer, so that nobody can tell if it did ${what}. Try again: doing it twice does no harm.`
  }
  if (code === 'run_not_found') return 'The run is no longer there: somebody has deleted it.'
  if (status === 401) return 'The key of this tab is no longer valid. Load the page again, and give another.'
  if (status === 403 && code === 'forbidden') return `The key of this tab may not ${what}.`
  if (status === 429 || status === 503) return 'The server has too much to do at the moment. Try again in a while.'
  return `The server did not ${what}: ${message}.`
}
