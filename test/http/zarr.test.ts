/** /v1/runs/{rid}/data.zarr/…: documents, chunks, and zarrita, which reads them as any other hierarchy. */
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import * as zarr from 'zarrita'
import { MemoryStore } from '../../src/backends/memory.ts'
import { encodeNdArray } from '../../src/core/draws/ndarray.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { type Api, bytesOf, expectCommonHeaders, expectProblem, jsonOf, newApp } from './api.ts'

const ROOT = '/v1/runs/r/data.zarr'
const RAGGED = '/v1/runs/r/ragged/data.zarr'
const K = 2n ** 60n
const NAMES = ['theta[1,2]', 'μ', 'log prior', 'a%2Fb', '100%', '50%41', 'c', 'zarr.json', 'x+y', "'", '~']

const VARIABLES = [
  { name: 'mu', dtype: 'float64' },
  { name: 'theta', dtype: 'float32', shape: [3], dims: ['school'] },
  { name: 'L', dtype: 'float64', shape: [2, 2] },
  { name: 'k', dtype: 'int64' },
  { name: 'u', dtype: 'uint8', shape: [2] },
  { name: 'z', dtype: 'bool' },
  { name: 's', dtype: 'str', shape: [2] },
  { name: 'varies', dtype: 'float64', shape: [-1] },
]
const META = {
  variables: VARIABLES,
  sampleStats: [{ name: 'tune', dtype: 'bool' }],
  coordinates: [{ name: 'school', values: encodeNdArray({ dtype: 'str', shape: [3], data: ['Choate', '', 'é'] }) }],
} satisfies mcbackend.RunMeta.$Properties

const range = (count: number) => Array.from({ length: count }, (_, i) => i)
const muAt = (chain: number, i: number) => 1000 * chain + i

function batchOf(chain: number, start: number, count: number, warmup: number) {
  const at = range(count).map((i) => start + i)
  const draws: [string, Draws][] = [
    ['mu', { dtype: 'float64', shape: [count], data: Float64Array.from(at, (i) => muAt(chain, i)) }],
    ['theta', { dtype: 'float32', shape: [count, 3], data: Float32Array.from(range(3 * count), (j) => j + 3 * start) }],
    ['L', { dtype: 'float64', shape: [count, 2, 2], data: Float64Array.from(range(4 * count), (j) => j + 4 * start) }],
    ['k', { dtype: 'int64', shape: [count], data: BigInt64Array.from(at, (i) => K - BigInt(i)) }],
    ['u', { dtype: 'uint8', shape: [count, 2], data: Uint8Array.from(range(2 * count), (j) => j + 2 * start) }],
    ['z', { dtype: 'bool', shape: [count], data: Uint8Array.from(at, (i) => i % 2) }],
    ['s', { dtype: 'str', shape: [count, 2], data: at.flatMap((i) => [`${i}∂`, '']) }],
    ['varies', at.map(() => ({ dtype: 'float64', shape: [0], data: new Float64Array() }))],
  ]
  const tune: Draws = { dtype: 'bool', shape: [count], data: Uint8Array.from(at, (i) => Number(i < warmup)) }
  return { start, count, draws: new Map(draws), stats: new Map([['tune', tune]]) }
}

interface World {
  readonly api: Api
  readonly run: StoreRun
}

/** Chains 0, 1, … of these lengths, the first `warmup` draws of which are warmup. */
async function newRun(lengths: readonly number[], warmup = 0, meta: object = META): Promise<World> {
  const store = new MemoryStore()
  const run = await new StoreBackend(store).initRun({ rid: 'r', ...meta })
  const { api } = newApp({ store })
  for (const [chain, length] of lengths.entries()) await grow(run, chain, 0, length, warmup)
  return { api, run }
}

async function grow(run: StoreRun, number: number, start: number, count: number, warmup = 0): Promise<void> {
  const chain = await run.initChain(number)
  if (count > 0) await chain.appendBatch(batchOf(number, start, count, warmup))
}

function storeOf(api: Api, root = ROOT): zarr.FetchStore {
  const send = (request: Request) => api.get(request.url.slice('http://localhost'.length))
  return new zarr.FetchStore(`http://localhost${root}`, { fetch: send })
}

async function open(api: Api, path: string, root = ROOT) {
  const store = await zarr.withConsolidatedMetadata(storeOf(api, root), { format: 'v3' })
  return zarr.open.v3(zarr.root(store).resolve(path), { kind: 'array' })
}

async function valuesOf(api: Api, path: string, root = ROOT): Promise<{ shape: number[]; values: unknown[] }> {
  const { shape, data } = await zarr.get(await open(api, path, root))
  return { shape, values: [...(data as Iterable<unknown>)] }
}

describe('a hierarchy', () => {
  test('is read by zarrita, array by array', async () => {
    const { api } = await newRun([7, 7], 2)
    const mu = await valuesOf(api, 'posterior/mu')
    expect(mu).toEqual({ shape: [2, 5], values: [0, 1].flatMap((chain) => range(5).map((i) => muAt(chain, i + 2))) })
    expect(await valuesOf(api, 'warmup_posterior/mu')).toEqual({ shape: [2, 2], values: [0, 1, 1000, 1001] })
    expect((await valuesOf(api, 'posterior/theta')).shape).toEqual([2, 5, 3])
    expect((await valuesOf(api, 'posterior/theta')).values.slice(0, 4)).toEqual([6, 7, 8, 9])
    const L = await valuesOf(api, 'posterior/L')
    expect(L).toEqual({ shape: [2, 5, 2, 2], values: [0, 1].flatMap(() => range(20).map((j) => j + 8)) })
    expect((await valuesOf(api, 'posterior/k')).values.slice(0, 3)).toEqual([K - 2n, K - 3n, K - 4n])
    expect((await valuesOf(api, 'posterior/u')).values.slice(0, 4)).toEqual([4, 5, 6, 7])
    expect((await valuesOf(api, 'posterior/z')).values.slice(0, 3)).toEqual([false, true, false])
    expect((await valuesOf(api, 'posterior/s')).values.slice(0, 4)).toEqual(['2∂', '', '3∂', ''])
    expect(await valuesOf(api, 'posterior/school')).toEqual({ shape: [3], values: ['Choate', '', 'é'] })
    expect(await valuesOf(api, 'posterior/chain')).toEqual({ shape: [2], values: [0n, 1n] })
    expect(await valuesOf(api, 'posterior/draw')).toEqual({ shape: [5], values: [0n, 1n, 2n, 3n, 4n] })
  })

  test('has all documents inline, in the root and in each group, and each array by itself', async () => {
    const { api } = await newRun([3], 1)
    const root = await jsonOf(await api.get(`${ROOT}/zarr.json`))
    expect(root).toMatchObject({ zarr_format: 3, node_type: 'group', attributes: { rid: 'r' } })
    const { kind, must_understand, metadata } = root.consolidated_metadata
    expect({ kind, must_understand }).toEqual({ kind: 'inline', must_understand: false })
    const paths = Object.keys(metadata)
    expect(paths).toEqual(expect.arrayContaining(['posterior', 'posterior/draw', 'posterior/mu', 'warmup_posterior/s']))
    expect(paths).not.toContain('posterior/varies')
    for (const path of paths) {
      const response = await api.get(`${ROOT}/${path}/zarr.json`)
      expectCommonHeaders(response)
      const { consolidated_metadata, ...document } = await jsonOf(response)
      expect(document).toEqual(metadata[path])
      const inside = Object.entries(metadata).filter(([other]) => other.startsWith(`${path}/`))
      const own = inside.map(([other, of]) => [other.slice(path.length + 1), of])
      expect(consolidated_metadata?.metadata).toEqual(own.length > 0 ? Object.fromEntries(own) : undefined)
    }
    expect(metadata['posterior/theta']).toEqual({
      zarr_format: 3,
      node_type: 'array',
      shape: [1, 2, 3],
      data_type: 'float32',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 4096, 3] } },
      chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
      fill_value: 'NaN',
      codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
      attributes: {},
      dimension_names: ['chain', 'draw', 'school'],
      storage_transformers: [],
    })
    const forms = Object.fromEntries(
      ['k', 'u', 'z', 's'].map((name) => {
        const { data_type, codecs, fill_value } = metadata[`posterior/${name}`]
        return [name, [data_type, codecs[0].name, codecs[0].configuration, fill_value]]
      }),
    )
    expect(forms).toEqual({
      k: ['int64', 'bytes', { endian: 'little' }, 0],
      u: ['uint8', 'bytes', undefined, 0],
      z: ['bool', 'bytes', undefined, false],
      s: ['string', 'vlen-utf8', undefined, ''],
    })
  })

  test('has variables of any name, sent encoded or not', async () => {
    const variables = NAMES.map((name) => ({ name, dtype: 'float64' }))
    const { api, run } = await newRun([], 0, { variables })
    const value = (name: string) => NAMES.indexOf(name) + 0.5
    const draws = new Map<string, Draws>(
      NAMES.map((name) => [name, { dtype: 'float64', shape: [1], data: Float64Array.of(value(name)) }]),
    )
    await (await run.initChain(0)).appendBatch({ count: 1, draws })
    for (const name of NAMES) {
      // zarrita itself decodes names.
      if (!name.includes('%')) {
        const read = await valuesOf(api, `posterior/${name}`)
        expect({ name, ...read }).toEqual({ name, shape: [1, 1], values: [value(name)] })
      }
      expect((await api.get(`${ROOT}/posterior/${name}/c/0/0`)).status).toBe(200)
      const encoded = `${ROOT}/posterior/${encodeURIComponent(name)}`
      const document = await jsonOf(await api.get(`${encoded}/zarr.json`))
      expect(document.shape).toEqual([1, 1])
      const chunk = await bytesOf(await api.get(`${encoded}/c/0/0`))
      expect(new DataView(chunk.buffer, chunk.byteOffset).getFloat64(0, true)).toBe(value(name))
    }
  })

  test('of a run without draws has data and no groups of draws', async () => {
    const { api } = await newRun([0])
    const { consolidated_metadata } = await jsonOf(await api.get(`${ROOT}/zarr.json`))
    expect(consolidated_metadata.metadata).toEqual({})
    await expectProblem(await api.get(`${ROOT}/posterior/zarr.json`), 404, 'not_found')
  })

  test('is larger than what is held at a time', async () => {
    const variables = range(4000).map((i) => ({ name: `parameter_${i}`, dtype: 'float64' }))
    const { api, run } = await newRun([], 0, { variables })
    const draws = new Map<string, Draws>(
      variables.map(({ name }) => [name, { dtype: 'float64', shape: [1], data: Float64Array.of(1) }]),
    )
    await (await run.initChain(0)).appendBatch({ count: 1, draws })
    const response = await api.get(`${ROOT}/zarr.json`)
    const text = await response.text()
    expect(text.length).toBeGreaterThan(1024 * 1024)
    expect(response.headers.get('Content-Length')).toBe(String(text.length))
    expect(Object.keys(JSON.parse(text).consolidated_metadata.metadata)).toHaveLength(4003)
    const etag = response.headers.get('ETag') ?? ''
    expect((await api.get(`${ROOT}/zarr.json`, { 'If-None-Match': etag })).status).toBe(304)
    const packed = await api.get(`${ROOT}/zarr.json`, { 'Accept-Encoding': 'gzip' })
    expect(packed.headers.get('Content-Encoding')).toBe('gzip')
    expect(gunzipSync(await bytesOf(packed)).toString()).toBe(text)
  })
})

describe('chunks', () => {
  test('are whole, with fill behind the last draw', async () => {
    const { api } = await newRun([3])
    const chunk = async (name: string, index: string) => bytesOf(await api.get(`${ROOT}/posterior/${name}/c/${index}`))
    const mu = new Float64Array((await chunk('mu', '0/0')).buffer)
    expect([...mu]).toEqual([0, 1, 2, ...new Array(4093).fill(Number.NaN)])
    const k = new BigInt64Array((await chunk('k', '0/0')).buffer)
    expect([...k.slice(0, 4), k.length]).toEqual([K, K - 1n, K - 2n, 0n, 4096])
    expect(await chunk('z', '0/0')).toHaveLength(4096)
    const s = await chunk('s', '0/0/0')
    expect(new DataView(s.buffer, s.byteOffset).getUint32(0, true)).toBe(8192)
  })

  test('stay what they are when they are full, and come to those who opened early', async () => {
    const { api, run } = await newRun([5000, 4100])
    const early = await open(api, 'posterior/mu')
    const k = await open(api, 'posterior/k')
    const first = (await api.get(`${ROOT}/posterior/mu/c/1/0`)).headers.get('ETag')
    const second = (await api.get(`${ROOT}/posterior/mu/c/1/1`)).headers.get('ETag')
    await grow(run, 1, 4100, 5000)
    await grow(run, 0, 5000, 1000)
    await grow(run, 2, 0, 0)
    const { data, shape } = await zarr.get(early)
    expect(shape).toEqual([2, 4100])
    expect([...(data as Float64Array)]).toEqual([0, 1].flatMap((chain) => range(4100).map((i) => muAt(chain, i))))
    expect((await zarr.get(k)).shape).toEqual([2, 4100])
    expect((await api.get(`${ROOT}/posterior/mu/c/1/0`)).headers.get('ETag')).toBe(first)
    expect((await api.get(`${ROOT}/posterior/mu/c/1/1`)).headers.get('ETag')).not.toBe(second)
    expect((await valuesOf(api, 'posterior/draw')).shape).toEqual([6000])
  })

  test('are right while they grow, whatever was seen of them before', async () => {
    const { api, run } = await newRun([3])
    const values = async () => {
      const { buffer } = await bytesOf(await api.get(`${ROOT}/posterior/mu/c/0/0`))
      return [...new Float64Array(buffer)].filter((value) => !Number.isNaN(value))
    }
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      for (let length = 3; length < 10; length++) {
        expect(await values()).toEqual(range(length).map((i) => muAt(0, i)))
        vi.setSystemTime(Date.now() + 10_000)
        expect(await values(), 'read ahead').toEqual(range(length).map((i) => muAt(0, i)))
        await grow(run, 0, length, 1)
      }
    } finally {
      vi.useRealTimers()
    }
  })

  test('of unequal chains are cut to the shortest, or filled up', async () => {
    const { api } = await newRun([6, 4, 5])
    expect((await valuesOf(api, 'posterior/mu')).shape).toEqual([3, 4])
    const { shape, values } = await valuesOf(api, 'posterior/mu', RAGGED)
    const filled = [6, 4, 5].flatMap((length, chain) => range(6).map((i) => (i < length ? muAt(chain, i) : Number.NaN)))
    expect({ shape, values }).toEqual({ shape: [3, 6], values: filled })
    expect((await valuesOf(api, 'posterior/k', RAGGED)).values.slice(9, 13)).toEqual([K - 3n, 0n, 0n, K])
    expect((await valuesOf(api, 'posterior/s', RAGGED)).values.slice(2 * 10, 2 * 12)).toEqual(['', '', '', ''])
  })

  test('that were there when a reader opened stay there, whatever chains begin later', async () => {
    const { api, run } = await newRun([6, 5], 2)
    const array = await open(api, 'posterior/mu')
    await grow(run, 2, 0, 1, 1)
    expect((await api.get(`${ROOT}/posterior/zarr.json`)).status).toBe(404)
    expect(Array.from((await zarr.get(array)).data as Float64Array)).toEqual(
      [0, 1].flatMap((chain) => [2, 3, 4].map((i) => muAt(chain, i))),
    )
  })

  test('behind the draws, or of no chain, are missing', async () => {
    const { api } = await newRun([3])
    for (const key of [
      'mu/c/0/1',
      'mu/c/1/0',
      'mu/c/0',
      'mu/c',
      'mu/c/0/0/0',
      'draw/c/1',
      'no/c/0/0',
      'varies/c/0/0/0',
    ]) {
      await expectProblem(await api.get(`${ROOT}/posterior/${key}`), 404, 'not_found')
    }
    await expectProblem(await api.get('/v1/runs/none/data.zarr/zarr.json'), 404, 'run_not_found')
    for (const key of [
      '.zgroup',
      '.zattrs',
      '.zmetadata',
      'posterior/.zgroup',
      'posterior/mu/.zarray',
      'no/zarr.json',
    ]) {
      await expectProblem(await api.get(`${ROOT}/${key}`), 404, 'not_found')
    }
  })

  test('that are fill for the most part are sent without it to those who take gzip', async () => {
    const { api } = await newRun([3])
    for (const [path, packs] of [
      ['posterior/mu/c/0/0', true],
      ['posterior/theta/c/0/0/0', true],
      ['posterior/z/c/0/0', true],
      ['posterior/draw/c/0', false],
      ['posterior/school/c/0', false],
    ] as const) {
      const plain = await api.get(`${ROOT}/${path}`, { 'Accept-Encoding': 'identity' })
      const packed = await api.get(`${ROOT}/${path}`, { 'Accept-Encoding': 'gzip, br' })
      expect(plain.headers.get('Content-Encoding')).toBeNull()
      expect(packed.headers.get('Content-Encoding')).toBe(packs ? 'gzip' : null)
      if (!packs) continue
      expect(packed.headers.get('Vary')).toContain('Accept-Encoding')
      expect(packed.headers.get('ETag')).not.toBe(plain.headers.get('ETag'))
      const body = await bytesOf(packed)
      expect(body.length).toBeLessThan(700)
      expect(Buffer.compare(gunzipSync(body), await bytesOf(plain))).toBe(0)
      const again = { 'Accept-Encoding': 'gzip', 'If-None-Match': packed.headers.get('ETag') ?? '' }
      expect((await api.get(`${ROOT}/${path}`, again)).status).toBe(304)
    }
    const refused = await api.get(`${ROOT}/posterior/mu/c/0/0`, { 'Accept-Encoding': 'gzip;q=0, *;q=0.5' })
    expect(refused.headers.get('Content-Encoding')).toBeNull()
  })

  test('of one large draw come in pieces, of which the length is known', async () => {
    const { api, run } = await newRun([], 0, { variables: [{ name: 'x', dtype: 'float64', shape: [300_000] }] })
    const chain = await run.initChain(0)
    const data = Float64Array.from({ length: 600_000 }, (_, i) => i)
    await chain.appendBatch({ count: 2, draws: new Map([['x', { dtype: 'float64', shape: [2, 300_000], data }]]) })
    const response = await api.get(`${ROOT}/posterior/x/c/0/1/0`)
    expect(response.headers.get('Content-Length')).toBe('2400000')
    expect(new Float64Array((await bytesOf(response)).buffer)).toEqual(data.slice(300_000))
    await expectProblem(await api.get(`${ROOT}/posterior/x/c/0/2/0`), 404, 'not_found')
  })
})

describe('requests', () => {
  test('by HEAD have the headers of GET, and by Range the whole', async () => {
    const { api } = await newRun([3])
    for (const path of [
      'zarr.json',
      'posterior/zarr.json',
      'posterior/mu/c/0/0',
      'posterior/k/c/0/0',
      'posterior/draw/c/0',
    ]) {
      const get = await api.get(`${ROOT}/${path}`)
      const head = await api.request('HEAD', `${ROOT}/${path}`)
      const ranged = await api.get(`${ROOT}/${path}`, { Range: 'bytes=8-15' })
      const body = await bytesOf(get)
      expect([head.status, (await bytesOf(head)).length]).toEqual([200, 0])
      expect([ranged.status, await bytesOf(ranged)]).toEqual([200, body])
      expect(head.headers.get('Content-Length')).toBe(String(body.length))
      expect(head.headers.get('ETag')).toBe(get.headers.get('ETag'))
      const etag = get.headers.get('ETag') ?? ''
      expect(etag).toMatch(/^"[!#-~]{32,120}"$/)
      expect((await api.get(`${ROOT}/${path}`, { 'If-None-Match': etag })).status).toBe(304)
    }
    const text = await api.get(`${ROOT}/posterior/s/c/0/0/0`)
    expect(text.headers.get('Content-Length'), 'some readers need it').toBe(String((await bytesOf(text)).length))
    const strings = await api.request('HEAD', `${ROOT}/posterior/s/c/0/0/0`)
    expect([strings.status, strings.headers.get('Content-Length')]).toEqual([200, null])
  })

  test('of other methods are refused', async () => {
    const { api } = await newRun([3])
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE', 'PROPFIND', 'MKCOL']) {
      for (const path of [`${ROOT}/zarr.json`, `${RAGGED}/posterior/mu/c/0/0`]) {
        const response = await api.request(method, path)
        expect(response.headers.get('Allow')).toBe('GET, HEAD')
        await expectProblem(response, 405, 'method_not_allowed')
      }
    }
  })

  test('by pages of other origins may name a range', async () => {
    const origin = 'https://plots.example'
    const { api } = newApp({ origins: [origin] })
    const preflight = await api.request('OPTIONS', `${ROOT}/zarr.json`, {
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'authorization,range',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('Access-Control-Allow-Origin')).toBe(origin)
    const allowed = (preflight.headers.get('Access-Control-Allow-Headers') ?? '').toLowerCase().split(',')
    expect(allowed).toEqual(expect.arrayContaining(['authorization', 'range']))
  })

  test('for keys that nobody has made are 400 or 404, and never more than an array has', async () => {
    const { api } = await newRun([3])
    const part = fc.oneof(
      fc.constantFrom(
        'posterior',
        'mu',
        'c',
        'zarr.json',
        '..',
        '%2e%2e',
        '%2F',
        '%',
        '%00',
        '0',
        '-1',
        '1e9',
        '٣',
        '',
      ),
      fc.integer().map(String),
      fc.string({ maxLength: 12 }).map(encodeURIComponent),
      fc.string({ maxLength: 12 }),
    )
    const free = fc.array(part, { minLength: 1, maxLength: 6 })
    const chunk = fc.array(part, { maxLength: 4 }).map((index) => ['posterior', 'mu', 'c', ...index])
    const property = fc.asyncProperty(fc.oneof(free, chunk), fc.constantFrom(ROOT, RAGGED), async (path, root) => {
      const request = new Request(`http://localhost${root}/${path.join('/')}`)
      if (!new URL(request.url).pathname.startsWith(root)) return
      const response = await api.get(request.url.slice('http://localhost'.length))
      expect([200, 400, 404]).toContain(response.status)
      if (response.status === 200) expect(request.url).toMatch(/(zarr\.json|\/c\/0\/0)([?#].*)?$/)
      else await expectProblem(response, response.status, response.status === 400 ? 'invalid_parameter' : 'not_found')
    })
    await fc.assert(property, { numRuns: 400 })
  })

  test('that a reader has cut at a sign of an address are refused, and do not read as fill', async () => {
    const variables = [
      { name: 'a#b', dtype: 'float64' },
      { name: 'ok?', dtype: 'float64' },
    ]
    const { api, run } = await newRun([], 0, { variables })
    const draws = new Map<string, Draws>(
      variables.map(({ name }) => [name, { dtype: 'float64', shape: [1], data: Float64Array.of(1) }]),
    )
    await (await run.initChain(0)).appendBatch({ count: 1, draws })
    await expectProblem(await api.get(`${ROOT}/posterior/a#b/c/0/0`), 400, 'invalid_parameter')
    expect((await api.get(`${ROOT}/posterior/ok?/c/0/0`)).status).toBe(200)
    expect((await api.get(`${ROOT}/posterior/ok%3F/c/0/0?v=1`)).status).toBe(200)
  })
})
