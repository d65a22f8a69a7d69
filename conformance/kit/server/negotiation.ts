/** Media types, encodings, and the headers of answers (docs/protocol.md §2). */
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  type Body,
  batchOf,
  bytesOf,
  DRAWS,
  drawBatch,
  expectCommonHeaders,
  expectProblem,
  iterations,
  JSON_TYPE,
  jsonOf,
  META,
  PROTOBUF,
  runMeta,
  withDraws,
} from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

/** Declares the tests of what requests and answers are made of. */
export function negotiation(server: Subject): void {
  describe('answers', () => {
    test.each([
      [undefined, PROTOBUF],
      ['*/*', PROTOBUF],
      ['application/protobuf', 'application/protobuf'],
      ['application/json', JSON_TYPE],
      ['application/json, */*', JSON_TYPE],
      ['application/x-protobuf;q=0.5, application/json;q=0.6', JSON_TYPE],
      ['application/x-protobuf;q=0.6, application/json;q=0.5', PROTOBUF],
    ])('Accept %s gets %s', async (accept, type) => {
      const api = await server.open()
      await withDraws(api, 3)
      const headers = accept === undefined ? {} : { Accept: accept }
      for (const path of ['/v1/runs/r', DRAWS]) {
        const response = await api.get(path, headers)
        expect([response.status, response.headers.get('Content-Type')?.split(';')[0]]).toEqual([200, type])
        expectCommonHeaders(response)
        expect(response.headers.get('ETag')).toMatch(/^"[\x21\x23-\x7e]+"$/)
        const bytes = await bytesOf(response)
        if (type === JSON_TYPE) expect(JSON.parse(Buffer.from(bytes).toString())).toBeTypeOf('object')
        else expect(bytes.length).toBeGreaterThan(0)
      }
      const created = await api.request('POST', '/v1/runs', {
        body: runMeta({ ...META, rid: '' }),
        headers: { ...headers, 'Content-Type': PROTOBUF },
      })
      expect([created.status, created.headers.get('Content-Type')?.split(';')[0]]).toEqual([201, type])
    })

    test('endpoints that answer only JSON, and errors, ignore Accept', async () => {
      const api = await server.open()
      await withDraws(api, 1)
      const headers = { Accept: 'text/html' }
      for (const path of ['/healthz', '/v1/runs', '/v1/runs/r/chains', '/v1/runs/r/chains/0']) {
        const response = await api.get(path, headers)
        expect([response.status, response.headers.get('Content-Type')?.split(';')[0]]).toEqual([200, JSON_TYPE])
        expectCommonHeaders(response)
      }
      expect((await api.request('PUT', '/v1/runs/r/chains/1', { headers })).status).toBe(201)
      await expectProblem(await api.get('/v1/runs/none', headers), 404, 'run_not_found')
    })

    test('every answer carries a request id, and the client’s own is kept', async () => {
      const api = await server.open()
      const ids = await Promise.all([1, 2, 3].map(async () => (await api.get('/healthz')).headers.get('X-Request-Id')))
      expect(new Set(ids).size).toBe(3)
      const own = await api.get('/v1/nowhere', { 'X-Request-Id': 'trace-1234' })
      expect(own.headers.get('X-Request-Id')).toBe('trace-1234')
      const hostile = await api.get('/healthz', { 'X-Request-Id': 'a b"; c' })
      expect(hostile.headers.get('X-Request-Id')).not.toBe('a b"; c')
    })

    test('HEAD works where GET does, and says the same', async () => {
      const api = await server.open()
      await withDraws(api, 5)
      const read = ['/healthz', '/v1/runs', '/v1/runs/r', '/v1/runs/r/chains', '/v1/runs/r/chains/0', DRAWS]
      for (const path of [...read, `${DRAWS}?var=x&step=2`]) {
        for (const accept of [PROTOBUF, JSON_TYPE]) {
          const head = await api.request('HEAD', path, { headers: { Accept: accept } })
          const got = await api.get(path, { Accept: accept })
          expect([head.status, await head.text()], path).toEqual([200, ''])
          expectCommonHeaders(head)
          for (const name of ['Content-Type', 'ETag', 'Mcb-Registration', 'Cache-Control']) {
            expect({ path, name, value: head.headers.get(name) }).toEqual({ path, name, value: got.headers.get(name) })
          }
          const length = String((await bytesOf(got)).length)
          expect([null, length], path).toContain(head.headers.get('Content-Length'))
        }
      }
      for (const [path, status] of [
        ['/v1/runs/none', 404],
        ['/v1/nowhere', 404],
        [`${DRAWS}?step=0`, 400],
      ] as const) {
        const head = await api.request('HEAD', path)
        expect([head.status, await head.text()]).toEqual([status, ''])
        expectCommonHeaders(head)
      }
    })

    test('draws in protobuf announce their length, exactly', async () => {
      const api = await server.open()
      await withDraws(api, 50)
      for (const query of ['', '?var=x', '?var=k&var=s', '?stat=lp&step=-7', '?start=50', '?start=10&stop=3']) {
        const response = await api.get(`${DRAWS}${query}`)
        expect(Number(response.headers.get('Content-Length'))).toBe((await bytesOf(response)).length)
      }
    })
  })

  describe('compression', () => {
    const headers = { 'Accept-Encoding': 'gzip', Accept: JSON_TYPE }

    test('JSON is compressed when asked for, and is the same', async () => {
      const api = await server.open()
      const variables = Array.from({ length: 200 }, (_, i) => ({ name: `theta[${i}]`, dtype: 'float64' }))
      await api.request('PUT', '/v1/runs/many', { body: runMeta({ variables }) })
      const plain = await bytesOf(await api.get('/v1/runs/many', { Accept: JSON_TYPE }))
      const response = await api.get('/v1/runs/many', headers)
      expect(response.headers.get('Content-Encoding')).toBe('gzip')
      expectCommonHeaders(response)
      const packed = Buffer.from(await bytesOf(response))
      // Clients that ask like browsers are given the bytes as they were before.
      const isPacked = packed[0] === 0x1f && packed[1] === 0x8b
      expect(isPacked ? gunzipSync(packed) : packed).toEqual(Buffer.from(plain))
      const again = await api.get('/v1/runs/many', { ...headers, 'If-None-Match': response.headers.get('ETag') ?? '' })
      expect([again.status, await again.text()]).toEqual([304, ''])
      expect((await api.get('/v1/runs/many', { Accept: JSON_TYPE })).headers.get('Content-Encoding')).toBeNull()
    })

    test('draws are not', async () => {
      const api = await server.open()
      await withDraws(api, 500)
      for (const accept of [PROTOBUF, JSON_TYPE]) {
        const response = await api.get(DRAWS, { ...headers, Accept: accept })
        expect(response.headers.get('Content-Encoding')).toBeNull()
      }
      expect((await batchOf(await api.get(DRAWS, { 'Accept-Encoding': 'gzip' }))).count).toBe(500)
    })
  })

  describe('bodies', () => {
    const gzipped = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))
    const batch = drawBatch(iterations(0, 100))
    const post = async (body: Body, headers: { [name: string]: string }) => {
      const api = await server.open()
      await withDraws(api, 0)
      return api.request('POST', DRAWS, { body, headers: { 'Content-Type': PROTOBUF, ...headers } })
    }

    test.each([
      'application/x-protobuf',
      'application/protobuf',
      'Application/X-Protobuf',
      'application/x-protobuf; messageType="DrawBatch"',
    ])('%s', async (type) => {
      expect((await post(batch, { 'Content-Type': type })).status).toBe(200)
    })

    test.each([
      ['gzip', gzipped(batch)],
      ['GZIP', gzipped(batch)],
      ['identity', batch],
    ])('encoding %s', async (encoding, body) => {
      expect(await jsonOf(await post(body, { 'Content-Encoding': encoding }))).toEqual({ chain: 0, length: 100 })
    })

    test.each([
      ['cut off', gzipped(batch).slice(0, -4)],
      ['cut off early', gzipped(batch).slice(0, 12)],
      ['changed', gzipped(batch).with(30, 255).with(31, 0).with(40, 7)],
      ['with a wrong checksum', gzipped(batch).with(-8, (gzipped(batch).at(-8) ?? 0) ^ 1)],
      ['not gzip at all', batch],
      ['nothing', new Uint8Array()],
    ])('a gzip that is %s', async (_what, body) => {
      await expectProblem(await post(new Uint8Array(body), { 'Content-Encoding': 'gzip' }), 400, 'invalid_protobuf')
    })
  })
}
