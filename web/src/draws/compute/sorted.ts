/** Draws of several chains in one rising order, for what looks at ranks and at distributions. */
import { Sorter } from '../../../../src/core/diagnostics/sort.ts'

/** Numbers for which the memory of a sort is kept until the next. */
const KEPT = 100_000

let kept: Sorter | undefined

function sorterFor(size: number): Sorter {
  if (kept !== undefined && kept.size >= size) return kept
  const sorter = new Sorter(size)
  if (size <= KEPT) kept = sorter
  return sorter
}

/** True where all numbers are finite. */
export function areFinite(values: Float64Array): boolean {
  let sum = 0
  // x - x is 0 for what is finite, and NaN for all else.
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) - (values[i] as number)
  return sum === 0
}

/** The draws that are finite, chain by chain: the same arrays where all are. */
export function finiteOf(chains: readonly Float64Array[]): readonly Float64Array[] {
  return chains.every(areFinite) ? chains : chains.map((values) => values.filter(Number.isFinite))
}

export class SortedChains {
  /** All draws, rising. */
  readonly values: Float64Array<ArrayBuffer>
  /** Position of the chain that each of them is of. */
  readonly chains: Uint16Array
  private readonly lengths: readonly number[]

  /** @param chains draws of each chain, without NaN */
  constructor(chains: readonly Float64Array[]) {
    this.lengths = chains.map(({ length }) => length)
    const size = this.lengths.reduce((n, length) => n + length, 0)
    const all = new Float64Array(size)
    const owners = new Uint16Array(size)
    let place = 0
    for (const [position, values] of chains.entries()) {
      all.set(values, place)
      owners.fill(position, place, place + values.length)
      place += values.length
    }
    const order = sorterFor(size).order(all)
    this.values = new Float64Array(size)
    this.chains = new Uint16Array(size)
    for (let i = 0; i < size; i++) {
      const index = order[i] as number
      this.values[i] = all[index] as number
      this.chains[i] = owners[index] as number
    }
  }

  /** Draws of the chain at a position, rising. */
  of(position: number): Float64Array<ArrayBuffer> {
    const sorted = new Float64Array(this.lengths[position] ?? 0)
    let place = 0
    for (let i = 0; i < this.values.length; i++) {
      if (this.chains[i] === position) sorted[place++] = this.values[i] as number
    }
    return sorted
  }
}
