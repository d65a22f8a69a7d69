/**
 * Diagnostics where no object has the draws: each request computes by itself, within what the platform gives it.
 *
 * Requests of an isolate share memory, and nothing else: what one has begun, its timers and reads, ends with it, and another
 * would wait for it for ever.
 */
import { type Diagnostics, diagnosticsOf } from '../core/summary/diagnostics.ts'
import type { Circumstances, Examination } from '../core/summary/examination.ts'
import { LEAST_WAIT_MS, SHIFT_EFFORT, summariesInShifts } from '../core/summary/isolate.ts'
import { SummaryMemory } from '../core/summary/memory.ts'
import type { SummaryQuestion } from '../core/summary/question.ts'
import { Shift } from '../core/summary/shift.ts'
import type { DrawSource } from '../core/summary/source.ts'
import { type Asking, ISOLATE_SUMMARY_LIMITS } from '../core/summary/summaries.ts'
import type { Summary } from '../core/summary/summary.ts'

/** Effort of one request: some seconds, which is what the most that is computed at once may take. */
const REQUEST_EFFORT = 4 * SHIFT_EFFORT

export class IsolateDiagnostics implements Diagnostics {
  private readonly memory = new SummaryMemory(ISOLATE_SUMMARY_LIMITS.keptBytes)

  summarise(source: DrawSource, question: SummaryQuestion, asking: Asking): Promise<Summary> {
    return this.inShift(asking, (diagnostics, inShift) => diagnostics.summarise(source, question, inShift))
  }

  check(source: DrawSource, run: Circumstances, asking: Asking): Promise<Examination> {
    return this.inShift(asking, (diagnostics, inShift) => diagnostics.check(source, run, inShift))
  }

  /** Computes in one shift, which is all that a request has. */
  private async inShift<T>(asking: Asking, use: (diagnostics: Diagnostics, inShift: Asking) => Promise<T>): Promise<T> {
    const shift = new Shift({ effort: REQUEST_EFFORT })
    const diagnostics = diagnosticsOf(summariesInShifts(shift, this.memory))
    const waitMs = Math.max(LEAST_WAIT_MS, asking.waitMs)
    try {
      return await shift.during((over) => use(diagnostics, { ...asking, waitMs, over }))
    } finally {
      shift.close()
    }
  }
}
