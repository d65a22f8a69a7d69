/**
 * Turns of the event loop: work that one caller can make long is done in pieces, and everybody else has a turn between two.
 */

/** Not in every environment, but where it is there, sooner than a timer. */
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

  /** Whether a turn is due behind `amount` more units. */
  isDue(amount: number): boolean {
    this.done += amount
    if (this.done < this.most) return false
    this.done = 0
    return true
  }
}
