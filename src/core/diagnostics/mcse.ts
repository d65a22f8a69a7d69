/** Monte Carlo standard errors (Vehtari et al. 2021; of the sd: Kenney and Keeping 1951, p. 141). */
import { betaQuantileFloor } from './beta.ts'
import type { Statistic } from './convention.ts'
import { essMean, essQuantile, essSd } from './ess.ts'
import type { Scalar } from './scalar.ts'
import { isReason, statistic } from './statistic.ts'

/** Probabilities of a normal distribution one sd from its mean, in the digits that the packages have. */
const ONE_SD = [0.1586553, 0.8413447] as const

export function mcseMean(scalar: Scalar): Statistic {
  const ess = essMean(scalar)
  return isReason(ess) ? ess : statistic(scalar, Math.sqrt(scalar.variance / ess))
}

export function mcseSd(scalar: Scalar): Statistic {
  const ess = essSd(scalar)
  if (isReason(ess)) return ess
  const { values, mean } = scalar
  let [squares, fourths] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    const square = ((values[i] as number) - mean) ** 2
    squares += square
    fourths += square * square
  }
  const variance = squares / values.length
  return statistic(scalar, Math.sqrt((fourths / values.length - variance ** 2) / ess / variance / 4))
}

/** Half the distance of the draws between which the quantile at `p` lies with the probability of one sd on either side. */
export function mcseQuantile(scalar: Scalar, p: number): Statistic {
  const ess = essQuantile(scalar, p)
  if (isReason(ess)) return ess
  const { sorted } = scalar
  const size = sorted.length
  const floorAt = (probability: number) => betaQuantileFloor(probability, ess * p + 1, ess * (1 - p) + 1, size)
  const low = Math.max(floorAt(ONE_SD[0]), 1) - 1
  // A quantile of a beta distribution is no multiple of 1 / size: its ceiling is the next one.
  const high = Math.min(floorAt(ONE_SD[1]) + 1, size) - 1
  return statistic(scalar, ((sorted[high] as number) - (sorted[low] as number)) / 2)
}
