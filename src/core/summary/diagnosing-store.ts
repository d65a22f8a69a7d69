/** Stores that compute diagnostics themselves, where their draws are. */
import type { Store } from '../store.ts'
import type { Circumstances, Examination } from './examination.ts'
import type { SummaryQuestion } from './question.ts'
import type { Summary } from './summary.ts'

/** As `Diagnostics`, within `waitMs` milliseconds; `run_not_found` as of all methods of a store. */
export interface DiagnosingStore extends Store {
  summarise(registration: string, question: SummaryQuestion, waitMs: number): Promise<Summary>
  check(registration: string, run: Circumstances, waitMs: number): Promise<Examination>
}

export function isDiagnosing(store: Store): store is DiagnosingStore {
  return 'summarise' in store
}
