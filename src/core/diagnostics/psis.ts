/** Pareto smoothed importance sampling (Vehtari et al. 2024, arXiv:1507.02646): the largest weights become quantiles of a fitted tail. */
import type { Convention, Reason } from './convention.ts'
import { fitPareto, LEAST_TAIL, paretoQuantile, tailLength } from './pareto.ts'
import { Sorter } from './sort.ts'

/** The least range of the tail's log weights that R's loo fits. */
const LEAST_LOG_RANGE: Readonly<Record<Convention, number>> = { posterior: 2 ** -52 / 100, arviz: 2 ** -1022 }

/** Memory for the importance weights of `size` draws: made once, used for one observation after the other. */
export class ParetoSmoother {
  readonly size: number
  /** Logarithms of the weights of the last call, which sum to 1. */
  readonly logWeights: Float64Array
  private readonly sorter: Sorter
  /** Exceedances of a tail, which has at most a fifth of the draws, rounded up. */
  private readonly tail: Float64Array

  constructor(size: number) {
    this.size = size
    this.logWeights = new Float64Array(size)
    this.sorter = new Sorter(size)
    this.tail = new Float64Array(Math.ceil(size / 5) + 1)
  }

  /**
   * Smooths the weights of draws into `logWeights`.
   *
   * @param logRatios finite logarithms of the draws' importance ratios, `size` of them
   * @param efficiency effective draws per draw
   * @returns Pareto k-hat. Under `posterior`, infinite where the tail could not be fitted and the weights stay as they are; under `arviz`, NaN where
   * they do, and a reason where ArviZ raises
   */
  smooth(logRatios: Float64Array, convention: Convention, efficiency: number): number | Reason {
    const { logWeights } = this
    const most = largest(logRatios)
    for (let i = 0; i < logWeights.length; i++) logWeights[i] = (logRatios[i] as number) - most
    const k = this.smoothTail(convention, lengthOfTail(this.size, convention, efficiency))
    const norm = logSumExp(logWeights)
    for (let i = 0; i < logWeights.length; i++) logWeights[i] = (logWeights[i] as number) - norm
    return k
  }

  private smoothTail(convention: Convention, length: number): number | Reason {
    const isArviz = convention === 'arviz'
    if (length < LEAST_TAIL) return isArviz ? 'too_few' : Number.POSITIVE_INFINITY
    const { logWeights, tail, size } = this
    const order = this.sorter.order(logWeights)
    const at = (rank: number): number => logWeights[order[rank] as number] as number
    const begin = size - length
    if (at(size - 1) - at(begin) < LEAST_LOG_RANGE[convention]) return isArviz ? 'constant' : Number.POSITIVE_INFINITY
    const cutoff = Math.exp(at(begin - 1))
    for (let i = 0; i < length; i++) tail[i] = Math.exp(at(begin + i)) - cutoff
    const fit = fitPareto(tail.subarray(0, length), convention)
    if (!Number.isFinite(fit.k)) return isArviz ? fit.k : Number.POSITIVE_INFINITY
    for (let i = 0; i < length; i++) {
      // No weight is larger than the largest was.
      logWeights[order[begin + i] as number] = Math.min(0, Math.log(paretoQuantile((i + 0.5) / length, fit, cutoff)))
    }
    return fit.k
  }
}

/** R's loo rounds up, and ArviZ, as both packages do for k-hat of a variable, down. */
function lengthOfTail(size: number, convention: Convention, efficiency: number): number {
  if (convention === 'arviz') return tailLength(size, efficiency)
  // R's loo takes an efficiency that is NA for 1.
  const known = efficiency > 0 ? efficiency : 1
  return Math.ceil(Math.min(0.2 * size, 3 * Math.sqrt(size / known)))
}

/** log Σ exp(x). */
export function logSumExp(values: Float64Array): number {
  const most = largest(values)
  if (!Number.isFinite(most)) return most
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += Math.exp((values[i] as number) - most)
  return most + Math.log(sum)
}

function largest(values: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i] as number)
  return most
}
