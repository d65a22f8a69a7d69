/** Evidence on which a run is judged: figures of its scalars, of its draws and of its sampler stats, as far as they are known. */
import type { Statistic } from '../convention.ts'
import type { Blame } from './blame.ts'
import type { Distribution } from './distribution.ts'
import type { DrawEvidence } from './draw-evidence.ts'
import type { Growth } from './growth.ts'
import type { TreeDepthLimit } from './tree-depth.ts'

export interface ChainProgress {
  readonly chain: number
  /** Draws, warmup included. */
  readonly length: number
  /** Milliseconds since 1970. */
  readonly updatedAt: number
  /** Seconds that usually pass between two writes; absent where that is not known. */
  readonly pause?: number
}

/** Evidence of a stat; `absent` where the run has none of its names, `pending` where it was not read yet. */
export type Known<T> = T | 'absent' | 'pending'

/** Draws that a stat marks. */
export interface Marked {
  /** Their number in each chain that is judged, in the chains' order. */
  readonly marked: readonly number[]
  /** Draws of each of these chains. */
  readonly draws: number
}

export interface TreeDepths extends Marked {
  /** The limit; absent where the sampler itself tells which draws reached it. */
  readonly limit?: TreeDepthLimit
}

export interface Evidence {
  /** Milliseconds since 1970. */
  readonly now: number
  /** True where nothing more is expected of the run. */
  readonly isOver: boolean
  /** Every chain there is. */
  readonly progress: readonly ChainProgress[]
  /** Numbers of the chains that are judged. */
  readonly chains: readonly number[]
  /** Draws of each of these, without warmup. */
  readonly draws: number
  /** Scalars that are judged: rows count from 0. */
  readonly scalars: number
  readonly label: (row: number) => string
  readonly rhat: Distribution
  /** Bulk ESS, tail ESS, and the smaller of both. */
  readonly essBulk: Distribution
  readonly essTail: Distribution
  readonly ess: Distribution
  /** Evidence of as many scalars as it says; absent while there is none. */
  readonly inDraws?: DrawEvidence
  readonly divergences: Known<Marked>
  /** E-BFMI of each chain that is judged. */
  readonly bfmi: Known<readonly Statistic[]>
  readonly treeDepths: Known<TreeDepths>
  /** The scalars with the largest R-hat, the worst first. */
  readonly blame: readonly Blame[]
  /** The scalars with the least bulk ESS, the worst first. */
  readonly growth: readonly Growth[]
  /** Seconds in which the draws were sampled; 0 where that is not known. */
  readonly seconds: number
}
