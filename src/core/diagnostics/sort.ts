/** The order of doubles, by radix: linear in their number, stable, the same on every platform. */

const BITS = 11
const BUCKETS = 1 << BITS
const MASK = BUCKETS - 1
const PASSES = 6

/** Memory for the order of up to `size` numbers. */
export class Sorter {
  readonly size: number
  private readonly counts = new Uint32Array(PASSES * BUCKETS)
  private readonly highs: [Uint32Array, Uint32Array]
  private readonly lows: [Uint32Array, Uint32Array]
  private readonly orders: [Uint32Array, Uint32Array]

  constructor(size: number) {
    this.size = size
    const two = (): [Uint32Array, Uint32Array] => [new Uint32Array(size), new Uint32Array(size)]
    this.highs = two()
    this.lows = two()
    this.orders = two()
  }

  /**
   * The indices of numbers in rising order; -0 ties with 0, infinities stand at the ends. It lasts until the next call.
   *
   * @param values numbers without NaN, at most `size` of them, aligned to 8 bytes
   */
  order(values: Float64Array): Uint32Array {
    const length = values.length
    this.keys(values)
    let from = 0
    for (let pass = 0; pass < PASSES; pass++) {
      if (!this.offsets(pass, length)) continue
      this.scatter(pass, from, length)
      from = 1 - from
    }
    return this.orders[from as 0 | 1].subarray(0, length)
  }

  /** Bits of each number, so changed that their order as integers is that of the numbers; and how often each digit occurs. */
  private keys(values: Float64Array): void {
    const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
    const { counts } = this
    const highs = this.highs[0]
    const lows = this.lows[0]
    const order = this.orders[0]
    counts.fill(0)
    for (let i = 0; i < values.length; i++) {
      let low = words[2 * i] as number
      let high = words[2 * i + 1] as number
      if (((high << 1) | low) === 0) high = 0
      if (high & 0x80000000) {
        high = ~high
        low = ~low
      } else high |= 0x80000000
      highs[i] = high
      lows[i] = low
      order[i] = i
      ;(counts[low & MASK] as number)++
      ;(counts[BUCKETS + ((low >>> 11) & MASK)] as number)++
      ;(counts[2 * BUCKETS + ((low >>> 22) | ((high & 1) << 10))] as number)++
      ;(counts[3 * BUCKETS + ((high >>> 1) & MASK)] as number)++
      ;(counts[4 * BUCKETS + ((high >>> 12) & MASK)] as number)++
      ;(counts[5 * BUCKETS + (high >>> 23)] as number)++
    }
  }

  /** Turns counts into places; false if all numbers have the same digit. */
  private offsets(pass: number, length: number): boolean {
    const { counts } = this
    const begin = pass * BUCKETS
    let sum = 0
    for (let i = begin; i < begin + BUCKETS; i++) {
      const count = counts[i] as number
      if (count === length) return false
      counts[i] = sum
      sum += count
    }
    return true
  }

  private scatter(pass: number, from: number, length: number): void {
    const [a, b] = from === 0 ? ([0, 1] as const) : ([1, 0] as const)
    scatter(
      pass,
      length,
      this.counts,
      [this.highs[a], this.lows[a], this.orders[a]],
      [this.highs[b], this.lows[b], this.orders[b]],
    )
  }
}

type Columns = readonly [highs: Uint32Array, lows: Uint32Array, order: Uint32Array]

/** Digits of a pass lie in one word, but for those of the third, which has ten bits of the low and one of the high word. */
function scatter(pass: number, length: number, counts: Uint32Array, source: Columns, target: Columns): void {
  const [highs, lows, order] = source
  const [newHighs, newLows, newOrder] = target
  const begin = pass * BUCKETS
  for (let i = 0; i < length; i++) {
    const high = highs[i] as number
    const low = lows[i] as number
    const digit = digitOf(pass, high, low)
    const place = (counts[begin + digit] as number)++
    newHighs[place] = high
    newLows[place] = low
    newOrder[place] = order[i] as number
  }
}

function digitOf(pass: number, high: number, low: number): number {
  switch (pass) {
    case 0:
      return low & MASK
    case 1:
      return (low >>> 11) & MASK
    case 2:
      return (low >>> 22) | ((high & 1) << 10)
    case 3:
      return (high >>> 1) & MASK
    case 4:
      return (high >>> 12) & MASK
    default:
      return high >>> 23
  }
}
