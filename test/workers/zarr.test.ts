/** Zarr hierarchies on Workers: zarrita reads them from run objects and from D1, and gets what a store in memory gives. */
import { afterAll, expect, test } from 'vitest'
import * as zarr from 'zarrita'
import { type Api, apiOf, bytesOf, column, drawBatch, jsonOf, newApp, runMeta } from '../http/api.ts'
import { fetchD1Worker, fetchWorker } from './local.ts'
import { quiet } from './objects.ts'

const ORIGIN = 'http://worker.test'
const objects = apiOf(fetchWorker, ORIGIN)
const d1 = apiOf(fetchD1Worker, ORIGIN)
const memory = newApp().api

const LENGTHS = [40, 30]
const at = (count: number) => Array.from({ length: count }, (_, i) => i)

afterAll(quiet)

async function fill(api: Api, rid: string): Promise<void> {
  const variables = [
    { name: 'mu', dtype: 'float64' },
    { name: 'theta[1,2]', dtype: 'float64', shape: [300], dims: ['item'] },
    { name: 's', dtype: 'str' },
  ]
  const body = runMeta({ variables, sampleStats: [{ name: 'tune', dtype: 'bool' }] })
  expect((await api.request('PUT', `/v1/runs/${rid}`, { body })).status).toBe(201)
  for (const [chain, length] of LENGTHS.entries()) {
    await api.request('PUT', `/v1/runs/${rid}/chains/${chain}`)
    const batch = drawBatch({
      start: 0,
      count: length,
      draws: [
        column('mu', ...at(length).map((i) => 100 * chain + i)),
        column('theta[1,2]', ...at(300 * length)),
        { name: 's', dtype: 'str', strings: at(length).map((i) => `∂${i}`) },
      ],
      stats: [{ name: 'tune', dtype: 'bool', data: Uint8Array.from(at(length), (i) => Number(i < 10)) }],
    })
    expect((await api.request('POST', `/v1/runs/${rid}/chains/${chain}/draws`, { body: batch })).status).toBe(200)
  }
}

async function valuesOf(api: Api, root: string, path: string): Promise<unknown[]> {
  const send = (request: Request) => api.get(request.url.slice(ORIGIN.length), Object.fromEntries(request.headers))
  const store = await zarr.withConsolidatedMetadata(new zarr.FetchStore(`${ORIGIN}${root}`, { fetch: send }), {
    format: 'v3',
  })
  const array = await zarr.open.v3(zarr.root(store).resolve(path), { kind: 'array' })
  const { shape, data } = await zarr.get(array)
  return [shape, ...(data as Iterable<unknown>)]
}

test.each([
  ['run objects', objects, 'zarr-objects'],
  ['D1', d1, 'zarr-d1'],
] as const)('a hierarchy over %s', async (_, api, rid) => {
  await fill(api, rid)
  const root = `/v1/runs/${rid}/data.zarr`
  expect(await valuesOf(api, root, 'posterior/mu')).toEqual([
    [2, 20],
    ...LENGTHS.flatMap((_length, chain) => at(20).map((i) => 100 * chain + i + 10)),
  ])
  expect((await valuesOf(api, root, 'posterior/s')).slice(0, 3)).toEqual([[2, 20], '∂10', '∂11'])
  expect((await valuesOf(api, root, 'posterior/theta[1,2]')).slice(0, 3)).toEqual([[2, 20, 300], 3000, 3001])
  expect((await valuesOf(api, `/v1/runs/${rid}/ragged/data.zarr`, 'posterior/draw'))[0]).toEqual([30])
})

test('answers are those of any other server, also as gzip', async () => {
  const rid = 'zarr-alike'
  await Promise.all([objects, memory].map((api) => fill(api, rid)))
  const root = `/v1/runs/${rid}/data.zarr`
  const documentOf = async (api: Api) => {
    const { attributes, consolidated_metadata } = await jsonOf(await api.get(`${root}/zarr.json`))
    return { attributes: { ...attributes, created_at: undefined }, paths: Object.keys(consolidated_metadata.metadata) }
  }
  expect(await documentOf(objects)).toEqual(await documentOf(memory))
  for (const [path, packs] of [
    ['posterior/mu/c/1/0', true],
    ['posterior/theta%5B1%2C2%5D/c/0/0/0', true],
    ['warmup_posterior/s/c/0/0', false],
    ['posterior/draw/c/0', false],
  ] as const) {
    const response = await objects.get(`${root}/${path}`, { 'Accept-Encoding': 'gzip' })
    expect([path, response.headers.get('Content-Encoding')]).toEqual([path, packs ? 'gzip' : null])
    expect(await plain(await bytesOf(response))).toEqual(await bytesOf(await memory.get(`${root}/${path}`)))
  }
})

/** The bytes of an answer, whether or not the runtime has decoded it on the way. */
async function plain(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  const decoded = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(decoded).arrayBuffer())
}
