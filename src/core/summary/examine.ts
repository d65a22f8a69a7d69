/** Checks that are computed where they are asked for, by one caller and at once. */

import type { RunChecks } from '../diagnostics/checks/check.ts'
import type { CheckOptions } from './check-options.ts'
import { type Circumstances, Examinations } from './examination.ts'
import type { DrawSource } from './source.ts'
import { abortable, summariesHere } from './summarise.ts'

/** Checks of the draws of one moment. @throws McbError `payload_too_large` for a scalar of more than 10⁸ draws */
export async function examineSource(
  source: DrawSource,
  run: Circumstances,
  { signal }: CheckOptions = {},
): Promise<RunChecks> {
  const examinations = new Examinations(summariesHere())
  const asking = { owner: examinations, waitMs: Number.POSITIVE_INFINITY }
  return (await examinations.examine(abortable(source, signal), run, asking)).checks
}
