/** Files of netCDF on Workers: the same bytes as elsewhere, whole and in parts, from run objects and from D1. */
import { afterAll, expect, test } from 'vitest'
import { type Api, apiOf, bytesOf, drawBatch, newApp, runMeta } from '../http/api.ts'
import { fetchD1Worker, fetchWorker } from './local.ts'
import { quiet } from './objects.ts'

const objects = apiOf(fetchWorker, 'http://worker.test')
const d1 = apiOf(fetchD1Worker, 'http://worker.test')
const memory = newApp().api
const RID = 'netcdf-run'

afterAll(quiet)

async function store(api: Api): Promise<void> {
  const variables = [
    { name: 'theta', dtype: 'float64', shape: [40] },
    { name: 'word', dtype: 'str' },
    { name: 'flag', dtype: 'bool' },
  ]
  await api.request('PUT', `/v1/runs/${RID}`, { body: runMeta({ variables }) })
  for (const chain of [0, 1]) {
    const path = `/v1/runs/${RID}/chains/${chain}`
    await api.request('PUT', path)
    const count = 300
    const theta = Float64Array.from({ length: 40 * count }, (_, i) => chain + i / 7)
    const body = drawBatch({
      start: 0,
      count,
      draws: [
        { name: 'theta', dtype: 'float64', data: new Uint8Array(theta.buffer) },
        { name: 'word', dtype: 'str', strings: Array.from({ length: count }, (_, i) => (i % 3 === 0 ? '' : `é${i}`)) },
        { name: 'flag', dtype: 'bool', data: Uint8Array.from({ length: count }, (_, i) => i % 2) },
      ],
    })
    expect((await api.request('POST', `${path}/draws`, { body })).status).toBe(200)
  }
}

/** Bytes behind the head, which tells the time of the registration. */
const DATA = 16 * 1024

test.each([
  ['run objects', objects],
  ['D1', d1],
])('a file is the one that a server elsewhere makes: %s', async (_, api) => {
  await store(api)
  await store(memory)
  const path = `/v1/runs/${RID}/at/0:300,1:300/data.nc`
  const answer = await api.get(path)
  const bytes = await bytesOf(answer)
  const expected = await bytesOf(await memory.get(path))
  expect(bytes.length).toBe(expected.length)
  expect(bytes.subarray(DATA)).toEqual(expected.subarray(DATA))
  const part = await api.get(path, { Range: 'bytes=100000-160000' })
  expect(part.status).toBe(206)
  expect(await bytesOf(part)).toEqual(bytes.subarray(100_000, 160_001))
  const head = await api.request('HEAD', path)
  expect(head.headers.get('Content-Length')).toBe(String(bytes.length))
})
