/** Runs over HTTP: registering, deleting, and the identity of a registration. */
import { describe, expect, test } from 'vitest'
import type { mcbackend } from '../../../src/core/wire/run-meta.ts'
import {
  bytesOf,
  DRAWS,
  drawBatch,
  expectProblem,
  iterations,
  JSON_TYPE,
  jsonOf,
  META,
  metaOf,
  PROTOBUF,
  runMeta,
  withDraws,
} from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
/** The field `rid` of a RunMeta. */
const ridField = (rid: string) => new Uint8Array([0x0a, rid.length, ...Buffer.from(rid)])
/** The path behind the server's address, of a reference that may be relative or whole. */
const pathOf = (location: string | null) =>
  /\/v1\/runs\/.*/.exec(new URL(location ?? '', 'http://server').pathname)?.[0] ?? ''

/** Declares the tests of runs. */
export function runs(server: Subject): void {
  describe('PUT /v1/runs/{rid}', () => {
    test('201, then 200, with the registration and nothing else', async () => {
      const api = await server.open()
      const first = await api.request('PUT', '/v1/runs/r', { body: metaOf(api) })
      expect([first.status, await first.text()]).toEqual([201, ''])
      expect(pathOf(first.headers.get('Location'))).toBe(`/v1/runs/${api.rid('r')}`)
      const registration = first.headers.get('Mcb-Registration')
      expect(registration).toMatch(/^[\x21-\x7e]+$/)
      const again = await api.request('PUT', '/v1/runs/r', { body: runMeta({ ...META, rid: '' }) })
      expect([again.status, again.headers.get('Mcb-Registration'), await again.text()]).toEqual([200, registration, ''])
    })

    test('what is registered is given back byte for byte', async () => {
      const api = await server.open()
      // Fields of a newer schema, fields in another order, an array whose strides lie.
      const bytes = new Uint8Array([
        ...runMeta({
          variables: META.variables ?? [],
          coordinates: [
            { name: 'd', values: { data: new Uint8Array(2), dtype: 'int8', shape: [2], strides: [7], order: 'F' } },
          ],
        }),
        ...[0xfa, 0x3e, 1, 65],
        ...ridField(api.rid('r')),
        ...[0x78, 1],
      ])
      await api.request('PUT', '/v1/runs/r', { body: bytes })
      const response = await api.get('/v1/runs/r')
      expect(hex(await bytesOf(response))).toBe(hex(bytes))
      expect(response.headers.get('ETag')).toMatch(/^".+"$/)
      const without = new Uint8Array([...bytes.slice(0, -2 - ridField(api.rid('r')).length), 0x78, 1])
      await api.request('PUT', '/v1/runs/filled', { body: without })
      const filled = new Uint8Array([...ridField(api.rid('filled')), ...without])
      expect(hex(await bytesOf(await api.get('/v1/runs/filled')))).toBe(hex(filled))
    })

    test('−0 and NaN survive in JSON', async () => {
      const api = await server.open()
      const attributes: { [key: string]: mcbackend.ExtendedValue.$Properties } = {
        zero: { numberValue: -0 },
        nan: { numberValue: Number.NaN },
        list: { listValue: { values: [{ numberValue: -0 }, { nullValue: 0 }, {}] } },
        __proto__: { stringValue: 'x' },
      }
      await api.request('PUT', '/v1/runs/r', {
        body: runMeta({ attributes: Object.fromEntries(Object.entries(attributes)) }),
      })
      const json = await jsonOf(await api.get('/v1/runs/r', { Accept: JSON_TYPE }))
      expect(json.attributes).toMatchObject({
        zero: { numberValue: -0 },
        nan: { numberValue: 'NaN' },
        list: { listValue: [-0, null, null] },
      })
    })

    test('a different one is a conflict, whoever comes second', async () => {
      const api = await server.open()
      const metas = [{}, { attributes: { a: { numberValue: 1 } } }].map((more) => ({ ...META, rid: '', ...more }))
      const answers = await Promise.all(metas.map((meta) => api.request('PUT', '/v1/runs/r', { body: runMeta(meta) })))
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
    })
  })

  describe('POST /v1/runs', () => {
    test('the server chooses an id that can be used', async () => {
      const api = await server.open()
      const rids = new Set<string>()
      for (const accept of [PROTOBUF, JSON_TYPE]) {
        const response = await api.request('POST', '/v1/runs', {
          body: runMeta({ ...META, rid: '' }),
          headers: { Accept: accept, 'Content-Type': PROTOBUF },
        })
        expect(response.status).toBe(201)
        const location = pathOf(response.headers.get('Location'))
        const got = await api.get(location, { Accept: accept })
        expect(got.headers.get('Mcb-Registration')).toBe(response.headers.get('Mcb-Registration'))
        expect(hex(await bytesOf(got))).toBe(hex(await bytesOf(response)))
        rids.add((await jsonOf(await api.get(location, { Accept: JSON_TYPE }))).rid)
        expect(location).toBe(`/v1/runs/${[...rids].at(-1)}`)
      }
      expect(rids.size).toBe(2)
      for (const rid of rids) expect(rid).toMatch(/^[A-Za-z0-9._~-]{8,128}$/)
    })
  })

  describe('a registration', () => {
    test('is gone with its run, and the next one is another', async () => {
      const api = await server.open()
      await withDraws(api, 3)
      const old = (await api.get('/v1/runs/r')).headers.get('Mcb-Registration') ?? ''
      const headers = { 'Mcb-Registration': old }
      for (const [method, path] of [
        ['GET', '/v1/runs/r'],
        ['GET', DRAWS],
        ['PUT', '/v1/runs/r/chains/0'],
        ['GET', '/v1/runs/r/chains'],
      ] as const) {
        expect((await api.request(method, path, { headers })).status).toBe(200)
      }
      const deleted = await api.request('DELETE', '/v1/runs/r')
      expect([deleted.status, await deleted.text()]).toEqual([204, ''])
      await expectProblem(await api.request('DELETE', '/v1/runs/r'), 404, 'run_not_found')
      for (const path of ['/v1/runs/r', '/v1/runs/r/chains', '/v1/runs/r/chains/0', DRAWS]) {
        await expectProblem(await api.get(path, headers), 404, 'run_not_found')
      }
      const append = () =>
        api.request('POST', DRAWS, {
          body: drawBatch(iterations(0, 1)),
          headers: { ...headers, 'Content-Type': PROTOBUF },
        })
      await expectProblem(await append(), 404, 'run_not_found')

      const registered = await api.request('PUT', '/v1/runs/r', { body: metaOf(api) })
      expect([registered.status, registered.headers.get('Mcb-Registration') === old]).toEqual([201, false])
      // The chain is missing: that comes before the precondition.
      await expectProblem(await append(), 404, 'chain_not_found')
      expect((await api.request('PUT', '/v1/runs/r/chains/0')).status).toBe(201)
      await expectProblem(await append(), 412, 'run_replaced')
      await expectProblem(await api.get(DRAWS, headers), 412, 'run_replaced')
      await expectProblem(await api.request('PUT', '/v1/runs/r/chains/1', { headers }), 412, 'run_replaced')
      expect(await jsonOf(await api.get('/v1/runs/r/chains'))).toMatchObject({ chains: [{ chain: 0, length: 0 }] })
      expect((await api.request('POST', DRAWS, { body: drawBatch(iterations(0, 1)) })).status).toBe(200)
    })
  })
}
