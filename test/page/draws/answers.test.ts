/** Answers of the draws' engine: of the right draws, with the numbers of the API. */
import { describe, expect, it } from 'vitest'
import type { Choice } from '../../../web/src/draws/questions.ts'
import { m4 } from '../../support/m4.ts'
import { normal, scalar, World } from './world.ts'

const ALL: Choice = { warmup: 'exclude' }

const COLUMNS = [
  { name: 'mu', values: (chain: number, draw: number) => normal(1, chain, draw) },
  {
    name: 'theta',
    shape: [3],
    values: (chain: number, draw: number, element: number) => normal(2, chain, draw, element),
  },
  {
    name: 'k',
    dtype: 'int64' as const,
    values: (chain: number, draw: number) => Math.round(3 * normal(3, chain, draw)) + 0,
  },
  {
    name: 'wide',
    dtype: 'int64' as const,
    values: (chain: number, draw: number) => 100 + Math.round(20 * normal(5, chain, draw)),
  },
  {
    name: 'tune',
    group: 'stats' as const,
    dtype: 'bool' as const,
    values: (_: number, draw: number) => Number(draw < 50),
  },
  {
    name: 'diverging',
    group: 'stats' as const,
    dtype: 'bool' as const,
    values: (chain: number, draw: number) => Number(normal(4, chain, draw) > 2),
  },
]

async function sampled(lengths: readonly number[] = [250, 250, 250, 250]): Promise<World> {
  const world = new World(COLUMNS)
  await world.register()
  for (const [chain, length] of lengths.entries()) await world.sample(chain, length)
  return world
}

describe('traces', () => {
  it('keep of each bucket what M4 keeps', async () => {
    const world = await sampled()
    const [traces] = await world.open().ask('trace', { scalars: [scalar('mu')], choice: ALL, buckets: 20 })
    expect(traces?.map(({ chain, warmup, length }) => [chain, warmup, length])).toEqual(
      [0, 1, 2, 3].map((chain) => [chain, 50, 250]),
    )
    for (const { chain, at, values } of traces ?? []) {
      const numbers = world.numbers('mu', chain)
      expect([...at]).toEqual(m4([...numbers.subarray(50)], { start: 50, stop: 250, count: 20 }))
      expect([...values]).toEqual([...at].map((i) => numbers[i]))
    }
  })
})

describe('densities', () => {
  it('integrate to one', async () => {
    const world = await sampled()
    const { x, all, chains, isDiscrete } = await world
      .open()
      .ask('density', { scalar: scalar('theta', 1), choice: ALL, points: 200 })
    const width = (x[1] ?? 0) - (x[0] ?? 0)
    expect(isDiscrete).toBe(false)
    for (const y of [all, ...chains.map((chain) => chain.y)]) {
      expect(y.reduce((sum, each) => sum + each * width, 0)).toBeCloseTo(1, 12)
    }
  })
})

describe('ranks', () => {
  it('are shared by chains of one distribution, and lie within the band', async () => {
    const world = await sampled()
    const ask = { scalar: scalar('mu'), choice: ALL, bins: 20, points: 50 }
    const { chains, expected, interval, x, lower, upper } = await world.open().ask('ranks', ask)
    expect(expected).toBe(10)
    expect(interval[0]).toBeLessThan(10)
    expect(interval[1]).toBeGreaterThan(10)
    for (let bin = 0; bin < 20; bin++)
      expect(chains.reduce((n, { bins }) => n + (bins[bin] ?? 0), 0)).toBeCloseTo(40, 9)
    expect(x).toHaveLength(51)
    for (const { difference } of chains) {
      for (const [i, y] of difference.entries()) {
        expect(y).toBeGreaterThanOrEqual(lower[i] ?? 0)
        expect(y).toBeLessThanOrEqual(upper[i] ?? 0)
      }
    }
  })
})

describe('rows of pictures', () => {
  it('have a trace, a density and ranks of each scalar', async () => {
    const world = await sampled()
    const scalars = [scalar('mu'), scalar('theta', 2), scalar('k')]
    const sparks = await world.open().ask('sparks', { scalars, choice: ALL, width: 120 })
    expect(sparks.map(({ trace, ranks }) => [trace.length, ranks?.chains.length])).toEqual([4, 4, 4].map((n) => [n, n]))
    expect(sparks.map(({ density }) => density?.isDiscrete)).toEqual([false, false, true])
  })
})

describe('values', () => {
  it('are the draws themselves', async () => {
    const world = await sampled()
    const ask = { scalars: [scalar('theta', 2), scalar('k')], choice: ALL, most: 1000 }
    const { chains, isThinned } = await world.open().ask('values', ask)
    expect(isThinned).toBe(false)
    for (const { chain, at, values } of chains) {
      expect([...at]).toEqual(Array.from({ length: 200 }, (_, i) => 50 + i))
      expect(values[0]).toEqual(world.numbers('theta', chain, 2).subarray(50))
      expect(values[1]).toEqual(world.numbers('k', chain).subarray(50))
    }
  })

  it('are thinned evenly where there are too many, and that is said', async () => {
    const world = await sampled()
    const { chains, isThinned } = await world.open().ask('values', { scalars: [scalar('mu')], choice: ALL, most: 50 })
    expect(isThinned).toBe(true)
    for (const { chain, at, values } of chains) {
      expect([...at]).toEqual(Array.from({ length: 50 }, (_, i) => 50 + 4 * i))
      expect([...(values[0] ?? [])]).toEqual([...at].map((i) => world.numbers('mu', chain)[i]))
    }
  })
})

describe('whole numbers', () => {
  it('have shares, of values or of even intervals of them', async () => {
    const world = await sampled()
    const link = world.open()
    const k = await link.ask('density', { scalar: scalar('k'), choice: ALL, points: 200 })
    const numbers = [0, 1, 2, 3].flatMap((chain) => [...world.numbers('k', chain).subarray(50)])
    expect([...k.x]).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    expect(k).toMatchObject({ isDiscrete: true, width: 1 })
    for (const [i, share] of k.all.entries()) {
      expect(share).toBeCloseTo(numbers.filter((value) => value === k.x[i]).length / numbers.length, 12)
    }
    const wide = await link.ask('density', { scalar: scalar('wide'), choice: ALL, points: 200 })
    expect(wide.width).toBeGreaterThan(1)
    for (const y of [wide.all, ...wide.chains.map((chain) => chain.y)]) {
      expect(y.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12)
    }
  })
})

describe('draws of a brush', () => {
  it('have a density of their own, and are those that were chosen', async () => {
    const world = await sampled()
    const link = world.open()
    const ask = { scalar: scalar('mu'), choice: ALL, points: 100 }
    const at = Uint32Array.from({ length: 100 }, (_, i) => 100 + i)
    const interval = await link.ask('density', { ...ask, brush: { kind: 'interval', start: 100, stop: 200 } })
    const chains = [0, 1, 2, 3].map((chain) => ({ chain, at }))
    expect(await link.ask('density', { ...ask, brush: { kind: 'draws', chains } })).toEqual(interval)
    const whole = await link.ask('density', { ...ask, brush: { kind: 'interval', start: 0, stop: 1000 } })
    expect(whole.brushed).toEqual(whole.all)
  })
})

describe('clouds', () => {
  it('are points, with those that diverged by themselves', async () => {
    const world = await sampled()
    const { count, points, diverging, x } = await world.open().ask('cloud', {
      x: scalar('mu'),
      y: scalar('theta', 1),
      choice: ALL,
      bins: 10,
    })
    expect([count, points?.x.length]).toEqual([800, 800])
    for (let i = 0; i < 800; i++) {
      const [chain = 0, at = 0] = [points?.chain[i], points?.at[i]]
      expect(points?.x[i]).toBe(world.numbers('mu', chain)[at])
      expect(points?.y[i]).toBe(world.numbers('theta', chain, 1)[at])
    }
    const marked = [0, 1, 2, 3].flatMap((chain) => [...world.numbers('diverging', chain).subarray(50)].filter(Boolean))
    expect(diverging.x).toHaveLength(marked.length)
    expect(marked.length).toBeGreaterThan(0)
    expect(x).toEqual([Math.min(...(points?.x ?? [])), Math.max(...(points?.x ?? []))])
  })

  it('are counts in cells where there are many, even in the logarithm where that is asked for', async () => {
    const world = await sampled([26_000, 26_000, 26_000, 26_000])
    const link = world.open()
    const ask = { x: scalar('mu'), y: scalar('wide'), choice: ALL, bins: 7 }
    const brush = { kind: 'interval', start: 0, stop: 30_000 } as const
    const { points, grid, brushed, count, y } = await link.ask('cloud', { ...ask, log: ['x', 'y'], brush })
    expect(points).toBeUndefined()
    expect(count).toBe(4 * 25_950)
    // A normal scalar has no logarithm.
    expect(grid).toMatchObject({ columns: 7, rows: 7, log: ['y'] })
    expect(brushed?.x).toHaveLength(20_000)
    const rows = new Float64Array(7)
    const width = Math.log(y[1] / y[0]) / 7
    for (const chain of [0, 1, 2, 3]) {
      for (const value of world.numbers('wide', chain).subarray(50)) {
        const row = Math.min(6, Math.floor((Math.log(value) - Math.log(y[0])) / width))
        rows[row] = (rows[row] ?? 0) + 1
      }
    }
    for (const [row, expected] of rows.entries()) {
      expect(grid?.counts.subarray(7 * row, 7 * (row + 1)).reduce((sum, each) => sum + each, 0)).toBe(expected)
    }
  })
})

describe('draws that are not finite', () => {
  it('are left out of densities, and have no ranks where one is NaN', async () => {
    const odd = (chain: number, draw: number) => (draw === 7 ? Number.NaN : draw === 9 ? Infinity : normal(chain, draw))
    const world = new World([{ name: 'odd', values: odd }])
    await world.register()
    for (const chain of [0, 1]) await world.sample(chain, 50)
    const link = world.open()
    const density = await link.ask('density', { scalar: scalar('odd'), choice: ALL, points: 100 })
    expect(density.all.every(Number.isFinite)).toBe(true)
    const ranks = await link.ask('ranks', { scalar: scalar('odd'), choice: ALL, bins: 5, points: 10 })
    expect(ranks.chains.every(({ bins }) => bins.every(Number.isNaN))).toBe(true)
    const [figures] = await link.ask('quantiles', { scalars: [scalar('odd')], choice: ALL, probabilities: [0.5] })
    expect(figures).toMatchObject({ mean: Number.NaN, sd: Number.NaN, count: 100 })
  })
})
