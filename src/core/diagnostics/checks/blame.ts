/** The chain to blame for a large R-hat: R-hat with each chain left out. */
import type { Convention } from '../convention.ts'
import { rhat } from '../rhat.ts'
import { Scalar, Workspace } from '../scalar.ts'

/** Chains that are left out, one after the other, at most: of more, those whose means are farthest from the middle. */
const MOST_LEFT_OUT = 32

/** R-hat of one scalar of all chains, and of all but one. */
export interface Blame {
  /** Position of the scalar among all that are judged. */
  readonly row: number
  /** R-hat of all chains; infinite where each is constant at another value. */
  readonly rhat: number
  /** R-hat without the chain at each position; NaN where that is not known. */
  readonly without: Float64Array
}

/** R-hat without each chain: one whole computation a chain, so for the few worst scalars alone. */
export function* rhatWithout(
  values: Float64Array,
  chains: number,
  convention: Convention,
): Generator<void, Float64Array> {
  const without = new Float64Array(chains).fill(Number.NaN)
  if (chains < 2) return without
  const draws = values.length / chains
  const workspace = new Workspace(chains - 1, draws)
  const rest = new Float64Array((chains - 1) * draws)
  for (const chain of candidates(values, chains)) {
    rest.set(values.subarray(0, chain * draws))
    rest.set(values.subarray((chain + 1) * draws), chain * draws)
    const value = rhat(new Scalar(workspace, rest, convention))
    without[chain] = typeof value === 'number' ? value : value === 'infinite' ? Number.POSITIVE_INFINITY : Number.NaN
    yield
  }
  return without
}

/**
 * The position of the one chain to blame: without it at least half of R-hat's excess over 1 is gone, and without any other one
 * it is twice as far from 1 at least. Undefined where no single chain is.
 */
export function chainToBlame({ rhat, without }: Pick<Blame, 'rhat' | 'without'>): number | undefined {
  let [least, second, place] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1]
  for (let chain = 0; chain < without.length; chain++) {
    const excess = (without[chain] as number) - 1
    if (excess < least) {
      second = least
      least = excess
      place = chain
    } else if (excess < second) second = excess
  }
  const rest = Math.max(0, least)
  return place >= 0 && rest <= (rhat - 1) / 2 && second > 2 * rest ? place : undefined
}

function candidates(values: Float64Array, chains: number): readonly number[] {
  const all = Array.from({ length: chains }, (_, chain) => chain)
  if (chains <= MOST_LEFT_OUT) return all
  const draws = values.length / chains
  const means = Float64Array.from(all, (chain) => meanOfChain(values, chain * draws, draws))
  const middle = means.toSorted()[chains >> 1] as number
  const distance = (chain: number) => Math.abs((means[chain] as number) - middle)
  return all.sort((a, b) => distance(b) - distance(a)).slice(0, MOST_LEFT_OUT)
}

function meanOfChain(values: Float64Array, begin: number, draws: number): number {
  let sum = 0
  for (let i = begin; i < begin + draws; i++) sum += values[i] as number
  return sum / draws
}
