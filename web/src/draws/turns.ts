/** Work of the worker in turns: the most urgent first, in pieces, so that questions and their cancelling are heard between two. */
import { turn } from '../../../src/core/turn.ts'

/** Work that stops every now and then. */
export type Steps<T> = Generator<void, T, void>

/** Milliseconds of work between two turns. */
const SLICE = 8

/** Urgencies: what is looked at is computed before what is small, and that before what takes long. */
export const URGENCY = { seen: 0, plot: 1, row: 2, long: 3, ahead: 4 } as const
export type Urgency = (typeof URGENCY)[keyof typeof URGENCY]

interface Job {
  readonly urgency: Urgency
  readonly signal: AbortSignal
  /** Goes one step further; true at the end. */
  step(): boolean
  fail(error: unknown): void
}

export class Turns {
  private readonly jobs: Job[] = []
  private readonly turn: () => Promise<void>
  private isAtWork = false

  /** @param next resolves when others have had their turn */
  constructor(next: () => Promise<void> = turn) {
    this.turn = next
  }

  /** Does some work. @throws errors of the work; the reason of the signal when it aborts */
  run<T>(steps: Steps<T>, urgency: Urgency, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const step = () => {
        const { done, value } = steps.next()
        if (done) resolve(value)
        return done === true
      }
      this.jobs.push({ urgency, signal, step, fail: reject })
      if (!this.isAtWork) void this.work()
    })
  }

  private async work(): Promise<void> {
    this.isAtWork = true
    await this.turn()
    for (let job = this.next(); job !== undefined; job = this.next()) {
      if (advance(job)) this.jobs.splice(this.jobs.indexOf(job), 1)
      await this.turn()
    }
    this.isAtWork = false
  }

  /** The first of the most urgent jobs. */
  private next(): Job | undefined {
    let found = this.jobs[0]
    for (const job of this.jobs) if (found !== undefined && job.urgency < found.urgency) found = job
    return found
  }
}

/** Works for a slice; true where nothing is left to do. */
function advance({ signal, step, fail }: Job): boolean {
  const end = performance.now() + SLICE
  try {
    do {
      signal.throwIfAborted()
      if (step()) return true
    } while (performance.now() < end)
    return false
  } catch (error) {
    fail(error)
    return true
  }
}
