/** Leave-one-out cross-validation by Pareto smoothed importance sampling (Vehtari, Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4). */
import type { Convention, Reason, Statistic } from './convention.ts'
import { essMean } from './ess.ts'
import { meanOf, varianceOf } from './moments.ts'
import { logSumExp, ParetoSmoother } from './psis.ts'
import { Scalar, Workspace } from './scalar.ts'
import { isReason, statistic } from './statistic.ts'

/** Log-likelihoods of observations, one after the other: of each, chain after chain. */
export interface LogLikelihood {
  readonly values: Float64Array
  readonly chains: number
  readonly draws: number
}

export interface LooOptions {
  /** `posterior` is the rule of R's loo (2.10), which belongs to that package; `arviz` that of arviz-stats (1.3). */
  readonly convention: Convention
  /**
   * Effective draws per draw, for all observations or for each: the tail is longer where draws are correlated. Both packages take 1 where it is not
   * told; see `likelihoodEfficiencies` and `posteriorEfficiency`.
   */
  readonly efficiency?: number | Float64Array
}

/** Estimates of each observation; NaN where `reasons` has a reason. */
export interface PointwiseLoo {
  /** Log predictive densities of the observation, given all others. */
  readonly elpd: Float64Array
  /** Log predictive density given all observations less `elpd`. */
  readonly p: Float64Array
  /** Pareto k-hat; infinite where R's loo, NaN where ArviZ could not fit a tail and took the weights as they are. */
  readonly k: Float64Array
  /** Monte Carlo standard error of `elpd`. */
  readonly mcse: Float64Array
  /** Effective draws behind `elpd`. */
  readonly ess: Float64Array
}

export interface Loo {
  readonly elpdLoo: Statistic
  readonly elpdLooSe: Statistic
  /** Effective number of parameters. */
  readonly pLoo: Statistic
  readonly pLooSe: Statistic
  /** -2 · elpdLoo, on the scale of deviances. */
  readonly looic: Statistic
  readonly looicSe: Statistic
  /** Monte Carlo standard error of elpdLoo; `infinite` where a k-hat is above `goodK`, since it cannot be known then. */
  readonly mcse: Statistic
  /** Up to this k-hat the estimates can be relied on: min(1 - 1 / log10 S, 0.7) for S draws. */
  readonly goodK: number
  /** The number of observations whose k-hat is above it. */
  readonly aboveGoodK: number
  readonly pointwise: PointwiseLoo
  /** Reasons of observations that have no estimates, by their place. */
  readonly reasons: ReadonlyMap<number, Reason>
}

/**
 * Estimates how well a model predicts each observation from all others. A log-likelihood that is not finite is the reason why its observation has no
 * estimate, and why there are no sums.
 *
 * @throws RangeError if the values are no whole number of observations, or the efficiencies are not as many as those
 */
export function psisLoo(logLikelihood: LogLikelihood, { convention, efficiency = 1 }: LooOptions): Loo {
  const size = logLikelihood.chains * logLikelihood.draws
  const count = observationsOf(logLikelihood)
  if (efficiency instanceof Float64Array && efficiency.length !== count) {
    throw new RangeError(`${efficiency.length} efficiencies are not one for each of ${count} observations`)
  }
  const pointwise = nothing(count)
  const reasons = new Map<number, Reason>()
  const smoother = new ParetoSmoother(size)
  const sums = new Float64Array(size)
  for (let i = 0; i < count; i++) {
    const values = logLikelihood.values.subarray(i * size, (i + 1) * size)
    const own = typeof efficiency === 'number' ? efficiency : (efficiency[i] as number)
    const estimates = estimatesOf(values, convention, own, smoother, sums)
    if (typeof estimates === 'string') reasons.set(i, estimates)
    else for (const name of NAMES) pointwise[name][i] = estimates[name]
  }
  return { ...totals(pointwise, convention, goodKOf(size), worst(reasons, count)), pointwise, reasons }
}

/**
 * The efficiencies that R's loo asks for: the ESS of each observation's likelihoods over the draws, `relative_eff(exp(log_lik))`; 1 where there
 * is none.
 */
export function likelihoodEfficiencies(logLikelihood: LogLikelihood): Float64Array {
  const { values, chains, draws } = logLikelihood
  const size = chains * draws
  const workspace = new Workspace(chains, draws)
  const likelihoods = new Float64Array(size)
  return Float64Array.from({ length: observationsOf(logLikelihood) }, (_, observation) => {
    for (let i = 0; i < size; i++) likelihoods[i] = Math.exp(values[observation * size + i] as number)
    const ess = essMean(new Scalar(workspace, likelihoods, 'posterior'))
    return isReason(ess) ? 1 : ess / size
  })
}

/**
 * The one efficiency that ArviZ takes: the mean ESS of all scalars of the posterior over the draws, and 1 for one chain. NaN where a scalar has none.
 *
 * @param scalars draws of each scalar, chain after chain
 */
export function posteriorEfficiency(scalars: Iterable<Float64Array>, chains: number, draws: number): number {
  if (chains === 1) return 1
  const workspace = new Workspace(chains, draws)
  const ess = Float64Array.from(scalars, (values) => {
    const value = essMean(new Scalar(workspace, values, 'arviz'))
    return isReason(value) ? Number.NaN : value
  })
  return meanOf(ess) / (chains * draws)
}

function observationsOf({ values, chains, draws }: LogLikelihood): number {
  const size = chains * draws
  const count = size === 0 ? 0 : values.length / size
  if (!Number.isInteger(count) || count * size !== values.length) {
    throw new RangeError(`${values.length} values are no whole number of observations of ${chains} × ${draws} draws`)
  }
  return count
}

const NAMES = ['elpd', 'p', 'k', 'mcse', 'ess'] as const

function nothing(count: number): PointwiseLoo {
  const each = (): Float64Array => new Float64Array(count).fill(Number.NaN)
  return { elpd: each(), p: each(), k: each(), mcse: each(), ess: each() }
}

/** @param sums room for as many numbers as there are values */
function estimatesOf(
  values: Float64Array,
  convention: Convention,
  efficiency: number,
  smoother: ParetoSmoother,
  sums: Float64Array,
): Readonly<Record<keyof PointwiseLoo, number>> | Reason {
  const { logWeights } = smoother
  if (!values.every(Number.isFinite)) return values.some(Number.isNaN) ? 'nan' : 'infinite'
  for (let i = 0; i < values.length; i++) sums[i] = -(values[i] as number)
  const k = smoother.smooth(sums, convention, efficiency)
  if (isReason(k)) return k
  for (let i = 0; i < values.length; i++) sums[i] = (values[i] as number) + (logWeights[i] as number)
  const elpd = logSumExp(sums)
  const p = logSumExp(values) - Math.log(values.length) - elpd
  if (!Number.isFinite(p)) return Number.isNaN(p) ? 'constant' : 'infinite'
  const known = efficiency > 0 ? efficiency : 1
  let [squares, errors] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    const weight = Math.exp(logWeights[i] as number)
    squares += weight * weight
    // Equation 6 of Vehtari et al. (2024) over the squared estimate: R's loo, which divides at last, has none where likelihoods underflow.
    errors += (Math.exp((sums[i] as number) - elpd) - weight) ** 2
  }
  // The variance of a normal distribution whose exponential has these moments.
  return { elpd, p, k, mcse: Math.sqrt(Math.log1p(errors / known)), ess: known / squares }
}

function goodKOf(size: number): number {
  return size > 1 ? Math.min(1 - 1 / Math.log10(size), 0.7) : 0.7
}

function totals(
  { elpd, p, k, mcse }: PointwiseLoo,
  convention: Convention,
  goodK: number,
  reason: Reason | undefined,
): Omit<Loo, 'pointwise' | 'reasons'> {
  const told = (value: () => number): Statistic => reason ?? statistic({ blemish: undefined }, value())
  const aboveGoodK = k.reduce((count, each) => count + (each > goodK ? 1 : 0), 0)
  // ArviZ tells 0 of one observation, R that it is not known.
  const error = (values: Float64Array, factor = 1): Statistic =>
    values.length === 1 && convention === 'posterior'
      ? (reason ?? 'too_few')
      : told(() => (values.length === 1 ? 0 : factor * Math.sqrt(values.length * varianceOf(convention, values))))
  return {
    elpdLoo: told(() => sum(elpd)),
    elpdLooSe: error(elpd),
    pLoo: told(() => sum(p)),
    pLooSe: error(p),
    looic: told(() => -2 * sum(elpd)),
    looicSe: error(elpd, 2),
    mcse: told(() => (aboveGoodK > 0 ? Number.POSITIVE_INFINITY : Math.sqrt(sum(mcse.map((each) => each * each))))),
    goodK,
    aboveGoodK,
  }
}

/** The reason why there are no sums. */
function worst(reasons: ReadonlyMap<number, Reason>, count: number): Reason | undefined {
  const all = [...reasons.values()]
  if (count === 0) return 'too_few'
  return (['nan', 'infinite', 'constant', 'too_few'] as const).find((reason) => all.includes(reason))
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
