/**
 * Posterior of the non-centered eight schools model as it is published: mean and standard deviation of the reference
 * draws of posteriordb, `eight_schools-eight_schools_noncentered` (Stan: 10 chains, 10,000 draws, thinned to an
 * effective sample size of about 10,000).
 */

export interface Published {
  readonly name: string
  readonly mean: number
  readonly sd: number
}

/** Effective draws of the reference. */
export const PUBLISHED_ESS = 10_000

export const PUBLISHED: readonly Published[] = [
  { name: 'mu', mean: 4.411, sd: 3.309 },
  { name: 'tau', mean: 3.602, sd: 3.198 },
  { name: 'theta[1]', mean: 6.151, sd: 5.616 },
  { name: 'theta[2]', mean: 4.94, sd: 4.646 },
  { name: 'theta[3]', mean: 3.906, sd: 5.281 },
  { name: 'theta[4]', mean: 4.796, sd: 4.771 },
  { name: 'theta[5]', mean: 3.614, sd: 4.615 },
  { name: 'theta[6]', mean: 4.051, sd: 4.796 },
  { name: 'theta[7]', mean: 6.317, sd: 5.003 },
  { name: 'theta[8]', mean: 4.884, sd: 5.318 },
]
