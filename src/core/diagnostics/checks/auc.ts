/** Places at which divergences gather: the area under the curve that tells divergent draws from others by one scalar. */
import type { Scalar } from '../scalar.ts'

/** Draws of all chains, chain after chain, of which some diverged; with memory for the values at these. */
export class Divergent {
  /** 1 for a draw that diverged. */
  readonly mask: Uint8Array
  readonly count: number
  private readonly values: Float64Array

  constructor(mask: Uint8Array) {
    this.mask = mask
    let count = 0
    for (let i = 0; i < mask.length; i++) count += (mask[i] as number) !== 0 ? 1 : 0
    this.count = count
    this.values = new Float64Array(count)
  }

  /**
   * The probability that a draw that diverged has a larger value than one that did not, where ties count half: the statistic of Mann
   * and Whitney (1947) over the number of pairs. Values that are NaN are left out.
   *
   * @param scalar one of as many draws as the mask has
   * @returns NaN where there are no two draws to compare
   */
  auc(scalar: Scalar): number {
    const isRanked = scalar.blemish !== 'nan' && scalar.halves === scalar.values
    return isRanked ? this.byRank(scalar) : this.bySearch(scalar.values)
  }

  /** From the order of all draws, which other figures need as well. */
  private byRank({ sortedHalves: sorted, orderOfHalves: order }: Scalar): number {
    const { mask, count } = this
    const { length } = sorted
    let others = 0
    let larger = 0
    for (let i = 0; i < length; ) {
      const value = sorted[i] as number
      let divergent = 0
      let tied = 0
      for (; i < length && sorted[i] === value; i++) {
        if (mask[order[i] as number] !== 0) divergent++
        else tied++
      }
      larger += divergent * (others + tied / 2)
      others += tied
    }
    return larger / count / others
  }

  /** From the draws that diverged alone, where the order of all is not that of whole chains. */
  private bySearch(values: Float64Array): number {
    const { mask } = this
    let count = 0
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number
      // -0 is sorted before 0, and ties with it.
      if (mask[i] !== 0 && !Number.isNaN(value)) this.values[count++] = value + 0
    }
    const divergent = this.values.subarray(0, count).sort()
    let others = 0
    let larger = 0
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number
      if (mask[i] !== 0 || Number.isNaN(value)) continue
      others++
      larger += count - (below(divergent, value) + upTo(divergent, value)) / 2
    }
    return larger / count / others
  }
}

/** The number of sorted values that are less than `value`. */
function below(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** The number of sorted values that are at most `value`. */
function upTo(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) <= value) low = middle + 1
    else high = middle
  }
  return low
}
