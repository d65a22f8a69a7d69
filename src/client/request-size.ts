/** Sizes of requests that get through. */

/** Requests of a size that are taken before a larger one is tried for the first time. */
const FIRST_TRIAL = 16
/** Requests before any further try, at most. */
const LAST_TRIAL = 4096

/**
 * Bytes that a request aims at. They are fewer once a server, or a proxy before it, has refused one as too large, and grow
 * again by doubling, since that limit may pass. A limit that stays is met ever more rarely: each try that is refused costs
 * a request.
 */
export class RequestSize {
  bytes: number
  private readonly most: number
  private needed = FIRST_TRIAL
  private taken = 0
  /** True while the present size is a try. */
  private hasGrown = false

  constructor(most: number) {
    this.most = most
    this.bytes = most
  }

  /** Notes that a request of this size was refused, and that its halves are sent. */
  refuse(size: number): void {
    this.bytes = Math.max(1, Math.min(this.bytes, Math.floor(size / 2)))
    if (this.hasGrown) this.needed = Math.min(4 * this.needed, LAST_TRIAL)
    this.hasGrown = false
    this.taken = 0
  }

  /** Notes that a request of this size was taken. Those that are far smaller tell nothing. */
  take(size: number): void {
    if (size < this.bytes / 2 || ++this.taken < this.needed) return
    this.taken = 0
    this.hasGrown = this.bytes < this.most
    if (!this.hasGrown) this.needed = FIRST_TRIAL
    this.bytes = Math.min(this.most, 2 * this.bytes)
  }
}
