/** Distributions of draws, of all chains and of each: densities of real numbers, and shares of whole ones. */

import type { Steps } from '../turns.ts'
import { densityOf, gridOf, middlesOf } from './kde.ts'
import type { SortedChains } from './sorted.ts'

export interface Distributions {
  readonly x: Float64Array<ArrayBuffer>
  readonly chains: readonly Float64Array<ArrayBuffer>[]
  readonly all: Float64Array<ArrayBuffer>
  readonly brushed?: Float64Array<ArrayBuffer>
  readonly isDiscrete: boolean
  readonly width?: number
}

export interface Given {
  /** Finite draws of each chain, and all of them in order. */
  readonly chains: readonly Float64Array[]
  readonly sorted: SortedChains
  /** Some of them, which are shown by themselves. */
  readonly brushed?: Float64Array | undefined
  readonly points: number
  /** True for columns of whole numbers, and of bools. */
  readonly isWhole: boolean
}

/** Values that each have a bar of their own. */
const MOST_BARS = 50

export function* distributionsOf({ chains, sorted, brushed, points, isWhole }: Given): Steps<Distributions> {
  const some = brushed?.filter(Number.isFinite).sort()
  const { values } = sorted
  const [least, greatest] = [values[0] ?? 0, values[values.length - 1] ?? 0]
  if (isWhole || least === greatest) return shares(sorted, chains, some)
  const grid = gridOf(least, greatest, points)
  const found: Float64Array<ArrayBuffer>[] = []
  for (const position of chains.keys()) {
    found.push(densityOf(sorted.of(position), grid))
    yield
  }
  const all = densityOf(values, grid)
  const more = some !== undefined && { brushed: densityOf(some, grid) }
  return { x: middlesOf(grid), chains: found, all, ...more, isDiscrete: false }
}

function shares(
  { values, chains: owners }: SortedChains,
  chains: readonly Float64Array[],
  some: Float64Array | undefined,
): Distributions {
  const { x, width } = barsOf(values)
  const found = chains.map(() => new Float64Array(x.length))
  const all = new Float64Array(x.length)
  let bar = 0
  for (let i = 0; i < values.length; i++) {
    bar = barAt(x, values[i] as number, bar)
    all[bar] = (all[bar] as number) + 1 / values.length
    const position = owners[i] as number
    const own = found[position] as Float64Array
    own[bar] = (own[bar] as number) + 1 / (chains[position]?.length ?? 1)
  }
  const base = { x, chains: found, all, isDiscrete: true, width }
  if (some === undefined) return base
  const brushed = new Float64Array(x.length)
  bar = 0
  for (const value of some) {
    bar = barAt(x, value, bar)
    brushed[bar] = (brushed[bar] as number) + 1 / some.length
  }
  return { ...base, brushed }
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
