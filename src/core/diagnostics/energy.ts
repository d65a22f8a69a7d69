/** Estimated Bayesian fraction of missing information (Betancourt 2016, arXiv:1604.00695). */
import type { Convention, Statistic } from './convention.ts'
import { pairwiseSum } from './moments.ts'

/** E-BFMI of a chain's energies: the mean of squared differences over the variance; cmdstanr, unlike ArviZ, divides the sum by n. */
export function bfmi(energy: Float64Array, convention: Convention): Statistic {
  const { length } = energy
  if (length < 2) return 'too_few'
  const mean = pairwiseSum(energy) / length
  const variance = pairwiseSum(energy.map((value) => (value - mean) ** 2)) / (length - 1)
  const steps = pairwiseSum(energy.subarray(1).map((value, i) => (value - (energy[i] as number)) ** 2))
  const value = steps / (convention === 'arviz' ? length - 1 : length) / variance
  if (Number.isFinite(value)) return value
  return energy.some(Number.isNaN) ? 'nan' : energy.every(Number.isFinite) ? 'constant' : 'infinite'
}
