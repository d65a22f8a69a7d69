/** ESS of chains whose autocovariances are known: Geyer's initial monotone sequence (1992), as the packages implement it. */
import type { Convention } from './convention.ts'

/** Autocovariances of k chains of h values. */
export interface Autocovariances {
  readonly chains: number
  readonly length: number
  /** Variance of the chains' means (ddof 1); 0 for one chain. */
  readonly between: number
  /** The mean over all chains of the biased autocovariance at a lag; lags are asked for in rising order. */
  at(lag: number): number
}

/** The least distance of a lag from the length of a chain. */
const BOUND: Readonly<Record<Convention, number>> = { posterior: 5, arviz: 4 }

/**
 * A sum of autocorrelations that rounding makes of 0. Those of indicators are fractions with small denominators, and their sums are often 0:
 * without this the order of chains would decide where a sequence ends, and in the packages the Fourier transform does.
 */
const TIE = 1e-14

/**
 * The effective sample size: S / τ, with τ = -1 + 2 Σ ρ_t + ρ_T, at least 1 / log10 S.
 *
 * @param rho room for `length` autocorrelations; overwritten
 * @returns NaN where an autocorrelation is none
 */
export function essOf(acov: Autocovariances, convention: Convention, rho: Float64Array): number {
  const { chains, length } = acov
  const last = initialSequence(acov, convention, rho)
  // ArviZ looks at all autocorrelations, R's sequence ends with NaN.
  if (convention === 'arviz' && Number.isNaN(rho[1])) return Number.NaN
  monotone(rho, last)
  let sum = 0
  for (let t = 0; t < last; t++) sum += rho[t] as number
  // R's 1:0 counts downwards: without a pair, posterior adds ρ_0 twice.
  if (last === 0 && convention === 'posterior') sum = 1
  const size = chains * length
  const tau = -1 + 2 * sum + (rho[last] as number)
  // Math.max gives NaN for NaN.
  return size / Math.max(tau, 1 / Math.log10(size))
}

/** Autocorrelations up to the first pair whose sum is negative; the lag T of the last one. */
function initialSequence(acov: Autocovariances, convention: Convention, rho: Float64Array): number {
  const { length, between } = acov
  const biased = acov.at(0)
  const within = (biased * length) / (length - 1)
  const total = biased + between
  const most = length - BOUND[convention]
  let even = 1
  let odd = 1 - (within - acov.at(1)) / total
  rho[0] = even
  rho[1] = odd
  let t = 0
  while (t < most && even + odd > TIE) {
    t += 2
    even = 1 - (within - acov.at(t)) / total
    odd = 1 - (within - acov.at(t + 1)) / total
    const isPositive = even + odd >= -TIE
    rho[t] = isPositive ? even : 0
    rho[t + 1] = isPositive ? odd : 0
  }
  if (even > 0 || Number.isNaN(even)) rho[t] = even
  return t
}

/** No pair of neighbours has a larger sum than the one before it. */
function monotone(rho: Float64Array, last: number): void {
  for (let t = 2; t <= last - 2; t += 2) {
    const before = (rho[t - 2] as number) + (rho[t - 1] as number)
    if ((rho[t] as number) + (rho[t + 1] as number) > before) {
      rho[t] = before / 2
      rho[t + 1] = before / 2
    }
  }
}
