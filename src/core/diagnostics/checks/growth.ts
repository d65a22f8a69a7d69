/** Growth of the effective sample size with the draws: of the first half of each chain against all of it. */
import type { Convention } from '../convention.ts'
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

/** Both ESS of a scalar; undefined where there is none. */
export function growthOf(row: number, scalar: Scalar): Growth | undefined {
  const all = essBulk(scalar)
  const half = essBulk(firstHalf(scalar))
  return typeof all === 'number' && typeof half === 'number' ? { row, half, all } : undefined
}

function firstHalf({ chains, draws, values, convention }: Scalar): Scalar {
  const half = draws >> 1
  const first = new Float64Array(chains * half)
  for (let chain = 0; chain < chains; chain++) {
    first.set(values.subarray(chain * draws, chain * draws + half), chain * half)
  }
  return scalarOf(first, chains, half, convention)
}

function scalarOf(values: Float64Array, chains: number, draws: number, convention: Convention): Scalar {
  return new Scalar(new Workspace(chains, draws), values, convention)
}
