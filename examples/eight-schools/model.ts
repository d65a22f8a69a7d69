/**
 * The eight schools model (Rubin 1981; Gelman et al., Bayesian Data Analysis, section 5.5), non-centered:
 *
 *     mu ~ Normal(0, 5)    tau ~ HalfCauchy(0, 5)    theta_t[i] ~ Normal(0, 1)
 *     theta[i] = mu + tau * theta_t[i]               y[i] ~ Normal(theta[i], sigma[i])
 *
 * The sampler moves on the real line: q = [mu, log(tau), theta_t[0], …, theta_t[7]].
 */

export const SCHOOLS = [
  'Choate',
  'Deerfield',
  'Phillips Andover',
  'Phillips Exeter',
  'Hotchkiss',
  'Lawrenceville',
  "St. Paul's",
  'Mt. Hermon',
]
/** Estimated effects of coaching on SAT scores, and their standard errors. */
export const Y = new Float64Array([28, 8, -3, 7, -1, 1, 18, 12])
export const SIGMA = new Float64Array([15, 10, 16, 11, 9, 11, 10, 18])

const MU_SCALE = 5
const TAU_SCALE = 5
const N = Y.length

/** Number of unconstrained parameters. */
export const DIMENSION = 2 + N

/**
 * Log density of the posterior at `q` up to a constant, with the Jacobian of tau = exp(q[1]); writes its gradient into
 * `gradient`.
 */
export function logDensity(q: Float64Array, gradient: Float64Array): number {
  const mu = q[0] ?? 0
  const tau = Math.exp(q[1] ?? 0)
  const squared = (tau / TAU_SCALE) ** 2
  let lp = -0.5 * (mu / MU_SCALE) ** 2 - Math.log1p(squared) + (q[1] ?? 0)
  let byMu = -mu / MU_SCALE ** 2
  let byLogTau = 1 - (2 * squared) / (1 + squared)
  for (let i = 0; i < N; i++) {
    const t = q[2 + i] ?? 0
    const sigma = SIGMA[i] ?? 1
    const z = ((Y[i] ?? 0) - mu - tau * t) / sigma
    lp -= 0.5 * (t * t + z * z)
    byMu += z / sigma
    byLogTau += (z / sigma) * tau * t
    gradient[2 + i] = -t + (z / sigma) * tau
  }
  gradient[0] = byMu
  gradient[1] = byLogTau
  return lp
}

/** The parameters that people read. */
export interface Parameters {
  readonly mu: number
  readonly tau: number
  readonly theta_t: Float64Array<ArrayBuffer>
  readonly theta: Float64Array<ArrayBuffer>
}

export function constrain(q: Float64Array): Parameters {
  const mu = q[0] ?? 0
  const tau = Math.exp(q[1] ?? 0)
  const theta_t = Float64Array.from(q.subarray(2))
  return { mu, tau, theta_t, theta: theta_t.map((t) => mu + tau * t) }
}
