/** Diagnostics of runs, as a server answers them: summaries of their draws, and checks. */
import { type Circumstances, type Examination, Examinations } from './examination.ts'
import type { SummaryQuestion } from './question.ts'
import type { DrawSource } from './source.ts'
import type { Asking, Summaries } from './summaries.ts'
import type { Summary } from './summary.ts'

/** Answers within the time of who asks; `progress` tells of an answer that is not all known. */
export interface Diagnostics {
  /** @throws McbError `chain_not_found`, `invalid_parameter`, `run_replaced`, `payload_too_large`, `overloaded` */
  summarise(source: DrawSource, question: SummaryQuestion, asking: Asking): Promise<Summary>
  /** @throws McbError `payload_too_large`, `overloaded`, `run_not_found` */
  check(source: DrawSource, run: Circumstances, asking: Asking): Promise<Examination>
}

/** @param now milliseconds since 1970 */
export function diagnosticsOf(summaries: Summaries, now?: () => number): Diagnostics {
  const examinations = new Examinations(summaries, now)
  return {
    summarise: (source, question, asking) => summaries.answer(source, question, asking),
    check: (source, run, asking) => examinations.examine(source, run, asking),
  }
}
