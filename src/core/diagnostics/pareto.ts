/** The generalised Pareto fit of tails (Zhang and Stephens 2009), and Pareto smoothing (Vehtari et al. 2024, arXiv:1507.02646). */
import { type Convention, LEAST_RANGE, type Statistic } from './convention.ts'
import { essQuantile, essTail } from './ess.ts'
import type { Scalar } from './scalar.ts'
import { isReason } from './statistic.ts'

export interface ParetoFit {
  /** Shape, drawn towards ½ as by ten more draws; NaN where the tail is no such distribution. */
  readonly k: number
  readonly sigma: number
}

/** @param tail exceedances over the cutoff, in rising order */
export function fitPareto(tail: Float64Array, convention: Convention): ParetoFit {
  const size = tail.length
  const quartile = tail[Math.floor(size / 4 + 0.5) - 1] as number
  if (quartile <= (tail[0] as number)) return { k: Number.NaN, sigma: Number.NaN }
  const points = 30 + Math.floor(Math.sqrt(size))
  const theta = new Float64Array(points)
  const likelihood = new Float64Array(points)
  for (let j = 0; j < points; j++) {
    const each = 1 / (tail[size - 1] as number) + (1 - Math.sqrt(points / (j + 0.5))) / 3 / quartile
    const k = meanLog(tail, each)
    theta[j] = each
    likelihood[j] = size * (Math.log(-each / k) - k - 1)
  }
  const best = expectation(theta, likelihood, convention)
  const raw = meanLog(tail, best)
  const k = (raw * size + 0.5 * 10) / (size + 10)
  return Number.isNaN(k) ? { k: Number.POSITIVE_INFINITY, sigma: Number.NaN } : { k, sigma: -raw / best }
}

/** The mean of theta under weights that are proportional to the likelihoods. */
function expectation(theta: Float64Array, logLikelihood: Float64Array, convention: Convention): number {
  const most = logLikelihood.reduce((a, b) => Math.max(a, b))
  // ArviZ leaves out small weights and NaN, which one theta of 0 makes all of them.
  if (convention === 'arviz' && Number.isNaN(most)) return 0
  let [weights, weighted] = [0, 0]
  for (let j = 0; j < theta.length; j++) {
    const weight = Math.exp((logLikelihood[j] as number) - most)
    weights += weight
    weighted += weight * (theta[j] as number)
  }
  return weighted / weights
}

function meanLog(tail: Float64Array, theta: number): number {
  let sum = 0
  for (let i = 0; i < tail.length; i++) sum += Math.log1p(-theta * (tail[i] as number))
  return sum / tail.length
}

/** The quantile at `p` of the generalised Pareto distribution beyond `cutoff`. */
export function paretoQuantile(p: number, { k, sigma }: ParetoFit, cutoff: number): number {
  if (!(sigma > 0)) return Number.NaN
  return k === 0 ? cutoff - sigma * Math.log1p(-p) : cutoff + (sigma * Math.expm1(-k * Math.log1p(-p))) / k
}

/** Draws of a tail for N draws of relative efficiency `efficiency`. */
export function tailLength(size: number, efficiency: number): number {
  return Math.floor(size * efficiency > 225 ? 3 * Math.sqrt(size / efficiency) : size / 5)
}

/** Draws of the smallest tail that is fitted. */
export const LEAST_TAIL = 5

/**
 * Pareto k-hat: how heavy the draws' tails are, by the larger of both shapes. Means of draws with k-hat ≥ 1 do not exist; from 0.7 on
 * they need more draws than anybody has.
 */
export function paretoKhat(scalar: Scalar, tail: 'both' | 'left' | 'right' = 'both'): Statistic {
  const { blemish } = scalar
  // ArviZ fits tails of which one is infinite.
  if (blemish === 'nan' || (blemish === 'infinite' && scalar.convention === 'posterior')) return blemish
  const length = lengthOfTail(scalar, tail)
  if (isReason(length)) return length
  const { sorted, convention } = scalar
  const sides = tail === 'both' ? (['left', 'right'] as const) : [tail]
  const shapes = sides.map((side) => shapeOf(side === 'left' ? mirrored(sorted) : sorted, length, convention))
  const k = largest(shapes, length, convention)
  return isReason(k) ? (blemish ?? k) : k
}

function lengthOfTail(scalar: Scalar, tail: 'both' | 'left' | 'right'): Statistic {
  const { convention } = scalar
  const size = scalar.values.length
  const efficiency = convention === 'arviz' ? relativeEss(scalar) : perDraw(essTail(scalar, TAILS), size)
  if (isReason(efficiency)) return efficiency
  const length = tailLength(size, efficiency)
  if (convention === 'arviz' && tail !== 'both') return length < LEAST_TAIL ? 'too_few' : length
  const least = Math.max(length, LEAST_TAIL)
  return (tail === 'both' && least > size / 2) || least >= size ? 'too_few' : least
}

const TAILS = [0.05, 0.95] as const

function perDraw(ess: Statistic, draws: number): Statistic {
  return isReason(ess) ? ess : ess / draws
}

/**
 * ArviZ's relative ESS of the tails, of the draws that half-chains have; that of a constant indicator it forgets to divide. NaN, its value for
 * too few draws, is not more than any bound.
 */
function relativeEss(scalar: Scalar): number {
  const draws = scalar.halves.length
  const [low, high] = TAILS.map((p) => {
    const ess = essQuantile(scalar, p)
    return isReason(ess) ? Number.NaN : ess === draws ? draws : ess / draws
  })
  return Math.min(low as number, high as number)
}

/** Shape of the upper tail; undefined where its draws are equal, NaN where many are. */
function shapeOf(sorted: Float64Array, length: number, convention: Convention): number | undefined {
  const begin = sorted.length - length
  const least = sorted[begin] as number
  const range = (sorted[sorted.length - 1] as number) - least
  if (range < (convention === 'posterior' ? LEAST_RANGE.posterior : 2 ** -1022)) return undefined
  let cutoff = sorted[begin - 1] as number
  if (convention === 'posterior' && cutoff === least) cutoff -= 2 ** -52
  const tail = Float64Array.from(sorted.subarray(begin), (value) => value - cutoff)
  return fitPareto(tail, convention).k
}

function mirrored(sorted: Float64Array): Float64Array {
  return sorted.map((value) => -value).reverse()
}

/** ArviZ has no k-hat where one tail has none, posterior that of the other. */
function largest(shapes: readonly (number | undefined)[], length: number, convention: Convention): Statistic {
  const none = length <= LEAST_TAIL ? 'too_few' : 'constant'
  if (convention === 'arviz') {
    if (shapes.includes(undefined)) return 'constant'
    const [first = Number.NaN, second = Number.NaN] = shapes
    const k = Number.isNaN(second) ? first : Math.max(first, second)
    return Number.isNaN(k) ? none : Number.isFinite(k) ? k : 'infinite'
  }
  const known = shapes.filter((k) => k !== undefined).filter((k) => !Number.isNaN(k))
  if (known.length === 0) return shapes.includes(undefined) ? 'constant' : none
  const k = Math.max(...known)
  return Number.isFinite(k) ? k : 'infinite'
}
