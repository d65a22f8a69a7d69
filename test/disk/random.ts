/** Choices that a seed makes, so that what went wrong once can be seen again. */
import { randomWords } from '../conformance/arrays.ts'

export class Random {
  private readonly word: () => number

  constructor(seed: number) {
    this.word = randomWords(seed)
  }

  /** A whole number of 32 bits. */
  next(): number {
    return this.word()
  }

  /** A whole number from 0 on and below `end`. */
  below(end: number): number {
    return Math.floor((this.word() / 2 ** 32) * end)
  }

  /** A whole number between two, both of which it may be. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True so many times in one. */
  chance(probability: number): boolean {
    return this.word() / 2 ** 32 < probability
  }

  /** One of some things, of which there is at least one. */
  pick<T>(things: readonly T[]): T {
    const thing = things[this.below(things.length)]
    if (thing === undefined) throw new RangeError('there is nothing to choose from')
    return thing
  }

  /** The same things in another order. */
  shuffle<T>(things: Iterable<T>): T[] {
    const shuffled = [...things]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const [a, b] = [shuffled[i], shuffled[j]]
      if (a !== undefined && b !== undefined) [shuffled[i], shuffled[j]] = [b, a]
    }
    return shuffled
  }
}
