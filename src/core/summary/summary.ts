/** Summaries as they are answered: figures of scalars, and the draws that they are of. */

import type { Convention, Reason } from '../diagnostics/convention.ts'
import type { Column, CredibleInterval } from '../diagnostics/summary-columns.ts'
import type { WarmupChoice } from './question.ts'

/** A chain of a summary. */
export interface ChainPart {
  readonly chain: number
  /** Iteration of the first draw. */
  readonly first: number
  /** Draws by the choice of warmup. */
  readonly draws: number
  /** Warmup draws of the chain. */
  readonly warmup: number
}

export interface LeftOutChain {
  readonly chain: number
  readonly reason: 'no_draws' | 'short'
}

export interface LeftOutVariable {
  readonly variable: string
  readonly reason: 'ragged' | 'strings'
}

export interface SummaryRow {
  readonly variable: string
  /** Index along each axis, from 0. */
  readonly index: readonly number[]
  /** The variable with its labels: `theta[Choate]`, or `theta[3]` where no coordinate has labels. */
  readonly label: string
  /** Figures in the order of the columns; the reason where there is no finite number. */
  readonly figures: readonly (number | Reason | 'pending')[]
}

export interface Summary {
  readonly rid: string
  readonly registration: string
  readonly convention: Convention
  readonly ci: CredibleInterval
  readonly warmup: WarmupChoice
  /** False where a figure is pending. */
  readonly complete: boolean
  /** Share of the work that is done; absent when it is all. */
  readonly progress?: number
  readonly chains: readonly ChainPart[]
  readonly leftOut: readonly (LeftOutChain | LeftOutVariable)[]
  /** Draws of each chain. */
  readonly draws: number
  readonly columns: readonly Column[]
  readonly rows: readonly SummaryRow[]
  /** The beginning of the next page; absent on the last one. */
  readonly nextCursor?: string
}
