/** The order of doubles, by radix: linear in their number, stable, the same on every platform. */

const BITS = 11
const BUCKETS = 1 << BITS
const MASK = BUCKETS - 1
/** Digits of a word. */
const DIGITS = 3
/** Neighbours with the same high word that are put in order one by one. */
const FEW = 24

/** Memory for the order of up to `size` numbers. */
export class Sorter {
  readonly size: number
  private readonly counts = new Uint32Array(DIGITS * BUCKETS)
  private readonly highs: Uint32Array
  private readonly lows: Uint32Array
  private readonly keys: readonly [Uint32Array, Uint32Array]
  private readonly orders: readonly [Uint32Array, Uint32Array]

  constructor(size: number) {
    this.size = size
    this.highs = new Uint32Array(size)
    this.lows = new Uint32Array(size)
    this.keys = [new Uint32Array(size), new Uint32Array(size)]
    this.orders = [new Uint32Array(size), new Uint32Array(size)]
  }

  /**
   * The indices of numbers in rising order; -0 ties with 0, infinities stand at the ends. It lasts until the next call.
   *
   * @param values numbers without NaN, at most `size` of them, aligned to 8 bytes
   */
  order(values: Float64Array): Uint32Array {
    const { highs, lows } = this
    const { length } = values
    split(values, highs, lows)
    // High words differ mostly, so that low ones decide among few.
    const order = this.byKeys(highs, undefined, length)
    if (settleTies(order, highs, lows, length)) return order
    return this.byKeys(highs, this.byKeys(lows, undefined, length), length)
  }

  /** The indices by rising keys, and where keys are equal in the order of `before`, or of the indices. */
  private byKeys(source: Uint32Array, before: Uint32Array | undefined, length: number): Uint32Array {
    const { keys, orders, counts } = this
    let from: 0 | 1 = 0
    const order = orders[from]
    const own = keys[from]
    for (let i = 0; i < length; i++) {
      const index = before === undefined ? i : (before[i] as number)
      order[i] = index
      own[i] = source[index] as number
    }
    count(own, counts, length)
    for (let digit = 0; digit < DIGITS; digit++) {
      if (!offsets(counts, digit, length)) continue
      const to: 0 | 1 = from === 0 ? 1 : 0
      scatter(digit, counts, keys[from], orders[from], keys[to], orders[to], length)
      from = to
    }
    return length === this.size ? orders[from] : orders[from].subarray(0, length)
  }
}

/** Words of each number, so changed that their order as integers is that of the numbers. */
function split(values: Float64Array, highs: Uint32Array, lows: Uint32Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  for (let i = 0; i < values.length; i++) {
    let low = words[2 * i] as number
    let high = words[2 * i + 1] as number
    if (((high << 1) | low) === 0) high = 0
    const sign = high >> 31
    // Negative numbers rise as their bits fall.
    low ^= sign
    high ^= sign | 0x80000000
    highs[i] = high
    lows[i] = low
  }
}

/** Occurrences of each digit. */
function count(keys: Uint32Array, counts: Uint32Array, length: number): void {
  counts.fill(0)
  for (let i = 0; i < length; i++) {
    const key = keys[i] as number
    ;(counts[key & MASK] as number)++
    ;(counts[BUCKETS + ((key >>> BITS) & MASK)] as number)++
    ;(counts[2 * BUCKETS + (key >>> (2 * BITS))] as number)++
  }
}

/** Turns counts into places; false if all keys have the same digit. */
function offsets(counts: Uint32Array, digit: number, length: number): boolean {
  const begin = digit * BUCKETS
  let sum = 0
  for (let i = begin; i < begin + BUCKETS; i++) {
    const occurrences = counts[i] as number
    if (occurrences === length) return false
    counts[i] = sum
    sum += occurrences
  }
  return true
}

function scatter(
  digit: number,
  counts: Uint32Array,
  keys: Uint32Array,
  order: Uint32Array,
  newKeys: Uint32Array,
  newOrder: Uint32Array,
  length: number,
): void {
  const shift = digit * BITS
  const begin = digit * BUCKETS
  for (let i = 0; i < length; i++) {
    const key = keys[i] as number
    const place = (counts[begin + ((key >>> shift) & MASK)] as number)++
    newKeys[place] = key
    newOrder[place] = order[i] as number
  }
}

/** Orders neighbours with the same high word by the low one; false if there are too many of them to do so one by one. */
function settleTies(order: Uint32Array, highs: Uint32Array, lows: Uint32Array, length: number): boolean {
  for (let begin = 0; begin < length; ) {
    const high = highs[order[begin] as number] as number
    let end = begin + 1
    while (end < length && (highs[order[end] as number] as number) === high) end++
    if (end - begin > 1 && !settle(order, lows, begin, end)) return false
    begin = end
  }
  return true
}

function settle(order: Uint32Array, lows: Uint32Array, begin: number, end: number): boolean {
  if (end - begin > FEW) return areEqual(order, lows, begin, end)
  for (let i = begin + 1; i < end; i++) {
    const index = order[i] as number
    const low = lows[index] as number
    let place = i
    for (; place > begin && (lows[order[place - 1] as number] as number) > low; place--) {
      order[place] = order[place - 1] as number
    }
    order[place] = index
  }
  return true
}

function areEqual(order: Uint32Array, lows: Uint32Array, begin: number, end: number): boolean {
  const low = lows[order[begin] as number]
  for (let i = begin + 1; i < end; i++) if (lows[order[i] as number] !== low) return false
  return true
}
