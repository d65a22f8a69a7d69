/**
 * The eight schools model in its centered form, q = [mu, log(tau), theta[0], …, theta[7]]: its posterior is a funnel, into whose
 * neck, where tau is small, no step size leads (Betancourt and Girolami 2015).
 */
import { SIGMA, Y } from './model.ts'

const MU_SCALE = 5
const TAU_SCALE = 5

/** Log density of the posterior at `q` up to a constant, and its gradient. */
export function logDensityCentered(q: Float64Array, gradient: Float64Array): number {
  const mu = q[0] ?? 0
  const logTau = q[1] ?? 0
  const tau = Math.exp(logTau)
  const squared = (tau / TAU_SCALE) ** 2
  let lp = -0.5 * (mu / MU_SCALE) ** 2 - Math.log1p(squared) + logTau
  let byMu = -mu / MU_SCALE ** 2
  let byLogTau = 1 - (2 * squared) / (1 + squared)
  for (let i = 0; i < Y.length; i++) {
    const theta = q[2 + i] ?? 0
    const z = (theta - mu) / tau
    const error = ((Y[i] ?? 0) - theta) / (SIGMA[i] ?? 1)
    lp -= logTau + 0.5 * (z * z + error * error)
    byMu += z / tau
    byLogTau += z * z - 1
    gradient[2 + i] = error / (SIGMA[i] ?? 1) - z / tau
  }
  gradient[0] = byMu
  gradient[1] = byLogTau
  return lp
}

/** The parameters that people read. */
export function constrainCentered(q: Float64Array) {
  return { mu: q[0] ?? 0, tau: Math.exp(q[1] ?? 0), theta: Float64Array.from(q.subarray(2)) }
}
