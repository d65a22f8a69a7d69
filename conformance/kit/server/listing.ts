/** The list of runs over HTTP (docs/protocol.md §3): order, pages, cursors, and the numbers of a line. */
import { describe, expect, test } from 'vitest'
import { type Api, DRAWS, drawBatch, iterations, jsonOf, runMeta, withDraws } from '../../../test/http/api.ts'
import { TIME } from './chains.ts'
import type { Subject } from './subject.ts'

/** Milliseconds that numbers of a line may be late: those of the contract, and as many as a busy machine adds. */
const LAG_MS = 10_000

interface Line {
  readonly rid: string
  readonly [member: string]: unknown
}

/** Pages of some size, up to the one that has the run; those of others may stand between. */
async function pagesTo(api: Api, rid: string, limit: number): Promise<Line[][]> {
  const pages: Line[][] = []
  for (let cursor = ''; pages.length < 1000; ) {
    const page = await jsonOf(await api.get(`/v1/runs?limit=${limit}${cursor}`))
    pages.push(page.runs)
    if (page.runs.some((line: Line) => line.rid === rid) || page.nextCursor === undefined) break
    expect(page.runs).toHaveLength(limit)
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`
  }
  return pages
}

const lineOf = async (api: Api, rid: string) => (await pagesTo(api, rid, 1000)).flat().find((line) => line.rid === rid)

/** Declares the tests of the list. */
export function listing(server: Subject): void {
  describe('the list of runs', () => {
    test.each([1, 2, 3, 7, 1000])('in reverse order of registration, on pages of %s', async (limit) => {
      const api = await server.open()
      for (let i = 0; i < 7; i++) await api.request('PUT', `/v1/runs/n${i}`, { body: runMeta({}) })
      const pages = await pagesTo(api, api.rid('n0'), limit)
      for (const page of pages) expect(page.length).toBeLessThanOrEqual(limit)
      const own = pages.flat().filter(({ rid }) => rid.startsWith(api.rid('')))
      expect(own.map(({ rid }) => rid)).toEqual([6, 5, 4, 3, 2, 1, 0].map((i) => api.rid(`n${i}`)))
    })

    test('a page goes on behind the one before, whatever is registered or deleted meanwhile', async () => {
      const api = await server.open()
      for (let i = 0; i < 6; i++) await api.request('PUT', `/v1/runs/n${i}`, { body: runMeta({}) })
      // Those of others may stand before and between them.
      const seen: string[] = []
      let cursor = ''
      while (!seen.includes(api.rid('n3')) && seen.length < 1000) {
        const page = await jsonOf(await api.get(`/v1/runs?limit=1${cursor}`))
        seen.push(...page.runs.map(({ rid }: Line) => rid))
        cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`
      }
      await api.request('PUT', '/v1/runs/late', { body: runMeta({}) })
      await api.request('DELETE', '/v1/runs/n4')
      await api.request('DELETE', '/v1/runs/n1')
      const rest = await jsonOf(await api.get(`/v1/runs?limit=1000${cursor}`))
      const own = (rids: string[]) => rids.filter((rid) => rid.startsWith(api.rid('')))
      expect(own(seen)).toEqual([5, 4, 3].map((i) => api.rid(`n${i}`)))
      expect(own(rest.runs.map(({ rid }: Line) => rid))).toEqual([2, 0].map((i) => api.rid(`n${i}`)))
    })

    test('a line counts variables, stats, chains and draws, and its time moves', async () => {
      const api = await server.open()
      await withDraws(api, 4)
      const rid = api.rid('r')
      const eventually = (expected: object) =>
        expect.poll(() => lineOf(api, rid), { timeout: LAG_MS, interval: 200 }).toMatchObject(expected)
      const times = { createdAt: expect.stringMatching(TIME), updatedAt: expect.stringMatching(TIME) }
      await eventually({ rid, ...times, variables: 3, sampleStats: 1, chains: 1, draws: 4 })
      const before = await lineOf(api, rid)
      await api.request('PUT', '/v1/runs/r/chains/5')
      await api.request('POST', DRAWS, { body: drawBatch(iterations(4, 3)) })
      await eventually({ chains: 2, draws: 7, createdAt: before?.createdAt })
      const after = await lineOf(api, rid)
      expect(Date.parse(String(after?.updatedAt))).toBeGreaterThanOrEqual(Date.parse(String(before?.updatedAt)))
    })

    test('a run that is gone is not listed, and one that is registered anew is the newest', async () => {
      const api = await server.open()
      for (const name of ['a', 'b']) await api.request('PUT', `/v1/runs/${name}`, { body: runMeta({}) })
      await api.request('DELETE', '/v1/runs/a')
      const own = async () => {
        const lines = (await pagesTo(api, api.rid('b'), 100)).flat()
        return lines.map(({ rid }) => rid).filter((rid) => rid.startsWith(api.rid('')))
      }
      expect(await own()).toEqual([api.rid('b')])
      await api.request('PUT', '/v1/runs/a', { body: runMeta({}) })
      expect(await own()).toEqual([api.rid('a'), api.rid('b')])
    })
  })
}
