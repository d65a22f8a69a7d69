/** Reasons why a run cannot be compared, in words. */
import type { ApiProblem } from '../../api/http.ts'

export function problemWords({ status, code, message }: ApiProblem): string {
  if (code === 'run_not_found') return 'not here, or deleted'
  if (code === 'run_replaced') return 'replaced by another of its name: load the page again'
  if (status === 401) return 'the key of this tab is no longer valid'
  if (status === 403) return 'the key of this tab may not read it'
  return message
}
