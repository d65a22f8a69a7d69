/**
 * Counters of a column that grow with it: exact for all draws that were counted, however they were divided. Ranks, and what is made of
 * them, cannot be had so: they are computed anew (figures.ts).
 */
import { type NumericDtype, viewAs } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'

export class Counters {
  /** Draws that were counted. */
  draws = 0
  /** The least and the greatest finite number of each element; infinite the other way round where there is none. */
  readonly least: Float64Array
  readonly greatest: Float64Array
  /** Draws of each element that are NaN or infinite. */
  readonly notFinite: Uint32Array
  /** Draws of each element that are not 0: of a flag, how often it was set. */
  readonly notZero: Uint32Array
  private readonly sums: Float64Array
  /** Digits that the sums have lost (Neumaier 1974): a sum is exact also behind a million draws. */
  private readonly lost: Float64Array

  constructor(elements: number) {
    this.least = new Float64Array(elements).fill(Number.POSITIVE_INFINITY)
    this.greatest = new Float64Array(elements).fill(Number.NEGATIVE_INFINITY)
    this.notFinite = new Uint32Array(elements)
    this.notZero = new Uint32Array(elements)
    this.sums = new Float64Array(elements)
    this.lost = new Float64Array(elements)
  }

  get elements(): number {
    return this.sums.length
  }

  /** Counts draws of all elements, one draw after the other, as the wire has them. */
  add(bytes: Bytes, dtype: NumericDtype): void {
    const { elements } = this
    if (elements === 0) return
    const values = viewAs(dtype, bytes)
    const count = values.length / elements
    for (let draw = 0; draw < count; draw++) {
      const begin = draw * elements
      for (let element = 0; element < elements; element++) this.count(element, Number(values[begin + element]))
    }
    this.draws += count
  }

  /** The sum of an element's finite draws. */
  total(element: number): number {
    return (this.sums[element] ?? 0) + (this.lost[element] ?? 0)
  }

  private count(element: number, value: number): void {
    if (value !== 0) this.notZero[element] = (this.notZero[element] ?? 0) + 1
    // x - x is 0 for what is finite, and NaN for all else.
    if (value - value !== 0) {
      this.notFinite[element] = (this.notFinite[element] ?? 0) + 1
      return
    }
    if (value < (this.least[element] as number)) this.least[element] = value
    if (value > (this.greatest[element] as number)) this.greatest[element] = value
    const before = this.sums[element] as number
    const sum = before + value
    const lost = Math.abs(before) >= Math.abs(value) ? before - sum + value : value - sum + before
    this.sums[element] = sum
    this.lost[element] = (this.lost[element] as number) + lost
  }
}
