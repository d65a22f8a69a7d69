/** Extremes of a run of values of any dtype, at their places. */

import { bytesOf, ITEM_SIZE, type NumericDtype, viewAs } from '../draws/dtype.ts'
import { numericArray } from '../draws/ndarray.ts'
import type { Bytes } from '../draws/segment.ts'

/**
 * Values as pairs that are ordered as they are, the higher part first. Integers of 64 bits have a lower part of 32 bits;
 * everything else is exact as a double.
 */
export interface Values {
  readonly high: Float64Array<ArrayBuffer>
  readonly low: Float64Array<ArrayBuffer> | undefined
}

/** Places of a run of values: `from`, `from + step`, … before `to`. */
export interface Run {
  readonly from: number
  readonly to: number
  readonly step: number
}

/** Places of the least and the greatest value of a run, the earliest of equal ones, and of its first NaN; -1 where it has none. */
export class Places {
  least = -1
  greatest = -1
  nan = -1

  find({ high, low }: Values, run: Run): void {
    const { to, step } = run
    let from = run.from
    while (from < to && Number.isNaN(high[from])) from += step
    this.nan = from > run.from ? run.from : -1
    this.least = from < to ? from : -1
    this.greatest = this.least
    if (this.least < 0) return
    if (low === undefined) this.findDoubles(high, from, to, step)
    else this.findPairs(high, low, run)
  }

  private findDoubles(high: Float64Array, from: number, to: number, step: number): void {
    let { least, greatest, nan } = this
    let low = high[from] ?? 0
    let top = low
    for (let i = from + step; i < to; i += step) {
      const value = high[i] ?? 0
      if (value < low) {
        low = value
        least = i
      } else if (value > top) {
        top = value
        greatest = i
      } else if (Number.isNaN(value) && nan < 0) nan = i
    }
    this.least = least
    this.greatest = greatest
    this.nan = nan
  }

  private findPairs(high: Float64Array, low: Float64Array, { from, to, step }: Run): void {
    let { least, greatest } = this
    for (let i = from + step; i < to; i += step) {
      if (comparePairs(high, low, i, least) < 0) least = i
      else if (comparePairs(high, low, i, greatest) > 0) greatest = i
    }
    this.least = least
    this.greatest = greatest
  }
}

function comparePairs(high: Float64Array, low: Float64Array, a: number, b: number): number {
  return (high[a] ?? 0) - (high[b] ?? 0) || (low[a] ?? 0) - (low[b] ?? 0)
}

/** Values that are brought into another form at once: a hundred KiB, which the caches of a processor hold. */
const BLOCK = 8192

/** Brings segments of one column of numbers into the form in which they are compared. */
export class ValueReader {
  private readonly dtype: NumericDtype
  private readonly each: number
  private readonly high: Float64Array<ArrayBuffer>
  private readonly low: Float64Array<ArrayBuffer>

  /** @param elements elements of a draw, of which blocks hold whole ones; at least 1 */
  constructor(dtype: NumericDtype, elements: number) {
    this.dtype = dtype
    this.each = Math.max(1, Math.floor(BLOCK / elements)) * elements
    this.high = new Float64Array(dtype === 'float64' ? 0 : this.each)
    this.low = new Float64Array(isOfPairs(dtype) ? this.each : 0)
  }

  /** The values in blocks of whole draws, each good until the next one. Doubles are a view, where their alignment allows it. */
  *blocks(data: Bytes): Generator<Values> {
    if (this.dtype === 'float64') {
      yield { high: viewAs('float64', data), low: undefined }
      return
    }
    const array = numericArray(this.dtype, [], data)
    const total = array.data.length
    const words = isOfPairs(this.dtype) ? viewAs('uint32', data) : undefined
    for (let from = 0; from < total; from += this.each) {
      const to = Math.min(total, from + this.each)
      const high = this.high.subarray(0, to - from)
      if (words !== undefined) {
        const low = this.low.subarray(0, to - from)
        splitWords(words.subarray(2 * from, 2 * to), this.dtype === 'int64', high, low)
        yield { high, low }
      } else if (array.dtype !== 'str' && array.dtype !== 'int64' && array.dtype !== 'uint64') {
        high.set(array.data.subarray(from, to))
        yield { high, low: undefined }
      }
    }
  }
}

/** True for integers that have more digits than a double. */
export function isOfPairs(dtype: NumericDtype): boolean {
  return dtype === 'int64' || dtype === 'uint64'
}

/** Takes little-endian integers of 64 bits apart. */
function splitWords(words: Uint32Array, isSigned: boolean, high: Float64Array, low: Float64Array): void {
  for (let i = 0; i < high.length; i++) {
    const word = words[2 * i + 1] ?? 0
    high[i] = isSigned ? word | 0 : word
    low[i] = words[2 * i] ?? 0
  }
}

/** The values of a dtype that pairs stand for: inverse of the reader. */
export function bytesOfPairs(dtype: NumericDtype, high: Float64Array, low: Float64Array | undefined): Bytes {
  if (low !== undefined) {
    const words = new Uint32Array(2 * high.length)
    for (let i = 0; i < high.length; i++) {
      words[2 * i] = low[i] ?? 0
      words[2 * i + 1] = high[i] ?? 0
    }
    return new Uint8Array(words.buffer)
  }
  const array = numericArray(dtype, [], new Uint8Array(high.length * ITEM_SIZE[dtype]))
  if (array.dtype !== 'str' && array.dtype !== 'int64' && array.dtype !== 'uint64') array.data.set(high)
  return array.dtype === 'str' ? new Uint8Array() : bytesOf(array.data)
}
