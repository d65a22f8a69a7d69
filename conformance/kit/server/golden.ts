/** The golden files at a server: messages of the reference implementation are taken as they are, broken ones are refused. */
import { describe, expect, test } from 'vitest'
import { goldenBytes, goldenNames, goldenRun, goldenText } from '../../../test/core/golden.ts'
import { bytesOf, DRAWS, expectProblem, JSON_TYPE, jsonOf, withDraws } from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** A message with another rid: of a field that occurs twice, the last one counts. */
const withRid = (bytes: Uint8Array, rid: string) => new Uint8Array([...bytes, 0x0a, rid.length, ...Buffer.from(rid)])

/** Declares the tests of the golden files. */
export function golden(server: Subject): void {
  describe('golden files', () => {
    test.each(goldenNames('runmeta'))('runmeta/%s is given back as bytes, and as canonical JSON', async (name) => {
      const api = await server.open()
      const body = withRid(goldenBytes(`runmeta/${name}`), api.rid('r'))
      const made = await api.request('PUT', '/v1/runs/r', { body })
      expect([made.status, await made.text()]).toEqual([201, ''])
      expect((await api.request('PUT', '/v1/runs/r', { body })).status).toBe(200)
      expect(hex(await bytesOf(await api.get('/v1/runs/r')))).toBe(hex(body))
      const json = await jsonOf(await api.get('/v1/runs/r', { Accept: JSON_TYPE }))
      expect(json).toEqual({ ...goldenRun(name).canonical, rid: api.rid('r') })
    })

    test.each(goldenNames('malformed', 'run-'))('malformed/%s is no RunMeta', async (name) => {
      const api = await server.open()
      const answer = await api.request('PUT', '/v1/runs/r', { body: goldenBytes(`malformed/${name}`) })
      await expectProblem(answer, 400, 'invalid_protobuf').catch((error: unknown) => {
        throw new Error(`malformed/${name}: ${goldenText(`malformed/${name}`)}`, { cause: error })
      })
      await expectProblem(await api.get('/v1/runs/r'), 404, 'run_not_found')
    })

    test.each(goldenNames('malformed', 'draws-'))('malformed/%s is no batch', async (name) => {
      const api = await server.open()
      await withDraws(api, 1)
      const answer = await api.request('POST', DRAWS, { body: goldenBytes(`malformed/${name}`) })
      await expectProblem(answer, 400, 'invalid_protobuf')
      expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toMatchObject({ length: 1 })
    })

    test.each(goldenNames('refused'))('refused/%s has no canonical JSON', async (name) => {
      const api = await server.open()
      const body = withRid(goldenBytes(`refused/${name}`), api.rid('r'))
      await expectProblem(await api.request('PUT', '/v1/runs/r', { body }), 422, 'invalid_run_meta')
      await expectProblem(await api.get('/v1/runs/r'), 404, 'run_not_found')
    })

    test.each(['variables', 'variables-unpacked'])('draws/%s belongs to runmeta/variables', async (name) => {
      const api = await server.open()
      await api.request('PUT', '/v1/runs/r', { body: withRid(goldenBytes('runmeta/variables'), api.rid('r')) })
      await api.request('PUT', '/v1/runs/r/chains/0')
      for (const form of [name, 'variables']) {
        const answer = await api.request('POST', DRAWS, { body: goldenBytes(`draws/${form}`) })
        expect([answer.status, await jsonOf(answer)]).toEqual([200, { chain: 0, length: 3 }])
      }
    })
  })
}
