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
