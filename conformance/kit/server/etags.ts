/** ETags of draws and RunMeta over HTTP, and the answers that they save. */
import { describe, expect, test } from 'vitest'
import {
  bytesOf,
  DRAWS,
  drawBatch,
  expectCommonHeaders,
  expectProblem,
  iterations,
  JSON_TYPE,
  PROTOBUF,
  withDraws,
} from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

/** Declares the tests of ETags. */
export function etags(server: Subject): void {
  describe('ETags', () => {
    test('an unchanged answer is 304', async () => {
      const api = await server.open()
      await withDraws(api, 10)
      for (const path of [`${DRAWS}?stop=5`, DRAWS, `${DRAWS}?var=k&start=-3`, `${DRAWS}?step=-1`]) {
        for (const accept of [PROTOBUF, JSON_TYPE]) {
          const etag = (await api.get(path, { Accept: accept })).headers.get('ETag') ?? ''
          expect(etag).toMatch(/^"[\x21\x23-\x7e]+"$/)
          for (const given of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
            const response = await api.get(path, { Accept: accept, 'If-None-Match': given })
            expect([response.status, await response.text(), response.headers.get('ETag')]).toEqual([304, '', etag])
            expectCommonHeaders(response)
          }
          expect((await api.get(path, { Accept: accept, 'If-None-Match': '"another"' })).status).toBe(200)
        }
      }
    })

    test('each answer has its own, and the same again has the same', async () => {
      const api = await server.open()
      await withDraws(api, 10)
      await api.request('PUT', '/v1/runs/r/chains/1')
      await api.request('POST', '/v1/runs/r/chains/1/draws', { body: drawBatch(iterations(0, 10)) })
      const etagOf = async (path: string, accept = PROTOBUF) =>
        (await api.get(path, { Accept: accept })).headers.get('ETag')
      const different = [
        await etagOf(DRAWS),
        await etagOf(DRAWS, JSON_TYPE),
        await etagOf('/v1/runs/r/chains/1/draws'),
        await etagOf(`${DRAWS}?var=x`),
        await etagOf(`${DRAWS}?var=x&var=k`),
        await etagOf(`${DRAWS}?var=k&var=x`),
        await etagOf(`${DRAWS}?stat=lp`),
        await etagOf(`${DRAWS}?stop=9`),
        await etagOf(`${DRAWS}?start=1`),
        await etagOf(`${DRAWS}?step=2`),
        await etagOf(`${DRAWS}?step=-1`),
        await etagOf('/v1/runs/r'),
        await etagOf('/v1/runs/r', JSON_TYPE),
      ]
      expect(new Set(different).size).toBe(different.length)
      expect(await etagOf(`${DRAWS}?start=-5&stop=10`)).toBe(await etagOf(`${DRAWS}?start=5`))
      const prefix = await etagOf(`${DRAWS}?stop=10`)
      const whole = await etagOf(DRAWS)
      await api.request('POST', DRAWS, { body: drawBatch(iterations(10, 1)) })
      expect(await etagOf(`${DRAWS}?stop=10`)).toBe(prefix)
      expect(await etagOf(DRAWS)).not.toBe(whole)
      await api.request('DELETE', '/v1/runs/r')
      await withDraws(api, 10)
      expect(await etagOf(`${DRAWS}?stop=10`)).not.toBe(prefix)
    })

    test('RunMeta too', async () => {
      const api = await server.open()
      await withDraws(api, 0)
      for (const accept of [PROTOBUF, JSON_TYPE]) {
        const first = await api.get('/v1/runs/r', { Accept: accept })
        const etag = first.headers.get('ETag') ?? ''
        const again = await api.get('/v1/runs/r', { Accept: accept, 'If-None-Match': etag })
        expect([again.status, (await bytesOf(again)).length]).toEqual([304, 0])
        expect(again.headers.get('Mcb-Registration')).toBe(first.headers.get('Mcb-Registration'))
      }
      const other = await api.get('/v1/runs/r', { 'If-None-Match': '"x"' })
      expect(other.status).toBe(200)
    })

    test('a precondition that fails comes before 304', async () => {
      const api = await server.open()
      await withDraws(api, 1)
      await expectProblem(
        await api.get(DRAWS, { 'If-None-Match': '*', 'Mcb-Registration': 'another' }),
        412,
        'run_replaced',
      )
      await expectProblem(await api.get(DRAWS, { 'If-None-Match': '*', Accept: 'text/html' }), 406, 'not_acceptable')
    })
  })
}
