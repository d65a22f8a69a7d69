/** Runs and chains over HTTP: registering, listing, deleting, and the identity of a registration. */

import { describe, expect, test } from 'vitest'
import { chains } from '../../conformance/kit/server/chains.ts'
import { runs } from '../../conformance/kit/server/runs.ts'
import { jsonOf, newApp, runMeta, withDraws } from './api.ts'
import { IN_PROCESS } from './in-process.ts'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

runs(IN_PROCESS)
chains(IN_PROCESS)

describe('GET /v1/runs', () => {
  test('lines, pages and cursors', async () => {
    const { api } = newApp()
    await withDraws(api, 4)
    for (let i = 0; i < 5; i++) await api.request('PUT', `/v1/runs/n${i}`, { body: runMeta({}) })
    const all = await jsonOf(await api.get('/v1/runs'))
    expect(Object.keys(all)).toEqual(['runs'])
    expect(all.runs.map((run: { rid: string }) => run.rid)).toEqual(['n4', 'n3', 'n2', 'n1', 'n0', 'r'])
    expect(all.runs.at(-1)).toEqual({
      rid: 'r',
      createdAt: expect.stringMatching(TIME),
      updatedAt: expect.stringMatching(TIME),
      variables: 3,
      sampleStats: 1,
      chains: 1,
      draws: 4,
      ...{ name: null, tags: [], archived: false, state: 'live', diagnostics: null },
    })
    const pages: string[][] = []
    for (let cursor: string | undefined, i = 0; i < 10; i++) {
      const page = await jsonOf(
        await api.get(`/v1/runs?limit=4${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`),
      )
      pages.push(page.runs.map((run: { rid: string }) => run.rid))
      cursor = page.nextCursor
      if (cursor === undefined) break
    }
    expect(pages).toEqual([
      ['n4', 'n3', 'n2', 'n1'],
      ['n0', 'r'],
    ])
    const exact = await jsonOf(await api.get('/v1/runs?limit=6'))
    expect(exact).not.toHaveProperty('nextCursor')
    expect((await jsonOf(await api.get('/v1/runs?limit=1000'))).runs).toHaveLength(6)
  })

  test('a hundred at a time unless told otherwise', async () => {
    const { api } = newApp()
    for (let i = 0; i < 101; i++) await api.request('PUT', `/v1/runs/n${i}`, { body: runMeta({}) })
    const page = await jsonOf(await api.get('/v1/runs'))
    expect([page.runs.length, typeof page.nextCursor]).toEqual([100, 'string'])
    const rest = await jsonOf(await api.get(`/v1/runs?cursor=${page.nextCursor}`))
    expect(rest.runs.map((run: { rid: string }) => run.rid)).toEqual(['n0'])
  })

  test('no runs', async () => {
    expect(await jsonOf(await newApp().api.get('/v1/runs'))).toEqual({ runs: [] })
  })
})

test('the document names every route, and its page shows it', async () => {
  const { api } = newApp()
  const document = await jsonOf(await api.get('/openapi.json'))
  expect(document.openapi).toMatch(/^3\./)
  const operations = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  )
  const contract = [
    'delete /v1/runs/{rid}',
    'get /healthz',
    'get /v1/runs',
    'get /v1/runs/{rid}',
    'get /v1/runs/{rid}/chains',
    'get /v1/runs/{rid}/chains/{chain}',
    'get /v1/runs/{rid}/chains/{chain}/draws',
    'post /v1/runs',
    'post /v1/runs/{rid}/chains/{chain}/draws',
    'put /v1/runs/{rid}',
    'put /v1/runs/{rid}/chains/{chain}',
  ]
  expect(operations).toEqual(expect.arrayContaining(contract))
  const page = await api.get('/docs')
  expect([page.status, page.headers.get('Content-Type')?.split(';')[0]]).toEqual([200, 'text/html'])
  const html = await page.text()
  for (const operation of operations) expect(html).toContain(operation.split(' ')[1])
  expect(html).not.toMatch(/src="http|href="http/)
})
