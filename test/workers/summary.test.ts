/** Summaries and checks on Workers: inside the run's object, and in the isolate where D1 has the draws. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { objectName } from '../../src/backends/durable/protocol.ts'
import { resultOf } from '../../src/backends/outcome.ts'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_COLUMNS, DEFAULT_INTERVAL } from '../../src/core/summary/question.ts'
import { type Api, apiOf, drawBatch, expectProblem, jsonOf, newApp, runMeta } from '../http/api.ts'
import { fetchD1Worker, fetchWorker } from './local.ts'
import { objectOf, quiet } from './objects.ts'

const objects = apiOf(fetchWorker, 'http://worker.test')
const d1 = apiOf(fetchD1Worker, 'http://worker.test')
/** The same server over a store in memory, with nothing of Workers. */
const memory = newApp().api

afterAll(quiet)

/** Numbers that look random, the same each time; some elements mix badly. */
function values(count: number, elements: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed
  const found = new Float32Array(count * elements)
  for (let i = 0; i < found.length; i++) {
    state = (state * 16_807) % 2_147_483_647
    const last = i % 7 === 0 ? (found[i - elements] ?? 0) : 0
    found[i] = state / 2_147_483_647 - 0.5 + 0.9 * last
  }
  return found
}

async function register(api: Api, rid: string, elements: number): Promise<void> {
  const variables = [
    { name: 'mu', dtype: 'float32' },
    { name: 'wide', dtype: 'float32', shape: [elements] },
    { name: 'name', dtype: 'str' },
  ]
  const body = runMeta({ variables, sampleStats: [{ name: 'tune', dtype: 'bool' }] })
  expect((await api.request('PUT', `/v1/runs/${rid}`, { body })).status).toBe(201)
}

/** Appends draws, the first ten of which are warmup. */
async function append(api: Api, rid: string, chain: number, start: number, count: number, elements: number) {
  const path = `/v1/runs/${rid}/chains/${chain}`
  if (start === 0) await api.request('PUT', path)
  const seed = 1 + 31 * chain + 7 * start
  const body = drawBatch({
    start,
    count,
    draws: [
      { name: 'mu', dtype: 'float32', data: new Uint8Array(values(count, 1, seed).buffer) },
      { name: 'wide', dtype: 'float32', data: new Uint8Array(values(count, elements, seed + 3).buffer) },
      { name: 'name', dtype: 'str', strings: Array.from({ length: count }, () => 'a') },
    ],
    stats: [
      { name: 'tune', dtype: 'bool', data: Uint8Array.from({ length: count }, (_, i) => (start + i < 10 ? 1 : 0)) },
    ],
  })
  expect((await api.request('POST', `${path}/draws`, { body })).status).toBe(200)
}

async function fill(api: Api, rid: string, chains: number, draws: number, elements: number): Promise<void> {
  await register(api, rid, elements)
  for (let chain = 0; chain < chains; chain++) {
    for (let start = 0; start < draws; start += 100) {
      await append(api, rid, chain, start, Math.min(100, draws - start), elements)
    }
  }
}

const summaryOf = async (api: Api, rid: string, query = '', headers: Record<string, string> = {}) =>
  jsonOf(await api.get(`/v1/runs/${rid}/summary${query}`, headers))

const QUERIES = [
  '',
  '?sort=-rhat&limit=7',
  '?var=wide&elem=3,1&chain=1&chain=2&warmup=include&columns=mad,rhat,pareto_khat&convention=arviz&ci_kind=hdi',
]

/** A small run that both workers and the memory have. */
const SMALL = { chains: 3, draws: 150, elements: 30 }
/** A run that takes several shifts: more than one is allowed to compute at once. */
const WIDE = { chains: 4, draws: 400, elements: 4000 }

beforeAll(async () => {
  for (const api of [objects, d1, memory]) await fill(api, 'small', SMALL.chains, SMALL.draws, SMALL.elements)
}, 300_000)

describe.each([
  ['run objects', objects],
  ['D1', d1],
])('a summary with %s', (_, api) => {
  test.each(QUERIES)('is that of the engine alone: %s', async (query) => {
    const { registration, nextCursor, ...found } = await summaryOf(api, 'small', query)
    const { registration: other, nextCursor: next, ...expected } = await summaryOf(memory, 'small', query)
    expect(found).toEqual(expected)
    expect(registration).not.toBe(other)
    expect(typeof nextCursor).toBe(typeof next)
    expect(found.complete).toBe(true)
  })

  test('goes with checks of the same draws', async () => {
    const found = await jsonOf(await api.get('/v1/runs/small/checks'))
    const expected = await jsonOf(await memory.get('/v1/runs/small/checks'))
    const judged = ({ check }: { check: string }) => check !== 'progress' && check !== 'ess'
    expect(found.checks.filter(judged)).toEqual(expected.checks.filter(judged))
    expect([found.draws, found.complete]).toEqual([SMALL.draws - 10, undefined])
  })

  test('comes for all who ask at once', async () => {
    const query = '?sort=ess_bulk&ci_prob=0.5'
    const answers = await Promise.all(Array.from({ length: 8 }, () => summaryOf(api, 'small', query)))
    const { rows } = await summaryOf(memory, 'small', query)
    for (const answer of answers) expect([answer.complete, answer.rows]).toEqual([true, rows])
  })

  test('gets on although nobody waits long', async () => {
    const answer = await summaryOf(api, 'small', '?ci_prob=0.7', { Prefer: 'wait=0' })
    expect(answer.complete).toBe(true)
  })

  test('that needs too much is refused', async () => {
    const body = runMeta({ variables: [{ name: 'x', dtype: 'uint8', shape: [2000] }] })
    await api.request('PUT', '/v1/runs/much', { body })
    for (const chain of [0, 1]) {
      await api.request('PUT', `/v1/runs/much/chains/${chain}`)
      const draws = [{ name: 'x', dtype: 'uint8', data: new Uint8Array(2000 * 5001) }]
      const path = `/v1/runs/much/chains/${chain}/draws`
      expect((await api.request('POST', path, { body: drawBatch({ count: 5001, draws }) })).status).toBe(200)
    }
    await expectProblem(await api.get('/v1/runs/much/summary?sort=rhat'), 413, 'payload_too_large')
    expect(await summaryOf(api, 'much', '?limit=3')).toMatchObject({ complete: true, draws: 5001 })
    await api.request('PUT', '/v1/runs/long', { body: runMeta({ variables: [{ name: 'x', dtype: 'uint8' }] }) })
    await api.request('PUT', '/v1/runs/long/chains/0')
    const draws = [{ name: 'x', dtype: 'uint8', data: new Uint8Array(500_001) }]
    const long = await api.request('POST', '/v1/runs/long/chains/0/draws', {
      body: drawBatch({ count: 500_001, draws }),
    })
    expect(long.status).toBe(200)
    await expectProblem(await api.get('/v1/runs/long/summary'), 413, 'payload_too_large')
  })

  test('of a run that is gone, or another one now', async () => {
    await fill(api, 'replaced', 2, 50, 4)
    const { nextCursor } = await summaryOf(api, 'replaced', '?limit=2')
    await api.request('DELETE', '/v1/runs/replaced')
    await expectProblem(await api.get('/v1/runs/replaced/summary'), 404, 'run_not_found')
    await fill(api, 'replaced', 1, 60, 4)
    await expectProblem(await api.get(`/v1/runs/replaced/summary?cursor=${nextCursor}`), 412, 'run_replaced')
    expect(await summaryOf(api, 'replaced')).toMatchObject({ complete: true, draws: 50, chains: [{ chain: 0 }] })
    await expectProblem(await api.get('/v1/runs/replaced/summary?chain=1'), 404, 'chain_not_found')
  })
})

describe('a run object', () => {
  test('computes once for all who ask, and sends no draws', async () => {
    const reads = vi.spyOn(SqliteStore.prototype, 'read')
    const one = async (query: string, times: number) => {
      reads.mockClear()
      const asked = Array.from({ length: times }, () => summaryOf(objects, 'small', query))
      for (const { complete } of await Promise.all(asked)) expect(complete).toBe(true)
      return reads.mock.calls.length
    }
    const alone = await one('?ci_prob=0.31', 1)
    expect(alone).toBeGreaterThan(0)
    expect(await one('?ci_prob=0.32', 12)).toBe(alone)
    expect(await one('?ci_prob=0.32', 3)).toBe(0)
    reads.mockRestore()
  })

  test('that was restarted goes on with the next page', async () => {
    const first = await summaryOf(objects, 'small', '?sort=-rhat&limit=10')
    await runInDurableObject(objectOf('small'), (_, state) => state.abort('restarting')).catch(() => undefined)
    await append(objects, 'small', 0, SMALL.draws, 50, SMALL.elements)
    const second = await summaryOf(objects, 'small', `?sort=-rhat&limit=100&cursor=${first.nextCursor}`)
    const all = await summaryOf(memory, 'small', '?sort=-rhat&limit=100')
    expect([...first.rows, ...second.rows]).toEqual(all.rows)
  })
})

describe('a wide run', () => {
  beforeAll(async () => {
    for (const api of [objects, memory]) await fill(api, 'wide', WIDE.chains, WIDE.draws, WIDE.elements)
    await objects.request('PUT', '/v1/runs/wide/chains/9')
  }, 300_000)

  test('is answered shift after shift, and appends do not wait for them', async () => {
    const done = summaryOf(objects, 'wide', '?sort=-rhat&limit=10000', { Prefer: 'wait=60' })
    let isDone = false
    void done.then(() => {
      isDone = true
    })
    const waits: number[] = []
    const until = performance.now() + 10_000
    for (let start = 0; !isDone && performance.now() < until; start++) {
      const since = performance.now()
      await append(objects, 'wide', 9, start, 1, WIDE.elements)
      waits.push(performance.now() - since)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const { rows, complete, leftOut } = await done
    expect(complete).toBe(true)
    expect(leftOut[0].chain).toBe(9)
    expect(rows).toEqual((await summaryOf(memory, 'wide', '?sort=-rhat&limit=10000')).rows)
    waits.sort((a, b) => a - b)
    expect(waits.length).toBeGreaterThan(10)
    expect(waits[waits.length >> 1]).toBeLessThan(300)
    expect(waits.at(-1)).toBeLessThan(1500)
  })

  test('has no more of a request than a shift, and nothing between two', async () => {
    const { registration } = await summaryOf(objects, 'wide', '?var=mu')
    const ask = async () => {
      const question = {
        specs: [0, 1],
        warmup: 'exclude',
        convention: 'arviz',
        ci: DEFAULT_INTERVAL,
        columns: DEFAULT_COLUMNS,
        limit: 10_000,
      } as const
      const stub = env.RUNS.getByName(objectName('local', 'wide'))
      return resultOf(await stub.summarise('local', registration, question, 60_000))
    }
    const reads = vi.spyOn(SqliteStore.prototype, 'read')
    const first = await ask()
    expect(first.complete).toBe(false)
    expect(first.progress).toBeGreaterThan(0.3)
    reads.mockClear()
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(reads).not.toHaveBeenCalled()
    let shifts = 1
    for (let last = first; !last.complete; shifts++) last = await ask()
    expect(shifts).toBeLessThan(5)
    reads.mockRestore()
  })

  test('that is deleted meanwhile is not found', async () => {
    const asked = objects.get('/v1/runs/wide/summary?sort=-rhat&limit=10000&warmup=include', { Prefer: 'wait=60' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await objects.request('DELETE', '/v1/runs/wide')).status).toBe(204)
    const answer = await asked
    expect(answer.status).toBe(404)
    await expectProblem(answer, 404, 'run_not_found')
  })
})
