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
  private readonly words: number
  /** Bits of each chain, and a word of zeros behind them. */
  private readonly bits: Uint32Array
  /** Ones of each chain before each draw, and of all of it. */
  private readonly before: Uint32Array
  private readonly means: Float64Array

  constructor(chains: number, length: number) {
    this.chains = chains
    this.length = length
    this.words = ((length + 31) >>> 5) + 1
    this.bits = new Uint32Array(chains * this.words)
    this.before = new Uint32Array(chains * (length + 1))
    this.means = new Float64Array(chains)
  }

  /** Begins with the draws that are at least `low` and at most `high`; chain after chain. */
  of(values: Float64Array, low: number, high: number): this {
    const { chains, length, words, bits, before, means } = this
    bits.fill(0)
    let total = 0
    for (let chain = 0; chain < chains; chain++) {
      let ones = 0
      let word = 0
      for (let i = 0; i < length; i++) {
        const value = values[chain * length + i] as number
        if (value <= high && value >= low) {
          word |= 1 << (i & 31)
          ones++
        }
        if ((i & 31) === 31 || i === length - 1) {
          bits[chain * words + (i >>> 5)] = word
          word = 0
        }
        before[chain * (length + 1) + i + 1] = ones
      }
      means[chain] = ones / length
      total += ones
    }
    this.between = varianceOfMeans(means)
    this.isConstant = total === 0 || total === chains * length
    return this
  }

  at(lag: number): number {
    const { chains, length, before, means } = this
    let sum = 0
    for (let chain = 0; chain < chains; chain++) {
      const mean = means[chain] as number
      const begin = chain * (length + 1)
      const first = before[begin + length - lag] as number
      const last = (before[begin + length] as number) - (before[begin + lag] as number)
      sum += this.pairs(chain, lag) - mean * (first + last) + (length - lag) * mean * mean
    }
    return sum / length / chains
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
