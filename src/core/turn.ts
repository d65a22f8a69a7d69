/**
 * Turns of the event loop: work that one caller can make long is done in pieces, and everybody else has a turn between two.
 */

/** A turn without a timer's delay, in the environments that have it. */
declare const setImmediate: ((callback: () => void) => unknown) | undefined

/** Resolves when the event loop has had a turn: awaiting promises alone gives it none. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}

/** Counts work, and says when it is time for a turn. */
export class Pace {
  private readonly most: number
  private done = 0

  /** @param most units of work between two turns: about a millisecond's */
  constructor(most: number) {
    this.most = most
  }

  /** Counts `amount` more units; true where a turn is due behind them. */
  isDue(amount: number): boolean {
    this.done += amount
    if (this.done < this.most) return false
    this.done = 0
    return true
  }
}

/** Work that stops every now and then, so that others may have a turn. */
export type Steps<T> = Generator<void, T, void>

/** Number of small things, such as fields, that are gone through between two stops. */
export const STEP_SIZE = 64 * 1024

/** Does all of the work at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** Does the work with turns of the event loop in between. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    await turn()
  }
}
