/**
 * Kernel density estimates as arviz-stats 1.3 makes them (`kde`): Gaussian, of values in bins, reflected at both ends of the
 * grid, with the mean of two bandwidths, Silverman's and that of Botev, Grotowski and Kroese (2010, doi:10.1214/10-AOS799).
 */

import { quantileOf } from '../../../../src/core/diagnostics/quantiles.ts'
import { rootBetween } from './brent.ts'

/** Even bins from `least` to `greatest`. */
export interface Grid {
  readonly least: number
  readonly greatest: number
  readonly bins: number
}

/** The least number of bins. */
const FEWEST = 100

/** As many bins as points are asked for: an even number, from 100 on. */
export function gridOf(least: number, greatest: number, points: number): Grid {
  return { least, greatest, bins: Math.max(FEWEST, 2 * Math.ceil(points / 2)) }
}

function widthOf({ least, greatest, bins }: Grid): number {
  return (greatest - least) / bins
}

/** Edge of a bin, as NumPy's `linspace` rounds it. */
function edgeOf(grid: Grid, bin: number): number {
  return bin === grid.bins ? grid.greatest : grid.least + bin * widthOf(grid)
}

/** Middles of the bins. */
export function middlesOf(grid: Grid): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: grid.bins }, (_, i) => (edgeOf(grid, i + 1) + edgeOf(grid, i)) / 2)
}

/** Density of sorted finite values at the middles of the grid, in which they all are; it integrates to 1. */
export function densityOf(sorted: Float64Array, grid: Grid): Float64Array<ArrayBuffer> {
  const counts = countsOf(sorted, grid)
  const width = widthOf(grid)
  const range = grid.greatest - grid.least
  const silverman = silvermanBandwidth(sorted)
  const bandwidth = (silverman + diffusionBandwidth(counts, sorted.length, range, silverman)) / 2
  const density = smoothed(counts, bandwidth / width)
  const sum = density.reduce((total, y) => total + y, 0)
  return density.map((y) => y / (sum * width))
}

/** Number of sorted values in each bin; the last one has its upper edge. */
function countsOf(sorted: Float64Array, grid: Grid): Float64Array {
  const counts = new Float64Array(grid.bins)
  let bin = 0
  let end = edgeOf(grid, 1)
  for (let i = 0; i < sorted.length; i++) {
    const value = sorted[i] as number
    while (value >= end && bin < grid.bins - 1) end = edgeOf(grid, ++bin + 1)
    ;(counts[bin] as number)++
  }
  return counts
}

function silvermanBandwidth(sorted: Float64Array): number {
  const quartiles = quantileOf(sorted, 0.75, 'arviz') - quantileOf(sorted, 0.25, 'arviz')
  return 0.9 * Math.min(deviationOf(sorted), quartiles / 1.34) * sorted.length ** -0.2
}

function deviationOf(values: Float64Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] as number
  const mean = sum / values.length
  let squares = 0
  for (let i = 0; i < values.length; i++) squares += ((values[i] as number) - mean) ** 2
  return Math.sqrt(squares / values.length)
}

/** The bandwidth of Botev et al.: a fixed point, or Silverman's where there is none. */
function diffusionBandwidth(counts: Float64Array, size: number, range: number, silverman: number): number {
  const powers = powersOf(squaredCosines(counts, size))
  const root = rootBetween((time) => excess(time, size, powers), 0, 0.01)
  return root === undefined || root <= 0 ? silverman : Math.sqrt(root) * range
}

/** Cosines of the last grid's angles: a full turn has four times its bins. */
let cosines = new Float64Array()

function cosinesFor(bins: number): Float64Array {
  if (cosines.length === 4 * bins) return cosines
  cosines = Float64Array.from({ length: 4 * bins }, (_, i) => Math.cos((Math.PI * i) / (2 * bins)))
  return cosines
}

/** Squares of the coefficients 1, 2, … of the cosine transform of relative frequencies, the last one left out as in arviz-stats. */
function squaredCosines(counts: Float64Array, size: number): Float64Array {
  const { length } = counts
  const turn = cosinesFor(length)
  const squares = new Float64Array(length - 2)
  for (let k = 1; k <= squares.length; k++) {
    let sum = 0
    // The angle k · (2i + 1).
    let angle = k
    for (let i = 0; i < length; i++) {
      sum += (counts[i] as number) * (turn[angle] as number)
      angle += 2 * k
      if (angle >= 4 * length) angle -= 4 * length
    }
    squares[k - 1] = ((2 * sum) / size) ** 2
  }
  return squares
}

/** Derivatives that the estimate of the bandwidth goes through, the highest first (equation 30 of Botev et al.). */
const HIGHEST = 7
const LEAST = 2

/** Squares of coefficients times even powers of their number, those of each derivative together. */
function powersOf(squares: Float64Array): Float64Array[] {
  return Array.from({ length: HIGHEST + 1 }, (_, order) => squares.map((square, i) => (i + 1) ** (2 * order) * square))
}

function excess(time: number, size: number, powers: readonly Float64Array[]): number {
  let roughness = roughnessOf(powers, HIGHEST, time)
  let odd = 10_395
  for (let s = HIGHEST - 1; s >= LEAST; s--) {
    // The product 1 · 3 · … · (2s - 1).
    const factor = ((1 + 0.5 ** (s + 0.5)) / 3) * (odd / Math.sqrt(Math.PI / 2))
    roughness = roughnessOf(powers, s, (factor / (size * roughness)) ** (2 / (3 + 2 * s)))
    odd /= 2 * s - 1
  }
  return time - (2 * size * Math.sqrt(Math.PI) * roughness) ** -0.4
}

/** The squared norm of a derivative of the density, smoothed for some time. */
function roughnessOf(powers: readonly Float64Array[], order: number, time: number): number {
  const terms = powers[order] as Float64Array
  const rate = -(Math.PI ** 2) * time
  let sum = 0
  for (let i = 0; i < terms.length; i++) {
    const weight = Math.exp((i + 1) * (i + 1) * rate)
    if (weight === 0) break
    sum += (terms[i] as number) * weight
  }
  return 0.5 * Math.PI ** (2 * order) * sum
}

/** Counts under a Gaussian kernel whose sd is in bins; a fifth of the grid is reflected at each end. */
function smoothed(counts: Float64Array, sd: number): Float64Array<ArrayBuffer> {
  const { length } = counts
  if (!(sd > 0)) return counts.slice()
  const padding = Math.floor(length / 5)
  const reach = Math.ceil(4 * sd)
  const kernel = Float64Array.from({ length: reach + 1 }, (_, i) => Math.exp(-((i / sd) ** 2) / 2))
  const result = new Float64Array(length)
  for (let place = -padding; place < length + padding; place++) {
    const count = counts[place < 0 ? -1 - place : place >= length ? 2 * length - 1 - place : place] as number
    if (count === 0) continue
    const end = Math.min(length - 1, place + reach)
    for (let i = Math.max(0, place - reach); i <= end; i++) {
      result[i] = (result[i] as number) + count * (kernel[Math.abs(i - place)] as number)
    }
  }
  return result
}
