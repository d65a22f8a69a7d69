/** Names, notes and facts of runs over HTTP, and runs found by them (docs/protocol.md §9). */
import { describe, expect, type TestContext, test } from 'vitest'
import { jsonBytes, patch } from '../../../test/http/about-cases.ts'
import { type Api, expectProblem, jsonOf, metaOf, runMeta } from '../../../test/http/api.ts'
import { optional, type Subject } from './subject.ts'

const ABOUT = '/v1/runs/r/about'
const UNSET = { name: null, tags: [], notes: null, archived: false, facts: {} }

/** A run, and the answer about it; the test is skipped where the server tells none. */
async function newRun(server: Subject, context: TestContext): Promise<[Api, Response]> {
  const api = await server.open()
  await api.request('PUT', '/v1/runs/r', { body: metaOf(api) })
  return [api, await optional(server, context, 'names and notes (…/about)', await api.get(ABOUT))]
}

/** Ids of a test's own runs that a query finds, as the test calls them. */
async function found(api: Api, query: string): Promise<string[]> {
  const { runs } = await jsonOf(await api.get(`/v1/runs?limit=1000&${query}`))
  const own = runs.map(({ rid }: { rid: string }) => rid).filter((rid: string) => rid.startsWith(api.rid('')))
  return own.map((rid: string) => rid.slice(api.rid('').length)).sort()
}

/** Declares the tests of names, notes and facts. */
export function about(server: Subject): void {
  describe('about', () => {
    test('a run begins without any of them', async (context) => {
      const [api, response] = await newRun(server, context)
      const registration = response.headers.get('Mcb-Registration') ?? ''
      expect(response.headers.get('ETag')).toBe(`"${registration}-0"`)
      expect(await jsonOf(response)).toMatchObject({ rid: api.rid('r'), variables: 3, sampleStats: 1, ...UNSET })
    })

    test('a patch changes what it names, and null resets', async (context) => {
      const [api] = await newRun(server, context)
      const set = {
        name: 'Eight schools',
        tags: ['a', 'b'],
        notes: 'μ',
        archived: true,
        facts: { a: 1, b: { c: [2] } },
      }
      expect(await jsonOf(await api.request(...patch(jsonBytes(set))))).toMatchObject(set)
      const merged = await api.request(...patch(jsonBytes({ facts: { a: null, b: { d: 'x' } } })))
      expect(await jsonOf(merged)).toMatchObject({ ...set, facts: { b: { c: [2], d: 'x' } } })
      expect(await jsonOf(await api.get(ABOUT))).not.toHaveProperty('facts.a')
      const none = { name: null, tags: null, notes: null, archived: null, facts: null }
      expect(await jsonOf(await api.request(...patch(jsonBytes(none))))).toMatchObject({ ...UNSET, rid: api.rid('r') })
      expect((await jsonOf(await api.get(ABOUT))).facts).toEqual({})
    })

    test('the ETag is registration and revision, and If-Match looks at it', async (context) => {
      const [api, first] = await newRun(server, context)
      const registration = first.headers.get('Mcb-Registration') ?? ''
      for (let revision = 0; revision < 3; revision++) {
        const etag = `"${registration}-${revision}"`
        const got = await api.get(ABOUT, { 'If-None-Match': etag })
        expect([got.status, got.headers.get('ETag')]).toEqual([200, etag])
        const condition = ['*', etag, `"x", ${etag}`][revision] ?? ''
        const patched = await api.request(...patch(jsonBytes({ facts: { revision } }), { 'If-Match': condition }))
        expect([patched.status, patched.headers.get('ETag')]).toEqual([200, `"${registration}-${revision + 1}"`])
      }
      const late = await api.request(...patch(jsonBytes({ name: 'late' }), { 'If-Match': `"${registration}-0"` }))
      await expectProblem(late, 412, 'about_changed')
      expect(await jsonOf(await api.get(ABOUT))).toMatchObject({ name: null, facts: { revision: 2 } })
    })

    test('patches that come together are all kept', async (context) => {
      const [api] = await newRun(server, context)
      const all = Array.from({ length: 10 }, (_, i) => api.request(...patch(jsonBytes({ facts: { [`k${i}`]: i } }))))
      for (const { status } of await Promise.all(all)) expect(status).toBe(200)
      expect(Object.keys((await jsonOf(await api.get(ABOUT))).facts)).toHaveLength(10)
    })

    test('what is known of a run goes with it', async (context) => {
      const [api] = await newRun(server, context)
      await api.request(...patch(jsonBytes({ name: 'old' })))
      await api.request('DELETE', '/v1/runs/r')
      await expectProblem(await api.get(ABOUT), 404, 'run_not_found')
      await api.request('PUT', '/v1/runs/r', { body: metaOf(api) })
      expect(await jsonOf(await api.get(ABOUT))).toMatchObject(UNSET)
    })

    test('runs are found by id, name, tags and attributes', async (context) => {
      const [api] = await newRun(server, context)
      const attributes = { seed: { numberValue: 5 }, kind: { stringValue: 'a.b' } }
      await api.request('PUT', '/v1/runs/other', { body: runMeta({ attributes }) })
      await api.request(...patch(jsonBytes({ name: 'Ärger', tags: ['paper', 'final'] })))
      await api.request(...patch(jsonBytes({ archived: true }), {}, '/v1/runs/other/about'))
      const poll = (query: string) => expect.poll(() => found(api, query), { timeout: 10_000, interval: 200 })
      await poll('').toEqual(['r'])
      await poll('archived=any').toEqual(['other', 'r'])
      await poll('archived=true').toEqual(['other'])
      await poll(`q=${encodeURIComponent('ÄRGER')}`).toEqual(['r'])
      await poll(`archived=any&q=${api.rid('oth')}`).toEqual(['other'])
      await poll('tag=paper&tag=final').toEqual(['r'])
      await poll('tag=paper&tag=draft').toEqual([])
      await poll('archived=any&attr.seed=5.0&attr.kind=a.b').toEqual(['other'])
      await poll('archived=any&attr.seed=6').toEqual([])
      await poll('since=2999-01-01').toEqual([])
    })
  })
}
