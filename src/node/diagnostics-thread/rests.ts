/** Rests of work that must not be in the way of appends: three quarters of the time, for as long as draws are stored. */

/** Counts of draws that are stored. */
interface Counts {
  readonly draws: number
}

/** Milliseconds without a new draw after which nobody is in need of the processor. */
const QUIET_MS = 1000
/** Rest for each millisecond of work. */
const SHARE = 3
const MOST_MS = 100

export class Rests {
  private readonly counts: Counts
  private readonly now: () => number
  private seen: number
  private grownAt = Number.NEGATIVE_INFINITY

  constructor(counts: Counts, now: () => number = () => performance.now()) {
    this.counts = counts
    this.now = now
    this.seen = counts.draws
  }

  /** Milliseconds of the rest behind some milliseconds of work; 0 while nothing is stored. */
  after(worked: number): number {
    const { draws } = this.counts
    const now = this.now()
    if (draws !== this.seen) {
      this.seen = draws
      this.grownAt = now
    }
    return now - this.grownAt < QUIET_MS ? Math.min(MOST_MS, SHARE * worked) : 0
  }
}
