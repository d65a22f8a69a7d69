/** Means and variances in two passes, as accurate as their packages' with longer numbers or pairwise sums. */
import type { Convention } from './convention.ts'

/** The mean of values from `begin` to `end`. */
export function meanOf(values: Float64Array, begin = 0, end = values.length): number {
  const plain = plainMean(values, begin, end)
  return Number.isFinite(plain) ? refinedMean(values, plain, begin, end) : scaledMean(values, begin, end)
}

/** The mean of values whose sum overflows, in two passes as well. */
function scaledMean(values: Float64Array, begin: number, end: number): number {
  let mean = 0
  for (let pass = 0; pass < 2; pass++) {
    let sum = 0
    for (let i = begin; i < end; i++) sum += (values[i] as number) * 2 ** -64 - mean * 2 ** -64
    mean += (sum / (end - begin)) * 2 ** 64
  }
  return mean
}

function plainMean(values: Float64Array, begin: number, end: number): number {
  let sum = 0
  for (let i = begin; i < end; i++) sum += values[i] as number
  return sum / (end - begin)
}

/** A mean whose last digits are mended by what each value differs from it. */
export function refinedMean(values: Float64Array, mean: number, begin: number, end: number): number {
  if (!Number.isFinite(mean)) return mean
  let rest = 0
  for (let i = begin; i < end; i++) rest += (values[i] as number) - mean
  return mean + rest / (end - begin)
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

/** The mean of all values as a package rounds it: R adds in eighty bits and twice, NumPy in pairs. */
export function meanOfAll(convention: Convention, values: Float64Array): number {
  return convention === 'posterior' ? meanOf(values) : pairwiseSum(values) / values.length
}

/** The variance of values, of a sample (ddof 1). */
export function varianceOf(convention: Convention, values: Float64Array): number {
  return squaresOf(values, meanOfAll(convention, values)) / (values.length - 1)
}

/**
 * The mean of a chain as a package rounds it for the variance of chains and between them. Its digits decide much where draws differ in their
 * last ones alone: R's posterior adds in doubles (matrixStats 0.63), NumPy in pairs.
 */
export function chainMean(convention: Convention, values: Float64Array, begin: number, end: number): number {
  return convention === 'posterior' ? plainMean(values, begin, end) : pairwiseSum(values, begin, end) / (end - begin)
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

/** Means belong to whole chains, or to halves of chains, the first one and the last one of each. */
export type Parts = 'chains' | 'halves'

/** The variance of the chains' means (ddof 1); 0 for one chain. */
export function varianceOfMeans(convention: Convention, means: Float64Array, parts: Parts): number {
  if (means.length < 2) return 0
  const mean = convention === 'posterior' ? meanOf(means) : pairwiseSum(inOrder(means, parts)) / means.length
  return squaresOf(means, mean) / (means.length - 1)
}

/** ArviZ has all first halves before all last ones. */
function inOrder(means: Float64Array, parts: Parts): Float64Array {
  if (parts === 'chains') return means
  const chains = means.length / 2
  return means.map((_, i) => means[i < chains ? 2 * i : 2 * (i - chains) + 1] as number)
}
