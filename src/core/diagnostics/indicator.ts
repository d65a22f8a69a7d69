/** Autocovariances of draws that are 0 or 1, which are counts of bits: thirty-two draws at a time. */
import type { Autocovariances } from './geyer.ts'
import { varianceOfMeans } from './moments.ts'

/** Memory for indicators of `chains` chains of `length` draws. */
export class IndicatorAutocovariance implements Autocovariances {
  readonly chains: number
  readonly length: number
  between = 0
  /** True if all draws have the same indicator. */
  isConstant = false
  /** Words of a chain, and one of zeros behind them. */
  private readonly words: number
  private readonly bits: Uint32Array
  /** Ones of each chain before each word. */
  private readonly before: Uint32Array
  private readonly means: Float64Array

  constructor(chains: number, length: number) {
    this.chains = chains
    this.length = length
    this.words = ((length + 31) >>> 5) + 1
    this.bits = new Uint32Array(chains * this.words)
    this.before = new Uint32Array(chains * this.words)
    this.means = new Float64Array(chains)
  }

  /**
   * Begins with draws of which some are 1: those at places from `from` up to `to` of an order. If these are most, they are 0 and the
   * others 1, which has the same autocovariances and is less work.
   *
   * @param order indices of all draws, chain after chain
   */
  of(order: Uint32Array, from: number, to: number): this {
    const { bits, chains, length } = this
    const total = chains * length
    this.isConstant = to <= from || to - from >= total
    bits.fill(0)
    if (2 * (to - from) <= total) this.set(order, from, to)
    else {
      this.set(order, 0, from)
      this.set(order, to, total)
    }
    this.sum()
    return this
  }

  private set(order: Uint32Array, from: number, to: number): void {
    const { bits, words, length } = this
    for (let place = from; place < to; place++) {
      const draw = order[place] as number
      const chain = Math.floor(draw / length)
      const i = draw - chain * length
      const word = chain * words + (i >>> 5)
      bits[word] = (bits[word] as number) | (1 << (i & 31))
    }
  }

  private sum(): void {
    const { bits, words, chains, before, means, length } = this
    for (let chain = 0; chain < chains; chain++) {
      let sum = 0
      for (let word = chain * words; word < (chain + 1) * words; word++) {
        before[word] = sum
        sum += ones(bits[word] as number)
      }
      means[chain] = sum / length
    }
    this.between = varianceOfMeans('posterior', means, 'halves')
  }

  at(lag: number): number {
    const { chains, length, means } = this
    let sum = 0
    for (let chain = 0; chain < chains; chain++) {
      const mean = means[chain] as number
      const first = this.onesBefore(chain, length - lag)
      const last = this.onesBefore(chain, length) - this.onesBefore(chain, lag)
      sum += this.pairs(chain, lag) - mean * (first + last) + (length - lag) * mean * mean
    }
    return sum / length / chains
  }

  /** Ones among the first `draws` of a chain. */
  private onesBefore(chain: number, draws: number): number {
    const word = chain * this.words + (draws >>> 5)
    // A shift by 32 would be one by 0; the bits of no draw are none.
    const bits = (draws & 31) === 0 ? 0 : (this.bits[word] as number) & (0xffffffff >>> (32 - (draws & 31)))
    return (this.before[word] as number) + ones(bits)
  }

  /** Pairs of ones of a chain that are `lag` draws apart. */
  private pairs(chain: number, lag: number): number {
    const { words, bits } = this
    const begin = chain * words
    const skip = lag >>> 5
    const shift = lag & 31
    let count = 0
    for (let i = begin; i + skip < begin + words - 1; i++) {
      const here = bits[i] as number
      if (here === 0) continue
      const there = bits[i + skip] as number
      const next = bits[i + skip + 1] as number
      count += ones(here & (shift === 0 ? there : (there >>> shift) | (next << (32 - shift))))
    }
    return count
  }
}

/** Bits of a word that are set. */
function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555)
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333)
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
