/** Media types, encodings and the headers of answers. */

import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { negotiation } from '../../conformance/kit/server/negotiation.ts'
import {
  apiOf,
  bytesOf,
  DRAWS,
  drawBatch,
  expectCommonHeaders,
  expectProblem,
  iterations,
  JSON_TYPE,
  jsonOf,
  newApp,
  PROTOBUF,
  runMeta,
  withDraws,
} from './api.ts'
import { IN_PROCESS } from './in-process.ts'

negotiation(IN_PROCESS)

describe('answers', () => {
  test('the description is JSON, whatever Accept says', async () => {
    const response = await newApp().api.get('/openapi.json', { Accept: 'text/html' })
    expect([response.status, response.headers.get('Content-Type')?.split(';')[0]]).toEqual([200, JSON_TYPE])
    expectCommonHeaders(response)
  })

  test('HEAD works where GET does, and says the same', async () => {
    const { api } = newApp()
    await withDraws(api, 5)
    const paths = [
      '/healthz',
      '/v1/runs',
      '/v1/runs/r',
      '/v1/runs/r/chains',
      '/v1/runs/r/chains/0',
      DRAWS,
      `${DRAWS}?var=x&step=2`,
      '/openapi.json',
      '/docs',
    ]
    for (const path of paths) {
      for (const accept of [PROTOBUF, JSON_TYPE]) {
        const [head, get] = [
          await api.request('HEAD', path, { headers: { Accept: accept } }),
          await api.get(path, { Accept: accept }),
        ]
        expect([head.status, await head.text()], path).toEqual([200, ''])
        for (const name of ['Content-Type', 'ETag', 'Mcb-Registration', 'Cache-Control']) {
          expect({ path, name, value: head.headers.get(name) }).toEqual({ path, name, value: get.headers.get(name) })
        }
        // A length that GET leaves to the platform is told all the same, but where draws would have to be read for it: in JSON,
        // and where they vary in size.
        const length = String((await bytesOf(get)).length)
        const isUnknown = path === DRAWS || (path.startsWith(DRAWS) && accept === JSON_TYPE)
        expect(head.headers.get('Content-Length'), path).toBe(isUnknown ? null : length)
      }
    }
    for (const [path, status] of [
      ['/v1/runs/none', 404],
      ['/nowhere', 404],
      [`${DRAWS}?step=0`, 400],
    ] as const) {
      const head = await api.request('HEAD', path)
      expect([head.status, await head.text()]).toEqual([status, ''])
      expectCommonHeaders(head)
    }
  })
})

describe('compression', () => {
  const headers = { 'Accept-Encoding': 'gzip', Accept: JSON_TYPE }

  test('JSON is compressed when asked for', async () => {
    const { api } = newApp()
    const variables = Array.from({ length: 200 }, (_, i) => ({ name: `theta[${i}]`, dtype: 'float64' }))
    await api.request('PUT', '/v1/runs/many', { body: runMeta({ variables }) })
    const plain = await bytesOf(await api.get('/v1/runs/many', { Accept: JSON_TYPE }))
    const response = await api.get('/v1/runs/many', headers)
    expect(response.headers.get('Content-Encoding')).toBe('gzip')
    expect(response.headers.get('Vary')).toBe('Accept, Authorization, Accept-Encoding')
    const packed = await bytesOf(response)
    expect(packed.length).toBeLessThan(plain.length / 3)
    expect(gunzipSync(packed)).toEqual(Buffer.from(plain))
    const again = await api.get('/v1/runs/many', { ...headers, 'If-None-Match': response.headers.get('ETag') ?? '' })
    expect([again.status, await again.text()]).toEqual([304, ''])
    for (const path of ['/v1/runs', '/openapi.json']) {
      expect((await api.get(path, headers)).headers.get('Content-Encoding'), path).toBe('gzip')
    }
    expect((await api.get('/v1/runs/many', { Accept: JSON_TYPE })).headers.get('Content-Encoding')).toBeNull()
  })
})

describe('bodies', () => {
  const gzipped = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))
  const batch = drawBatch(iterations(0, 100))

  test('the size limit counts the decoded bytes, to the byte', async () => {
    const { api } = newApp({ limits: { bodyBytes: 10_000 } })
    await withDraws(api, 0)
    // An unknown field fills the batch up.
    const sized = (size: number) => {
      const filler = size - drawBatch(iterations(0, 1)).length - 3
      return new Uint8Array([
        ...drawBatch(iterations(0, 1)),
        0x7a,
        (filler % 128) | 128,
        filler >> 7,
        ...new Uint8Array(filler),
      ])
    }
    for (const encode of [(bytes: Uint8Array<ArrayBuffer>) => bytes, gzipped]) {
      const headers = { 'Content-Type': PROTOBUF, ...(encode === gzipped && { 'Content-Encoding': 'gzip' }) }
      expect((await api.request('POST', DRAWS, { body: encode(sized(10_000)), headers })).status).toBe(200)
      const response = await api.request('POST', DRAWS, { body: encode(sized(10_001)), headers })
      expect(await expectProblem(response, 413, 'payload_too_large')).toMatchObject({ limit: 10_000 })
    }
  })

  test('a bomb is stopped when it has unfolded to the limit', async () => {
    const { api } = newApp({ limits: { bodyBytes: 1024 * 1024 } })
    await withDraws(api, 0)
    const bomb = gzipped(new Uint8Array(300 * 1024 * 1024))
    const before = process.memoryUsage().arrayBuffers
    const response = await api.request('POST', DRAWS, {
      body: bomb,
      headers: { 'Content-Type': PROTOBUF, 'Content-Encoding': 'gzip' },
    })
    await expectProblem(response, 413, 'payload_too_large')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
  })

  test('a body that comes in pieces of unknown number', async () => {
    const { createApp } = await import('../../src/app.ts')
    const { MemoryStore } = await import('../../src/backends/memory.ts')
    const { StoreBackend } = await import('../../src/runs/backend.ts')
    const backend = new StoreBackend(new MemoryStore())
    const app = createApp({ openBackend: () => backend })
    await withDraws(
      apiOf((request) => app.fetch(request)),
      0,
    )
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < batch.length; i += 7) controller.enqueue(batch.subarray(i, i + 7))
        controller.close()
      },
    })
    const request = new Request(`http://localhost${DRAWS}`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': PROTOBUF },
      duplex: 'half',
    })
    expect(await jsonOf(await app.fetch(request))).toEqual({ chain: 0, length: 100 })
  })
})
