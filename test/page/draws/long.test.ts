/** Chains that are too long to be fetched before something is seen, or at all. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { TracedChain } from '../../../web/src/draws/questions.ts'
import { m4 } from '../../support/m4.ts'
import { chance, scalar, type TestColumn, World } from './world.ts'

const DRAWS = 60_000
const WARMUP = 1000
/** So many scalars of four chains have more values than the engine of this test computes with. */
const ELEMENTS = 10
const MOST = 1e6

/** Chance numbers, but for one draw in a million: a spike that no thinning may hide. */
const value = (chain: number, draw: number, element: number): number =>
  chance(chain, draw, element) < 1e-4 ? 50 : chance(draw, chain, element, 1)

const COLUMNS: readonly TestColumn[] = [
  { name: 'x', values: (chain, draw) => value(chain, draw, 0) },
  { name: 'wide', shape: [ELEMENTS], dtype: 'bool', values: (chain, draw, element) => (chain + draw + element) % 2 },
  { name: 'tune', group: 'stats', dtype: 'bool', values: (_, draw) => Number(draw < WARMUP) },
]

const ALL = { warmup: 'exclude' } as const
const x = scalar('x')
const wide = Array.from({ length: ELEMENTS }, (_, element) => scalar('wide', element))

let world: World
beforeAll(async () => {
  world = new World(COLUMNS, { most: MOST })
  await world.register()
  for (const chain of [0, 1, 2, 3]) await world.sample(chain, DRAWS)
})

/** Expects a trace to be what M4 keeps of the draws. */
function expectM4(
  traces: readonly TracedChain[] | undefined,
  buckets: { start: number; stop: number; count: number },
): void {
  expect(traces).toHaveLength(4)
  for (const { chain, at, values } of traces ?? []) {
    const numbers = world.numbers('x', chain)
    expect([...at]).toEqual(m4([...numbers.subarray(buckets.start)], buckets))
    expect([...values]).toEqual([...at].map((i) => numbers[i]))
  }
}

const pathsOf = (requests: readonly { path: string }[], part: string) =>
  requests.filter(({ path }) => path.includes(part))

describe('the trace of long chains', () => {
  it('is the server’s at first, the same from draws that come behind, and as exact in a window', async () => {
    const link = world.open()
    const begin = world.requests.length
    const requests = () => world.requests.slice(begin)
    const ask = { scalars: [x], choice: ALL, buckets: 300 }
    const [first] = await link.ask('trace', ask)
    expect(pathsOf(requests(), '/trace?')).toHaveLength(1)
    expectM4(first, { start: WARMUP, stop: DRAWS, count: 300 })
    // A closer look while the draws are on their way is the server's too.
    const window = { start: 30_000, stop: 31_000 }
    const [closer] = await link.ask('trace', { ...ask, choice: { ...ALL, ...window } })
    expectM4(closer, { ...window, count: 300 })
    const fetched = () => requests().filter(({ path }) => /draws.var=x.*stop=60000/.test(path))
    await expect.poll(fetched).toHaveLength(4)
    const [second] = await link.ask('trace', ask)
    expect(second).toEqual(first)
    expect(await link.ask('trace', { ...ask, choice: { ...ALL, ...window } })).toEqual([closer])
    const traces = pathsOf(requests(), '/trace?').length
    await link.ask('trace', { ...ask, choice: { ...ALL, start: 100, stop: 50_000 } })
    expect(pathsOf(requests(), '/trace?')).toHaveLength(traces)
    link.close()
  })

  it('rests for a time in proportion to its cost', async () => {
    const link = world.open()
    const ask = { scalars: wide, choice: ALL, buckets: 50 }
    const begin = world.requests.length
    const [one, two] = [await link.ask('trace', ask), await link.ask('trace', ask)]
    expect(two).toEqual(one)
    expect(two[0]?.[0]?.at).not.toBe(one[0]?.[0]?.at)
    expect(pathsOf(world.requests.slice(begin), '/trace?')).toHaveLength(1)
    link.close()
  })
})

describe('more values than a page computes with', () => {
  it('are refused with the way out, before they are fetched', async () => {
    const link = world.open()
    await link.ask('quantiles', { scalars: [x], choice: { ...ALL, stop: 2000 }, probabilities: [] })
    const begin = world.requests.length
    const asked = link.ask('values', { scalars: wide, choice: ALL, most: 100 })
    await expect(asked).rejects.toThrow('choose fewer draws or chains')
    await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'TooLarge' }))
    expect(world.requests).toHaveLength(begin)
  })

  it('are traces alone in rows', async () => {
    const sparks = await world.open().ask('sparks', { scalars: wide, choice: ALL, width: 50 })
    expect(sparks).toHaveLength(ELEMENTS)
    for (const { trace, density, ranks } of sparks) {
      expect(trace).toHaveLength(4)
      expect([density, ranks]).toEqual([undefined, undefined])
    }
  })

  it('are no matter where few draws of them are chosen: no others are fetched', async () => {
    const begin = world.requests.length
    const choice = { ...ALL, start: 59_900, stop: 59_950 }
    const { chains } = await world.open().ask('values', { scalars: wide, choice, most: 100 })
    for (const { chain, at, values } of chains) {
      expect([...at]).toEqual(Array.from({ length: 50 }, (_, i) => 59_900 + i))
      expect(values[7]).toEqual(world.numbers('wide', chain, 7).subarray(59_900, 59_950))
    }
    const fetched = pathsOf(world.requests.slice(begin), 'var=wide')
    expect(fetched).toHaveLength(4)
    for (const { path } of fetched) expect(path).toContain('start=59900&stop=59950')
  })
})
