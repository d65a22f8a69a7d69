/** Rests of work that must not be in the way of appends: three quarters of the time, for as long as draws are stored. */

/** Milliseconds without a new draw after which nobody is in need of the processor. */
const QUIET_MS = 1000
/** Rest for each millisecond of work. */
const SHARE = 3
const MOST_MS = 100

export class Rests {
  private readonly count: () => number
  private readonly now: () => number
  private seen: number
  private grownAt = Number.NEGATIVE_INFINITY
  private lookedAt: number

  /** @param count number of draws, or of appends, that grows with each append */
  constructor(count: () => number, now: () => number = () => performance.now()) {
    this.count = count
    this.now = now
    this.seen = count()
    this.lookedAt = now()
  }

  /** Milliseconds of the rest behind some milliseconds of work; 0 while nothing is stored. */
  after(worked: number): number {
    const count = this.count()
    const now = this.now()
    // Growth since a look that is long ago may be as old as that.
    if (count !== this.seen && now - this.lookedAt < QUIET_MS) this.grownAt = now
    this.seen = count
    this.lookedAt = now
    return now - this.grownAt < QUIET_MS ? Math.min(MOST_MS, SHARE * worked) : 0
  }
}
