/** Answers in part that are kept of a run: of the server's traces, which are costly, and of figures that never change. */
import { LruMap } from '../../../src/core/lru.ts'
import type { TracedChain } from './questions.ts'

/** A trace of the server, and when it may be asked for again. */
export interface Rested {
  readonly traces: readonly (readonly TracedChain[])[]
  /** Milliseconds, by `performance.now()`. */
  readonly until: number
}

export class Known {
  readonly traces = new LruMap<string, Rested>(50)
  /** Bulk and tail ESS of growing parts of a scalar. */
  readonly ess = new LruMap<string, readonly [bulk: number, tail: number]>(20_000)
}
