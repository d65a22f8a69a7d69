/** A Zarr store over HTTP: what a writer is answered, and that garbage of every kind is refused, with nothing stored. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonOf, newApp } from './api.ts'

const encoder = new TextEncoder()
const ROOT = { zarr_format: 3, node_type: 'group', attributes: { sampler_settings: {}, sampler: 'nuts-rs' } }
const ARRAY = {
  zarr_format: 3,
  node_type: 'array',
  shape: [1, 4],
  data_type: 'float64',
  chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 2] } },
  chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
  fill_value: 'NaN',
  codecs: [
    { name: 'bytes', configuration: { endian: 'little' } },
    { name: 'blosc', configuration: {} },
  ],
  dimension_names: ['chain', 'draw'],
}

function at(path: string): string {
  return `/v1/runs/r/in.zarr/${path}`
}

type Api = ReturnType<typeof newApp>['api']

function put(api: Api, path: string, body: object | Uint8Array<ArrayBuffer>): Promise<Response> {
  const bytes = body instanceof Uint8Array ? body : new Uint8Array(encoder.encode(JSON.stringify(body)))
  return Promise.resolve(api.request('PUT', at(path), { body: bytes }))
}

/** A Blosc frame that stores two doubles. */
function blosc(values: readonly number[], announced = values.length * 8): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(16 + values.length * 8)
  const view = new DataView(out.buffer)
  out.set([2, 1, 2, 8])
  view.setUint32(4, announced, true)
  view.setUint32(8, announced, true)
  view.setUint32(12, out.length, true)
  values.forEach((value, i) => {
    view.setFloat64(16 + 8 * i, value, true)
  })
  return out
}

async function begun(): Promise<Api> {
  const { api } = newApp()
  expect((await put(api, 'zarr.json', ROOT)).status).toBe(201)
  expect((await put(api, 'posterior/zarr.json', { zarr_format: 3, node_type: 'group' })).status).toBe(201)
  expect((await put(api, 'posterior/mu/zarr.json', ARRAY)).status).toBe(201)
  return api
}

test('documents and chunks are read back, and folders are listed for both kinds of writers', async () => {
  const api = await begun()
  expect((await api.get(at('posterior/mu/c/0/0'))).status).toBe(404)
  expect((await put(api, 'posterior/mu/c/0/0', blosc([1, 2]))).status).toBe(201)
  const chunk = await api.get(at('posterior/mu/c/0/0'))
  expect(new Uint8Array(await chunk.arrayBuffer())).toEqual(blosc([1, 2]))
  expect(chunk.headers.get('Content-Length')).toBe('32')
  const etag = chunk.headers.get('ETag') ?? ''
  expect((await api.get(at('posterior/mu/c/0/0'), { 'If-None-Match': etag })).status).toBe(304)
  const head = await api.request('HEAD', at('posterior/mu/c/0/0'))
  expect([head.status, head.headers.get('Content-Length'), await head.text()]).toEqual([200, '32', ''])
  expect(await jsonOf(await api.get('/v1/runs/r/chains'))).toMatchObject({ chains: [{ chain: 0, length: 2 }] })
  const root = await jsonOf(await api.get(at('zarr.json')))
  expect(root).toMatchObject({
    consolidated_metadata: { metadata: { 'posterior/mu': { shape: [1, 4] }, posterior: {} } },
  })
  const page = await api.get(`${at('')}`)
  expect(page.headers.get('Content-Type')).toMatch('text/html')
  expect(await page.text()).toContain('<a href="/v1/runs/r/in.zarr/posterior/">posterior/</a>')
  const list = await api.request('PROPFIND', '/v1/runs/r/in.zarr', { headers: { Depth: '1' } })
  expect(list.status).toBe(207)
  const text = await list.text()
  expect(text).toContain('<D:href>/</D:href>')
  expect(text).toContain('<D:href>/posterior/</D:href>')
  expect((await api.request('MKCOL', at('posterior'))).status).toBe(405)
})

test('a chunk that is nothing but fill is deleted, and one that was never there as well', async () => {
  const api = await begun()
  expect((await api.request('DELETE', at('posterior/none/c/0/0'))).status).toBe(204)
  expect((await put(api, 'posterior/mu/c/0/0', blosc([1, 2]))).status).toBe(201)
  const conflict = await api.request('DELETE', at('posterior/mu/c/0/0'))
  expect([conflict.status, await jsonOf(conflict)]).toEqual([
    409,
    expect.objectContaining({ code: 'draw_conflict', length: 2 }),
  ])
})

test.each<[string, number, string, object | Uint8Array<ArrayBuffer>]>([
  ['posterior/mu/c/0/0', 400, 'invalid_parameter', new Uint8Array([1, 2, 3])],
  ['posterior/mu/c/0/0', 400, 'invalid_parameter', new Uint8Array()],
  ['posterior/mu/c/0/0', 400, 'invalid_parameter', blosc([1, 2], 2 ** 31)],
  ['posterior/mu/c/0/7', 400, 'invalid_parameter', blosc([1, 2])],
  ['posterior/mu/c/0', 400, 'invalid_parameter', blosc([1, 2])],
  ['posterior/x/zarr.json', 400, 'invalid_json', new Uint8Array([123])],
  ['posterior/x/zarr.json', 422, 'invalid_run_meta', { ...ARRAY, zarr_format: 2 }],
  ['posterior/x/zarr.json', 422, 'invalid_run_meta', { ...ARRAY, codecs: [...ARRAY.codecs, { name: 'crc32c' }] }],
  ['posterior/x/zarr.json', 422, 'invalid_run_meta', { ...ARRAY, codecs: [{ name: 'sharding_indexed' }] }],
  ['posterior/x/zarr.json', 422, 'unsupported_dtype', { ...ARRAY, data_type: 'complex128' }],
  [
    'posterior/x/zarr.json',
    413,
    'payload_too_large',
    { ...ARRAY, chunk_grid: { name: 'regular', configuration: { chunk_shape: [2 ** 20, 2 ** 20] } } },
  ],
  ['../x/zarr.json', 405, 'method_not_allowed', ROOT],
])('%s is refused with %i %s', async (path, status, code, body) => {
  const api = await begun()
  const answer = await put(api, path, body)
  if (status !== 405) expect([answer.status, await jsonOf(answer)]).toEqual([status, expect.objectContaining({ code })])
  else expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(await api.get('/v1/runs/r').then(({ status: found }) => found)).toBe(404)
})

const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(-1, 0, 2 ** 31, 2 ** 53, 1.5, '', 'NaN', null, [], {}, [[]], ['chain', 'draw', 'x']),
)

test('documents of every kind get 201 or a clear refusal', async () => {
  const member = fc.constantFrom(...Object.keys(ARRAY))
  await fc.assert(
    fc.asyncProperty(member, value, fc.uint8Array({ maxLength: 60 }), async (name, changed, chunk) => {
      const { api } = newApp()
      await put(api, 'zarr.json', ROOT)
      await put(api, 'posterior/mu/zarr.json', ARRAY)
      const declared = await put(api, 'posterior/x/zarr.json', { ...ARRAY, [name]: changed })
      expect(declared.status).toBeLessThan(500)
      const sent = await put(api, 'posterior/x/c/0/0', new Uint8Array(chunk))
      expect(sent.status).toBeLessThan(500)
    }),
    { numRuns: 150 },
  )
})

test('chunks of every kind, and paths, get 201 or a clear refusal', async () => {
  const api = await begun()
  const frame = fc
    .tuple(fc.constant(blosc([1, 2])), fc.array(fc.tuple(fc.nat(31), fc.nat(255)), { maxLength: 6 }))
    .map(([bytes, changes]) => {
      for (const [i, byte] of changes) bytes[i] = byte
      return bytes
    })
  await fc.assert(
    fc.asyncProperty(fc.oneof(frame, fc.uint8Array({ maxLength: 100 })), fc.webPath(), async (bytes, path) => {
      const body = new Uint8Array(bytes)
      expect((await put(api, 'posterior/mu/c/0/1', body)).status).toBeLessThan(500)
      expect((await put(api, path.slice(1), body)).status).toBeLessThan(500)
      for (const method of ['GET', 'DELETE', 'PROPFIND']) {
        expect((await api.request(method, at(path.slice(1)))).status).toBeLessThan(500)
      }
    }),
    { numRuns: 200 },
  )
})
