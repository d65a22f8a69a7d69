/** Places where figures are computed: here, or in a thread of their own. */

import { computeFigures, type FigureTable, type Plan } from '../diagnostics/figures.ts'
import { type BlockShape, ScalarBlock } from '../diagnostics/scalar-block.ts'
import type { NumericDtype } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'
import { turn } from '../turn.ts'

/** A block of scalars that is filled and then computed. */
export interface BlockWork {
  /** Puts consecutive draws of a chain, by its position, in their place; see `ScalarBlock.put`. */
  put(chain: number, first: number, bytes: Bytes, dtype: NumericDtype): void
  /** Computes the figures; nothing is put behind this. */
  figures(plan: Plan): Promise<FigureTable>
  /** Gives the block up. */
  drop(): void
}

export interface Bench {
  begin(shape: BlockShape): BlockWork
}

/** Milliseconds of computing between two turns of the event loop. */
const TURN_MS = 8

/** Computes where it is, with turns of the event loop in between. */
export class LocalBench implements Bench {
  begin(shape: BlockShape): BlockWork {
    const block = new ScalarBlock(shape)
    return {
      put: (chain, first, bytes, dtype) => block.put(chain, first, bytes, dtype),
      figures: (plan) => inShortTurns(computeFigures(block, plan)),
      drop: () => {},
    }
  }
}

async function inShortTurns<T>(steps: Generator<void, T>): Promise<T> {
  for (let since = Date.now(); ; ) {
    const { done, value } = steps.next()
    if (done) return value
    if (Date.now() - since < TURN_MS) continue
    await turn()
    since = Date.now()
  }
}
