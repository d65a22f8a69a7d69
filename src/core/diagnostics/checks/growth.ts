/** Growth of the effective sample size with the draws: of the first half of each chain against all of it. */
import type { Statistic } from '../convention.ts'
import { essBulk } from '../ess.ts'
import { Scalar, Workspace } from '../scalar.ts'

/** Bulk ESS of one scalar. */
export interface Growth {
  /** Position of the scalar among all that are judged. */
  readonly row: number
  /** Bulk ESS of the first half of the draws of each chain, and of all. */
  readonly half: number
  readonly all: number
}

/** The factor by which ESS grows while the draws double is 2 for chains that mix, and 1 for such that wander: this is in the middle. */
export const LEAST_GROWTH = Math.SQRT2

let first: { readonly workspace: Workspace; readonly values: Float64Array } | undefined

/** Bulk ESS of the first half of the draws of each chain. */
export function essOfFirstHalf({ chains, draws, values, convention }: Scalar): Statistic {
  const half = draws >> 1
  if (first?.workspace.chains !== chains || first.workspace.draws !== half) {
    first = { workspace: new Workspace(chains, half), values: new Float64Array(chains * half) }
  }
  for (let chain = 0; chain < chains; chain++) {
    first.values.set(values.subarray(chain * draws, chain * draws + half), chain * half)
  }
  return essBulk(new Scalar(first.workspace, first.values, convention))
}
