/** Summaries, checks and traces over HTTP (docs/protocol.md §8): their form, and figures that anybody can count. */
import { describe, expect, type TestContext, test } from 'vitest'
import { type Api, column, drawBatch, expectCommonHeaders, jsonOf, runMeta } from '../../../test/http/api.ts'
import { optional, type Subject } from './subject.ts'

const DRAWS = 200
const CHAINS = [0, 1]
/** Draws of a run, which look like noise: multiples of the golden ratio, without their whole part. */
const valuesOf = (chain: number) =>
  Array.from({ length: DRAWS }, (_, i) => ((i + 1) * 0.618_033_988_749_895 + chain / 7) % 1)
const ALL = CHAINS.flatMap(valuesOf)
const MEAN = ALL.reduce((sum, value) => sum + value, 0) / ALL.length
const SD = Math.sqrt(ALL.reduce((sum, value) => sum + (value - MEAN) ** 2, 0) / (ALL.length - 1))

const CHECKS = ['progress', 'finite', 'stuck', 'divergences', 'rhat', 'ess', 'bfmi', 'treedepth']
/** Milliseconds behind the last write after which figures are of all draws, and a little more. */
const QUIET_MS = 2500

async function newRun(server: Subject): Promise<Api> {
  const api = await server.open()
  const variables = [
    { name: 'x', dtype: 'float64' },
    { name: 'k', dtype: 'float64', shape: [2] },
  ]
  await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
  for (const chain of CHAINS) {
    await api.request('PUT', `/v1/runs/r/chains/${chain}`)
    const draws = [column('x', ...valuesOf(chain)), column('k', ...valuesOf(chain).flatMap((value) => [3, value]))]
    const body = drawBatch({ start: 0, count: DRAWS, draws })
    expect((await api.request('POST', `/v1/runs/r/chains/${chain}/draws`, { body })).status).toBe(200)
  }
  return api
}

/** A run that nobody writes to any more, and the answer of a route; the test is skipped where the server has none. */
async function asked(server: Subject, context: TestContext, route: string): Promise<Response> {
  const api = await newRun(server)
  const path = `/v1/runs/r/${route}`
  await optional(server, context, `${route.split('?')[0]}`, await api.request('GET', path))
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  const response = await api.get(path, { Prefer: 'wait=60' })
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(200)
  expectCommonHeaders(response)
  return response
}

/** The first, least, greatest and last of some values: their indices in order, each once. */
function keptOf(values: readonly number[]): number[] {
  const all = [0, values.indexOf(Math.min(...values)), values.indexOf(Math.max(...values)), values.length - 1]
  return [...new Set(all)].sort((a, b) => a - b)
}

/** Declares the tests of figures. */
export function figures(server: Subject): void {
  describe('figures', () => {
    test('a summary has a row for each scalar', async (context) => {
      const json = await jsonOf(await asked(server, context, 'summary?columns=mean,sd,rhat'))
      expect(json).toMatchObject({
        registration: expect.stringMatching(/./),
        warmup: 'exclude',
        complete: true,
        draws: DRAWS,
        columns: ['mean', 'sd', 'rhat'],
        chains: CHAINS.map((chain) => ({ chain, draws: DRAWS, warmup: 0 })),
        leftOut: [],
      })
      expect(json.rows).toEqual([
        {
          variable: 'x',
          index: [],
          label: 'x',
          mean: expect.closeTo(MEAN, 10),
          sd: expect.closeTo(SD, 10),
          rhat: expect.any(Number),
        },
        { variable: 'k', index: [0], label: 'k[0]', mean: 3, sd: 0, rhat: null, reasons: { rhat: 'constant' } },
        {
          variable: 'k',
          index: [1],
          label: 'k[1]',
          mean: expect.closeTo(MEAN, 10),
          sd: expect.closeTo(SD, 10),
          rhat: json.rows[0].rhat,
        },
      ])
      expect(json.rows[0].rhat).toBeGreaterThan(0.9)
      expect(json.rows[0].rhat).toBeLessThan(1.1)
    })

    test('a summary is a table where it is asked for as one', async (context) => {
      const response = await asked(server, context, 'summary.csv?columns=mean&var=x')
      expect(response.headers.get('Content-Type')?.split(';')[0]).toBe('text/csv')
      const [head = '', row = ''] = (await response.text()).split(/\r?\n/)
      const cells = Object.fromEntries(head.split(',').map((name, i) => [name, row.split(',')[i]]))
      expect(cells).toMatchObject({ variable: 'x', label: 'x' })
      expect(Number(cells.mean)).toBeCloseTo(MEAN, 10)
    })

    test('checks are always the same, in the same order', async (context) => {
      const json = await jsonOf(await asked(server, context, 'checks'))
      expect(json).toMatchObject({ registration: expect.stringMatching(/./), draws: DRAWS })
      expect(json.checks.map(({ check }: { check: string }) => check)).toEqual(CHECKS)
      const statusOf = new Map(json.checks.map((each: { check: string; status: string }) => [each.check, each.status]))
      expect(['ok', 'warn', 'fail']).toContain(json.status)
      // No draw is NaN, and no sampler stat tells of divergences.
      expect([statusOf.get('finite'), statusOf.get('divergences')]).toEqual(['ok', 'unknown'])
      for (const check of json.checks)
        expect(check).toMatchObject({ message: expect.stringMatching(/./), advice: expect.any(String) })
    })

    test('a trace keeps the first, the least, the greatest and the last draw of a bucket', async (context) => {
      const json = await jsonOf(await asked(server, context, 'trace?var=x&start=10&buckets=3'))
      expect(json).toMatchObject({ start: 10, stop: DRAWS, buckets: 3 })
      const bounds = [0, 1, 2, 3].map((b) => 10 + Math.floor((b * (DRAWS - 10)) / 3))
      const chains = CHAINS.map((chain) => {
        const values = valuesOf(chain)
        const at = [0, 1, 2].flatMap((b) => {
          const from = bounds[b] ?? 0
          return keptOf(values.slice(from, bounds[b + 1])).map((i) => from + i)
        })
        return { chain, at, values: at.map((i) => values[i]) }
      })
      expect(json.elements).toEqual([{ variable: 'x', index: [], label: 'x', chains }])
    })
  })
}
