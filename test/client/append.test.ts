/** `append`: gathering draws, the time of sending them, and draws that are refused. */
import { describe, expect, it } from 'vitest'
import { encodeNdArray, type FlushOptions, HttpBackend, type Value, type Values } from '../../src/client/index.ts'
import { faultyNetwork, pauseFor, startApp, storedChain, URL_OF_APP } from './server.ts'

const X = { variables: [{ name: 'x', dtype: 'float64' }] }

async function open(flush: FlushOptions, meta: Parameters<HttpBackend['initRun']>[0] = X) {
  const server = startApp()
  const network = faultyNetwork(server.fetch, () => undefined)
  const backend = new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, flush })
  const run = await backend.initRun({ rid: 'run', ...meta })
  const chain = await run.initChain(0)
  const posts = () => network.sent.filter(({ method }) => method === 'POST')
  const stored = await storedChain(server, 'run')
  return { server, backend, run, chain, posts, stored }
}

const NEVER = { count: 1e9, bytes: 1e12, interval: Number.POSITIVE_INFINITY, maxBuffered: 1e12 } as const

it('takes more strings than a stack holds, as a draw and as labels', async () => {
  const data = new Array<string>(300_000).fill('a')
  const values = encodeNdArray({ dtype: 'str', shape: [data.length], data })
  const { chain, stored } = await open(NEVER, {
    variables: [{ name: 'x', dtype: 'str', shape: [-1] }],
    coordinates: [{ name: 'x', values }],
  })
  await chain.append({ x: data })
  await chain.close()
  expect(await stored.getDraws('x')).toEqual([{ dtype: 'str', shape: [data.length], data }])
})

it('refuses a number for a variable of one element with an axis, whatever came before', async () => {
  const { chain } = await open(NEVER, { variables: [{ name: 'x', dtype: 'float64', shape: [1] }] })
  await expect(chain.append({ x: 1 })).rejects.toMatchObject({ code: 'shape_mismatch' })
  await chain.append({ x: new Float64Array([1]) })
  await expect(chain.append({ x: 1 })).rejects.toMatchObject({ code: 'shape_mismatch' })
})

describe('when draws are sent', () => {
  it('sends nothing before a threshold is met, and everything at flush', async () => {
    const { chain, posts, stored } = await open(NEVER)
    for (let i = 0; i < 5000; i++) await chain.append({ x: i })
    await pauseFor(5)
    expect(posts()).toHaveLength(0)
    await chain.flush()
    expect(posts()).toHaveLength(1)
    expect(await stored.getDraws('x')).toMatchObject({
      shape: [5000],
      data: Float64Array.from({ length: 5000 }, (_, i) => i),
    })
  })

  it.each([
    ['count', { ...NEVER, count: 10 }],
    ['bytes', { ...NEVER, bytes: 80 }],
  ])('sends when the %s is reached', async (_, flush) => {
    const { chain, stored } = await open(flush)
    for (let i = 0; i < 9; i++) await chain.append({ x: i })
    await pauseFor(5)
    expect(await stored.length()).toBe(0)
    await chain.append({ x: 9 })
    await expect.poll(() => stored.length()).toBe(10)
  })

  it('sends a draw that has waited for the interval, also when another one never comes', async () => {
    const { chain, stored } = await open({ ...NEVER, interval: 1000 })
    const begun = performance.now()
    await chain.append({ x: 1 })
    await pauseFor(10)
    expect(await stored.length()).toBe(0)
    await expect.poll(() => stored.length(), { interval: 2 }).toBe(1)
    expect(performance.now() - begun).toBeGreaterThan(998)
  })

  it('sends while the sampler does nothing but sample and append', async () => {
    const { chain, stored } = await open({ ...NEVER, interval: 20 })
    const begun = performance.now()
    // Not one await of this loop waits for a timer or for the network.
    for (let i = 0; (await stored.length()) === 0 && performance.now() - begun < 30_000; i++) {
      await chain.append({ x: i })
    }
    expect(await stored.length()).toBeGreaterThan(0)
    await chain.close()
  })

  it('gathers all that was appended during an upload into the next one', async () => {
    const { chain, posts, stored } = await open({ ...NEVER, count: 1 })
    for (let i = 0; i < 200; i++) void chain.append({ x: i })
    await chain.flush()
    expect(posts().length).toBeLessThanOrEqual(2)
    expect(await stored.length()).toBe(200)
  })

  it('keeps requests below maxRequest, and a draw that is larger whole', async () => {
    const meta = { variables: [{ name: 'v', dtype: 'float64', shape: [-1] }] }
    const { chain, posts, stored } = await open({ ...NEVER, maxRequest: 4096 }, meta)
    for (let i = 0; i < 64; i++) await chain.append({ v: new Float64Array(i === 20 ? 5000 : 60).fill(i) })
    await chain.flush()
    const sizes = posts().map(({ bytes }) => bytes)
    expect(sizes.filter((bytes) => bytes > 4800)).toEqual([expect.closeTo(40_000, -2)])
    expect(sizes.length).toBeGreaterThan(8)
    expect(await stored.length()).toBe(64)
  })

  it('splits a large batch by count, and stores it as one', async () => {
    const { chain, posts, stored } = await open({ ...NEVER, maxRequest: 8192 })
    const data = Float64Array.from({ length: 10_001 }, (_, i) => i)
    await chain.append({ x: -1 })
    expect(
      await chain.appendBatch({ count: 10_001, draws: new Map([['x', { dtype: 'float64', shape: [10_001], data }]]) }),
    ).toBe(10_002)
    expect(posts().length).toBeGreaterThan(9)
    for (const { bytes } of posts()) expect(bytes).toBeLessThan(8192 + 100)
    expect(await stored.getDraws('x', { start: 1 })).toMatchObject({ data })
  })

  it('goes on where the chain ended', async () => {
    const { chain, run, stored } = await open({})
    await chain.append({ x: 0 })
    await chain.close()
    const again = await run.initChain(0)
    expect(again.isNew).toBe(false)
    await again.append({ x: 1 })
    await again.close()
    const found = await run.getChain(0)
    await found?.append({ x: 2 })
    await run.close()
    expect(await stored.getDraws('x')).toMatchObject({ data: new Float64Array([0, 1, 2]) })
  })

  it('closes what `await using` leaves', async () => {
    const { run, stored } = await open(NEVER)
    {
      await using chain = await run.initChain(0)
      await chain.append({ x: 1 })
    }
    expect(await stored.length()).toBe(1)
  })

  it('flushes and closes all chains by run and by backend', async () => {
    const { server, backend, run } = await open(NEVER)
    const other = await backend.initRun({ rid: 'other', ...X })
    const chains = [await run.initChain(1), await run.initChain(2), await other.initChain(0)]
    for (const chain of chains) await chain.append({ x: 1 })
    await run.flush()
    const lengths = async () => [
      await (await storedChain(server, 'run', 1)).length(),
      await (await storedChain(server, 'run', 2)).length(),
      await (await storedChain(server, 'other')).length(),
    ]
    expect(await lengths()).toEqual([1, 1, 0])
    await backend.close()
    expect(await lengths()).toEqual([1, 1, 1])
    await expect(chains[0]?.append({ x: 2 })).rejects.toMatchObject({ code: 'invalid_parameter' })
    expect(await chains[0]?.length()).toBe(1)
  })
})

describe('values', () => {
  const ALL = {
    variables: [
      { name: 'flag', dtype: 'bool' },
      { name: 'flags', dtype: 'bool', shape: [3] },
      { name: 'i8', dtype: 'int8' },
      { name: 'u32', dtype: 'uint32', shape: [2] },
      { name: 'i64', dtype: 'int64' },
      { name: 'u64', dtype: 'uint64' },
      { name: 'f32', dtype: 'float32' },
      { name: 'matrix', dtype: 'float64', shape: [2, 3] },
      { name: 'none', dtype: 'float64', shape: [0, 4] },
      { name: 'words', dtype: 'str', shape: [2] },
      { name: 'any', dtype: 'int16', undefinedNdim: true },
      { name: '__proto__', dtype: 'float64' },
      { name: 'constructor', dtype: 'float64' },
    ],
    sampleStats: [{ name: 'toString', dtype: 'float64' }],
  }
  it('takes every kind, from maps and from objects', async () => {
    const { chain, stored } = await open(NEVER, ALL)
    const matrix = new Float64Array([1, 2, 3, 4, 5, Number.NaN])
    const given: Record<string, Value> = {
      flag: true,
      flags: new Uint8Array([0, 1, 1]),
      i8: -128,
      u32: new Uint32Array([0, 2 ** 32 - 1]),
      i64: -(2n ** 63n),
      u64: 12,
      f32: 0.1,
      matrix,
      none: new Float64Array(),
      words: ['', '𝄞'],
      any: { dtype: 'int16', shape: [2, 1], data: new Int16Array([7, 8]) },
      ['__proto__']: 1,
      constructor: 2,
    }
    await chain.append(given, { toString: 5 })
    matrix.fill(0)
    await chain.append(new Map(Object.entries(given)), new Map())
    await chain.flush()
    const at = async (index: number) => Object.fromEntries(await stored.getDrawsAt(index))
    expect(await at(0)).toMatchObject({
      flag: { data: new Uint8Array([1]) },
      flags: { data: new Uint8Array([0, 1, 1]) },
      i8: { data: new Int8Array([-128]) },
      u32: { data: new Uint32Array([0, 2 ** 32 - 1]) },
      i64: { data: new BigInt64Array([-(2n ** 63n)]) },
      u64: { data: new BigUint64Array([12n]) },
      f32: { data: new Float32Array([0.1]) },
      matrix: { shape: [2, 3], data: new Float64Array([1, 2, 3, 4, 5, Number.NaN]) },
      none: { shape: [0, 4] },
      words: { data: ['', '𝄞'] },
      any: { shape: [2, 1], data: new Int16Array([7, 8]) },
      constructor: { data: new Float64Array([2]) },
    })
    expect((await stored.getDrawsAt(1)).get('__proto__')).toMatchObject({ data: new Float64Array([1]) })
    expect(await stored.getStats('toString')).toMatchObject({ data: new Float64Array([5, Number.NaN]) })
  })

  it('writes fills where a stat is missing, and separate batches where fills would be large', async () => {
    const meta = {
      ...X,
      sampleStats: [
        { name: 'lp', dtype: 'float32' },
        { name: 'mass', dtype: 'float64', shape: [1000] },
      ],
    }
    const { chain, posts, stored } = await open(NEVER, meta)
    const mass = new Float64Array(1000).fill(3)
    for (let i = 0; i < 300; i++) {
      await chain.append({ x: i }, { ...(i % 2 === 1 ? { lp: i } : {}), ...(i === 100 ? { mass } : {}) })
    }
    await chain.flush()
    expect(posts()).toHaveLength(3)
    expect(posts().reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(300 * 12 + 8000 + 500)
    const lp = Float32Array.from({ length: 300 }, (_, i) => (i % 2 === 1 ? i : Number.NaN))
    expect(await stored.getStats('lp')).toMatchObject({ data: lp })
    expect(await stored.getStats('mass', { start: 100, stop: 101 })).toMatchObject({ data: mass })
    expect(await stored.getStats('mass', { start: 99, stop: 100 })).toMatchObject({
      data: new Float64Array(1000).fill(Number.NaN),
    })
  })

  const good = { x: 1, k: 2, flag: true, v: new Float64Array([1, 2]), r: new Int16Array([1]), s: 'a' }
  const { x: _, ...withoutX } = good
  const bad: [string, Values, Values, string, string][] = [
    ['a missing variable', withoutX, {}, 'missing_variable', 'x'],
    ['an unknown variable', { ...good, y: 1 }, {}, 'unknown_variable', 'y'],
    ['an unknown stat', good, { y: 1 }, 'unknown_variable', 'y'],
    ['a fraction for an integer', { ...good, k: 1.5 }, {}, 'dtype_mismatch', 'k'],
    ['an integer out of range', { ...good, k: 2 ** 31 }, {}, 'dtype_mismatch', 'k'],
    ['a number for a bool', { ...good, flag: 1 }, {}, 'dtype_mismatch', 'flag'],
    ['a bool that is 2', { ...good, flag: new Uint8Array([2]) }, {}, 'dtype_mismatch', 'flag'],
    ['another array type', { ...good, v: new Float32Array(2) }, {}, 'dtype_mismatch', 'v'],
    ['a number for a string', { ...good, s: 1 }, {}, 'dtype_mismatch', 's'],
    ['too few elements', { ...good, v: new Float64Array(1) }, {}, 'shape_mismatch', 'v'],
    [
      'too many dimensions',
      { ...good, r: { dtype: 'int16', shape: [1, 1], data: new Int16Array(1) } },
      {},
      'shape_mismatch',
      'r',
    ],
    ['a stat of another dtype', good, { lp: 'a' }, 'dtype_mismatch', 'lp'],
  ]
  it.each(bad)('refuses %s and takes nothing of the draw', async (_, draw, stats, code, variable) => {
    const meta = {
      variables: [
        { name: 'x', dtype: 'float64' },
        { name: 'k', dtype: 'int32' },
        { name: 'flag', dtype: 'bool' },
        { name: 'r', dtype: 'int16', shape: [-1] },
        { name: 'v', dtype: 'float64', shape: [2] },
        { name: 's', dtype: 'str' },
      ],
      sampleStats: [{ name: 'lp', dtype: 'float64' }],
    }
    const { chain, stored } = await open(NEVER, meta)
    await chain.append(good, { lp: 0 })
    await expect(chain.append(draw, stats)).rejects.toMatchObject({ name: 'McbError', code, fields: { variable } })
    await chain.append({ ...good, x: 2 }, { lp: 1 })
    await chain.flush()
    expect(await stored.length()).toBe(2)
    expect(await stored.getDraws('x')).toMatchObject({ data: new Float64Array([1, 2]) })
    expect(await stored.getDraws('r')).toMatchObject([{ data: new Int16Array([1]) }, { data: new Int16Array([1]) }])
    expect(await stored.getStats('lp')).toMatchObject({ data: new Float64Array([0, 1]) })
  })
})
