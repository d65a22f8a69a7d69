/** Effective sample sizes (Vehtari et al. 2021, doi:10.1214/20-BA1221): of half-chains, but for `essIdentity`. */
import { Autocovariance } from './autocovariance.ts'
import { LEAST_RANGE, type Statistic, TAIL } from './convention.ts'
import { essOf } from './geyer.ts'
import { quantileOf } from './quantiles.ts'
import { rangeOf } from './rhat.ts'
import { type Blemish, lowerBound, type Scalar, upperBound } from './scalar.ts'
import { isReason, statistic } from './statistic.ts'

/** ESS of the z-scores: of location, also where there is no variance. */
export function essBulk(scalar: Scalar): Statistic {
  const { splitBlemish } = scalar
  return unable(scalar, splitBlemish === 'nan' ? 'nan' : undefined) ?? ofHalves(scalar, 'ranks', scalar.rangeOfRanks)
}

/** The smaller ESS of two quantiles. */
export function essTail(scalar: Scalar, probabilities: readonly [number, number] = TAIL[scalar.convention]): Statistic {
  const low = essQuantile(scalar, probabilities[0])
  if (isReason(low)) return low
  const high = essQuantile(scalar, probabilities[1])
  return isReason(high) ? high : Math.min(low, high)
}

/** ESS of the draws as they are: the one for the mean's Monte Carlo error. */
export function essMean(scalar: Scalar): Statistic {
  return unable(scalar, scalar.splitBlemish) ?? ofHalves(scalar, 'draws', scalar.rangeOfHalves)
}

/** ESS of squared distances from the mean of all draws. */
export function essSd(scalar: Scalar): Statistic {
  const without = unable(scalar, scalar.blemish)
  if (without !== undefined) return without
  const range = rangeOf(scalar.squares())
  // R's posterior looks for infinite values once more.
  if (scalar.convention === 'posterior' && !Number.isFinite(range)) return 'infinite'
  return ofHalves(scalar, 'squares', range)
}

/** ESS of the indicator of draws up to the quantile at `p`. */
export function essQuantile(scalar: Scalar, p: number): Statistic {
  // R asks for the greatest draw but half a one.
  const size = scalar.values.length
  const place = p === 1 && scalar.convention === 'posterior' ? (size - 0.5) / size : p
  return ofIndicator(scalar, () => [Number.NEGATIVE_INFINITY, quantileOf(scalar.sorted, place, scalar.convention)])
}

/** ESS of the indicator of draws between two quantiles. */
export function essLocal(scalar: Scalar, low: number, high: number): Statistic {
  const { sorted, convention } = scalar
  return ofIndicator(scalar, () => [quantileOf(sorted, low, convention), quantileOf(sorted, high, convention)])
}

/** ESS of whole chains as they are. */
export function essIdentity(scalar: Scalar): Statistic {
  const { chains, draws, values, convention, blemish } = scalar
  if (blemish !== undefined) return blemish
  if (draws < (convention === 'arviz' ? 4 : 3)) return 'too_few'
  const constant = constantEss(scalar, rangeOf(values), values.length)
  if (constant !== undefined) return constant
  const acov = new Autocovariance(chains, draws, 'chains').of(values, convention)
  return statistic(scalar, essOf(acov, convention, new Float64Array(draws + 2)))
}

/** The reason why draws have no ESS: `blemish`, or that they are too few. */
function unable({ convention, draws, workspace }: Scalar, blemish: Blemish | undefined): Statistic | undefined {
  if (blemish !== undefined) return blemish
  const isEnough = convention === 'arviz' ? draws >= 4 : draws >= 2 && workspace.half >= 3
  return isEnough ? undefined : 'too_few'
}

function ofHalves(scalar: Scalar, what: 'ranks' | 'draws' | 'squares', range: number): Statistic {
  const constant = constantEss(scalar, range, scalar.halves.length)
  if (constant !== undefined) return constant
  return statistic(scalar, essOf(scalar.autocovariance(what), scalar.convention, scalar.workspace.rho))
}

/** ArviZ takes constant draws for independent ones, posterior for none. */
function constantEss({ convention }: Scalar, range: number, size: number): Statistic | undefined {
  // A range that is none, as of squares that overflow, is not less than any bound.
  if (!(range < LEAST_RANGE[convention])) return undefined
  return convention === 'arviz' ? size : 'constant'
}

function ofIndicator(scalar: Scalar, bounds: () => readonly [number, number]): Statistic {
  const { convention, workspace, blemish } = scalar
  const mayBeInfinite = convention === 'arviz'
  const without = unable(scalar, blemish === 'infinite' && mayBeInfinite ? undefined : blemish)
  if (without !== undefined) return without
  if (convention === 'posterior' && rangeOfSorted(scalar.sorted) < LEAST_RANGE.posterior) return 'constant'
  const [low, high] = bounds()
  const sorted = scalar.sortedHalves
  const indicator = workspace.indicator.of(scalar.orderOfHalves, lowerBound(sorted, low), upperBound(sorted, high))
  if (indicator.isConstant) return convention === 'arviz' ? sorted.length : 'constant'
  return statistic(scalar, essOf(indicator, convention, workspace.rho))
}

function rangeOfSorted(sorted: Float64Array): number {
  return sorted.length === 0 ? 0 : (sorted[sorted.length - 1] as number) - (sorted[0] as number)
}
