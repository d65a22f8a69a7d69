/** JSON in (docs/protocol.md §10): the same content as protobuf, and the same rules. */
import { describe, expect, test } from 'vitest'
import {
  type Api,
  type Body,
  DRAWS,
  drawBatch,
  expectProblem,
  iterations,
  JSON_TYPE,
  jsonOf,
  metaOf,
  withDraws,
} from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

const RUN = '/v1/runs/r'
const json = (body: Body | string, headers: { readonly [name: string]: string } = {}) => ({
  body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
  headers: { 'Content-Type': JSON_TYPE, ...headers },
})
const BATCH = {
  start: 0,
  draws: { x: [0, 1], k: [[], [1]], s: ['s0', 's1'] },
  stats: { lp: [0, -1] },
}

/** Declares the tests of JSON in. */
export function jsonIn(server: Subject): void {
  describe('JSON in', () => {
    test('what GET answers as JSON is taken elsewhere, and is the same there', async () => {
      const api = await server.open()
      await withDraws(api, 7)
      const other = await server.open()
      for (const path of [RUN, DRAWS]) {
        const text = await (await api.get(path, { Accept: JSON_TYPE })).text()
        if (path === DRAWS) await other.request('PUT', `${RUN}/chains/0`)
        const sent = path === RUN ? JSON.stringify({ ...JSON.parse(text), rid: other.rid('r') }) : text
        const answer = await other.request(path === RUN ? 'PUT' : 'POST', path, json(sent))
        expect([200, 201], await answer.clone().text()).toContain(answer.status)
      }
      const bytes = async (from: Api) => Buffer.from(await (await from.get(DRAWS)).arrayBuffer()).toString('hex')
      expect(await bytes(other)).toBe(await bytes(api))
    })

    test('a batch is one and the same as JSON and as protobuf', async () => {
      const api = await server.open()
      await withDraws(api, 0)
      const send = (body: object) => api.request('POST', DRAWS, json(JSON.stringify(body)))
      const stats = { lp: [-0, -1] }
      const zero = JSON.stringify({ ...BATCH, stats }).replace('"lp":[0', '"lp":[-0')
      expect(await jsonOf(await api.request('POST', DRAWS, json(zero)))).toEqual({ chain: 0, length: 2 })
      // Draw 0 of `iterations` has the stat −0.
      expect(await jsonOf(await api.request('POST', DRAWS, { body: drawBatch(iterations(0, 3)) }))).toEqual({
        chain: 0,
        length: 3,
      })
      expect(await expectProblem(await send(BATCH), 409, 'draw_conflict')).toMatchObject({ length: 3, variable: 'lp' })
      expect(await expectProblem(await send({ ...BATCH, start: 4 }), 409, 'draw_gap')).toMatchObject({ length: 3 })
    })

    test('a run registers as JSON, is equal to its protobuf, and gets an id', async () => {
      const api = await server.open()
      const text = JSON.stringify({
        variables: [
          { name: 'x', dtype: 'float64' },
          { name: 'k', dtype: 'int16', shape: [-1] },
          { name: 's', dtype: 'str' },
        ],
        sample_stats: [{ name: 'lp', dtype: 'float64' }],
      })
      expect((await api.request('PUT', RUN, json(text))).status).toBe(201)
      expect((await api.request('PUT', RUN, { body: metaOf(api) })).status).toBe(200)
      expect((await api.request('PUT', RUN, json('{}'))).status).toBe(409)
      const made = await api.request('POST', '/v1/runs', json('\ufeff{}', { Accept: JSON_TYPE }))
      expect(made.status).toBe(201)
      expect(made.headers.get('Location')).toContain(`/v1/runs/${(await jsonOf(made)).rid}`)
    })

    test.each(['application/json', 'Application/JSON', 'application/json; charset=utf-8', 'application/json;x=y'])(
      'taken: %s',
      async (type) => {
        const api = await server.open()
        expect((await api.request('PUT', RUN, json('{}', { 'Content-Type': type }))).status).toBe(201)
      },
    )
  })
}
