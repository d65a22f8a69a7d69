/** Reads through the client: slices, pages, single iterations. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type Draws,
  type Fetch,
  HttpBackend,
  type HttpChain,
  type NdArray,
  type Slice,
} from '../../src/client/index.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { EAGER, faultyNetwork, startApp, storedChain, URL_OF_APP } from './server.ts'

/** Python's slices, from their definition: the indices that a loop from start to stop visits. */
function indicesOf({ start, stop, step = 1 }: { start?: number; stop?: number; step?: number }, length: number) {
  const indices: number[] = []
  const absolute = (i: number) => (i < 0 ? i + length : i)
  if (step > 0) {
    const end = stop === undefined ? length : absolute(stop)
    for (let i = Math.max(0, start === undefined ? 0 : absolute(start)); i < Math.min(end, length); i += step)
      indices.push(i)
  } else {
    const end = stop === undefined ? -1 : Math.max(absolute(stop), -1)
    const first = start === undefined ? length - 1 : Math.min(absolute(start), length - 1)
    for (let i = first; i > end && i >= 0; i += step) indices.push(i)
  }
  return indices
}

const bound = (length: number) => fc.option(fc.integer({ min: -length - 3, max: length + 3 }), { nil: undefined })
const slices = (length: number) =>
  fc.record(
    {
      start: bound(length),
      stop: bound(length),
      step: fc.oneof(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: -9, max: -1 }),
        fc.constantFrom(length, -length),
      ),
    },
    { requiredKeys: [] },
  )

function given(slice: { start?: number | undefined; stop?: number | undefined; step?: number }) {
  return Object.fromEntries(Object.entries(slice).filter(([, value]) => value !== undefined))
}

const META = {
  rid: 'run',
  variables: [
    { name: 'x', dtype: 'float64' },
    { name: 'pair', dtype: 'int64', shape: [2] },
    { name: 'ragged', dtype: 'float32', shape: [-1, 2] },
    { name: 'word', dtype: 'str' },
    { name: 'words', dtype: 'str', undefinedNdim: true },
  ],
  sampleStats: [{ name: 'lp', dtype: 'float32' }],
}
const LENGTH = 1500
const at = {
  x: (i: number) => i + 0.25,
  ragged: (i: number): NdArray => ({
    dtype: 'float32',
    shape: [i % 3, 2],
    data: new Float32Array((i % 3) * 2).fill(i),
  }),
  word: (i: number) => `w${i}`,
  words: (i: number): NdArray =>
    i % 2 === 0 ? { dtype: 'str', shape: [], data: [`${i}`] } : { dtype: 'str', shape: [2, 1], data: ['', `${i}`] },
}

function columns(indices: readonly number[]): Map<string, Draws> {
  const count = indices.length
  return new Map<string, Draws>([
    ['x', { dtype: 'float64', shape: [count], data: new Float64Array(indices.map(at.x)) }],
    [
      'pair',
      { dtype: 'int64', shape: [count, 2], data: new BigInt64Array(indices.flatMap((i) => [BigInt(i), -BigInt(i)])) },
    ],
    ['ragged', indices.map(at.ragged)],
    ['word', { dtype: 'str', shape: [count], data: indices.map(at.word) }],
    ['words', indices.map(at.words)],
  ])
}

const upTo = (length: number) => Array.from({ length }, (_, i) => i)

async function fill(answerBytes = DEFAULT_LIMITS.answerBytes) {
  const server = startApp({ ...DEFAULT_LIMITS, answerBytes })
  const network = faultyNetwork(server.fetch, () => undefined)
  const backend = new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, retry: EAGER })
  const chain = await (await backend.initRun(META)).initChain(0)
  const stats = new Map([['lp', { dtype: 'float32', shape: [LENGTH], data: new Float32Array(upTo(LENGTH)) } as const]])
  await chain.appendBatch({ count: LENGTH, draws: columns(upTo(LENGTH)), stats })
  return { chain, network }
}

describe('slices', () => {
  let chain: HttpChain
  beforeAll(async () => {
    chain = (await fill()).chain
  })

  it('reads every kind of column by any slice', async () => {
    await fc.assert(
      fc.asyncProperty(slices(LENGTH), fc.constantFrom(...columns([]).keys()), async (drawn, name) => {
        const slice = given(drawn)
        expect(await chain.getDraws(name, slice)).toEqual(columns(indicesOf(slice, LENGTH)).get(name))
      }),
      { numRuns: 400 },
    )
  })

  it('clamps bounds of any size', async () => {
    const slice = { start: -(10n ** 30n), stop: 10n ** 30n, step: 1000n }
    expect(await chain.getDraws('x', slice)).toMatchObject({ data: new Float64Array([at.x(0), at.x(1000)]) })
    expect(await chain.getDraws('ragged', { step: -(10n ** 30n) })).toEqual([at.ragged(LENGTH - 1)])
  })

  it.each([{ step: 0 }, { start: 0.5 }, { start: 0, stop: 5, step: 0n }, { stop: Number.NaN }])(
    'refuses %o',
    async (slice) => {
      for (const name of ['x', 'words']) {
        await expect(chain.getDraws(name, slice)).rejects.toMatchObject({ code: 'invalid_slice' })
      }
    },
  )

  it('knows variables and stats apart', async () => {
    expect(await chain.getStats('lp', { start: -2 })).toMatchObject({
      data: new Float32Array([LENGTH - 2, LENGTH - 1]),
    })
    await expect(chain.getStats('x')).rejects.toMatchObject({ code: 'unknown_variable', status: 404 })
    await expect(chain.getDraws('lp')).rejects.toMatchObject({ code: 'unknown_variable', status: 404 })
  })
})

describe('answers to another question, such as those of a cache that looks at paths alone', () => {
  it.each<[string, (chain: HttpChain) => Promise<unknown>, unknown]>([
    ['the end', (chain) => chain.getDraws('x', { start: -2 }), columns([LENGTH - 2, LENGTH - 1]).get('x')],
    ['a page', (chain) => chain.getDraws('word', { start: 1, stop: 5 }), columns([1, 2, 3, 4]).get('word')],
    ['an iteration', (chain) => chain.getDrawsAt(7, ['words']), new Map([['words', at.words(7)]])],
  ])('are no draws of %s', async (_, read, expected) => {
    const server = startApp()
    const other = new Set<string>()
    const fetch: Fetch = (request) => {
      const url = new URL(request.url)
      if (request.method === 'GET' && url.searchParams.has('start') && !other.has(url.href)) {
        other.add(url.href)
        url.searchParams.set('start', '0')
        url.searchParams.set('stop', '4')
      }
      return server.fetch(new Request(url, request))
    }
    const backend = new HttpBackend({ url: URL_OF_APP, fetch, retry: EAGER })
    const chain = await (await backend.initRun(META)).initChain(0)
    const stats = new Map([['lp', { dtype: 'float32', shape: [LENGTH], data: new Float32Array(LENGTH) } as const]])
    await chain.appendBatch({ count: LENGTH, draws: columns(upTo(LENGTH)), stats })
    expect(await read(chain)).toEqual(expected)
    expect(other.size).toBeGreaterThan(0)
  })
})

describe('the state of a chain', () => {
  it.each([
    '{"chain":1,"length":5}',
    '{"chain":0,"length":-1}',
    '{"chain":0,"length":0.5}',
    '{"chain":0,"length":"5"}',
  ])('is not %s', async (answer) => {
    const server = startApp()
    const asked: string[] = []
    // Every first answer to a question for the chain is that.
    const fetch: Fetch = async (request) => {
      const question = `${request.method} ${new URL(request.url).pathname}`
      const response = await server.fetch(request)
      if (!question.includes('/chains/0') || asked.includes(question)) return response
      asked.push(question)
      return new Response(answer, { status: response.status, headers: { 'Content-Type': 'application/json' } })
    }
    const backend = new HttpBackend({ url: URL_OF_APP, fetch, retry: EAGER })
    const run = await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
    const chain = await run.initChain(0)
    expect(chain.number).toBe(0)
    expect(
      await chain.appendBatch({ count: LENGTH, draws: new Map([['x', columns(upTo(LENGTH)).get('x') ?? []]]) }),
    ).toBe(LENGTH)
    expect(await chain.length()).toBe(LENGTH)
    expect(await (await run.getChain(0))?.length()).toBe(LENGTH)
    expect(asked).toHaveLength(3)
  })
})

describe('pages', () => {
  it('reads a large column in several requests, as it was when the first was sent', async () => {
    const server = startApp()
    const length = 2_500_000
    const batch = (from: number, count: number) => {
      const data = Float64Array.from({ length: count * 2 }, (_, i) => from * 2 + i)
      return { count, draws: new Map([['v', { dtype: 'float64', shape: [count, 2], data } as const]]) }
    }
    const run = await server.backend.initRun({ rid: 'big', variables: [{ name: 'v', dtype: 'float64', shape: [2] }] })
    const stored = await run.initChain(0)
    for (let from = 0; from < length; from += 500_000) await stored.appendBatch(batch(from, 500_000))
    let grown = length
    const network = faultyNetwork(server.fetch, () => {
      void stored.appendBatch({ ...batch(grown, 1), start: grown })
      grown++
      return undefined
    })
    const chain = await (await new HttpBackend({ url: URL_OF_APP, fetch: network.fetch }).getRun('big'))?.getChain(0)
    const first = grown
    const slices: [Slice, number, number, number][] = [
      [{}, 0, 1, 1],
      [{ step: -1 }, -1, -1, 1],
      [{ start: 7, step: 2 }, 7, 2, 2],
      [{ start: 0, stop: 2_400_000 }, 0, 1, 1],
    ]
    for (const [slice, start, step, least] of slices) {
      const before = grown
      const requests = network.sent.length
      const draws = await chain?.getDraws('v', slice)
      if (draws === undefined || !('shape' in draws) || draws.dtype !== 'float64') throw new Error('not an array')
      expect(network.sent.length - requests).toBeGreaterThan(least)
      const count = Number(draws.shape[0])
      // The request for the length has let the chain grow by one.
      const now = before + 1
      const expected = slice.stop === undefined ? indexCount(start, step, now) : 2_400_000
      expect(draws.shape).toEqual([expected, 2])
      const origin = start < 0 ? now + start : start
      for (const i of [0, 1, 1_048_575, 1_048_576, count - 1]) {
        expect(draws.data[i * 2 + 1]).toBe((origin + i * step) * 2 + 1)
      }
      let wrong = 0
      for (let i = 0; i < count; i++) if (draws.data[i * 2] !== (origin + i * step) * 2) wrong++
      expect(wrong).toBe(0)
    }
    expect(grown).toBeGreaterThan(first)
  })

  it('asks for less where an answer would be beyond the server’s limit', async () => {
    const { chain, network } = await fill(3000)
    expect(await chain.getDraws('ragged')).toEqual(columns(upTo(LENGTH)).get('ragged'))
    expect(await chain.getDraws('words', { step: -1 })).toEqual(columns(upTo(LENGTH).reverse()).get('words'))
    expect(network.sent.length).toBeGreaterThan(10)
    await expect(chain.getDraws('x')).rejects.toMatchObject({ code: 'payload_too_large' })
  })
})

function indexCount(start: number, step: number, length: number): number {
  return step < 0 ? length : Math.ceil((length - start) / step)
}

describe('single iterations', () => {
  it('reads one draw of all or of some variables', async () => {
    const { chain } = await fill()
    const all = await chain.getDrawsAt(7)
    expect([...all.keys()]).toEqual(META.variables.map(({ name }) => name))
    expect(all.get('x')).toEqual({ dtype: 'float64', shape: [], data: new Float64Array([at.x(7)]) })
    expect(all.get('ragged')).toEqual(at.ragged(7))
    expect(all.get('words')).toEqual(at.words(7))
    expect([...(await chain.getDrawsAt(-1, ['word', 'x'])).keys()]).toEqual(['word', 'x'])
    expect((await chain.getDrawsAt(-1, ['word'])).get('word')).toMatchObject({ data: [at.word(LENGTH - 1)] })
    expect((await chain.getDrawsAt(-LENGTH, ['word'])).get('word')).toMatchObject({ data: [at.word(0)] })
    expect(await chain.getStatsAt(3)).toEqual(
      new Map([['lp', { dtype: 'float32', shape: [], data: new Float32Array([3]) }]]),
    )
    expect(await chain.getDrawsAt(0, [])).toEqual(new Map())
  })

  it.each([LENGTH, -LENGTH - 1, 1e6])('refuses iteration %d', async (index) => {
    const { chain } = await fill()
    await expect(chain.getDrawsAt(index)).rejects.toMatchObject({ code: 'invalid_slice' })
    await expect(chain.getDrawsAt(index, [])).rejects.toMatchObject({ code: 'invalid_slice' })
    await expect(chain.getDrawsAt(0, ['y'])).rejects.toMatchObject({ code: 'unknown_variable' })
  })

  it('takes many long names in several queries, all from one iteration of a growing chain', async () => {
    const server = startApp()
    const variables = upTo(300).map((i) => ({ name: `${'Wahrscheinlichkeit & μ/'.repeat(4)}${i}`, dtype: 'int32' }))
    const run = await server.backend.initRun({ rid: 'wide', variables })
    const stored = await run.initChain(0)
    const grow = async () => {
      const value = await stored.length()
      const data = new Int32Array([value])
      const draws = new Map(variables.map(({ name }) => [name, { dtype: 'int32', shape: [1], data } as const]))
      await stored.appendBatch({ count: 1, draws })
    }
    await grow()
    const growing = async (request: Request) => {
      await grow()
      return server.fetch(request)
    }
    const network = faultyNetwork(growing, () => undefined)
    const chain = await (await new HttpBackend({ url: URL_OF_APP, fetch: network.fetch }).getRun('wide'))?.getChain(0)
    const values = await chain?.getDrawsAt(-1)
    expect([...(values?.keys() ?? [])]).toEqual(variables.map(({ name }) => name))
    expect(new Set([...(values?.values() ?? [])].map(({ data }) => data[0])).size).toBe(1)
    const reads = network.sent.filter(({ path }) => path.includes('/draws?'))
    expect(reads.length).toBeGreaterThan(3)
    for (const { path } of reads) expect(path.length).toBeLessThan(5000)
  })
})

it('sees what this handle has appended and not yet sent', async () => {
  const server = startApp()
  const backend = new HttpBackend({ url: URL_OF_APP, fetch: server.fetch })
  const chain = await (await backend.initRun({ rid: 'run', variables: [{ name: 'x', dtype: 'float64' }] })).initChain(0)
  await chain.append({ x: 1 })
  expect(await (await storedChain(server, 'run')).length()).toBe(0)
  expect(await chain.getDraws('x')).toMatchObject({ data: new Float64Array([1]) })
  await chain.append({ x: 2 })
  expect((await chain.getDrawsAt(-1)).get('x')).toMatchObject({ data: new Float64Array([2]) })
  await chain.append({ x: 3 })
  expect(await chain.length()).toBe(3)
})
