/** Summaries over HTTP (the contract, section 8). */
import { describe, expect, test } from 'vitest'
import { LocalBench } from '../../src/core/summary/bench.ts'
import { Summaries } from '../../src/core/summary/summaries.ts'
import { Workshop } from '../../src/core/summary/workshop.ts'
import { type Api, drawBatch, expectProblem, jsonOf, newApp, runMeta } from './api.ts'

const SUMMARY = '/v1/runs/r/summary'

/** Numbers that look random, the same each time. */
function noise(count: number, seed: number): Float64Array<ArrayBuffer> {
  let state = seed
  return Float64Array.from({ length: count }, () => {
    state = (state * 16_807) % 2_147_483_647
    return state / 2_147_483_647 - 0.5
  })
}

const bytes = (values: { readonly buffer: ArrayBuffer }) => new Uint8Array(values.buffer)

/** Appends draws, the first of which are warmup. */
async function append(api: Api, chain: number, start: number, count: number, warmup = 0): Promise<void> {
  const path = `/v1/runs/r/chains/${chain}`
  if (start === 0) await api.request('PUT', path)
  const body = drawBatch({
    start,
    count,
    draws: [
      { name: 'mu', dtype: 'float64', data: bytes(noise(count, 11 * chain + start + 1)) },
      { name: 'theta', dtype: 'float64', data: bytes(noise(4 * count, 7 * chain + start + 2)) },
      { name: 'k', dtype: 'int64', data: bytes(new BigInt64Array(count).fill(3n)) },
      { name: 'name', dtype: 'str', strings: Array.from({ length: count }, () => 'a') },
      {
        name: 'ragged',
        dtype: 'float64',
        data: new Uint8Array(),
        shapes: Array.from({ length: 2 * count }, (_, i) => 1 - (i % 2)),
      },
    ],
    stats: [
      { name: 'tune', dtype: 'bool', data: Uint8Array.from({ length: count }, (_, i) => (start + i < warmup ? 1 : 0)) },
      { name: 'lp', dtype: 'float64', data: bytes(noise(count, 5 + chain)) },
    ],
  })
  const response = await api.request('POST', `${path}/draws`, { body })
  expect(response.status).toBe(200)
}

async function newRun(options: Parameters<typeof newApp>[0] = {}): Promise<Api> {
  const { api } = newApp(options)
  const meta = runMeta({
    variables: [
      { name: 'mu', dtype: 'float64' },
      { name: 'theta', dtype: 'float64', shape: [4], dims: ['school'] },
      { name: 'k', dtype: 'int64' },
      { name: 'name', dtype: 'str' },
      { name: 'ragged', dtype: 'float64', shape: [-1] },
    ],
    sampleStats: [
      { name: 'tune', dtype: 'bool' },
      { name: 'lp', dtype: 'float64' },
    ],
  })
  expect((await api.request('PUT', '/v1/runs/r', { body: meta })).status).toBe(201)
  return api
}

const summaryOf = async (api: Api, query = '', headers: Record<string, string> = {}) =>
  jsonOf(await api.get(`${SUMMARY}${query}`, headers))

describe('a summary', () => {
  test('has a row for each scalar, and says what is left out', async () => {
    const api = await newRun()
    for (const chain of [0, 1, 2]) await append(api, chain, 0, 120, 20)
    const summary = await summaryOf(api)
    expect(summary).toMatchObject({
      rid: 'r',
      convention: 'posterior',
      ci: { kind: 'eti', prob: 0.89 },
      warmup: 'exclude',
      complete: true,
      chains: [0, 1, 2].map((chain) => ({ chain, draws: 100, warmup: 20 })),
      leftOut: [
        { variable: 'name', reason: 'strings' },
        { variable: 'ragged', reason: 'ragged' },
      ],
      draws: 100,
    })
    expect(summary.rows.map((row: { variable: string; index: number[] }) => [row.variable, row.index])).toEqual([
      ['mu', []],
      ['theta', [0]],
      ['theta', [1]],
      ['theta', [2]],
      ['theta', [3]],
      ['k', []],
    ])
    expect(summary.rows[5]).toMatchObject({ mean: 3, rhat: null, reasons: { rhat: 'constant', ess_bulk: 'constant' } })
    expect(summary.nextCursor).toBeUndefined()
    for (const column of summary.columns) expect(summary.rows[1][column]).toBeTypeOf('number')
  })

  test('leaves out chains that lag behind, unless they are named', async () => {
    const api = await newRun()
    for (const [chain, count] of [100, 100, 40].entries()) await append(api, chain, 0, count)
    await api.request('PUT', '/v1/runs/r/chains/3')
    expect(await summaryOf(api)).toMatchObject({
      chains: [{ chain: 0 }, { chain: 1 }, { chain: 2 }],
      leftOut: [{ chain: 3, reason: 'no_draws' }, { variable: 'name' }, { variable: 'ragged' }],
      draws: 40,
    })
    await append(api, 3, 0, 100)
    const { chains, leftOut, draws } = await summaryOf(api)
    expect([chains.length, leftOut[0], draws]).toEqual([3, { chain: 2, reason: 'short' }, 100])
    const named = await summaryOf(api, '?chain=2&chain=0&var=mu')
    expect([named.chains.map(({ chain }: { chain: number }) => chain), named.leftOut, named.draws]).toEqual([
      [0, 2],
      [],
      40,
    ])
    await expectProblem(await api.get(`${SUMMARY}?chain=7`), 404, 'chain_not_found')
  })

  test('is of warmup alone, or of all draws, where that is asked for', async () => {
    const api = await newRun()
    await append(api, 0, 0, 50, 20)
    await append(api, 1, 0, 17, 20)
    expect(await summaryOf(api, '?warmup=only&var=mu')).toMatchObject({ draws: 17, leftOut: [] })
    expect(await summaryOf(api, '?warmup=include&var=mu')).toMatchObject({ draws: 17, leftOut: [] })
    expect(await summaryOf(api, '?var=mu')).toMatchObject({
      draws: 30,
      leftOut: [{ chain: 1, reason: 'no_draws' }],
    })
  })

  test('goes by a column, page after page of one moment', async () => {
    const api = await newRun()
    for (const chain of [0, 1]) await append(api, chain, 0, 60)
    const all = await summaryOf(api, '?sort=-rhat&limit=6')
    const rhats = all.rows.map((row: { rhat: number | null }) => row.rhat)
    expect(rhats.at(-1)).toBeNull()
    expect(rhats.slice(0, 5)).toEqual(rhats.slice(0, 5).toSorted((a: number, b: number) => b - a))
    const first = await summaryOf(api, '?sort=-rhat&limit=4')
    for (const chain of [0, 1]) await append(api, chain, 60, 60)
    const second = await summaryOf(api, `?sort=-rhat&limit=4&cursor=${first.nextCursor}`)
    expect([...first.rows, ...second.rows]).toEqual(all.rows)
    expect([second.draws, second.nextCursor]).toEqual([60, undefined])
    const later = await summaryOf(api, '?var=mu&convention=arviz')
    expect(later.draws).toBe(120)
    await expectProblem(await api.get(`${SUMMARY}?cursor=${first.nextCursor}`), 400, 'invalid_parameter')
    await expectProblem(await api.get(`${SUMMARY}?cursor=nonsense`), 400, 'invalid_parameter')
    await api.request('DELETE', '/v1/runs/r')
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: [{ name: 'mu', dtype: 'float64' }] }) })
    const gone = await api.get(`${SUMMARY}?sort=-rhat&cursor=${first.nextCursor}`)
    await expectProblem(gone, 412, 'run_replaced')
  })

  test('is the same for a chain in one append and in many', async () => {
    const [api, other] = [await newRun(), await newRun()]
    await append(api, 0, 0, 50)
    await append(api, 0, 50, 50)
    const draws = await jsonOf(await api.get('/v1/runs/r/chains/0/draws', { Accept: 'application/json' }))
    await other.request('PUT', '/v1/runs/r/chains/0')
    const body = new TextEncoder().encode(JSON.stringify(draws))
    const headers = { 'Content-Type': 'application/json' }
    expect((await other.request('POST', '/v1/runs/r/chains/0/draws', { body, headers })).status).toBe(200)
    expect((await summaryOf(other)).rows).toEqual((await summaryOf(api)).rows)
  })

  test('comes as CSV, with a link to the next page', async () => {
    const api = await newRun()
    await append(api, 0, 0, 40)
    const response = await api.get(`${SUMMARY}?columns=mean,rhat&limit=2`, { Accept: 'text/csv' })
    expect(response.headers.get('Content-Type')).toBe('text/csv; charset=utf-8')
    const lines = (await response.text()).trimEnd().split('\r\n')
    expect(lines[0]).toBe('variable,index,label,mean,rhat')
    expect(lines[2]).toMatch(/^theta,0,theta\[0\],/)
    const [, next = ''] = /^<(.*)>; rel="next"$/.exec(response.headers.get('Link') ?? '') ?? []
    const second = await (await api.get(next, { Accept: 'text/csv' })).text()
    expect(second.split('\r\n')[1]).toMatch(/^theta,1,/)
    await expectProblem(await api.get(SUMMARY, { Accept: 'text/html' }), 406, 'not_acceptable')
  })

  test('says what is pending when the time is over, and goes on', async () => {
    const gate = Promise.withResolvers<void>()
    const workshop = new Workshop(new LocalBench(), { rest: () => gate.promise })
    const api = await newRun({ summaries: new Summaries(workshop) })
    for (const chain of [0, 1]) await append(api, chain, 0, 40)
    const early = await summaryOf(api, '?var=mu', { Prefer: 'wait=0' })
    expect(early).toMatchObject({
      complete: false,
      rows: [{ mean: null, reasons: { mean: 'pending', rhat: 'pending' } }],
    })
    expect(early.progress).toBeLessThan(1)
    gate.resolve()
    expect(await summaryOf(api, '?var=mu')).toMatchObject({ complete: true })
  })

  test('of a run without draws has too few', async () => {
    const api = await newRun()
    const { rows, draws } = await summaryOf(api, '?var=mu')
    expect([draws, rows[0].reasons.mean]).toEqual([0, 'too_few'])
  })

  test('is not computed for HEAD', async () => {
    const api = await newRun()
    await append(api, 0, 0, 40)
    const response = await api.request('HEAD', SUMMARY)
    expect([response.status, response.headers.get('Content-Length')]).toEqual([200, null])
    expect((await api.request('HEAD', `${SUMMARY}?chain=4`)).status).toBe(404)
  })

  test.each([
    'sort=mode',
    'sort=mad',
    'columns=mean,mode',
    'limit=0',
    'limit=10001',
    'ci_prob=1',
    'ci_prob=x',
    'ci_kind=both',
    'convention=stan',
    'warmup=no',
    'chain=01',
    'elem=0',
    'limit=1&limit=2',
    'var=mu&elem=1',
  ])('refuses %s', async (query) => {
    const api = await newRun()
    await append(api, 0, 0, 10)
    await expectProblem(await api.get(`${SUMMARY}?${query}`), 400, 'invalid_parameter')
  })

  test('refuses more values than it may hold', async () => {
    const limits = { values: 1000, scalar: 500, keptBytes: 1000 }
    const api = await newRun({ summaries: new Summaries(new Workshop(new LocalBench()), limits) })
    for (const chain of [0, 1]) await append(api, chain, 0, 200)
    await expectProblem(await api.get(`${SUMMARY}?sort=rhat`), 413, 'payload_too_large')
    expect(await summaryOf(api, '?var=theta&elem=1,2')).toMatchObject({ complete: true })
    await append(api, 0, 200, 200)
    await append(api, 1, 200, 200)
    await expectProblem(await api.get(`${SUMMARY}?var=mu&convention=arviz`), 413, 'payload_too_large')
  })
})
