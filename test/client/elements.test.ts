/** Elements of a variable through the client, of servers that know them and of servers that do not. */
import { describe, expect, it } from 'vitest'
import { type Draws, type Elements, HttpBackend, type Slice } from '../../src/client/index.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { EAGER, faultyNetwork, startApp, URL_OF_APP, withoutElements } from './server.ts'

const META = {
  rid: 'run',
  variables: [
    { name: 'theta', dtype: 'float64', shape: [4, 5] },
    { name: 'count', dtype: 'int64' },
    { name: 'school', dtype: 'str', shape: [3] },
    { name: 'ragged', dtype: 'float64', shape: [-1] },
    { name: 'none', dtype: 'float64', shape: [0] },
  ],
  sampleStats: [{ name: 'grad', dtype: 'float32', shape: [3] }],
}
const LENGTH = 300
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

const DRAWS = new Map<string, Draws>([
  ['theta', { dtype: 'float64', shape: [LENGTH, 4, 5], data: new Float64Array(upTo(LENGTH * 20)) }],
  ['count', { dtype: 'int64', shape: [LENGTH], data: new BigInt64Array(upTo(LENGTH).map(BigInt)) }],
  ['school', { dtype: 'str', shape: [LENGTH, 3], data: upTo(LENGTH * 3).map((i) => `s${i}`) }],
  ['ragged', upTo(LENGTH).map(() => ({ dtype: 'float64', shape: [1], data: new Float64Array(1) }) as const)],
  ['none', { dtype: 'float64', shape: [LENGTH, 0], data: new Float64Array() }],
])
const STATS = new Map<string, Draws>([
  ['grad', { dtype: 'float32', shape: [LENGTH, 3], data: new Float32Array(upTo(LENGTH * 3)) }],
])

const SERVERS = { 'a server that knows elements': false, 'an older server': true }

async function connect(isOlder: boolean, answerBytes = DEFAULT_LIMITS.answerBytes) {
  const server = startApp({ ...DEFAULT_LIMITS, answerBytes })
  const network = faultyNetwork(isOlder ? withoutElements(server.fetch) : server.fetch, () => undefined)
  const backend = new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, retry: EAGER })
  const chain = await (await backend.initRun(META)).initChain(0)
  await chain.appendBatch({ count: LENGTH, draws: DRAWS, stats: STATS })
  network.sent.length = 0
  return { chain, network }
}

describe.each(Object.entries(SERVERS))('%s', (_, isOlder) => {
  it.each<[Elements, readonly number[]]>([
    [[7], [7]],
    [
      [19, 0, 0],
      [19, 0, 0],
    ],
    [
      [[3, 6], 1],
      [3, 4, 5, 1],
    ],
    // As many as there are, in another order: nothing but the query tells them from the whole.
    [
      [
        [10, 20],
        [0, 10],
      ],
      [...upTo(20).slice(10), ...upTo(10)],
    ],
    [
      [[0, 20], [0, 20], 3],
      [...upTo(20), ...upTo(20), 3],
    ],
  ])('gives elements %j of each draw', async (elements, indices) => {
    const { chain } = await connect(isOlder)
    const slices: [Slice, number[]][] = [
      [{}, upTo(LENGTH)],
      [{ start: -2 }, [LENGTH - 2, LENGTH - 1]],
      [{ start: 9, stop: 2, step: -3 }, [9, 6, 3]],
      [{ start: LENGTH }, []],
    ]
    for (const [slice, draws] of slices) {
      expect(await chain.getDraws('theta', slice, elements)).toEqual({
        dtype: 'float64',
        shape: [draws.length, indices.length],
        data: new Float64Array(draws.flatMap((draw) => indices.map((i) => draw * 20 + i))),
      })
    }
  })

  it('gives those of scalars, strings and sampler stats', async () => {
    const { chain } = await connect(isOlder)
    expect(await chain.getDraws('count', { start: 5, stop: 7 }, [0, 0])).toEqual({
      dtype: 'int64',
      shape: [2, 2],
      data: new BigInt64Array([5n, 5n, 6n, 6n]),
    })
    expect(await chain.getDraws('school', { start: -1 }, [2, 0])).toEqual({
      dtype: 'str',
      shape: [1, 2],
      data: [`s${LENGTH * 3 - 1}`, `s${LENGTH * 3 - 3}`],
    })
    expect(await chain.getStats('grad', { start: 1, stop: 2 }, [[1, 3]])).toEqual({
      dtype: 'float32',
      shape: [1, 2],
      data: new Float32Array([4, 5]),
    })
  })

  it('asks in pages where an answer would be beyond the limit', async () => {
    const { chain, network } = await connect(isOlder, 5000)
    const draws = await chain.getDraws('theta', {}, [3])
    expect(draws).toMatchObject({ shape: [LENGTH, 1], data: new Float64Array(upTo(LENGTH).map((i) => i * 20 + 3)) })
    expect(network.sent.some(({ path }) => path.includes('elem=3'))).toBe(true)
  })

  it.each<[string, Elements]>([
    ['theta', []],
    ['theta', [20]],
    ['theta', [[19, 21]]],
    ['theta', [-1]],
    ['theta', [0.5]],
    ['theta', [[2, 2]]],
    ['count', [1]],
    ['none', [0]],
    ['ragged', [0]],
  ])('refuses elements of "%s": %j', async (name, elements) => {
    const { chain, network } = await connect(isOlder)
    await expect(chain.getDraws(name, {}, elements)).rejects.toMatchObject({ code: 'invalid_parameter' })
    expect(network.sent).toEqual([])
  })
})

it('names elements in the query only where the answer is smaller for it, and the query short enough', async () => {
  const { chain, network } = await connect(false)
  const asked = async (elements: Elements) => {
    network.sent.length = 0
    await chain.getDraws('theta', { start: 0, stop: 1 }, elements)
    return network.sent.map(({ path }) => path)
  }
  const path = '/v1/runs/run/chains/0/draws?var=theta'
  expect(await asked([4, [5, 7], 2])).toEqual([`${path}&elem=4:7,2&start=0&stop=1`])
  expect(await asked([[0, 20]])).toEqual([`${path}&start=0&stop=1`])
  expect(await asked(upTo(20).toReversed())).toEqual([`${path}&start=0&stop=1`])
})
