/**
 * Simultaneous bands for the ranks of several chains (Säilynoja, Bürkner and Vehtari 2022, doi:10.1007/s11222-022-10090-6): if
 * all chains are of one distribution, all of their ECDFs stay within the band with a probability of 95 %.
 *
 * Within the band at each point separately an ECDF is with a higher probability, the pointwise coverage. The paper finds it by
 * simulation; here it follows from the exact probability that the ECDF of one chain stays within, which is gone through from point
 * to point. For two chains that is all, as one ECDF mirrors the other; more are taken for independent, which simulations confirm
 * to a quarter of a percent.
 */
import type { Steps } from '../turns.ts'
import { type Distribution, hypergeometric, quantileIn } from './hypergeometric.ts'

/** Points at i / `points` of the scaled ranks of `chains` chains of `draws` draws. */
export interface Ranked {
  readonly chains: number
  readonly draws: number
  readonly points: number
}

/** Bounds of the number of a chain's draws up to each inner point. */
export interface Bounds {
  readonly lower: Float64Array
  readonly upper: Float64Array
}

const PROBABILITY = 0.95
const LEAST_TAIL = 1e-7

/** Number of ranks up to the inner point i. */
function ranksTo({ chains, draws, points }: Ranked, i: number): number {
  return Math.floor((i * chains * draws) / points)
}

/** Number of a chain's draws up to an inner point. */
function countAt(ranked: Ranked, i: number): Distribution {
  return hypergeometric(ranked.chains * ranked.draws, ranked.draws, ranksTo(ranked, i))
}

/** Bounds in which each count is with a probability of 1 - 2 · tail at least. */
export function pointwiseBounds(ranked: Ranked, tail: number): Bounds {
  return boundsIn(countsOf(ranked), tail)
}

function countsOf(ranked: Ranked): Distribution[] {
  return Array.from({ length: ranked.points - 1 }, (_, i) => countAt(ranked, i + 1))
}

function boundsIn(counts: readonly Distribution[], tail: number): Bounds {
  return {
    lower: Float64Array.from(counts, (count) => quantileIn(count, tail)),
    upper: Float64Array.from(counts, (count) => quantileIn(count, 1 - tail)),
  }
}

/** Ways of one chain from point to point, each kept, since bounds after bounds are tried. */
class Ways {
  private readonly ranked: Ranked
  private readonly steps: Map<number, Distribution>[]

  constructor(ranked: Ranked) {
    this.ranked = ranked
    this.steps = Array.from({ length: ranked.points - 1 }, () => new Map())
  }

  /** The probability that the counts of the chain are within bounds at all inner points. */
  probabilityWithin({ lower, upper }: Bounds): number {
    let [from, states] = [0, Float64Array.of(1)]
    for (let i = 0; i < lower.length; i++) {
      const low = lower[i] as number
      const next = new Float64Array((upper[i] as number) - low + 1)
      for (let j = 0; j < states.length; j++) {
        const probability = states[j] as number
        if (probability > 0) spread(probability, from + j - low, this.step(i, from + j), next)
      }
      ;[from, states] = [low, next]
    }
    return states.reduce((sum, p) => sum + p, 0)
  }

  /** The number of draws that the chain has between two points, up to the inner point `i`, where it has `count` before them. */
  private step(i: number, count: number): Distribution {
    const { chains, draws } = this.ranked
    const known = this.steps[i]?.get(count)
    if (known !== undefined) return known
    const before = ranksTo(this.ranked, i)
    const step = hypergeometric(chains * draws - before, draws - count, ranksTo(this.ranked, i + 1) - before)
    this.steps[i]?.set(count, step)
    return step
  }
}

/** Adds to the states that one state leads to, of those that are within bounds. */
function spread(probability: number, place: number, { least, probabilities }: Distribution, next: Float64Array): void {
  const begin = place + least
  const end = Math.min(probabilities.length, next.length - begin)
  for (let k = Math.max(0, -begin); k < end; k++) {
    next[begin + k] = (next[begin + k] as number) + probability * (probabilities[k] as number)
  }
}

/** The probability that the counts of one chain are within bounds at all inner points. */
export function probabilityWithin(ranked: Ranked, bounds: Bounds): number {
  return new Ways(ranked).probabilityWithin(bounds)
}

/** The probability in each tail of the pointwise bounds that hold at all points with a probability of 95 % for all chains. */
export function* tailOf(ranked: Ranked): Steps<number> {
  const ways = new Ways(ranked)
  const counts = countsOf(ranked)
  const aim = PROBABILITY ** (1 / (ranked.chains === 2 ? 1 : ranked.chains))
  let [low, high] = [Math.log(LEAST_TAIL), Math.log((1 - PROBABILITY) / 2)]
  for (let i = 0; i < 14; i++) {
    yield
    const middle = (low + high) / 2
    if (ways.probabilityWithin(boundsIn(counts, Math.exp(middle))) >= aim) low = middle
    else high = middle
  }
  return Math.exp(low)
}
