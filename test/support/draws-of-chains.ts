/** Chains of draws that are the same in every run of the tests. */

/** Numbers of the standard normal distribution, from a seed (mulberry32; Box and Muller). */
export function normals(seed: number): () => number {
  let state = seed >>> 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
}

/** Independent draws, chain after chain; `of` makes each of a normal number. */
export function chainsOf(
  chains: number,
  draws: number,
  of: (normal: number, chain: number, draw: number) => number = (normal) => normal,
  seed = 1,
): Float64Array {
  const next = normals(seed)
  return Float64Array.from({ length: chains * draws }, (_, i) => of(next(), Math.floor(i / draws), i % draws))
}
