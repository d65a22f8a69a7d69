/** Plots of one variable, and the small ones of its row in the table. */
import { describe, expect, test } from 'vitest'
import type { Density, Ranks } from '../../web/src/draws/questions.ts'
import { autocorrelationPlot } from '../../web/src/plots/autocorrelation.ts'
import { densityPlot } from '../../web/src/plots/density.ts'
import { essPlot } from '../../web/src/plots/ess-local.ts'
import { cellsOf, elementAt, essGrade, paintHeatStrip, rhatGrade } from '../../web/src/plots/heat-strip.ts'
import { mcsePlot } from '../../web/src/plots/mcse.ts'
import { chainsOutside, rankBarsPlot, rankEcdfPlot } from '../../web/src/plots/rank.ts'
import { paintSparkDensity, paintSparkRanks, paintSparkTrace } from '../../web/src/plots/sparks.ts'
import { approve, approvePainting } from './approval.ts'
import { normals, traced } from './samples.ts'

const numbers = (count: number) => Array.from({ length: count }, (_none, i) => i)
const grid = (count: number, low: number, high: number) =>
  Float64Array.from({ length: count }, (_none, i) => low + (i / (count - 1)) * (high - low))

/** Normal densities of chains whose means differ a little. */
function densities(chains: number): Density {
  const x = grid(101, -4, 4)
  const bell = (mean: number) => x.map((at) => Math.exp(-((at - mean) ** 2) / 2) / Math.sqrt(2 * Math.PI))
  const means = normals(chains, 7)
  return {
    x,
    chains: numbers(chains).map((chain) => ({ chain, y: bell(0.15 * (means[chain] ?? 0)) })),
    all: bell(0),
    isDiscrete: false,
  }
}

const whole: Density = {
  x: Float64Array.of(0, 1, 2, 3),
  chains: [
    { chain: 0, y: Float64Array.of(0.4, 0.3, 0.2, 0.1) },
    { chain: 1, y: Float64Array.of(0.35, 0.3, 0.25, 0.1) },
  ],
  all: Float64Array.of(0.375, 0.3, 0.225, 0.1),
  isDiscrete: true,
}

/** Ranks of chains, the last of which has low ones too often. */
function ranks(chains: number): Ranks {
  const x = grid(51, 0, 1)
  const half = (at: number) => 0.12 * Math.sqrt(Math.max(0, at * (1 - at)))
  return {
    chains: numbers(chains).map((chain) => {
      const noise = normals(20, chain + 3)
      const isOff = chain === chains - 1
      return {
        chain,
        bins: Float64Array.from(noise, (value, i) => Math.max(0, 50 + 6 * value + (isOff ? 40 - 4 * i : 0))),
        difference: x.map((at) => (isOff ? 0.3 * at * (1 - at) : 0.4 * half(at) * Math.sin(9 * at + chain))),
      }
    }),
    expected: 50,
    interval: [38, 63],
    x,
    lower: x.map((at) => -half(at)),
    upper: x.map(half),
  }
}

const curve = { x: grid(19, 0.05, 0.95), y: grid(19, 0, 1).map((at) => 300 + 900 * at * (1 - at) * 4) }
const rho = (decay: number) => Float64Array.from({ length: 60 }, (_none, lag) => decay ** lag)

approve({
  density: () => densityPlot({ label: 'tau', density: densities(4), all: numbers(4) }),
  'density with chosen draws': () =>
    densityPlot({
      label: 'tau',
      density: { ...densities(2), brushed: grid(101, -4, 4).map((x) => Math.exp(-2 * (x - 1) ** 2) * 0.8) },
      all: numbers(2),
    }),
  'density of many chains': () => densityPlot({ label: 'tau', density: densities(24), all: numbers(24) }),
  'shares of whole numbers': () =>
    densityPlot({
      label: 'k',
      density: { ...whole, brushed: Float64Array.of(0.1, 0.2, 0.3, 0.4) },
      all: [0, 1],
    }),
  'rank ecdf': () => rankEcdfPlot({ label: 'tau', ranks: ranks(4), all: numbers(4) }),
  'rank ecdf of many chains': () => rankEcdfPlot({ label: 'tau', ranks: ranks(20), all: numbers(20) }),
  'rank bars': () => rankBarsPlot({ label: 'tau', ranks: ranks(4), all: numbers(4) }),
  'rank bars of many chains': () => rankBarsPlot({ label: 'tau', ranks: ranks(20), all: numbers(20) }),
  'ess of intervals': () => essPlot({ label: 'tau', kind: 'local', curve, target: 400 }),
  'ess of quantiles': () => essPlot({ label: 'tau', kind: 'quantile', curve, target: 400 }),
  autocorrelation: () =>
    autocorrelationPlot({
      label: 'tau',
      chains: [
        { chain: 0, rho: rho(0.8) },
        { chain: 1, rho: rho(0.7) },
      ],
      draws: 1000,
      all: [0, 1],
    }),
  mcse: () => mcsePlot({ label: 'tau', mcse: { x: curve.x, y: curve.y.map((y) => 60 / y), mean: 0.08, sd: 0.07 } }),
})

approvePainting('sparks', { width: 300, height: 30 }, (painter, theme) => {
  const box = { y: 2, width: 90, height: 26 }
  paintSparkTrace(painter, { ...box, x: 0 }, traced(4, 100, 20), numbers(4), theme)
  paintSparkDensity(painter, { ...box, x: 100 }, densities(4), numbers(4), theme)
  paintSparkRanks(painter, { ...box, x: 200 }, ranks(4), numbers(4), theme)
})

const grades = Int8Array.from({ length: 200 }, (_none, i) => (i === 77 ? 4 : i % 40 === 3 ? 3 : i % 25 === 4 ? 2 : 0))

approvePainting('heat strip', { width: 300, height: 24 }, (painter, theme) =>
  paintHeatStrip(painter, { width: 300, height: 24 }, { grades, chosen: [100, 140], cursor: 77 }, theme),
)
approvePainting('heat strip of few', { width: 300, height: 24 }, (painter, theme) =>
  paintHeatStrip(painter, { width: 300, height: 24 }, { grades: Int8Array.of(0, 1, 2, 3, 4, -1) }, theme),
)

describe('what the plots say', () => {
  test('the chain that leaves the band is named', () => {
    expect(chainsOutside(ranks(4))).toEqual([3])
    expect(rankEcdfPlot({ label: 'tau', ranks: ranks(4), all: numbers(4) }).sentence).toBe(
      'tau: chain 3 of 4 leaves the 95 % band that even ranks have.',
    )
  })

  test('a constant has no ESS, and its sentence says so', () => {
    const none = { x: curve.x, y: curve.y.map(() => Number.NaN) }
    expect(essPlot({ label: 'k', kind: 'local', curve: none, target: 400 }).sentence).toMatch(
      /no effective sample size/,
    )
    const mcse = { ...none, mean: Number.NaN, sd: Number.NaN }
    expect(mcsePlot({ label: 'k', mcse }).sentence).toMatch(/no Monte Carlo error/)
  })

  test('a cell of a strip shows the worst of its elements', () => {
    expect(cellsOf(10_000, 300).count).toBe(100)
    const many = new Int8Array(10_000)
    many[4242] = 3
    expect(elementAt({ grades: many }, 127.5, 300)).toBe(4242)
    expect(elementAt({ grades: Int8Array.of(0, 4, 0) }, 299, 300)).toBe(2)
  })

  test('grades follow the bounds of the checks', () => {
    expect([1.001, 1.01, 1.011, 1.06, 2, Number.NaN].map(rhatGrade)).toEqual([0, 1, 2, 3, 4, -1])
    expect([2000, 1500, 400, 399, 99, 10].map((ess) => essGrade(ess, 400))).toEqual([0, 1, 1, 2, 3, 4])
  })
})
