/** Quantiles of type 7 (Hyndman and Fan 1996), intervals, and the median absolute deviation. */
import type { Convention, Statistic } from './convention.ts'
import { lowerBound, medianOf, type Scalar } from './scalar.ts'
import { statistic } from './statistic.ts'

/** The quantile at 0 ≤ p ≤ 1 of sorted numbers, rounded as the package rounds it: where it falls on a draw, ties decide much. */
export function quantileOf(sorted: Float64Array, p: number, convention: Convention): number {
  if (convention === 'posterior') {
    // R counts from 1, which costs digits of the share.
    const place = 1 + (sorted.length - 1) * p
    const share = place - Math.floor(place)
    const a = sorted[Math.floor(place) - 1] as number
    const b = sorted[Math.ceil(place) - 1] as number
    return a === b || share === 0 ? a : (1 - share) * a + share * b
  }
  const place = (sorted.length - 1) * p
  const share = place - Math.floor(place)
  const a = sorted[Math.floor(place)] as number
  // NumPy has NaN where the difference is none, as of two infinities.
  const b = sorted[Math.min(Math.floor(place) + 1, sorted.length - 1)] as number
  return share < 0.5 ? a + (b - a) * share : b - (b - a) * (1 - share)
}

/** The quantile at `p` of all draws. */
export function quantile(scalar: Scalar, p: number): Statistic {
  if (scalar.blemish === 'nan') return 'nan'
  return statistic(scalar, quantileOf(scalar.sorted, p, scalar.convention))
}

export function mean(scalar: Scalar): Statistic {
  return scalar.blemish ?? statistic(scalar, scalar.mean)
}

/** The standard deviation of all draws (ddof 1). */
export function sd(scalar: Scalar): Statistic {
  if (scalar.blemish !== undefined) return scalar.blemish
  return scalar.values.length < 2 ? 'too_few' : statistic(scalar, Math.sqrt(scalar.variance))
}

export const median = (scalar: Scalar): Statistic =>
  scalar.blemish === 'nan' ? 'nan' : statistic(scalar, medianOf(scalar.sorted, scalar.convention))

/** The median distance from the median; under `posterior` times 1.4826, which makes it the sd of normal draws. */
export function mad(scalar: Scalar): Statistic {
  if (scalar.blemish === 'nan') return 'nan'
  const { sorted, convention } = scalar
  const middle = medianOf(sorted, convention)
  // Infinite draws have no distance from an infinite median.
  if (!Number.isFinite(middle)) return statistic(scalar, Number.NaN)
  return statistic(scalar, (convention === 'posterior' ? 1.4826 : 1) * medianDistance(sorted, middle))
}

/** The median distance of sorted values from one among them: half of the way outwards from it. */
function medianDistance(sorted: Float64Array, middle: number): number {
  const { length } = sorted
  const distance = (i: number) => Math.abs((sorted[i] as number) - middle)
  let high = lowerBound(sorted, middle)
  let low = high - 1
  let [before, last] = [Number.NaN, Number.NaN]
  for (let taken = 0; taken <= length >> 1; taken++) {
    before = last
    const isLow = high >= length || (low >= 0 && distance(low) <= distance(high))
    last = distance(isLow ? low-- : high++)
  }
  return length % 2 === 1 ? last : (before + last) / 2
}

export type Interval = readonly [low: Statistic, high: Statistic]

/** The interval with (1 - prob) / 2 of the draws on either side. */
export function eti(scalar: Scalar, prob: number): Interval {
  const edge = (1 - prob) / 2
  return [quantile(scalar, edge), quantile(scalar, 1 - edge)]
}

/** The narrowest interval between draws with ⌊prob · N⌋ others, the first of those. */
export function hdi(scalar: Scalar, prob: number): Interval {
  if (scalar.blemish === 'nan') return scalar.convention === 'arviz' ? besideNaN(scalar, prob) : ['nan', 'nan']
  const { sorted } = scalar
  const span = Math.min(Math.floor(prob * sorted.length), sorted.length - 1)
  if (sorted.length === 0) return ['too_few', 'too_few']
  let best = 0
  let width = Number.POSITIVE_INFINITY
  for (let i = 0; i + span < sorted.length; i++) {
    const each = (sorted[i + span] as number) - (sorted[i] as number)
    if (each < width) {
      best = i
      width = each
    }
  }
  return [statistic(scalar, sorted[best] as number), statistic(scalar, sorted[best + span] as number)]
}

/** ArviZ's interval with NaN among the draws, which its sort puts last: the first that ends in one is the narrowest to NumPy. */
function besideNaN({ values }: Scalar, prob: number): Interval {
  const sorted = Float64Array.from(values).sort()
  const span = Math.min(Math.floor(prob * sorted.length), sorted.length - 1)
  const low = sorted[Math.max(0, sorted.findIndex(Number.isNaN) - span)] as number
  return [Number.isFinite(low) ? low : Number.isNaN(low) ? 'nan' : 'infinite', 'nan']
}
