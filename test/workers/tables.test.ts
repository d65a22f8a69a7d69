/** Tables and arrays on workerd: in front of a run's object, and of D1. */
import { tableFromIPC } from '@uwdata/flechette'
import { afterAll, describe, expect, test } from 'vitest'
import { apiOf, bytesOf, column, drawBatch, newApp, runMeta } from '../http/api.ts'
import { fetchD1Worker, fetchWorker } from './local.ts'
import { quiet } from './objects.ts'

afterAll(quiet)

const SERVERS = [
  ['objects', apiOf(fetchWorker, 'http://worker.test')],
  ['D1', apiOf(fetchD1Worker, 'http://worker.test')],
] as const
/** The same server over a store in memory, with nothing of Workers. */
const memory = newApp().api

describe.each(SERVERS)('%s', (_name, api) => {
  test('tables and arrays have the same bytes as elsewhere', async () => {
    const count = 500
    const at = Array.from({ length: count }, (_, i) => i)
    const variables = [
      { name: 'mu', dtype: 'float64' },
      { name: 'wide', dtype: 'float64', shape: [200] },
      { name: 'text', dtype: 'str' },
    ]
    const wide = Float64Array.from({ length: 200 * count }, (_, i) => Math.cos(Math.floor(i / 200) * (i % 200)))
    for (const each of [api, memory]) {
      await each.request('PUT', '/v1/runs/tables', { body: runMeta({ variables }) })
      for (const chain of [0, 1]) {
        const path = `/v1/runs/tables/chains/${chain}`
        await each.request('PUT', path)
        const draws = [
          column('mu', ...at.map((i) => Math.sin(i + chain))),
          { name: 'wide', dtype: 'float64', data: new Uint8Array(wide.buffer) },
          { name: 'text', dtype: 'str', strings: at.map((i) => `"${i}`) },
        ]
        const answer = await each.request('POST', `${path}/draws`, { body: drawBatch({ count, draws }) })
        expect([200, 409]).toContain(answer.status)
      }
    }
    for (const path of [
      'draws.csv',
      'draws.csv?names=label&step=3&var=wide',
      'draws.arrows',
      'chains/1/draws.npy?var=wide',
    ]) {
      const [own, other] = await Promise.all(
        [api, memory].map(async (each) => bytesOf(await each.get(`/v1/runs/tables/${path}`))),
      )
      expect(Buffer.from(own ?? []).equals(Buffer.from(other ?? [])), path).toBe(true)
    }
    const table = tableFromIPC(await bytesOf(await api.get('/v1/runs/tables/draws.arrows')))
    expect(table.numRows).toBe(2 * count)
    expect(table.getChild('wide[200]')?.at(count + 7)).toBe(Math.cos(7 * 199))
    const summary = await api.get('/v1/runs/tables/summary.arrows?var=mu', { Prefer: 'wait=30' })
    expect(
      tableFromIPC(await bytesOf(summary))
        .getChild('label')
        ?.at(0),
    ).toBe('mu')
  })
})
