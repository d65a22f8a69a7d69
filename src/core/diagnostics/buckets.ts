/** Buckets of a trace: even parts of some iterations, the same for all chains, so that these can be compared. */

/** `count` buckets over the iterations `start … stop`, `stop` excluded. */
export interface Buckets {
  readonly start: number
  readonly stop: number
  readonly count: number
}

/** Buckets that a trace may have, and has where it is not said. */
export const MAX_BUCKETS = 10_000
export const DEFAULT_BUCKETS = 1000

/** The first iteration of a bucket: `start + ⌊bucket · (stop − start) / count⌋`. A bucket is empty where there are more than iterations. */
export function bucketStart({ start, stop, count }: Buckets, bucket: number): number {
  const length = stop - start
  // The product of any bucket and a long chain would have more digits than a double.
  const each = Math.floor(length / count)
  return start + bucket * each + Math.floor((bucket * (length - count * each)) / count)
}
