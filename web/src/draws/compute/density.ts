/** Distributions of draws, of all chains and of each: densities of real numbers, and shares of whole ones. */

import type { Steps } from '../turns.ts'
import { densityOf, gridOf, middlesOf } from './kde.ts'
import type { Sorted } from './sorted.ts'

export interface Distributions {
  readonly x: Float64Array<ArrayBuffer>
  readonly chains: readonly Float64Array<ArrayBuffer>[]
  readonly all: Float64Array<ArrayBuffer>
  readonly brushed?: Float64Array<ArrayBuffer>
  readonly isDiscrete: boolean
  readonly width?: number
}

export interface Given {
  /** Finite draws in order. */
  readonly sorted: Sorted
  /** Some of them, which are shown by themselves: in order as well. */
  readonly brushed?: Float64Array | undefined
  readonly points: number
  /** True for columns of whole numbers, and of bools. */
  readonly isWhole: boolean
}

/** Values that each have a bar of their own. */
const MOST_BARS = 50

export function* distributionsOf({ sorted, brushed, points, isWhole }: Given): Steps<Distributions> {
  const { chains, all } = sorted
  const [least, greatest] = [all[0] ?? 0, all[all.length - 1] ?? 0]
  if (isWhole || least === greatest) return shares(sorted, brushed)
  const grid = gridOf(least, greatest, points)
  const found: Float64Array<ArrayBuffer>[] = []
  for (const values of chains) {
    found.push(densityOf(values, grid))
    yield
  }
  const more = brushed !== undefined && { brushed: densityOf(brushed, grid) }
  return { x: middlesOf(grid), chains: found, all: densityOf(all, grid), ...more, isDiscrete: false }
}

function shares({ chains, all }: Sorted, brushed: Float64Array | undefined): Distributions {
  const { x, width } = barsOf(all)
  const more = brushed !== undefined && { brushed: sharesOf(brushed, x) }
  return {
    x,
    chains: chains.map((values) => sharesOf(values, x)),
    all: sharesOf(all, x),
    ...more,
    isDiscrete: true,
    width,
  }
}

/** Shares of sorted values that have each of the bars. */
function sharesOf(values: Float64Array, x: Float64Array): Float64Array<ArrayBuffer> {
  const counts = new Float64Array(x.length)
  let bar = 0
  for (let i = 0; i < values.length; i++) {
    bar = barAt(x, values[i] as number, bar)
    counts[bar] = (counts[bar] as number) + 1
  }
  return counts.map((count) => count / values.length)
}

/** The bar of a value, at `bar` or behind it. */
function barAt(x: Float64Array, value: number, bar: number): number {
  let at = bar
  while (at + 1 < x.length && (x[at + 1] as number) <= value) at++
  return at
}

/** Values that there are, or even intervals of whole numbers where these are many: as wide as arviz-stats makes them (`get_bins`). */
function barsOf(sorted: Float64Array): { x: Float64Array<ArrayBuffer>; width: number } {
  const distinct: number[] = []
  for (let i = 0; i < sorted.length && distinct.length <= MOST_BARS; i++) {
    if (i === 0 || sorted[i] !== sorted[i - 1]) distinct.push(sorted[i] as number)
  }
  if (distinct.length <= MOST_BARS) return { x: Float64Array.from(distinct), width: 1 }
  const size = sorted.length
  const [least, greatest] = [sorted[0] as number, sorted[size - 1] as number]
  const range = greatest - least
  const quartiles =
    (sorted[Math.floor(0.75 * (size - 1))] as number) - (sorted[Math.floor(0.25 * (size - 1))] as number)
  const scott = Math.max(2 * quartiles * size ** (-1 / 3), range / Math.sqrt(size) / 2)
  const width = Math.max(1, Math.round(Math.min(range / (Math.log2(size) + 1), scott)))
  return { x: Float64Array.from({ length: Math.floor(range / width) + 1 }, (_, i) => least + i * width), width }
}
