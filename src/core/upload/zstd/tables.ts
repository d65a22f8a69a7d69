/** Tables of Zstandard's finite state entropy (RFC 8878, 4.1), and the readers of bits that they are used with. */

/** A decoding table: by state, the symbol, the bits to read, and what they are added to. */
export interface Fse {
  readonly log: number
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
  readonly bases: Uint16Array
}

/** Bits of a stream that is read from its end, whose last byte marks the first bit. */
export class BackwardBits {
  /** Bits that are left; negative where more were read than there are, which read as 0. */
  left: number
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    const last = bytes.at(-1) ?? 0
    if (last === 0) throw new Error('a stream of bits has no end')
    this.bytes = bytes
    this.left = bytes.length * 8 - (Math.clz32(last) - 23)
  }

  /** @param count at most 25 */
  read(count: number): number {
    this.left -= count
    return this.at(this.left, count)
  }

  /** The next bits, which stay. */
  peek(count: number): number {
    return this.at(this.left - count, count)
  }

  private at(position: number, count: number): number {
    if (position < 0) return count + position <= 0 ? 0 : this.at(0, count + position) << -position
    const { bytes } = this
    const i = position >> 3
    const word =
      (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) | ((bytes[i + 3] ?? 0) << 24)
    return (word >>> (position & 7)) & ((1 << count) - 1)
  }
}

/** @param counts by symbol; -1 for one that is less likely than 1 */
export function buildFse(counts: readonly number[], log: number): Fse {
  const size = 1 << log
  const symbols = new Uint8Array(size)
  const next = new Uint16Array(counts.length)
  let high = size - 1
  counts.forEach((count, symbol) => {
    next[symbol] = Math.abs(count)
    if (count === -1) symbols[high--] = symbol
  })
  spread(symbols, counts, high)
  const bits = new Uint8Array(size)
  const bases = new Uint16Array(size)
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] ?? 0
    const x = next[symbol] ?? 1
    next[symbol] = x + 1
    const width = log - (31 - Math.clz32(x))
    bits[state] = width
    bases[state] = (x << width) - size
  }
  return { log, symbols, bits, bases }
}

function spread(symbols: Uint8Array, counts: readonly number[], high: number): void {
  const size = symbols.length
  const step = (size >> 1) + (size >> 3) + 3
  let at = 0
  counts.forEach((count, symbol) => {
    for (let i = 0; i < count; i++) {
      symbols[at] = symbol
      do at = (at + step) & (size - 1)
      while (at > high)
    }
  })
}

/** A table of one symbol. */
export function constantFse(symbol: number): Fse {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) }
}

/**
 * A table as it stands in a stream, and the bytes that it takes there.
 *
 * @throws Error when it is none
 */
export function readFse(bytes: Uint8Array, mostLog: number, mostSymbol: number): { fse: Fse; length: number } {
  const log = ((bytes[0] ?? 0) & 15) + 5
  if (log > mostLog) throw new Error('a table is too accurate')
  const bits = new ForwardBits(bytes)
  const counts: number[] = []
  let left = 1 << log
  while (left > 0) {
    const count = readCount(bits, left)
    counts.push(count)
    left -= Math.abs(count)
    if (count === 0) pushZeros(bits, counts, mostSymbol)
    if (counts.length > mostSymbol + 1) throw new Error('a table has too many symbols')
  }
  const length = (bits.position + 7) >> 3
  if (left < 0 || length > bytes.length) throw new Error('a table is malformed')
  return { fse: buildFse(counts, log), length }
}

/** Bits of a stream from its beginning, behind the first four. */
class ForwardBits {
  position = 4
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** @param count at most 16 */
  take(count: number): number {
    const { bytes, position } = this
    const i = position >> 3
    const word = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16)
    this.position += count
    return (word >>> (position & 7)) & ((1 << count) - 1)
  }
}

/** The count of a symbol where so many are left, in as few bits as can tell it. */
function readCount(bits: ForwardBits, left: number): number {
  const width = 32 - Math.clz32(left + 1)
  const lower = (1 << (width - 1)) - 1
  const threshold = (1 << width) - 2 - left
  const value = bits.take(width)
  if ((value & lower) < threshold) {
    bits.position--
    return (value & lower) - 1
  }
  return value > lower ? value - threshold - 1 : value - 1
}

/** More symbols that are never there; 3 says that yet more follow. */
function pushZeros(bits: ForwardBits, counts: number[], mostSymbol: number): void {
  let more: number
  do {
    more = bits.take(2)
    for (let i = 0; i < more; i++) counts.push(0)
  } while (more === 3 && counts.length <= mostSymbol)
}

const REPEATED = (value: number, times: number) => Array.from({ length: times }, () => value)

/** Tables, and by code the base and the number of bits that are added to it. */
export const LITERAL_LENGTHS = {
  mostLog: 9,
  bases: [...Array(16).keys(), 16, 18, 20, 22, 24, 28, 32, 40, 48, ...Array.from({ length: 11 }, (_, i) => 64 << i)],
  bits: [...REPEATED(0, 16), 1, 1, 1, 1, 2, 2, 3, 3, 4, ...Array.from({ length: 11 }, (_, i) => 6 + i)],
  known: buildFse(
    [4, 3, ...REPEATED(2, 11), 1, 1, 1, ...REPEATED(2, 9), 3, 2, ...REPEATED(1, 5), ...REPEATED(-1, 4)],
    6,
  ),
} as const

export const MATCH_LENGTHS = {
  mostLog: 9,
  bases: [
    ...Array.from({ length: 32 }, (_, i) => i + 3),
    ...[35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99],
    ...Array.from({ length: 10 }, (_, i) => (128 << i) + 3),
  ],
  bits: [...REPEATED(0, 32), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, ...Array.from({ length: 10 }, (_, i) => 7 + i)],
  known: buildFse([1, 4, 3, ...REPEATED(2, 6), ...REPEATED(1, 37), ...REPEATED(-1, 7)], 6),
} as const

export const OFFSETS = {
  mostLog: 8,
  known: buildFse([...REPEATED(1, 6), 2, 2, 2, ...REPEATED(1, 15), ...REPEATED(-1, 5)], 5),
} as const
