/** Checks over HTTP (the contract, section 8). */
import { describe, expect, test } from 'vitest'
import type { Check, CheckName, RunChecks } from '../../src/core/diagnostics/checks/check.ts'
import { LocalBench } from '../../src/core/summary/bench.ts'
import { Summaries } from '../../src/core/summary/summaries.ts'
import { Workshop } from '../../src/core/summary/workshop.ts'
import { normals } from '../support/draws-of-chains.ts'
import { type Api, drawBatch, expectProblem, jsonOf, newApp, runMeta } from './api.ts'

const CHECKS = '/v1/runs/r/checks'
const DRAWS = 100
const WARMUP = 20

/** Stats of a draw by the names of one sampler. */
interface Names {
  readonly diverging: string
  readonly energy: string
  readonly depth: string
}
const STAN: Names = { diverging: 'divergent__', energy: 'energy__', depth: 'treedepth__' }
const PYMC: Names = { diverging: 'sampler_0__diverging', energy: 'sampler_0__energy', depth: 'sampler_0__depth' }

/** Changes to a draw of a run that is well otherwise. */
interface Sickness {
  readonly mu?: (mu: number, chain: number, draw: number) => number
  /** Draws with a small tau that diverge. */
  readonly isDivergent?: (tau: number, draw: number) => boolean
  readonly energy?: (energy: number, chain: number) => number
  readonly depth?: (chain: number, draw: number) => number
}

const bytes = (values: { readonly buffer: ArrayBuffer }) => new Uint8Array(values.buffer)

async function newRun(options: Parameters<typeof newApp>[0] = {}, names: Names | null = STAN): Promise<Api> {
  const { api } = newApp(options)
  const meta = runMeta({
    variables: [
      { name: 'mu', dtype: 'float64' },
      { name: 'tau', dtype: 'float64' },
      { name: 'theta', dtype: 'float64', shape: [3], dims: ['school'] },
      { name: 'name', dtype: 'str' },
    ],
    sampleStats: [
      { name: 'tune', dtype: 'bool' },
      ...(names === null
        ? []
        : [
            { name: names.diverging, dtype: 'bool' },
            { name: names.energy, dtype: 'float64' },
            { name: names.depth, dtype: 'int64' },
          ]),
    ],
  })
  expect((await api.request('PUT', '/v1/runs/r', { body: meta })).status).toBe(201)
  return api
}

async function append(api: Api, chain: number, sick: Sickness = {}, names: Names | null = STAN, draws = DRAWS) {
  const { mu = (x) => x, isDivergent = () => false, energy = (x) => x, depth = () => 3 } = sick
  const next = normals(chain + 1)
  const count = draws + WARMUP
  const column = (of: (draw: number) => number, each = 1) =>
    Float64Array.from({ length: each * count }, (_, i) => of(i))
  const taus = column(() => Math.exp(next()))
  const diverging = Uint8Array.from(taus, (tau, i) => (i < WARMUP || isDivergent(tau, i - WARMUP) ? 1 : 0))
  const float64 = (name: string, data: Float64Array<ArrayBuffer>) => ({ name, dtype: 'float64', data: bytes(data) })
  await api.request('PUT', `/v1/runs/r/chains/${chain}`)
  const body = drawBatch({
    start: 0,
    count,
    draws: [
      float64(
        'mu',
        column((draw) => mu(next(), chain, draw - WARMUP)),
      ),
      float64('tau', taus),
      float64(
        'theta',
        column(() => next(), 3),
      ),
      { name: 'name', dtype: 'str', strings: Array.from({ length: count }, () => 'a') },
    ],
    stats: [
      { name: 'tune', dtype: 'bool', data: Uint8Array.from(taus, (_, i) => (i < WARMUP ? 1 : 0)) },
      ...(names === null
        ? []
        : [
            { name: names.diverging, dtype: 'bool', data: diverging },
            float64(
              names.energy,
              column(() => next()).map((x) => energy(x, chain)),
            ),
            {
              name: names.depth,
              dtype: 'int64',
              data: bytes(BigInt64Array.from(taus, (_, i) => BigInt(depth(chain, i - WARMUP)))),
            },
          ]),
    ],
  })
  expect((await api.request('POST', `/v1/runs/r/chains/${chain}/draws`, { body })).status).toBe(200)
}

async function runOf(sick: Sickness, names: Names | null = STAN, options = {}): Promise<Api> {
  const api = await newRun(options, names)
  for (const chain of [0, 1, 2, 3]) await append(api, chain, sick, names)
  return api
}

const checksOf = async (api: Api, headers = {}): Promise<RunChecks> => jsonOf(await api.get(CHECKS, headers))

async function found(api: Api, name: CheckName): Promise<Check> {
  const check = (await checksOf(api)).checks.find((each) => each.check === name)
  if (check === undefined) throw new Error(`there is no check ${name}`)
  return check
}

const statuses = ({ checks }: RunChecks) => Object.fromEntries(checks.map(({ check, status }) => [check, status]))

describe('checks', () => {
  test.each([
    ['Stan', STAN],
    ['PyMC', PYMC],
  ])('of a run of %s that is well', async (_sampler, names) => {
    const checks = await checksOf(await runOf({}, names))
    expect(checks).toMatchObject({ rid: 'r', draws: DRAWS, status: 'warn' })
    expect(checks.registration).not.toBe('')
    // A hundred draws of four chains are too few for an ESS of a hundred a chain.
    expect(statuses(checks)).toEqual({
      progress: 'ok',
      finite: 'ok',
      stuck: 'ok',
      divergences: 'ok',
      rhat: expect.stringMatching(/^(ok|warn)$/),
      ess: expect.stringMatching(/^(ok|warn)$/),
      bfmi: 'ok',
      treedepth: 'ok',
    })
  })

  test('tell which stats are not there', async () => {
    const checks = await checksOf(await runOf({}, null))
    const unknown = checks.checks.filter(({ status }) => status === 'unknown')
    expect(unknown.map(({ check }) => check)).toEqual(['divergences', 'bfmi', 'treedepth'])
    expect(unknown[0]?.message).toContain('no sampler stat `diverging`')
  })

  test('of fewer than a hundred draws are unknown', async () => {
    const api = await newRun()
    expect((await checksOf(api)).status).toBe('unknown')
    for (const chain of [0, 1, 2]) await append(api, chain, {}, STAN, 33)
    const checks = await checksOf(api)
    expect(checks).toMatchObject({ draws: 33, status: 'unknown' })
    expect(checks.checks[3]?.message).toContain('99 draws behind warmup')
  })

  test('find where divergences are, and count none of warmup', async () => {
    const divergences = await found(await runOf({ isDivergent: (tau) => tau < 0.12 }), 'divergences')
    expect(divergences.message).toMatch(/^\d+ of 400 draws diverged \(\d.*%\); they gather at small tau$/)
    expect(divergences).toMatchObject({
      status: 'fail',
      worst: [{ label: 'tau', value: 1, at: 'small' }, {}, {}, {}, {}],
    })
    const [count] = /^\d+/.exec(divergences.message) ?? []
    expect(divergences.chains?.reduce((sum, { value }) => sum + value, 0)).toBe(Number(count))
  })

  test('find the chain to blame', async () => {
    const rhat = await found(await runOf({ mu: (x, chain) => (chain === 2 ? x + 5 : x) }), 'rhat')
    expect(rhat).toMatchObject({ status: 'fail', worst: [{ label: 'mu' }, {}, {}, {}, {}] })
    expect(rhat.message).toContain('without chain 2 that of mu would be')
    expect(rhat.chains?.map(({ chain }) => chain)).toEqual([0, 1, 2, 3])
  })

  test('find values that are not finite, with the element and the chain', async () => {
    const api = await runOf({ mu: (x, chain, draw) => (chain === 1 && draw >= 98 ? Number.NaN : x) })
    const finite = await found(api, 'finite')
    expect(finite).toMatchObject({
      status: 'fail',
      chains: [{ chain: 1, value: 1 }],
      worst: [{ label: 'mu', value: 2 }],
    })
    expect(finite.message).toBe('2 values of 1 scalar are NaN or infinite, in chain 1; most in mu')
  })

  test('find a chain that stands still, and one that repeats', async () => {
    const still = await runOf({ mu: (x, chain, draw) => (chain === 3 && draw >= 50 ? 0.25 : x) })
    expect(await found(still, 'stuck')).toMatchObject({ status: 'fail', chains: [{ chain: 3, value: 1 }] })
    let kept = 0
    const keep = (x: number, draw: number) => (kept = draw % 3 === 0 ? x : kept)
    const repeating = await runOf({ mu: (x, chain, draw) => (chain === 1 ? keep(x, draw) : x) })
    expect(await found(repeating, 'stuck')).toMatchObject({ status: 'warn', worst: [{ label: 'mu', value: 0.66 }] })
  })

  test('tell that ESS does not grow with the draws', async () => {
    const sums = [0, 0, 0, 0]
    const api = await runOf({ mu: (x, chain) => (sums[chain] = (sums[chain] ?? 0) + x) })
    const ess = await found(api, 'ess')
    expect(ess).toMatchObject({ status: 'fail', worst: [{ label: 'mu' }, {}, {}, {}, {}] })
    expect(ess.message).toContain('that of mu does not grow with the draws')
  })

  test('find energies that creep, and trees that are cut off', async () => {
    let level = 0
    const creep = (x: number, chain: number) => {
      if (chain === 1) level += 0.1 * x + 0.2
      return chain === 1 ? level : x
    }
    const api = await runOf({ energy: creep, depth: (chain, draw) => (chain === 0 && draw < 4 ? 10 : 9) })
    expect(await found(api, 'bfmi')).toMatchObject({ status: 'fail' })
    expect((await found(api, 'bfmi')).message).toContain('in chain 1')
    const depth = await found(api, 'treedepth')
    expect(depth).toMatchObject({ status: 'warn', chains: [{ chain: 0, value: 4 }] })
    expect(depth.message).toContain('4 of 400 draws (1 %) reached a depth of the tree of 10')
    expect(depth.message).toContain('assumed')
  })

  test('take the greatest depth from the facts', async () => {
    const api = await runOf({ depth: () => 10 }, PYMC)
    const body = new TextEncoder().encode(JSON.stringify({ facts: { settings: { steps: [{ maxTreedepth: 12 }] } } }))
    const headers = { 'Content-Type': 'application/json' }
    expect((await api.request('PATCH', '/v1/runs/r/about', { body, headers })).status).toBe(200)
    const { status, message } = await found(api, 'treedepth')
    expect([status, message]).toEqual([
      'ok',
      '0 of 400 draws (0 %) reached the maximum depth of the tree of 12 (4095 steps)',
    ])
  })

  test('tell silence, until the run is over', async () => {
    let ahead = 0
    const api = await runOf({}, STAN, { now: () => Date.now() + ahead })
    ahead = 3_600_000
    expect(await found(api, 'progress')).toMatchObject({ status: 'warn', chains: [{ chain: 0 }, {}, {}, {}] })
    const body = new TextEncoder().encode(JSON.stringify({ facts: { finishedAt: '2026-01-01T00:00:00Z' } }))
    await api.request('PATCH', '/v1/runs/r/about', { body, headers: { 'Content-Type': 'application/json' } })
    expect(await found(api, 'progress')).toMatchObject({ status: 'ok' })
  })

  test('are unknown while nothing is computed, and say so', async () => {
    const gate = Promise.withResolvers<void>()
    const workshop = new Workshop(new LocalBench(), { rest: () => gate.promise })
    const api = await runOf({}, STAN, { summaries: new Summaries(workshop) })
    const early = await checksOf(api, { Prefer: 'wait=0' })
    expect(statuses(early)).toMatchObject({ finite: 'unknown', stuck: 'unknown', rhat: 'unknown', ess: 'unknown' })
    expect(early).toMatchObject({ complete: false, progress: 0 })
    expect(early.checks[4]?.message).toContain('R-hat is not computed yet of 5 of 5 scalars')
    gate.resolve()
    const late = await checksOf(api)
    expect(statuses(late)).toMatchObject({ finite: 'ok', stuck: 'ok' })
    expect(Object.keys(late)).toEqual(['rid', 'registration', 'draws', 'status', 'checks'])
  })

  test('of more values than are computed at once go portion by portion', async () => {
    const limits = { values: 2 * 4 * DRAWS, scalar: 4 * DRAWS, keptBytes: 1e6 }
    const api = await runOf({}, STAN, { summaries: new Summaries(new Workshop(new LocalBench()), limits) })
    expect((await found(api, 'finite')).message).toBe('Every value of 5 scalars is finite')
  })

  test('of longer chains than are held are refused', async () => {
    const limits = { values: 1e6, scalar: 4 * DRAWS - 1, keptBytes: 1e6 }
    const api = await runOf({}, STAN, { summaries: new Summaries(new Workshop(new LocalBench()), limits) })
    await expectProblem(await api.get(CHECKS), 413, 'payload_too_large')
  })

  test('compute nothing for HEAD, and are of runs that are there', async () => {
    const api = await runOf({})
    const response = await api.request('HEAD', CHECKS)
    expect([response.status, response.headers.get('Content-Length')]).toEqual([200, null])
    await expectProblem(await api.get('/v1/runs/none/checks'), 404, 'run_not_found')
    const replaced = await api.get(CHECKS, { 'Mcb-Registration': 'another' })
    await expectProblem(replaced, 412, 'run_replaced')
  })
})
