/** R-hat: how much wider all chains together are than each of them (Vehtari et al. 2021, doi:10.1214/20-BA1221). */

import { type Convention, LEAST_RANGE, type Statistic } from './convention.ts'
import type { Autocovariances } from './geyer.ts'
import { chainMean, meanOf, meanOfAll, type Parts, squaresOf, varianceOfMeans } from './moments.ts'
import type { Scalar } from './scalar.ts'
import { isReason, statistic } from './statistic.ts'

/** The larger of the rank-normalised R-hats of the draws and of their distances from the median. */
export function rhat(scalar: Scalar): Statistic {
  const bulk = rhatZ(scalar)
  if (isReason(bulk)) return bulk
  const tail = rhatFolded(scalar)
  // ArviZ's max of a number and NaN is the number that comes first.
  if (isReason(tail)) return scalar.convention === 'arviz' ? bulk : tail
  return Math.max(bulk, tail)
}

/** R-hat of the half-chains' z-scores. */
export function rhatZ(scalar: Scalar): Statistic {
  const few = tooFew(scalar)
  if (few !== undefined || scalar.splitBlemish === 'nan') return few ?? 'nan'
  // Equal ranks have the score 0.
  if (scalar.rangeOfRanks === 0) return 'constant'
  return statistic(scalar, rhatOfAutocovariance(scalar.autocovariance('ranks')))
}

/** R-hat of the z-scores of distances from the median: it sees chains of different width. */
export function rhatFolded(scalar: Scalar): Statistic {
  const few = tooFew(scalar)
  if (few !== undefined || scalar.blemish === 'nan') return few ?? 'nan'
  const scores = scalar.rankFolded()
  if (scores === undefined) return 'infinite'
  if (rangeOf(scores) === 0) return 'constant'
  return statistic(scalar, rhatOf(scores, scalar.workspace.splits, scalar.convention, 'halves'))
}

/** R-hat of the half-chains as they are (Gelman et al. 2013). */
export function rhatSplit(scalar: Scalar): Statistic {
  return tooFew(scalar) ?? scalar.splitBlemish ?? raw(scalar, scalar.halves, scalar.workspace.splits, 'halves')
}

/** R-hat of the chains as they are (Gelman and Rubin 1992). */
export function rhatIdentity(scalar: Scalar): Statistic {
  if (scalar.chains < 2 || scalar.draws < (scalar.convention === 'arviz' ? 4 : 2)) return blemishOr(scalar, 'too_few')
  return scalar.blemish ?? raw(scalar, scalar.values, scalar.chains, 'chains')
}

/**
 * Nested R-hat of superchains, chains that began at the same place (Margossian et al. 2024, doi:10.1214/24-BA1453): of the draws as
 * they are, without ranks.
 *
 * @param superchains a number for each chain, as many chains to each
 */
export function rhatNested(scalar: Scalar, superchains: readonly number[]): Statistic {
  const { chains, draws, values, convention } = scalar
  const groups = [...new Set(superchains)].map((id) =>
    superchains.flatMap((each, chain) => (each === id ? [chain] : [])),
  )
  const members = groups[0]?.length ?? 0
  if (superchains.length !== chains || groups.some((group) => group.length !== members)) {
    throw new RangeError(`each of ${chains} chains belongs to a superchain, and each superchain has as many chains`)
  }
  if (groups.length < 2 || draws < 2 || (convention === 'arviz' && draws < 4)) return blemishOr(scalar, 'too_few')
  if (isConstant(scalar, values)) return blemishOr(scalar, 'constant')
  if (scalar.blemish !== undefined) return scalar.blemish
  const means = new Float64Array(chains)
  const variances = new Float64Array(chains)
  for (let chain = 0; chain < chains; chain++) {
    const begin = chain * draws
    const mean = chainMean(convention, values, begin, begin + draws)
    means[chain] = mean
    variances[chain] = squaresOf(values, mean, begin, begin + draws) / (draws - 1)
  }
  const meansOf = groups.map((group) => Float64Array.from(group, (chain) => means[chain] as number))
  const within = groups.map(
    (group, i) =>
      meanOf(Float64Array.from(group, (chain) => variances[chain] as number)) +
      varianceOfMeans(convention, meansOf[i] as Float64Array, 'chains'),
  )
  const between = varianceOfMeans(
    convention,
    Float64Array.from(groups, (group, i) => superchainMean(scalar, group, meansOf[i] as Float64Array)),
    'chains',
  )
  return statistic(scalar, Math.sqrt(1 + between / meanOf(Float64Array.from(within))))
}

/** R's posterior takes the mean of all draws, ArviZ that of the chains' means. */
function superchainMean({ convention, values, draws }: Scalar, group: readonly number[], means: Float64Array): number {
  if (convention === 'arviz') return meanOfAll(convention, means)
  const all = new Float64Array(group.length * draws)
  group.forEach((chain, i) => {
    all.set(values.subarray(chain * draws, (chain + 1) * draws), i * draws)
  })
  return meanOf(all)
}

function raw(scalar: Scalar, values: Float64Array, chains: number, parts: Parts): Statistic {
  if (isConstant(scalar, values)) return 'constant'
  return statistic(scalar, rhatOf(values, chains, scalar.convention, parts))
}

/** √((B/W + h - 1) / h): W is the mean of the chains' variances, B is h times the variance of their means. */
function rhatOf(values: Float64Array, chains: number, convention: Convention, parts: Parts): number {
  const length = values.length / chains
  const means = new Float64Array(chains)
  let within = 0
  for (let chain = 0; chain < chains; chain++) {
    const begin = chain * length
    const mean = chainMean(convention, values, begin, begin + length)
    means[chain] = mean
    within += squaresOf(values, mean, begin, begin + length) / (length - 1)
  }
  const between = length * varianceOfMeans(convention, means, parts)
  return rootOf(between / (within / chains), length)
}

/** The same, of values whose autocovariances are known for another purpose. */
function rhatOfAutocovariance(acov: Autocovariances): number {
  const { length, between } = acov
  return rootOf((between * (length - 1)) / acov.at(0), length)
}

function rootOf(ratio: number, length: number): number {
  // Chains that are constant, each at another value, have no variance but that of rounding.
  return ratio > 1e24 ? Number.POSITIVE_INFINITY : Math.sqrt((ratio + length - 1) / length)
}

function tooFew({ convention, chains, draws, blemish, workspace }: Scalar): Statistic | undefined {
  // ArviZ wants two chains of four draws; posterior two draws of each half.
  const isEnough = convention === 'arviz' ? chains >= 2 && draws >= 4 : draws >= 2 && workspace.half >= 2
  return isEnough ? undefined : (blemish ?? 'too_few')
}

function blemishOr(scalar: Scalar, reason: Statistic): Statistic {
  return scalar.blemish ?? reason
}

/** ArviZ divides what rounding leaves of constant chains. */
function isConstant(scalar: Scalar, values: Float64Array): boolean {
  return scalar.convention === 'posterior' && rangeOf(values) < LEAST_RANGE.posterior
}

/** NaN of NaN, and of no values. */
export function rangeOf(values: Float64Array): number {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (value < low) low = value
    if (value > high) high = value
  }
  return high < low ? Number.NaN : high - low
}
