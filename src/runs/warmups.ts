/** Lengths of warmup, which are read once: behind the first draw that is none, they never change. */

import type { ColumnSpec, Schema } from '../core/draws/columns.ts'
import { LruMap } from '../core/lru.ts'
import type { Selection } from '../core/selection.ts'
import type { ChainState } from '../core/store.ts'
import { warmupFlag, warmupLength } from '../core/warmup.ts'

/** The parts of a run that tell its warmup. */
interface FlaggedRun {
  readonly registration: string
  readonly schema: Schema
  select(state: ChainState, columns: readonly ColumnSpec[]): Selection
}

/** Chains whose warmup is remembered. */
const KNOWN_CHAINS = 50_000
/** Chains whose flags are read at a time. */
const READ_TOGETHER = 8

export class Warmups {
  private readonly known = new LruMap<string, number>(KNOWN_CHAINS)

  /** Draws of each chain that are warmup, as of the lengths of `states`. */
  async of(run: FlaggedRun, states: readonly ChainState[]): Promise<readonly number[]> {
    const lengths: number[] = []
    for (let at = 0; at < states.length; at += READ_TOGETHER) {
      const some = states.slice(at, at + READ_TOGETHER)
      lengths.push(...(await Promise.all(some.map((state) => this.ofChain(run, state)))))
    }
    return lengths
  }

  private async ofChain(run: FlaggedRun, state: ChainState): Promise<number> {
    const flag = warmupFlag(run.schema)
    if (flag === undefined || state.length === 0) return 0
    const key = `${run.registration}/${state.chain}`
    const known = this.known.get(key)
    if (known !== undefined) return Math.min(known, state.length)
    const length = await warmupLength(run.select(state, [flag]))
    if (length < state.length) this.known.set(key, length)
    return length
  }
}
