/** Effective sample sizes (Vehtari et al. 2021, doi:10.1214/20-BA1221): of half-chains, but for `essIdentity`. */
import { Autocovariance } from './autocovariance.ts'
import { LEAST_RANGE, type Statistic, TAIL } from './convention.ts'
import { essOf } from './geyer.ts'
import { meanOf } from './moments.ts'
import { quantileOf } from './quantiles.ts'
import { rangeOf } from './rhat.ts'
import type { Scalar } from './scalar.ts'
import { isReason, statistic } from './statistic.ts'

/** ESS of the z-scores: of location, also where there is no variance. */
export function essBulk(scalar: Scalar): Statistic {
  return unable(scalar, { mayBeInfinite: true }) ?? ofHalves(scalar, scalar.rankHalves())
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
  return unable(scalar) ?? ofHalves(scalar, scalar.halves)
}

/** ESS of squared distances from the mean of all draws. */
export function essSd(scalar: Scalar): Statistic {
  return unable(scalar) ?? ofHalves(scalar, squaredDistances(scalar))
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
  const constant = constantEss(scalar, values)
  if (constant !== undefined) return constant
  const acov = new Autocovariance(chains, draws).of(values, convention)
  return statistic(scalar, essOf(acov, convention, new Float64Array(draws + 2)))
}

/** Squared distances of the half-chains' draws from the mean of all. */
export function squaredDistances(scalar: Scalar): Float64Array {
  const mean = meanOf(scalar.values)
  const target = scalar.workspace.other.subarray(0, scalar.halves.length)
  for (let i = 0; i < target.length; i++) target[i] = ((scalar.halves[i] as number) - mean) ** 2
  return target
}

function unable(scalar: Scalar, { mayBeInfinite = false } = {}): Statistic | undefined {
  const { blemish, convention, draws, workspace } = scalar
  if (blemish === 'nan' || (blemish === 'infinite' && !mayBeInfinite)) return blemish
  const isEnough = convention === 'arviz' ? draws >= 4 : draws >= 2 && workspace.half >= 3
  return isEnough ? undefined : 'too_few'
}

function ofHalves(scalar: Scalar, values: Float64Array): Statistic {
  const constant = constantEss(scalar, values)
  if (constant !== undefined) return constant
  const { acov, rho } = scalar.workspace
  return statistic(scalar, essOf(acov.of(values, scalar.convention), scalar.convention, rho))
}

/** ArviZ takes constant draws for independent ones, posterior for none. */
function constantEss({ convention }: Scalar, values: Float64Array): Statistic | undefined {
  if (rangeOf(values) >= LEAST_RANGE[convention]) return undefined
  return convention === 'arviz' ? values.length : 'constant'
}

function ofIndicator(scalar: Scalar, bounds: () => readonly [number, number]): Statistic {
  const { convention, workspace, halves } = scalar
  const without = unable(scalar, { mayBeInfinite: convention === 'arviz' })
  if (without !== undefined) return without
  if (convention === 'posterior' && rangeOf(scalar.values) < LEAST_RANGE.posterior) return 'constant'
  const [low, high] = bounds()
  const indicator = workspace.indicator.of(halves, low, high)
  if (indicator.isConstant) return convention === 'arviz' ? halves.length : 'constant'
  return statistic(scalar, essOf(indicator, convention, workspace.rho))
}
