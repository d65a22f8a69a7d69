/**
 * Diagnostics of a run inside its object: draws are read where they are, and only figures leave.
 *
 * All who ask at the same time share one computation. It goes on only while one of them waits, so that a Worker whose caller
 * has more time asks again, and leaves three quarters of the time to appends.
 */

import { McbError } from '../../core/errors.ts'
import type { Limits } from '../../core/limits.ts'
import type { Store } from '../../core/store.ts'
import { type Diagnostics, diagnosticsOf } from '../../core/summary/diagnostics.ts'
import type { Circumstances, Examination } from '../../core/summary/examination.ts'
import { LEAST_WAIT_MS, SHIFT_EFFORT, summariesInShifts } from '../../core/summary/isolate.ts'
import { SummaryMemory } from '../../core/summary/memory.ts'
import type { SummaryQuestion } from '../../core/summary/question.ts'
import { Rests } from '../../core/summary/rests.ts'
import { Shift } from '../../core/summary/shift.ts'
import type { DrawSource } from '../../core/summary/source.ts'
import { sourceOfStore } from '../../core/summary/store-source.ts'
import { type Asking, ISOLATE_SUMMARY_LIMITS } from '../../core/summary/summaries.ts'
import type { Summary } from '../../core/summary/summary.ts'
import { parseRunMeta } from '../../core/wire/run-meta.ts'
import { ridOf } from '../registration.ts'

/** A question as it is sent: with the indices of its columns. */
export interface SentQuestion extends Omit<SummaryQuestion, 'specs'> {
  readonly specs: readonly number[]
}

export class ObjectDiagnostics {
  /** Appends since the object woke. */
  appends = 0
  private readonly limits: Limits
  private readonly shift: Shift
  private readonly diagnostics: Diagnostics
  /** The run that was asked about last: an object has one at a time. */
  private source: DrawSource | undefined

  constructor(limits: Limits) {
    this.limits = limits
    const rests = new Rests(() => this.appends)
    this.shift = new Shift({ effort: SHIFT_EFFORT, rest: (worked) => rests.after(worked) })
    this.diagnostics = diagnosticsOf(summariesInShifts(this.shift, new SummaryMemory(ISOLATE_SUMMARY_LIMITS.keptBytes)))
  }

  /** A summary as far as it is known behind one shift, or when the time is over. */
  async summarise(store: Store, registration: string, question: SentQuestion, waitMs: number): Promise<Summary> {
    const source = await this.sourceOf(store, registration)
    const specs = question.specs.map((index) => source.schema.columns[index] ?? noColumn(index))
    return this.inShift(waitMs, (asking) => this.diagnostics.summarise(source, { ...question, specs }, asking))
  }

  /** The checks, likewise. */
  async check(store: Store, registration: string, run: Circumstances, waitMs: number): Promise<Examination> {
    const source = await this.sourceOf(store, registration)
    return this.inShift(waitMs, (asking) => this.diagnostics.check(source, run, asking))
  }

  private inShift<T>(waitMs: number, use: (asking: Asking) => Promise<T>): Promise<T> {
    const asking = { owner: this, waitMs: Math.max(LEAST_WAIT_MS, waitMs) }
    return this.shift.during((over) => use({ ...asking, over }))
  }

  private async sourceOf(store: Store, registration: string): Promise<DrawSource> {
    if (this.source?.registration === registration) return this.source
    const rid = ridOf(registration)
    const run = await store.find(rid)
    if (run?.registration !== registration) throw new McbError('run_not_found', 'the run was deleted')
    const { meta, schema } = parseRunMeta(run.meta, this.limits)
    this.source = sourceOfStore(store, { rid, registration, meta, schema })
    return this.source
  }
}

function noColumn(index: number): never {
  throw new Error(`a summary names column ${index}, which the schema has not`)
}
