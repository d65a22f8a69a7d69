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

  /** Bytes of any value. */
  bytes(size: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(size / 4))
    for (let i = 0; i < words.length; i++) words[i] = this.word()
    return new Uint8Array(words.buffer, 0, size)
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
    const at = this.below(things.length)
    for (const [i, thing] of things.entries()) if (i === at) return thing
    throw new RangeError('there is nothing to choose from')
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
