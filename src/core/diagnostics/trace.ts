/**
 * Traces for looking: the draws of a chain between which a line covers the same pixels as one through all of them.
 *
 * M4 (Jugel, Jerzak, Hackenbroich and Markl, 2014: M4, a visualization-oriented time series data aggregation,
 * doi:10.14778/2732951.2732953) keeps the first, the least, the greatest and the last draw of each bucket.
 */

import type { RigidNumbers } from '../draws/columns.ts'
import type { NumericDtype } from '../draws/dtype.ts'
import { type NdArray, numericArray } from '../draws/ndarray.ts'
import type { Bytes } from '../draws/segment.ts'
import { type Buckets, bucketStart } from './buckets.ts'
import { bytesOfPairs, isOfPairs, Places, type Run, ValueReader, type Values } from './extremes.ts'

/** Draws that a trace keeps of one element of one chain. */
export interface Kept {
  /** Iterations, rising. */
  readonly at: Float64Array<ArrayBuffer>
  /** Values at these iterations: a list of the column's dtype. */
  readonly values: NdArray
}

/** Draws of a bucket up to which all of them are kept. */
const ALL_KEPT = 4

/**
 * Draws that are kept of one element of a chain at most: four of each bucket, and a NaN.
 *
 * @param draws draws of the chain in the buckets
 */
export function mostKept(dtype: NumericDtype, { count }: Buckets, draws: number): number {
  const each = dtype === 'float64' || dtype === 'float32' ? ALL_KEPT + 1 : ALL_KEPT
  return Math.min(draws, each * count)
}

/**
 * The trace of all elements of one column of one chain, from draws that come piece by piece. It does not depend on how they are
 * cut: what is known of a bucket is carried from one piece to the next.
 *
 * All draws of a bucket with at most four are kept. The earliest of equal draws counts as the least or the greatest.
 * Infinities are numbers like others; NaN is neither the least nor the greatest. A bucket with NaN keeps its first one as well,
 * unless its first or last draw is one.
 *
 * @example
 * const trace = new ChainTrace(spec, { start: 0, stop: 100_000, count: 1000 }, 80_000)
 * for await (const { data } of pieces(selection)) trace.add(data)
 * const [{ at, values }] = trace.finish()
 */
export class ChainTrace {
  private readonly spec: RigidNumbers
  private readonly buckets: Buckets
  private readonly stop: number
  private readonly reader: ValueReader
  private readonly elements: readonly ElementTrace[]
  /** Iteration of the next draw, its bucket, and the iterations of the chain in that. */
  private next: number
  private bucket = -1
  private begin: number
  private end: number

  /**
   * @param spec the column as its pieces have it, of one element at least
   * @param draws draws that will come: those of the chain from the start of the buckets on
   */
  constructor(spec: RigidNumbers, buckets: Buckets, draws: number) {
    this.spec = spec
    this.buckets = buckets
    this.stop = buckets.start + draws
    this.reader = new ValueReader(spec.dtype, spec.elements)
    const most = mostKept(spec.dtype, buckets, draws)
    this.elements = Array.from({ length: spec.elements }, () => new ElementTrace(most, isOfPairs(spec.dtype)))
    this.next = buckets.start
    this.begin = this.next
    this.end = this.next
  }

  /** Takes the draws that follow, in the layout of a segment. */
  add(data: Bytes): void {
    for (const values of this.reader.blocks(data)) this.addBlock(values)
  }

  /** The draws that are kept, element by element. */
  finish(): Kept[] {
    if (this.next !== this.stop)
      throw new RangeError(`${this.stop - this.next} draws that were announced have not come`)
    return this.elements.map((element) => element.finish(this.spec.dtype))
  }

  private addBlock(values: Values): void {
    const step = this.spec.elements
    const { length } = values.high
    for (let from = 0; from < length; ) {
      while (this.next === this.end) this.openBucket()
      const count = Math.min((length - from) / step, this.end - this.next)
      const part = { first: this.next, count, begin: this.begin, last: this.end - 1 }
      const to = from + count * step
      this.elements.forEach((element, i) => {
        element.add(values, { from: from + i, to, step }, part)
      })
      from = to
      this.next += count
    }
  }

  private openBucket(): void {
    const { buckets, stop, next } = this
    if (next >= stop) throw new RangeError(`more draws come than the ${stop - buckets.start} that were announced`)
    this.bucket++
    this.begin = next
    this.end = Math.min(stop, bucketStart(buckets, this.bucket + 1))
  }
}

/** Draws of one bucket that follow one another. */
interface Part {
  /** Iteration of the first of them. */
  readonly first: number
  readonly count: number
  /** The first and the last iteration of the chain in the bucket. */
  readonly begin: number
  readonly last: number
}

/** A draw of the bucket that is likely to be kept; none is known while `at` is negative. */
class Candidate {
  at = -1
  high = 0
  low = 0

  isKnown(): boolean {
    return this.at >= 0
  }

  set({ high, low }: Values, place: number, at: number): void {
    this.at = at
    this.high = high[place] ?? 0
    this.low = low?.[place] ?? 0
  }

  /** The difference to a value, or that of their lower parts. */
  minus({ high, low }: Values, place: number): number {
    const other = high[place] ?? 0
    // The difference of two infinities would be NaN.
    return this.high === other ? this.low - (low?.[place] ?? 0) : this.high - other
  }
}

/** The trace of one element of one chain. */
class ElementTrace {
  private readonly at: Float64Array<ArrayBuffer>
  private readonly high: Float64Array<ArrayBuffer>
  private readonly low: Float64Array<ArrayBuffer> | undefined
  private length = 0
  private readonly places = new Places()
  /** Draws of the bucket that will be kept as it is known so far. */
  private readonly least = new Candidate()
  private readonly greatest = new Candidate()
  private readonly nan = new Candidate()
  private readonly last = new Candidate()

  constructor(most: number, isOfPairs: boolean) {
    this.at = new Float64Array(most)
    this.high = new Float64Array(most)
    this.low = isOfPairs ? new Float64Array(most) : undefined
  }

  add(values: Values, run: Run, { first, count, begin, last }: Part): void {
    const { from, step } = run
    if (last - begin < ALL_KEPT) {
      for (let i = 0; i < count; i++) this.keepValue(values, from + i * step, first + i)
      return
    }
    if (first === begin) this.open(values, from, first)
    this.places.find(values, run)
    this.meet(values, (place) => first + (place - from) / step)
    if (first + count - 1 === last) {
      this.last.set(values, from + (count - 1) * step, last)
      this.close()
    }
  }

  finish(dtype: NumericDtype): Kept {
    const { length } = this
    const bytes = bytesOfPairs(dtype, this.high.subarray(0, length), this.low?.subarray(0, length))
    return { at: this.at.slice(0, length), values: numericArray(dtype, [length], bytes) }
  }

  private open(values: Values, place: number, at: number): void {
    this.keepValue(values, place, at)
    for (const candidate of [this.least, this.greatest, this.nan]) candidate.at = -1
  }

  private meet(values: Values, iterationAt: (place: number) => number): void {
    const { least, greatest, nan, places } = this
    if (places.nan >= 0 && !nan.isKnown()) nan.set(values, places.nan, iterationAt(places.nan))
    if (places.least < 0) return
    if (!least.isKnown() || least.minus(values, places.least) > 0) {
      least.set(values, places.least, iterationAt(places.least))
    }
    if (!greatest.isKnown() || greatest.minus(values, places.greatest) < 0) {
      greatest.set(values, places.greatest, iterationAt(places.greatest))
    }
  }

  /** Keeps the draws between the first and the last, in order and each once, and the last. */
  private close(): void {
    const { least, greatest, nan, last } = this
    const isNanSeen = Number.isNaN(this.high[this.length - 1]) || Number.isNaN(last.high)
    const between = [least, greatest, ...(isNanSeen ? [] : [nan])].sort((a, b) => a.at - b.at)
    for (const candidate of [...between, last]) {
      if (candidate.at > (this.at[this.length - 1] ?? 0) && candidate.at <= last.at) this.keep(candidate)
    }
  }

  private keep({ at, high, low }: Candidate): void {
    this.at[this.length] = at
    this.high[this.length] = high
    if (this.low !== undefined) this.low[this.length] = low
    this.length++
  }

  private keepValue({ high, low }: Values, place: number, at: number): void {
    this.at[this.length] = at
    this.high[this.length] = high[place] ?? 0
    if (this.low !== undefined) this.low[this.length] = low?.[place] ?? 0
    this.length++
  }
}
