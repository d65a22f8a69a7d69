/** Random numbers that a seed fixes, so that a run can be repeated draw by draw. */

export interface Random {
  /** Uniform on [0, 1). */
  uniform(): number
  /** Standard normal. */
  normal(): number
}

/** xoshiro128** (Blackman and Vigna 2021), its state filled from the seed by splitmix32. */
export function createRandom(seed: number): Random {
  let mixed = seed | 0
  const split = () => {
    mixed = (mixed + 0x9e3779b9) | 0
    let z = mixed
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return z ^ (z >>> 16)
  }
  let [a, b, c, d] = [split(), split(), split(), split()]
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k))
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotate(d, 11)
    return result
  }
  // 53 random bits, as many as a double holds.
  const uniform = () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53
  return {
    uniform,
    // Box and Muller (1958); 1 - u is never 0.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  }
}
