/** Effective draws that a run brought in a second. */
import type { About } from '../../api/shapes.ts'

export interface Speed {
  readonly perSecond: number
  /** The time that it was divided by: what the sampler told, or from the registration to the last write. */
  readonly basis: 'told' | 'seen'
  readonly seconds: number
}

/** @param ess the least of bulk and tail of all scalars */
export function speedOf({ facts, createdAt, updatedAt }: About, ess: number | undefined): Speed | undefined {
  if (ess === undefined) return undefined
  const { samplingTime } = facts
  const isTold = typeof samplingTime === 'number' && samplingTime > 0
  const seconds = isTold ? samplingTime : (Date.parse(updatedAt) - Date.parse(createdAt)) / 1000
  return seconds > 0 ? { perSecond: ess / seconds, basis: isTold ? 'told' : 'seen', seconds } : undefined
}
