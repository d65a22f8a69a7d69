/** A run that cannot be shown, and the way out. */
import type { ApiProblem } from '../../api/http.ts'
import { lock } from '../../app/session.ts'

export function Refused({ rid, problem }: { readonly rid: string; readonly problem: ApiProblem }) {
  return (
    <div class="middle">
      <div>
        <h1>{rid}</h1>
        <p>{sentenceFor(problem)}</p>
        {problem.status === 401 || problem.status === 403 ? (
          <button type="button" onClick={() => lock('none')}>
            Use another key
          </button>
        ) : (
          <a href="/ui/">All runs</a>
        )}
      </div>
    </div>
  )
}

function sentenceFor({ status, code, message }: ApiProblem): string {
  if (code === 'run_not_found') return 'There is no run of this name here. It may have been deleted.'
  if (status === 401) return 'The key of this tab is no longer valid.'
  if (status === 403) return 'The key of this tab may not read this run.'
  return message
}
