/** The chain to blame for a large R-hat: R-hat with each chain left out. */
import type { Statistic } from '../convention.ts'
import { rhat } from '../rhat.ts'
import { Scalar, Workspace } from '../scalar.ts'

/** Chains of a run at most of which one is looked for: each costs an R-hat. */
export const MOST_BLAMED = 32

/** R-hat of one scalar of all chains, and of all but one. */
export interface Blame {
  /** Position of the scalar among all that are judged. */
  readonly row: number
  /** R-hat of all chains; infinite where each is constant at another value. */
  readonly rhat: number
  /** R-hat without the chain at each position; NaN where there is none. */
  readonly without: readonly number[]
}

let rest: { readonly workspace: Workspace; readonly values: Float64Array } | undefined

/** R-hat of all chains but the one at a position. */
export function rhatWithout({ values, chains, draws, convention }: Scalar, chain: number): Statistic {
  if (chains < 2) return 'too_few'
  if (rest?.workspace.chains !== chains - 1 || rest.workspace.draws !== draws) {
    rest = { workspace: new Workspace(chains - 1, draws), values: new Float64Array((chains - 1) * draws) }
  }
  rest.values.set(values.subarray(0, chain * draws))
  rest.values.set(values.subarray((chain + 1) * draws), chain * draws)
  return rhat(new Scalar(rest.workspace, rest.values, convention))
}

/**
 * The position of the one chain to blame: without it at least half of R-hat's excess over 1 is gone, and without any other one
 * it is twice as far from 1 at least. Undefined where no single chain is.
 */
export function chainToBlame({ rhat, without }: Pick<Blame, 'rhat' | 'without'>): number | undefined {
  let [least, second, place] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1]
  for (const [chain, value] of without.entries()) {
    const excess = value - 1
    if (excess < least) {
      second = least
      least = excess
      place = chain
    } else if (excess < second) second = excess
  }
  const left = Math.max(0, least)
  return place >= 0 && left <= (rhat - 1) / 2 && second > 2 * left ? place : undefined
}
