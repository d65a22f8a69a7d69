/** Requests a minute, as token buckets: a minute's worth may come at once, and used tokens come back evenly. */
import { LruMap } from '../core/lru.ts'

/** The fate of one request, and what its tenant may still send. */
export interface Allowance {
  readonly allowed: boolean
  /** Requests that may come at once now. */
  readonly remaining: number
  /** Seconds until the whole minute's worth is there again. */
  readonly reset: number
  /** Seconds until the next one may come; 0 when it may at once. */
  readonly retryAfter: number
}

export class TokenBucket {
  /** Requests that were used and have not come back yet, at `at`. */
  private used = 0
  private at: number

  constructor(now: number) {
    this.at = now
  }

  /** Takes `tokens` of so many a minute, by default one, if they are there. The number may change from call to call. */
  take(perMinute: number, now: number, tokens = 1): Allowance {
    const perMs = perMinute / 60_000
    this.used = Math.min(perMinute, Math.max(0, this.used - Math.max(0, now - this.at) * perMs))
    this.at = now
    const allowed = this.used + tokens <= perMinute
    if (allowed) this.used += tokens
    const remaining = Math.floor(perMinute - this.used)
    const missing = Math.max(0, this.used + tokens - perMinute)
    return {
      allowed,
      remaining,
      reset: Math.ceil(this.used / perMs / 1000),
      retryAfter: Math.ceil(missing / perMs / 1000),
    }
  }
}

/** Tenants whose requests are counted at a time. */
const COUNTED_TENANTS = 10_000

/** The buckets of all tenants, in this process or isolate. */
export class Rates {
  private readonly buckets = new LruMap<number, TokenBucket>(COUNTED_TENANTS)

  take(tenant: number, perMinute: number, now: number, tokens = 1): Allowance {
    let bucket = this.buckets.get(tenant)
    if (bucket === undefined) {
      bucket = new TokenBucket(now)
      this.buckets.set(tenant, bucket)
    }
    return bucket.take(perMinute, now, tokens)
  }
}
