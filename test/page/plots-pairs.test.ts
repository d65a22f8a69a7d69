/** Plots of the tabs Sampler, Pairs and Posterior as SVG, compared with approved ones, and what they say. */
import { describe, expect, test } from 'vitest'
import type { Cloud } from '../../web/src/draws/questions.ts'
import { toSvg } from '../../web/src/paint/svg.ts'
import { DARK, LIGHT, type Theme } from '../../web/src/paint/theme.ts'
import { chainDotsPlot } from '../../web/src/plots/chain-dots.ts'
import { depthsPlot } from '../../web/src/plots/depths.ts'
import { divergencesPlot } from '../../web/src/plots/divergences.ts'
import { energyPlot } from '../../web/src/plots/energy.ts'
import { type ForestRow, forestPlot } from '../../web/src/plots/forest.ts'
import { pairPlot } from '../../web/src/plots/pair.ts'
import { areaOf, brushOf } from '../../web/src/plots/pair-chosen.ts'
import { edgesOf } from '../../web/src/plots/pair-counts.ts'
import { pairScales } from '../../web/src/plots/pair-scales.ts'
import { correlationOf } from '../../web/src/plots/pair-table.ts'
import type { Plot } from '../../web/src/plots/plot.ts'
import { predictivePlot } from '../../web/src/plots/predictive.ts'
import { ridgePlot } from '../../web/src/plots/ridge.ts'
import { pValue, testStatisticPlot } from '../../web/src/plots/test-statistic.ts'
import { normals } from './samples.ts'

const SIZE = { width: 480, height: 320 }

function svgOf(plot: Plot, theme: Theme): string {
  const options = { ...SIZE, title: plot.title, description: plot.sentence, background: theme.paper }
  return toSvg((painter) => plot.draw(painter, SIZE, theme), options)
}

/** Neal's funnel: draws of a small scale diverge. */
function funnel(chains: number, draws: number): Cloud {
  const size = chains * draws
  const [first, second] = [normals(size, 1), normals(size, 2)]
  const x = first.map((value) => Math.exp(value))
  const y = second.map((value, i) => value * (x[i] as number))
  const chain = Uint16Array.from({ length: size }, (_each, i) => Math.floor(i / draws))
  const at = Uint32Array.from({ length: size }, (_each, i) => i % draws)
  const isDivergent = (_value: unknown, i: number) => (x[i] as number) < 0.25
  return {
    count: size,
    points: { x, y, chain, at },
    x: [Math.min(...x), Math.max(...x)],
    y: [Math.min(...y), Math.max(...y)],
    diverging: {
      x: x.filter(isDivergent),
      y: y.filter(isDivergent),
      chain: chain.filter(isDivergent),
      at: at.filter(isDivergent),
    },
  }
}

/** The same in cells, even in the logarithm along x. */
function cells(cloud: Cloud, columns: number): Cloud {
  const { points, ...rest } = cloud
  const counts = new Float64Array(columns * columns)
  const edges = { x: edgesOf(cloud.x, columns, 'log'), y: edgesOf(cloud.y, columns, 'linear') }
  const cell = (value: number, of: Float64Array) =>
    Math.min(
      columns - 1,
      Math.max(
        0,
        of.findLastIndex((edge) => edge <= value),
      ),
    )
  for (const [i, value] of (points?.x ?? []).entries()) {
    const place = cell(points?.y[i] ?? 0, edges.y) * columns + cell(value, edges.x)
    counts[place] = (counts[place] as number) + 1
  }
  return { ...rest, grid: { columns, rows: columns, counts, log: ['x'] } }
}

/** A normal density. */
function bell(x: Float64Array, mean: number, sd: number): Float64Array {
  return x.map((value) => Math.exp(-(((value - mean) / sd) ** 2) / 2) / (sd * Math.sqrt(2 * Math.PI)))
}

const NONE = [Number.NaN, Number.NaN] as const
const GRID = Float64Array.from({ length: 61 }, (_each, i) => (i - 30) / 6)
const SCHOOLS = ['Choate', 'Deerfield', 'Phillips Andover & Phillips Exeter, both together']

const TAU = { label: 'tau', kind: 'log' } as const
const THETA = { label: 'theta[Choate]', kind: 'linear' } as const
const ALL = [0, 1, 2, 3]

const PLOTS: Readonly<Record<string, () => Plot>> = {
  'pair of points': () =>
    pairPlot({
      ...{ x: TAU, y: THETA, cloud: funnel(4, 60), all: ALL, colours: 'chains' },
      brush: { kind: 'interval', start: 10, stop: 14 },
    }),
  'pair in cells': () => pairPlot({ x: TAU, y: THETA, cloud: cells(funnel(4, 1000), 24), all: ALL, colours: 'chains' }),
  'small pair': () => pairPlot({ x: TAU, y: THETA, cloud: funnel(2, 40), all: [0, 1], colours: 'one', room: 'small' }),
  'figure of each chain': () =>
    chainDotsPlot({
      title: 'E-BFMI of each chain',
      label: 'E-BFMI',
      figures: [0.9, 0.24, Number.NaN, 0.71].map((value, chain) => ({ chain, value })),
      all: ALL,
      thresholds: [{ value: 0.3, label: 'CmdStan’s threshold', status: 'warn' }],
      shown: [0, 1],
    }),
  energy: () =>
    energyPlot({
      energies: {
        ...{ draws: 100, x: GRID, chains: [] },
        all: { marginal: bell(GRID, 0, 1.6), transition: bell(GRID, 0, 0.7) },
      },
    }),
  'tree depth': () =>
    depthsPlot({
      density: {
        ...{ x: Float64Array.of(2, 3, 4, 10), all: Float64Array.of(0.2, 0.5, 0.25, 0.05), isDiscrete: true },
        chains: [0, 1].map((chain) => ({
          chain,
          y: Float64Array.of(0.1 + 0.2 * chain, 0.5, 0.35 - 0.2 * chain, 0.05),
        })),
      },
      ...{ limit: { depth: 10, isAssumed: true }, all: [0, 1] },
    }),
  'divergences over time': () =>
    divergencesPlot({
      chains: [[3, 4, 90], [], [50], [20, 21, 22, 70, 99]].map((at, chain) => ({
        ...{ chain, first: 0, stop: 100 },
        at: Uint32Array.from(at),
      })),
      all: ALL,
      brush: { kind: 'interval', start: 60, stop: 75 },
    }),
  forest: () =>
    forestPlot({
      title: 'Forest',
      rows: [
        { variable: 'mu', label: 'mu', median: 4.2, inner: [2, 6.5], outer: [-1, 9.8] },
        ...SCHOOLS.map(
          (school, i): ForestRow => ({
            ...{
              variable: 'theta',
              label: `theta[${school}]`,
              median: 5 + i,
              inner: [3, 8 + i],
              outer: [-3, 15 + 2 * i],
            },
            rhat: i === 1 ? 1.034 : undefined,
          }),
        ),
        {
          variable: 'z',
          label: 'z',
          median: Number.NaN,
          inner: NONE,
          outer: NONE,
        },
      ],
    }),
  ridge: () =>
    ridgePlot({
      title: 'Ridge',
      rows: SCHOOLS.map((school, i) => {
        const all = bell(GRID, i - 1, 1 + i / 3)
        return {
          label: `theta[${school}]`,
          density: i === 2 ? undefined : { x: GRID, chains: [], all, isDiscrete: false },
        }
      }),
    }),
  'observed against replicated': () =>
    predictivePlot({
      ...{ observed: 'y', replicated: 'y_rep', x: GRID, data: bell(GRID, 0.5, 1), isDiscrete: false },
      replications: [0, 1, 2, 3, 4].map((i) => bell(GRID, i / 5 - 0.4, 1 + i / 10)),
    }),
  'observed counts against replicated': () =>
    predictivePlot({
      ...{ observed: 'goals', replicated: 'goals_rep', x: Float64Array.of(0, 1, 2, 3), isDiscrete: true },
      data: Float64Array.of(0.4, 0.3, 0.2, 0.1),
      replications: [Float64Array.of(0.3, 0.3, 0.3, 0.1), Float64Array.of(0.5, 0.25, 0.15, 0.1)],
    }),
  'statistic of replications': () =>
    testStatisticPlot({ statistic: 'mean', observed: 'y', data: 1.3, replications: normals(400, 3) }),
}

for (const [name, make] of Object.entries(PLOTS)) {
  for (const [colours, theme] of Object.entries({ light: LIGHT, dark: DARK })) {
    test(`${name}, ${colours}`, async () => {
      await expect(svgOf(make(), theme)).toMatchFileSnapshot(`approved/${name.replaceAll(/\W+/g, '-')}-${colours}.svg`)
    })
  }
  test(`${name}: its cursor tells each place, and its table has as many cells as columns`, () => {
    const plot = make()
    const { columns, rows } = plot.table()
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) expect(row).toHaveLength(columns.length)
    expect(plot.sentence).toMatch(/\.$/)
    expect(plot.sentence).not.toMatch(/undefined|NaN/)
    const { cursor } = plot
    if (cursor === undefined) return
    for (const place of [0, cursor.count - 1]) expect(cursor.text(place)).not.toMatch(/undefined|NaN/)
    expect(cursor.nearest(SIZE.width, 50, SIZE)).toBeLessThan(cursor.count)
  })
}

describe('pair', () => {
  test('the cursor finds the draw that is under the pointer', () => {
    const cloud = funnel(2, 50)
    const { cursor } = pairPlot({ x: TAU, y: THETA, cloud, all: [0, 1], colours: 'one' })
    const { x, y } = pairScales(cloud, { x: 'log', y: 'linear' }, SIZE, 'full')
    const place = cursor?.nearest(x(cloud.points?.x[73] as number), y(cloud.points?.y[73] as number), SIZE) ?? -1
    expect(cursor?.text(place)).toContain('chain 1, draw 23')
  })

  test('an area chooses the draws within it, chain by chain, and lights them up', () => {
    const cloud = funnel(2, 50)
    const { points } = cloud
    if (points === undefined) throw new Error('a funnel has points')
    const scales = pairScales(cloud, { x: 'log', y: 'linear' }, SIZE, 'full')
    const area = areaOf({ x0: scales.x(0.5), y0: scales.y(0), x1: scales.x(0.1), y1: scales.y(9) }, scales)
    const brush = brushOf(points, area)
    const wanted = [0, 1].map((chain) => ({
      chain,
      at: Uint32Array.from(
        [...points.x.keys()]
          .filter((i) => points.chain[i] === chain && (points.x[i] as number) <= 0.5 && (points.y[i] as number) >= 0)
          .filter((i) => (points.x[i] as number) >= 0.1)
          .map((i) => points.at[i] as number),
      ),
    }))
    expect(brush).toEqual({ kind: 'draws', chains: wanted })
    const lit = wanted.reduce((sum, { at }) => sum + at.length, 0)
    expect(pairPlot({ x: TAU, y: THETA, cloud, all: [0, 1], colours: 'one', brush }).sentence).toContain(
      `${lit} of them`,
    )
    expect(brushOf(points, { x: [-2, -1], y: [0, 1] })).toBeUndefined()
  })

  test('the correlation of points is that of numpy, and cells come near it', () => {
    const x = Float64Array.of(1, 2, 3, 4, 7)
    const y = Float64Array.of(2, 1, 4, 3, 9)
    const cloud = { ...funnel(1, 5), points: { x, y, chain: new Uint16Array(5), at: new Uint32Array(5) } }
    // numpy.corrcoef([1, 2, 3, 4, 7], [2, 1, 4, 3, 9])[0, 1]
    expect(correlationOf(cloud)).toBeCloseTo(0.92049, 5)
    const many = funnel(4, 1000)
    expect(correlationOf(cells(many, 200))).toBeCloseTo(correlationOf(many), 1)
  })
})

describe('posterior predictive p-value', () => {
  test('is the share of replications above, with ties half', () => {
    expect(pValue(2, Float64Array.of(1, 2, 3, 4))).toBe(0.625)
    expect(pValue(9, Float64Array.of(1, 2))).toBe(0)
  })
})

describe('divergences over time', () => {
  const plot = (chains: readonly (readonly number[])[]) =>
    divergencesPlot({
      chains: chains.map((at, chain) => ({ chain, first: 0, stop: 100, at: Uint32Array.from(at) })),
      all: chains.map((_each, i) => i),
    })

  test('are counted a chain, and walked in the order of time', () => {
    const { sentence, cursor } = plot([[80], [], [3, 90]])
    expect(sentence).toBe('3 of 300 draws diverged: 1 in chain 0, 2 in chain 2.')
    expect([0, 1, 2].map((place) => cursor?.text(place))).toEqual([
      'draw 3 of chain 2 diverged, the 1st of 3',
      'draw 80 of chain 0 diverged, the 2nd of 3',
      'draw 90 of chain 2 diverged, the 3rd of 3',
    ])
    expect(plot([[], []]).sentence).toBe('None of 200 draws diverged.')
  })
})

describe('energy', () => {
  test('says that momenta reach tails slowly where changes are small beside the spread', () => {
    const sentence = (sd: number) =>
      energyPlot({
        energies: { draws: 9, x: GRID, chains: [], all: { marginal: bell(GRID, 0, 1), transition: bell(GRID, 0, sd) } },
      }).sentence
    expect(sentence(0.5)).toContain('(sd) from draw to draw: momenta reach its tails slowly')
    expect(sentence(0.7)).not.toContain('slowly')
  })
})
