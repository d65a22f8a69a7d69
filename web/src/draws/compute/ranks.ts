/** Ranks of draws among those of all chains: how many of each chain lie where. */
import type { SortedChains } from './sorted.ts'

/**
 * Draws of each chain in even parts of all ranks. The ranks of equal draws are shared evenly among them: what ranks in a random
 * order would give on average.
 */
export function ranksIn(sorted: SortedChains, chains: number, parts: number): Float64Array<ArrayBuffer>[] {
  const { values } = sorted
  const size = values.length
  const found = Array.from({ length: chains }, () => new Float64Array(parts))
  const equal = new Float64Array(chains)
  let part = 0
  let end = Math.floor(size / parts)
  for (let from = 0; from < size; ) {
    const value = values[from] as number
    let to = from
    equal.fill(0)
    while (to < size && values[to] === value) {
      const chain = sorted.chains[to++] as number
      equal[chain] = (equal[chain] as number) + 1
    }
    // The ranks from + 1 to `to`, part after part.
    for (let rank = from; rank < to; ) {
      while (rank >= end) end = Math.floor(((++part + 1) * size) / parts)
      const next = Math.min(to, end)
      const share = (next - rank) / (to - from)
      for (let chain = 0; chain < chains; chain++) {
        const counts = found[chain] as Float64Array
        counts[part] = (counts[part] as number) + (equal[chain] as number) * share
      }
      rank = next
    }
    from = to
  }
  return found
}

/** Shares of draws up to each of the points 0, 1 / parts, …, 1 minus those points. */
export function differences(counts: Float64Array): Float64Array<ArrayBuffer> {
  const parts = counts.length
  const draws = counts.reduce((n, count) => n + count, 0)
  const result = new Float64Array(parts + 1)
  let sum = 0
  for (let i = 1; i < parts; i++) {
    sum += counts[i - 1] as number
    result[i] = sum / draws - i / parts
  }
  return result
}
