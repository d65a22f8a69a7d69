/** Ranks of draws among those of all chains: how many of each chain lie where. */
import { lowerBound, upperBound } from '../../../../src/core/diagnostics/scalar.ts'
import type { Sorted } from './sorted.ts'

/**
 * Draws of each chain up to the ends of even parts of all ranks, the last of which has them all. The ranks of equal draws are
 * shared evenly among them: what ranks in a random order would give on average.
 */
export function ranksUpTo({ chains, all }: Sorted, parts: number): Float64Array<ArrayBuffer>[] {
  const found = chains.map(() => new Float64Array(parts))
  for (let part = 0; part < parts; part++) {
    const rank = Math.floor(((part + 1) * all.length) / parts)
    if (rank === 0) continue
    const value = all[rank - 1] as number
    const from = lowerBound(all, value)
    const share = (rank - from) / (upperBound(all, value) - from)
    for (const [chain, values] of chains.entries()) {
      const less = lowerBound(values, value)
      const counts = found[chain] as Float64Array
      counts[part] = less + (upperBound(values, value) - less) * share
    }
  }
  return found
}

/** Draws in each part. */
export function withinParts(upTo: Float64Array): Float64Array<ArrayBuffer> {
  return Float64Array.from(upTo, (count, i) => count - (i === 0 ? 0 : (upTo[i - 1] as number)))
}

/** Shares of draws up to each of the points 0, 1 / parts, …, 1 minus those points. */
export function differences(upTo: Float64Array): Float64Array<ArrayBuffer> {
  const parts = upTo.length
  const draws = upTo[parts - 1] as number
  const result = new Float64Array(parts + 1)
  for (let i = 1; i < parts; i++) result[i] = (upTo[i - 1] as number) / draws - i / parts
  return result
}
