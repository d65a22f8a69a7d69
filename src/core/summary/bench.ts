/** Places where figures are computed: here, or in a thread of their own. */

import { computeFigures, type FigureTable, type Plan } from '../diagnostics/figures.ts'
import { type BlockShape, type Place, ScalarBlock } from '../diagnostics/scalar-block.ts'
import type { NumericDtype } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'
import { Pace, turn } from '../turn.ts'

/** A block of scalars that is filled and then computed. */
export interface BlockWork {
  /** Puts consecutive draws in their place; see `ScalarBlock.put`. */
  put(place: Place, bytes: Bytes, dtype: NumericDtype): void
  /** Computes the figures; nothing is put behind this. */
  figures(plan: Plan): Promise<FigureTable>
  /** Gives the block up. */
  drop(): void
}

export interface Bench {
  begin(shape: BlockShape): BlockWork
}

/** Steps of work, a draw of a figure each. No clock measures work here: those of Workers stand still while one computes. */
export type Effort = number

/** Effort of a millisecond, about: of one that others work in, too. */
export const MS_EFFORT: Effort = 25_000
/** Effort between two turns of the event loop. */
export const TURN_EFFORT: Effort = 8 * MS_EFFORT
/** Effort for a scalar of few draws. */
const LEAST: Effort = 2000
/** Figures that cost as much as R-hat alone. */
const LEAST_FIGURES = 4

export interface LocalBenchOptions {
  /** Lets others have their turn behind so much work, and resolves when it may go on. */
  readonly pause?: (effort: Effort) => Promise<void>
}

/** Computes where it is, with turns of the event loop in between. */
export class LocalBench implements Bench {
  private readonly pause: (effort: Effort) => Promise<void>

  constructor({ pause = turn }: LocalBenchOptions = {}) {
    this.pause = pause
  }

  begin(shape: BlockShape): BlockWork {
    const block = new ScalarBlock(shape)
    return {
      put: (place, bytes, dtype) => block.put(place, bytes, dtype),
      figures: (plan) => this.compute(block, plan),
      drop: () => {},
    }
  }

  private async compute(block: ScalarBlock, plan: Plan): Promise<FigureTable> {
    const effort = effortOf(block.shape, plan)
    const steps = computeFigures(block, plan)
    const pace = new Pace(TURN_EFFORT)
    for (;;) {
      const { done, value } = steps.next()
      if (done) return value
      if (pace.isDue(effort)) await this.pause(Math.max(TURN_EFFORT, effort))
    }
  }
}

/** Effort for one scalar. */
function effortOf({ chains, draws }: BlockShape, { figures }: Plan): Effort {
  return Math.max(LEAST, chains * draws * Math.max(LEAST_FIGURES, figures.length))
}
