/** Diagnostics of stored runs: computed where the draws are, if their store does that, or else by this server. */
import type { RunAbout } from '../core/interfaces.ts'
import { isDiagnosing } from '../core/summary/diagnosing-store.ts'
import type { Diagnostics } from '../core/summary/diagnostics.ts'
import type { Examination } from '../core/summary/examination.ts'
import type { SummaryQuestion } from '../core/summary/question.ts'
import type { Asking } from '../core/summary/summaries.ts'
import type { Summary } from '../core/summary/summary.ts'
import type { StoreRun } from './backend.ts'
import { drawSourceOf } from './draw-source.ts'

/** @throws McbError as `Diagnostics.summarise`, and `run_not_found` */
export function summarise(
  run: StoreRun,
  diagnostics: Diagnostics,
  question: SummaryQuestion,
  asking: Asking,
): Promise<Summary> {
  const { store, registration } = run
  if (isDiagnosing(store)) return store.summarise(registration, question, asking.waitMs)
  return diagnostics.summarise(drawSourceOf(run), question, asking)
}

/** @throws McbError as `Diagnostics.check` */
export function check(run: StoreRun, about: RunAbout, diagnostics: Diagnostics, asking: Asking): Promise<Examination> {
  const { store, registration } = run
  const { createdAt, updatedAt, state, facts, attributes } = about
  const circumstances = { createdAt, updatedAt, state, facts, attributes }
  if (isDiagnosing(store)) return store.check(registration, circumstances, asking.waitMs)
  return diagnostics.check(drawSourceOf(run), circumstances, asking)
}
