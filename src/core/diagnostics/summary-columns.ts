/** Columns of a summary by name: who asks for them needs nothing of what computes them. */

/** Columns of a summary, in their order. */
export const COLUMNS = [
  'mean',
  'sd',
  'median',
  'mad',
  'lb',
  'ub',
  'mcse_mean',
  'mcse_sd',
  'ess_bulk',
  'ess_tail',
  'rhat',
  'pareto_khat',
] as const
export type Column = (typeof COLUMNS)[number]

export interface CredibleInterval {
  /** Equal tails, or the highest density. */
  readonly kind: 'eti' | 'hdi'
  /** 0 < prob < 1 */
  readonly prob: number
}
