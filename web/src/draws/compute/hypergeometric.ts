/** The hypergeometric distribution: of draws of one chain among some of the ranks of all draws. */

/** Probabilities of `least`, `least + 1`, …; what lies outside has none that matters. */
export interface Distribution {
  readonly least: number
  readonly probabilities: Float64Array
}

/** Share of the greatest probability below which there is none. */
const NEGLIGIBLE = 1e-14

/** The number of marked things among those that are taken at random out of `size`. */
export function hypergeometric(size: number, marked: number, taken: number): Distribution {
  const low = Math.max(0, taken + marked - size)
  const high = Math.min(taken, marked)
  const mode = Math.min(high, Math.max(low, Math.floor(((taken + 1) * (marked + 1)) / (size + 2))))
  // Each probability follows from its neighbour, outwards from the greatest.
  const rising: number[] = []
  let sum = 1
  for (let x = mode, p = 1; x < high; x++) {
    p *= ((marked - x) * (taken - x)) / ((x + 1) * (size - marked - taken + x + 1))
    if (p < NEGLIGIBLE) break
    rising.push(p)
    sum += p
  }
  const falling: number[] = []
  for (let x = mode, p = 1; x > low; x--) {
    p *= (x * (size - marked - taken + x)) / ((marked - x + 1) * (taken - x + 1))
    if (p < NEGLIGIBLE) break
    falling.push(p)
    sum += p
  }
  const { length } = falling
  const probabilities = new Float64Array(length + 1 + rising.length)
  for (let i = 0; i < length; i++) probabilities[i] = (falling[length - 1 - i] as number) / sum
  probabilities[length] = 1 / sum
  for (let i = 0; i < rising.length; i++) probabilities[length + 1 + i] = (rising[i] as number) / sum
  return { least: mode - length, probabilities }
}

/** The least number up to which the probability is at least `p`. */
export function quantileIn({ least, probabilities }: Distribution, p: number): number {
  let sum = 0
  for (let i = 0; i < probabilities.length; i++) {
    sum += probabilities[i] as number
    if (sum >= p) return least + i
  }
  return least + probabilities.length - 1
}
