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
  let part = 0
  let end = Math.floor(size / parts)
  for (let from = 0; from < size; ) {
    while (from >= end) end = Math.floor(((++part + 1) * size) / parts)
    let to = from + 1
    while (to < size && values[to] === values[from]) to++
    if (to === from + 1) {
      const counts = found[sorted.chains[from] as number] as Float64Array
      counts[part] = (counts[part] as number) + 1
    } else shareRanks(found, sorted, from, to)
    from = to
  }
  return found
}

/** Shares the ranks from + 1 to `to` among the equal draws that have them. */
function shareRanks(found: readonly Float64Array[], sorted: SortedChains, from: number, to: number): void {
  const size = sorted.values.length
  const equal = new Float64Array(found.length)
  for (let i = from; i < to; i++) equal[sorted.chains[i] as number] = (equal[sorted.chains[i] as number] as number) + 1
  for (const [chain, counts] of found.entries()) {
    const each = (equal[chain] as number) / (to - from)
    if (each === 0) continue
    let rank = from
    for (let part = partOf(from, size, counts.length); rank < to; part++) {
      const end = Math.min(to, Math.floor(((part + 1) * size) / counts.length))
      counts[part] = (counts[part] as number) + each * (end - rank)
      rank = end
    }
  }
}

/** The part in which the rank `before` + 1 is. */
function partOf(before: number, size: number, parts: number): number {
  let part = Math.floor((before * parts) / size)
  while (Math.floor(((part + 1) * size) / parts) <= before) part++
  return part
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
