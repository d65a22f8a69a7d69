/** Answers about energies, about draws that are marked, and about draws within an area. */
import { describe, expect, it } from 'vitest'
import { bfmi } from '../../../src/core/diagnostics/energy.ts'
import type { Choice } from '../../../web/src/draws/questions.ts'
import { normal, scalar, World } from './world.ts'

const ALL: Choice = { warmup: 'exclude' }
const WARMUP = 50

/** Energies that wander: each is 0.9 of the one before. */
function energy(chain: number, draw: number): number {
  let value = 0
  for (let i = Math.max(0, draw - 40); i <= draw; i++) value = 0.9 * value + normal(1, chain, i)
  return 100 + value
}

const stat = (name: string) => ({ group: 'stats', name, element: 0 }) as const

async function sampled(lengths: readonly number[]): Promise<World> {
  const world = new World([
    { name: 'mu', values: (chain, draw) => normal(2, chain, draw) },
    { name: 'tau', values: (chain, draw) => Math.exp(normal(3, chain, draw)) },
    { name: 'energy', group: 'stats', values: energy },
    { name: 'tune', group: 'stats', dtype: 'bool', values: (_, draw) => Number(draw < WARMUP) },
    { name: 'diverging', group: 'stats', dtype: 'bool', values: (chain, draw) => Number((draw + chain) % 70 === 0) },
  ])
  await world.register()
  for (const [chain, length] of lengths.entries()) await world.sample(chain, length)
  return world
}

describe('energies', () => {
  it('have the E-BFMI of checks, and densities of draws and of changes that integrate to one', async () => {
    const world = await sampled([250, 250])
    const ask = { scalar: stat('energy'), choice: ALL, convention: 'posterior', points: 200 } as const
    const { draws, x, all, chains } = await world.open().ask('energies', ask)
    expect(draws).toBe(200)
    expect(chains.map((each) => each.bfmi)).toEqual(
      [0, 1].map((chain) => bfmi(world.numbers('energy', chain).subarray(WARMUP), 'posterior')),
    )
    const { checks } = await (await world.call('GET', '/v1/runs/r/checks')).json()
    const told = checks.find(({ check }: { check: string }) => check === 'bfmi').chains
    expect(chains.map(({ chain, bfmi: value }) => ({ chain, value }))).toEqual(told)
    const width = (x[1] ?? 0) - (x[0] ?? 0)
    const spread = (y: Float64Array) => Math.sqrt(y.reduce((sum, each, i) => sum + each * width * (x[i] ?? 0) ** 2, 0))
    for (const each of [all, ...chains]) {
      expect(each.marginal.reduce((sum, y) => sum + y * width, 0)).toBeCloseTo(1, 9)
      expect(each.transition.reduce((sum, y) => sum + y * width, 0)).toBeCloseTo(1, 9)
      // Slow energies change less than they spread.
      expect(spread(each.transition)).toBeLessThan(0.8 * spread(each.marginal))
    }
  })

  it('of few draws are none', async () => {
    const world = await sampled([51])
    const ask = { scalar: stat('energy'), choice: ALL, convention: 'posterior', points: 200 } as const
    const { all, chains } = await world.open().ask('energies', ask)
    expect(chains.map((each) => each.bfmi)).toEqual(['too_few'])
    expect(all.marginal.every((y) => y === 0)).toBe(true)
  })
})

describe('marks', () => {
  it('are iterations of each chain, in warmup only where that counts', async () => {
    const world = await sampled([250, 100])
    const ask = { scalars: [stat('diverging')], choice: ALL }
    const marked = await world.open().ask('marked', ask)
    expect(marked.map(({ first, stop, at }) => [first, stop, ...at])).toEqual([
      [50, 250, 70, 140, 210],
      [50, 100, 69],
    ])
    const included = await world.open().ask('marked', { ...ask, choice: { warmup: 'include' } })
    expect(included.map(({ at }) => [...at])).toEqual([[0, 70, 140, 210], [69]])
  })
})

describe('draws within an area', () => {
  it('are those between its ends, by chain', async () => {
    const world = await sampled([250, 250])
    const ask = { x: scalar('mu'), y: scalar('tau'), choice: ALL }
    const brush = await world.open().ask('within', { ...ask, area: { x: [0, 1], y: [0.5, 2] } })
    const wanted = [0, 1].map((chain) => {
      const [mu, tau] = [world.numbers('mu', chain), world.numbers('tau', chain)]
      const isIn = (i: number) => {
        const [x, y] = [mu[i] ?? Number.NaN, tau[i] ?? Number.NaN]
        return i >= WARMUP && x >= 0 && x <= 1 && y >= 0.5 && y <= 2
      }
      return { chain, at: Uint32Array.from([...mu.keys()].filter(isIn)) }
    })
    expect(brush).toEqual({ kind: 'draws', chains: wanted })
    expect(await world.open().ask('within', { ...ask, area: { x: [90, 91], y: [0, 1] } })).toBeNull()
  })
})

describe('means of each chain', () => {
  it('are those of summaries', async () => {
    const world = await sampled([250, 200])
    const means = await world.open().ask('chainMeans', { scalar: scalar('tau'), choice: ALL })
    expect(means.map(({ chain, draws }) => [chain, draws])).toEqual([
      [0, 150],
      [1, 150],
    ])
    for (const { chain, mean } of means) {
      const numbers = world.numbers('tau', chain).subarray(WARMUP, WARMUP + 150)
      expect(mean).toBeCloseTo(numbers.reduce((sum, value) => sum + value, 0) / 150, 12)
    }
  })
})

describe('depths that came as real numbers', () => {
  it('have shares where all are whole', async () => {
    const world = new World([
      { name: 'depth', group: 'stats', values: (chain, draw) => 2 + ((draw + chain) % 2) },
      { name: 'rate', group: 'stats', values: (_, draw) => draw / 7 },
    ])
    await world.register()
    await world.sample(0, 40)
    const ask = { choice: ALL, points: 100, whole: 'by values' } as const
    const depth = await world.open().ask('density', { ...ask, scalar: stat('depth') })
    expect([depth.isDiscrete, [...depth.x], depth.all[0]?.toFixed(9)]).toEqual([true, [2, 3], '0.500000000'])
    expect((await world.open().ask('density', { ...ask, scalar: stat('rate') })).isDiscrete).toBe(false)
  })
})
