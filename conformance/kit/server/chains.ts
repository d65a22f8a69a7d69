/** Chains over HTTP: created, found, and listed by number. */
import { describe, expect, test } from 'vitest'
import { jsonOf, withDraws } from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Declares the tests of chains. */
export function chains(server: Subject): void {
  describe('chains', () => {
    test('are created, found and listed by number', async () => {
      const api = await server.open()
      await withDraws(api, 2)
      const created = await api.request('PUT', '/v1/runs/r/chains/10')
      expect([created.status, await jsonOf(created)]).toEqual([
        201,
        { chain: 10, length: 0, updatedAt: expect.stringMatching(TIME) },
      ])
      await api.request('PUT', '/v1/runs/r/chains/9', { headers: { 'If-None-Match': '*' } })
      const found = await api.request('PUT', '/v1/runs/r/chains/0')
      expect([found.status, await jsonOf(found)]).toEqual([
        200,
        { chain: 0, length: 2, updatedAt: expect.stringMatching(TIME) },
      ])
      expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toEqual({
        chain: 0,
        length: 2,
        updatedAt: expect.stringMatching(TIME),
      })
      const { chains } = await jsonOf(await api.get('/v1/runs/r/chains'))
      expect(chains.map(({ chain, length }: { chain: number; length: number }) => [chain, length])).toEqual([
        [0, 2],
        [9, 0],
        [10, 0],
      ])
      expect((await api.request('PUT', '/v1/runs/r/chains/2147483647')).status).toBe(201)
    })

    test('other values of If-None-Match than * do not matter', async () => {
      const api = await server.open()
      await withDraws(api, 0)
      expect((await api.request('PUT', '/v1/runs/r/chains/0', { headers: { 'If-None-Match': '"x"' } })).status).toBe(
        200,
      )
    })
  })
}
