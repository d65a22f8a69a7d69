/** Limits of a tenant: requests a minute, stored bytes, runs, and the size of a body. */
import { zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { batchOf, DRAWS, drawBatch, expectProblem, iterations, jsonOf, META, PROTOBUF, runMeta } from '../http/api.ts'
import { bearer, newLab, newRun, newWorld, OPERATOR, type Server, type World } from './world.ts'

const put = ({ api }: Server, key: string, rid: string, meta = META) =>
  api.request('PUT', `/v1/runs/${rid}`, {
    headers: { ...bearer(key), 'Content-Type': PROTOBUF },
    body: runMeta({ ...meta, rid }),
  })
const append = ({ api }: Server, key: string, start: number, count: number) =>
  api.request('POST', DRAWS, {
    headers: { ...bearer(key), 'Content-Type': PROTOBUF },
    body: drawBatch(iterations(start, count)),
  })
/** Documents of a Zarr store of one variable, whose chunks have some rows. */
const ZARR_ROWS = 4096
const ZARR = {
  'zarr.json': JSON.stringify({
    zarr_format: 3,
    node_type: 'group',
    attributes: { sampler: 'nuts-rs', sampler_settings: {} },
  }),
  'posterior/zarr.json': JSON.stringify({ zarr_format: 3, node_type: 'group' }),
  'posterior/mu/zarr.json': JSON.stringify({
    zarr_format: 3,
    node_type: 'array',
    shape: [1, 20 * ZARR_ROWS],
    data_type: 'float64',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, ZARR_ROWS] } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: 'NaN',
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }, { name: 'zstd' }],
    dimension_names: ['chain', 'draw'],
  }),
}
const utf8 = (text: string) => new Uint8Array(new TextEncoder().encode(text))
const usageOf = async ({ call }: World, key: string) => (await jsonOf(await call(key, 'GET', '/v1/whoami'))).usage

describe('requests a minute', () => {
  test('are counted a tenant, over all its keys, and come back', async () => {
    const world = newWorld()
    const key = await newLab(world, 'lab', { requestsPerMinute: 5 })
    const other = await newLab(world, 'other', { requestsPerMinute: 5 })
    const ask = () => world.call(key, 'GET', '/v1/runs')
    for (let left = 4; left >= 0; left--) {
      const answer = await ask()
      expect(answer.status).toBe(200)
      expect(answer.headers.get('RateLimit-Policy')).toBe('"tenant";q=5;w=60')
      expect(answer.headers.get('RateLimit')).toBe(`"tenant";r=${left};t=${(5 - left) * 12}`)
    }
    const refused = await ask()
    await expectProblem(refused, 429, 'rate_limited')
    expect(refused.headers.get('Retry-After')).toBe('12')
    expect(refused.headers.get('RateLimit')).toBe('"tenant";r=0;t=60')
    expect((await world.call(other, 'GET', '/v1/runs')).status).toBe(200)
    // Refused ones cost nothing: after 12 s there is one again.
    world.clock.now += 12_000
    expect((await ask()).status).toBe(200)
    expect((await ask()).status).toBe(429)
    world.clock.now += 3600_000
    for (let i = 0; i < 5; i++) expect((await ask()).status).toBe(200)
    expect((await ask()).status).toBe(429)
    expect(
      (await world.call(OPERATOR, 'PATCH', '/v1/tenants/lab', { limits: { requestsPerMinute: null } })).status,
    ).toBe(200)
    const free = await ask()
    expect([free.status, free.headers.get('RateLimit')]).toEqual([200, null])
  })

  test('the operator is not counted', async () => {
    const world = newWorld()
    await newLab(world, 'lab', { requestsPerMinute: 1 })
    for (let i = 0; i < 20; i++) expect((await world.call(OPERATOR, 'GET', '/v1/tenants/lab')).status).toBe(200)
  })
})

describe('stored bytes', () => {
  test('beyond the quota nothing is added; reading and deleting still work', async () => {
    const world = newWorld()
    const key = await newLab(world, 'lab')
    await newRun(world, key, 'r')
    expect((await append(world, key, 0, 100)).status).toBe(200)
    const { storedBytes } = await usageOf(world, key)
    expect(storedBytes).toBeGreaterThan(100 * 8)
    await world.call(OPERATOR, 'PATCH', '/v1/tenants/lab', { limits: { storedBytes } })
    const refused = await expectProblem(await append(world, key, 100, 10), 403, 'quota_exceeded')
    expect(refused.limit).toBe(storedBytes)
    await expectProblem(await put(world, key, 'more'), 403, 'quota_exceeded')
    // An acknowledged batch is acknowledged again: a retry adds nothing.
    expect(await jsonOf(await append(world, key, 90, 10))).toEqual({ chain: 0, length: 100 })
    expect((await put(world, key, 'r')).status).toBe(200)
    expect((await append(world, key, 95, 10)).status).toBe(403)
    expect((await batchOf(await world.api.get(DRAWS, bearer(key)))).count).toBe(100)
    expect((await world.call(key, 'DELETE', '/v1/runs/r')).status).toBe(204)
    await newRun(world, key, 'r')
    expect((await append(world, key, 0, 10)).status).toBe(200)
  })

  test('appends count before the storage is asked again', async () => {
    const world = newWorld()
    const key = await newLab(world, 'lab', { storedBytes: 20_000 })
    await newRun(world, key, 'r')
    let length = 0
    for (let i = 0; i < 200; i++) {
      const answer = await append(world, key, length, 20)
      if (answer.status !== 200) break
      length += 20
    }
    expect(length).toBeGreaterThan(200)
    // Until then a body counts as long as it was sent, and texts are a little longer where they are stored.
    expect((await usageOf(world, key)).storedBytes).toBeLessThan(25_000)
  })

  test('draws of a Zarr store that is written count as they are stored, not as they were sent', async () => {
    const world = newWorld()
    const key = await newLab(world, 'lab', { storedBytes: 80_000 })
    const send = (path: string, body: Uint8Array<ArrayBuffer>) =>
      world.api.request('PUT', `/v1/runs/z/in.zarr/${path}`, { headers: bearer(key), body })
    for (const [path, document] of Object.entries(ZARR)) expect((await send(path, utf8(document))).status).toBe(201)
    const chunk = new Uint8Array(zstdCompressSync(new Uint8Array(new Float64Array(ZARR_ROWS).fill(1.5).buffer)))
    expect(chunk.length).toBeLessThan(1000)
    let blocks = 0
    while (blocks < 20 && (await send(`posterior/mu/c/0/${blocks}`, chunk)).status === 201) blocks++
    expect(blocks).toBe(3)
    await expectProblem(await send('posterior/mu/c/0/3', chunk), 403, 'quota_exceeded')
    await expectProblem(await world.call(key, 'DELETE', '/v1/runs/z/in.zarr/posterior/mu/c/0/3'), 403, 'quota_exceeded')
  })

  test('rows and heads of columns count, which a body does not show', async () => {
    const world = newWorld()
    const key = await newLab(world, 'lab', { storedBytes: 1_000_000 })
    const sampleStats = Array.from({ length: 9000 }, (_, i) => ({ name: `${i}`, dtype: 'float64' }))
    await newRun(world, key, 'wide', { variables: [{ name: 'x', dtype: 'int8' }], sampleStats })
    const column = { name: 'x', dtype: 'int8', data: new Uint8Array([1]) }
    const post = (start: number) =>
      world.api.request('POST', '/v1/runs/wide/chains/0/draws', {
        headers: { ...bearer(key), 'Content-Type': PROTOBUF },
        body: drawBatch({ start, count: 1, draws: [column] }),
      })
    let length = 0
    while (length < 100 && (await post(length)).status === 200) length++
    expect(length).toBeLessThan(30)
    await expectProblem(await post(length), 403, 'quota_exceeded')
    // Chains are rows, too.
    await world.call(OPERATOR, 'PATCH', '/v1/tenants/lab', { limits: { storedBytes: 10_000 } })
    await expectProblem(await world.call(key, 'PUT', '/v1/runs/wide/chains/1'), 403, 'quota_exceeded')
    expect((await world.call(key, 'PUT', '/v1/runs/wide/chains/0')).status).toBe(200)
  })

  test('another instance learns of them within half a minute', async () => {
    const world = newWorld()
    const there = world.another()
    const key = await newLab(world, 'lab', { storedBytes: 6000 })
    await newRun(world, key, 'r')
    expect((await append(there, key, 0, 10)).status).toBe(200)
    let length = 10
    for (let i = 0; i < 50; i++) {
      const answer = await append(world, key, length, 20)
      if (answer.status !== 200) break
      length += 20
    }
    world.clock.now += 31_000
    await expectProblem(await append(there, key, length, 20), 403, 'quota_exceeded')
  })
})

test('runs: no more than the quota, and one again when one is deleted', async () => {
  const world = newWorld()
  const key = await newLab(world, 'lab', { runs: 2 })
  await newRun(world, key, 'a')
  await newRun(world, key, 'b')
  const refused = await expectProblem(await put(world, key, 'c'), 403, 'quota_exceeded')
  expect(refused.limit).toBe(2)
  const post = await world.api.request('POST', '/v1/runs', {
    headers: { ...bearer(key), 'Content-Type': PROTOBUF },
    body: runMeta({ ...META, rid: '' }),
  })
  await expectProblem(post, 403, 'quota_exceeded')
  const root = { headers: bearer(key), body: utf8(ZARR['zarr.json']) }
  await expectProblem(await world.api.request('PUT', '/v1/runs/z/in.zarr/zarr.json', root), 403, 'quota_exceeded')
  expect((await put(world, key, 'a')).status).toBe(200)
  await expectProblem(await put(world, key, 'a', { variables: [] }), 409, 'run_conflict')
  expect((await world.call(key, 'DELETE', '/v1/runs/a')).status).toBe(204)
  expect((await put(world, key, 'c')).status).toBe(201)
  await expectProblem(await put(world, key, 'd'), 403, 'quota_exceeded')
})

test('bodies: the smaller of the limits of tenant and server', async () => {
  const world = newWorld()
  const key = await newLab(world, 'lab', { bodyBytes: 700 })
  await newRun(world, key, 'r')
  expect((await append(world, key, 0, 5)).status).toBe(200)
  const refused = await expectProblem(await append(world, key, 5, 100), 413, 'payload_too_large')
  expect(refused.limit).toBe(700)
  const large = { attributes: { note: { stringValue: 'x'.repeat(1000) } } }
  await expectProblem(await put(world, key, 'large', large), 413, 'payload_too_large')
  const whoami = await jsonOf(await world.call(key, 'GET', '/v1/whoami'))
  expect(whoami.limits.bodyBytes).toBe(700)
  await world.call(OPERATOR, 'PATCH', '/v1/tenants/lab', { limits: { bodyBytes: 2 ** 40 } })
  const { limits } = await jsonOf(await world.call(key, 'GET', '/v1/whoami'))
  expect(limits.bodyBytes).toBe(64 * 2 ** 20)
})
