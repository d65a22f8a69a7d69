/** Draws for tests of plots, the same at each run. */
import type { TracedChain } from '../../web/src/draws/questions.ts'

/** Numbers between 0 and 1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Standard normal draws. */
export function normals(count: number, seed: number): Float64Array {
  const next = random(seed)
  return Float64Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  )
}

/** Chains that wander a little. */
export function traced(chains: number, length: number, warmup: number): TracedChain[] {
  return Array.from({ length: chains }, (_each, chain) => {
    const noise = normals(length, chain + 1)
    const values = new Float64Array(length)
    for (let i = 0; i < length; i++) values[i] = 0.6 * (values[i - 1] ?? 0) + (noise[i] ?? 0)
    return { chain, warmup, length, at: Float64Array.from({ length }, (_none, i) => i), values }
  })
}
