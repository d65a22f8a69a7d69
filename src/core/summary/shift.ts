/**
 * Shifts: work that is shared goes on only while somebody waits for it, and for so long as one request allows.
 *
 * A platform gives each request some time of its processor, and none outside of requests. So work stands still where it is when
 * the last one who waits has left, or the effort of a shift is spent, and the next request lets it go on.
 */
import { deferred } from '../deferred.ts'
import { turn } from '../turn.ts'
import { type Effort, MS_EFFORT } from './bench.ts'

/** A slow processor takes this many times as long as is expected. */
const SLOW = 2

export interface ShiftOptions {
  /** Effort that one request allows. */
  readonly effort: Effort
  /** Milliseconds of the rest behind some milliseconds of work; none by default. */
  readonly rest?: (worked: number) => number
}

export class Shift {
  private readonly effort: Effort
  private readonly rest: (worked: number) => number
  private left: Effort = 0
  private waiting = 0
  private isClosed = false
  /** Resolves when the shift of those who wait is over. */
  private ending = deferred<void>()
  /** Resolves when the next shift begins. */
  private next = deferred<void>()
  private since = performance.now()

  constructor({ effort, rest = () => 0 }: ShiftOptions) {
    this.effort = effort
    this.rest = rest
  }

  /** Lets work go on while `use` waits for it, or until `over` resolves. */
  async during<T>(use: (over: Promise<void>) => Promise<T>): Promise<T> {
    this.begin()
    try {
      return await use(this.ending.promise)
    } finally {
      this.waiting--
    }
  }

  /** Ends all work for good: it does not stand still, but fails. */
  close(): void {
    this.isClosed = true
    this.next.resolve()
  }

  /**
   * A turn for others behind work, and the rest that they need; resolves when work may go on.
   *
   * @throws Error when it never may
   */
  async pause(effort: Effort): Promise<void> {
    this.left -= effort
    // A Worker's clock moves only in turns; what others did in this one is no work.
    await turn()
    const rest = this.rest(Math.min(performance.now() - this.since, (SLOW * effort) / MS_EFFORT))
    if (rest > 0) await new Promise<void>((resolve) => setTimeout(resolve, rest))
    while (!this.isClosed && (this.waiting === 0 || this.left <= 0)) {
      if (this.left <= 0) this.ending.resolve()
      await this.next.promise
    }
    if (this.isClosed) throw new Error('nobody waits for this work any more')
    this.since = performance.now()
  }

  private begin(): void {
    if (this.left <= 0) this.ending = deferred()
    this.waiting++
    this.left = this.effort
    this.since = performance.now()
    this.next.resolve()
    this.next = deferred()
  }
}
