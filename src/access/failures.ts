/** Keys that were not known, by the address that sent them: a client that guesses is told to wait, and nothing else. */

import { LruMap } from '../core/lru.ts'
import { networkOf } from './address.ts'
import { TokenBucket } from './rates.ts'

/** Failures a minute of one address: those of a lab that has forgotten to change a key, and no more. */
export const FAILURES_PER_MINUTE = 60
/** Addresses that are counted at a time. */
const COUNTED_ADDRESSES = 10_000

export class KeyFailures {
  private readonly buckets = new LruMap<string, TokenBucket>(COUNTED_ADDRESSES)

  /** Counts a failure. Seconds until the next one may come; 0 while there is room for this one. */
  count(address: string, now: number): number {
    const network = networkOf(address)
    let bucket = this.buckets.get(network)
    if (bucket === undefined) {
      bucket = new TokenBucket(now)
      this.buckets.set(network, bucket)
    }
    const { allowed, retryAfter } = bucket.take(FAILURES_PER_MINUTE, now)
    return allowed ? 0 : retryAfter
  }
}
