import type { Reason, Statistic } from './convention.ts'
import type { Scalar } from './scalar.ts'

/** A number as it is, or the reason why it is none: the draws' own first. */
export function statistic(
  scalar: Pick<Scalar, 'blemish'> & { readonly values?: Float64Array },
  value: number,
): Statistic {
  if (Number.isFinite(value)) return value
  if (scalar.values?.length === 0) return 'too_few'
  if (scalar.blemish !== undefined) return scalar.blemish
  return Number.isNaN(value) ? 'constant' : 'infinite'
}

export function isReason(value: Statistic): value is Reason {
  return typeof value === 'string'
}
