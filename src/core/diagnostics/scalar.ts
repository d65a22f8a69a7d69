/** The draws of one scalar, and what several of its statistics have in common, each computed once. */
import { Autocovariance } from './autocovariance.ts'
import type { Convention } from './convention.ts'
import { IndicatorAutocovariance } from './indicator.ts'
import { meanOfAll, squaresOf } from './moments.ts'
import { rankScores } from './normal.ts'
import { Sorter } from './sort.ts'

/**
 * Memory for scalars of `chains` chains of `draws` draws: made once, used for one scalar after the other.
 *
 * @example
 * const workspace = new Workspace(4, 1000)
 * for (const values of scalars) rhat(new Scalar(workspace, values, 'posterior'))
 */
export class Workspace {
  readonly chains: number
  readonly draws: number
  /** Half-chains, twice as many as chains, and their draws: of an odd number the one in the middle belongs to none. */
  readonly splits: number
  readonly half: number
  readonly sorter: Sorter
  readonly halves: Float64Array
  readonly sorted: Float64Array
  readonly scores: Float64Array
  readonly folded: Float64Array
  readonly z: Float64Array
  readonly other: Float64Array
  readonly foldedOrder: Uint32Array
  readonly rho: Float64Array
  readonly acov: Autocovariance
  readonly indicator: IndicatorAutocovariance

  constructor(chains: number, draws: number) {
    this.chains = chains
    this.draws = draws
    const half = Math.floor(draws / 2)
    // Chains of two or three draws: posterior takes all first ones for a chain, and all last ones for another.
    this.splits = half === 1 ? 2 : 2 * chains
    this.half = half === 1 ? chains : half
    const size = chains * draws
    const split = this.splits * this.half
    this.sorter = new Sorter(split)
    this.halves = new Float64Array(isWhole(draws) ? 0 : split)
    this.sorted = new Float64Array(split)
    this.scores = rankScores(split)
    this.folded = new Float64Array(split)
    this.z = new Float64Array(split)
    this.other = new Float64Array(size)
    this.foldedOrder = new Uint32Array(split)
    this.rho = new Float64Array(this.half + 2)
    this.acov = new Autocovariance(this.splits, this.half, 'halves')
    this.indicator = new IndicatorAutocovariance(this.splits, this.half)
  }
}

/** The worst of draws that are not finite. */
export type Blemish = 'nan' | 'infinite'

/** One scalar under one convention. Its workspace serves it until the next one begins. */
export class Scalar {
  readonly workspace: Workspace
  /** All draws, chain after chain. */
  readonly values: Float64Array
  readonly convention: Convention
  /** A draw that is not finite, if there is one: NaN before infinity. */
  readonly blemish: Blemish | undefined
  /** The same of half-chains: the middle of an odd number of draws is in none. ArviZ looks for NaN among all draws nevertheless. */
  readonly splitBlemish: Blemish | undefined
  /** The draws of half-chains, one after the other. */
  readonly halves: Float64Array
  private isSorted = false
  private order: Uint32Array = NOTHING
  private wholeSorted: Float64Array | undefined
  private isRanked = false
  private knownMean: number | undefined
  private knownVariance: number | undefined
  private inAcov: 'ranks' | 'draws' | 'squares' | undefined

  constructor(workspace: Workspace, values: Float64Array, convention: Convention) {
    this.workspace = workspace
    this.values = values
    this.convention = convention
    this.blemish = blemishOf(values)
    this.halves = isWhole(workspace.draws) ? values : split(workspace, values)
    const isOfAll = this.halves === values || (convention === 'arviz' && this.blemish === 'nan')
    this.splitBlemish = isOfAll || this.blemish === undefined ? this.blemish : blemishOf(this.halves)
  }

  get chains(): number {
    return this.workspace.chains
  }

  get draws(): number {
    return this.workspace.draws
  }

  /** The draws of half-chains in rising order. */
  get sortedHalves(): Float64Array {
    const { sorted, sorter } = this.workspace
    if (!this.isSorted) {
      this.order = sorter.order(this.halves)
      for (let i = 0; i < sorted.length; i++) sorted[i] = this.halves[this.order[i] as number] as number
      this.isSorted = true
    }
    return sorted
  }

  /** Places of `sortedHalves` among the half-chains' draws: valid as long as the workspace serves this scalar. */
  get orderOfHalves(): Uint32Array {
    return this.sortedHalves.length === 0 ? NOTHING : this.order
  }

  /** All draws in rising order. */
  get sorted(): Float64Array {
    if (isWhole(this.draws)) return this.sortedHalves
    this.wholeSorted ??= Float64Array.from(this.values).sort()
    return this.wholeSorted
  }

  /** The range of the half-chains' draws. */
  get rangeOfHalves(): number {
    const sorted = this.sortedHalves
    return sorted.length === 0 ? 0 : (sorted[sorted.length - 1] as number) - (sorted[0] as number)
  }

  /** z-scores of the half-chains' draws. */
  rankHalves(): Float64Array {
    const { z, scores } = this.workspace
    if (!this.isRanked) scoreRanks(this.sortedHalves, this.order, scores, z)
    this.isRanked = true
    return z
  }

  /** The range of these z-scores. */
  get rangeOfRanks(): number {
    const z = this.rankHalves()
    const { order } = this
    return z.length === 0 ? 0 : (z[order[z.length - 1] as number] as number) - (z[order[0] as number] as number)
  }

  /** The mean of all draws. */
  get mean(): number {
    this.knownMean ??= meanOfAll(this.convention, this.values)
    return this.knownMean
  }

  /** The variance of all draws (ddof 1). */
  get variance(): number {
    const { values } = this
    this.knownVariance ??= squaresOf(values, this.mean) / (values.length - 1)
    return this.knownVariance
  }

  /** Autocovariances of some values of the half-chains: valid until those of others are asked for. */
  autocovariance(what: 'ranks' | 'draws' | 'squares'): Autocovariance {
    const { acov } = this.workspace
    if (this.inAcov === what) return acov
    this.inAcov = what
    const values = what === 'ranks' ? this.rankHalves() : what === 'draws' ? this.halves : this.squares()
    return acov.of(values, this.convention)
  }

  /** Squared distances of the half-chains' draws from the mean of all. */
  squares(): Float64Array {
    const { halves, mean, workspace } = this
    const target = workspace.other.subarray(0, halves.length)
    for (let i = 0; i < target.length; i++) {
      const distance = (halves[i] as number) - mean
      target[i] = distance * distance
    }
    return target
  }

  /** z-scores of the distances from the median; undefined where that is infinite, and some distances are none. */
  rankFolded(): Float64Array | undefined {
    const { folded, foldedOrder, scores, other } = this.workspace
    const median = medianOf(this.convention === 'posterior' ? this.sorted : this.sortedHalves, this.convention)
    if (!Number.isFinite(median)) return undefined
    fold(this.sortedHalves, this.order, median, folded, foldedOrder)
    const target = other.subarray(0, folded.length)
    scoreRanks(folded, foldedOrder, scores, target)
    return target
  }
}

const NOTHING = new Uint32Array()

/** True where the half-chains, one after the other, are the chains one after the other. */
function isWhole(draws: number): boolean {
  return draws % 2 === 0 && draws > 2
}

function split({ draws, chains, half, halves }: Workspace, values: Float64Array): Float64Array {
  for (let chain = 0; chain < chains; chain++) {
    const begin = chain * draws
    if (draws <= 3) {
      halves[chain] = values[begin] as number
      halves[chains + chain] = values[begin + draws - 1] as number
      continue
    }
    halves.set(values.subarray(begin, begin + half), 2 * chain * half)
    halves.set(values.subarray(begin + draws - half, begin + draws), (2 * chain + 1) * half)
  }
  return halves
}

function blemishOf(values: Float64Array): Blemish | undefined {
  let sum = 0
  // x - x is 0 for what is finite, and NaN for all else.
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) - (values[i] as number)
  if (sum === 0) return undefined
  return values.some(Number.isNaN) ? 'nan' : 'infinite'
}

/** The mean of the middle two of an even number of sorted values, as both packages round it. Sums of doubles overflow in NumPy alone. */
export function medianOf(sorted: Float64Array, convention: Convention): number {
  const { length } = sorted
  const high = sorted[length >> 1] as number
  if (length % 2 === 1) return high
  const sum = (sorted[(length >> 1) - 1] as number) + high
  if (Number.isFinite(sum) || convention === 'arviz') return sum / 2
  return (sorted[(length >> 1) - 1] as number) / 2 + high / 2
}

/** Gives each value the score of its average rank. */
function scoreRanks(sorted: Float64Array, order: Uint32Array, scores: Float64Array, target: Float64Array): void {
  const { length } = sorted
  for (let i = 0; i < length; ) {
    const value = sorted[i] as number
    let j = i + 1
    while (j < length && sorted[j] === value) j++
    // Ranks i + 1 … j, twice their mean.
    const score = scores[i + 1 + j] as number
    for (; i < j; i++) target[order[i] as number] = score
  }
}

/** Distances from the median in rising order, by a merge outwards from it. */
function fold(
  sorted: Float64Array,
  order: Uint32Array,
  median: number,
  folded: Float64Array,
  foldedOrder: Uint32Array,
): void {
  const { length } = sorted
  let low = lowerBound(sorted, median) - 1
  let high = low + 1
  let left = low < 0 ? Number.POSITIVE_INFINITY : Math.abs((sorted[low] as number) - median)
  let right = high >= length ? Number.POSITIVE_INFINITY : Math.abs((sorted[high] as number) - median)
  for (let i = 0; i < length; i++) {
    if (high >= length || (left <= right && low >= 0)) {
      folded[i] = left
      foldedOrder[i] = order[low--] as number
      left = low < 0 ? Number.POSITIVE_INFINITY : Math.abs((sorted[low] as number) - median)
    } else {
      folded[i] = right
      foldedOrder[i] = order[high++] as number
      right = high >= length ? Number.POSITIVE_INFINITY : Math.abs((sorted[high] as number) - median)
    }
  }
}

/** The number of sorted values that are at most `value`. */
export function upperBound(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) <= value) low = middle + 1
    else high = middle
  }
  return low
}

/** The number of sorted values that are less than `value`. */
export function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}
