/** Means and variances in two passes, as accurate as their packages' with longer numbers or pairwise sums. */
import type { Convention } from './convention.ts'

/** The mean of values from `begin` to `end`. */
export function meanOf(values: Float64Array, begin = 0, end = values.length): number {
  const count = end - begin
  let sum = 0
  for (let i = begin; i < end; i++) sum += values[i] as number
  const first = sum / count
  if (!Number.isFinite(first)) return first
  let rest = 0
  for (let i = begin; i < end; i++) rest += (values[i] as number) - first
  return first + rest / count
}

/** The sum of squared distances from `mean`. */
export function squaresOf(values: Float64Array, mean: number, begin = 0, end = values.length): number {
  let sum = 0
  for (let i = begin; i < end; i++) {
    const distance = (values[i] as number) - mean
    sum += distance * distance
  }
  return sum
}

/** The variance of values, of a sample (ddof 1). */
export function varianceOf(values: Float64Array): number {
  return squaresOf(values, meanOf(values)) / (values.length - 1)
}

/**
 * The mean of values as a package rounds it. Digits of the mean decide much where draws differ in their last ones alone: R adds in eighty
 * bits, NumPy in pairs.
 */
export function chainMean(convention: Convention, values: Float64Array, begin: number, end: number): number {
  return convention === 'posterior' ? meanOf(values, begin, end) : pairwiseSum(values, begin, end) / (end - begin)
}

/** The sum of values, added in NumPy's order: by halves, down to blocks of 128 as eight sums. */
export function pairwiseSum(values: Float64Array, begin = 0, end = values.length): number {
  const count = end - begin
  if (count > 128) {
    const middle = Math.floor(count / 2)
    const half = begin + middle - (middle % 8)
    return pairwiseSum(values, begin, half) + pairwiseSum(values, half, end)
  }
  const whole = end - (count % 8)
  let sum = count < 8 ? 0 : eightSums(values, begin, whole)
  for (let i = whole; i < end; i++) sum += values[i] as number
  return sum
}

function eightSums(values: Float64Array, begin: number, end: number): number {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let i = begin; i < end; i += 8) {
    a += values[i] as number
    b += values[i + 1] as number
    c += values[i + 2] as number
    d += values[i + 3] as number
    e += values[i + 4] as number
    f += values[i + 5] as number
    g += values[i + 6] as number
    h += values[i + 7] as number
  }
  return a + b + (c + d) + (e + f + (g + h))
}

/** The variance of the chains' means (ddof 1); 0 for one chain. */
export function varianceOfMeans(means: Float64Array): number {
  if (means.length < 2) return 0
  const mean = meanOf(means)
  return squaresOf(means, mean) / (means.length - 1)
}
