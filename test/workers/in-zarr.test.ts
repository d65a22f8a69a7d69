/** Zarr stores that are written on Workers: chunks that come at once, each to a Worker that knows nothing, become the run. */
import { afterAll, expect, test } from 'vitest'
import { type Api, apiOf, jsonOf } from '../http/api.ts'
import { fetchD1Worker, fetchWorker } from './local.ts'
import { quiet } from './objects.ts'

const ROWS = 8
const BLOCKS = 3
const encoder = new TextEncoder()

afterAll(quiet)

async function put(api: Api, path: string, body: object | Uint8Array<ArrayBuffer>): Promise<void> {
  const bytes = body instanceof Uint8Array ? body : new Uint8Array(encoder.encode(JSON.stringify(body)))
  expect((await api.request('PUT', path, { body: bytes })).status).toBe(201)
}

test.each([
  ['run objects', apiOf(fetchWorker, 'http://worker.test'), 'in-zarr-objects'],
  ['D1', apiOf(fetchD1Worker, 'http://worker.test'), 'in-zarr-d1'],
] as const)('a store is written over %s', async (_, api, rid) => {
  const root = `/v1/runs/${rid}/in.zarr`
  const group = { zarr_format: 3, node_type: 'group' }
  await put(api, `${root}/zarr.json`, { ...group, attributes: { sampler: 'nuts-rs', sampler_settings: {} } })
  await put(api, `${root}/posterior/zarr.json`, group)
  for (const name of ['a', 'b']) {
    await put(api, `${root}/posterior/${name}/zarr.json`, {
      zarr_format: 3,
      node_type: 'array',
      shape: [1, BLOCKS * ROWS],
      data_type: 'float64',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, ROWS] } },
      chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
      fill_value: 'NaN',
      codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
      dimension_names: ['chain', 'draw'],
    })
  }
  const sends = [2, 0, 1].flatMap((block) =>
    ['a', 'b'].map((name) => {
      const numbers = Float64Array.from({ length: ROWS }, (_, i) => block * ROWS + i)
      return put(api, `${root}/posterior/${name}/c/0/${block}`, new Uint8Array(numbers.buffer))
    }),
  )
  await Promise.all(sends)
  for (const name of ['a', 'b']) {
    const answer = await api.get(`/v1/runs/${rid}/chains/0/draws?var=${name}`, { Accept: 'application/json' })
    const { draws } = await jsonOf(answer)
    expect(draws[name]).toEqual(Array.from({ length: BLOCKS * ROWS }, (_, i) => i))
  }
})
