/** Diagnostics of runs: kept when somebody asks, computed anew while a watched run grows, and told to all who watch. */
import { expect, onTestFinished, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { RunDiagnostics } from '../../src/core/diagnostics/run-diagnostics.ts'
import { McbError } from '../../src/core/errors.ts'
import { LocalBench } from '../../src/core/summary/bench.ts'
import { type Diagnostics, diagnosticsOf } from '../../src/core/summary/diagnostics.ts'
import { DEFAULT_COLUMNS, DEFAULT_INTERVAL, type SummaryQuestion } from '../../src/core/summary/question.ts'
import type { RunCounts } from '../../src/core/summary/run-counts.ts'
import { Summaries } from '../../src/core/summary/summaries.ts'
import { Workshop } from '../../src/core/summary/workshop.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { type Diagnosed, Diagnoses } from '../../src/runs/diagnoses.ts'
import { normals } from '../support/draws-of-chains.ts'

const OWNER = {}
const ASKING = { owner: OWNER, waitMs: 60_000 }

/** Counts what is checked, and how many at a time. */
class Counted implements Diagnostics {
  checked = 0
  atOnce = 0
  failure: McbError | undefined
  private readonly inner = diagnosticsOf(new Summaries(new Workshop(new LocalBench())))
  private present = 0

  summarise(...args: Parameters<Diagnostics['summarise']>) {
    return this.inner.summarise(...args)
  }

  async check(...args: Parameters<Diagnostics['check']>) {
    this.checked++
    this.atOnce = Math.max(this.atOnce, ++this.present)
    try {
      if (this.failure !== undefined) throw this.failure
      return await this.inner.check(...args)
    } finally {
      this.present--
    }
  }
}

async function open(diagnosed: Diagnosed = 'watched') {
  const backend = new StoreBackend(new MemoryStore())
  const counted = new Counted()
  const run = await newRun(backend, 'r')
  return { backend, run, counted, diagnoses: new Diagnoses(counted, diagnosed) }
}

async function newRun(backend: StoreBackend, rid: string): Promise<StoreRun> {
  const run = await backend.initRun({
    rid,
    variables: [
      { name: 'mu', dtype: 'float64' },
      { name: 'theta', dtype: 'float64', shape: [3] },
    ],
    sampleStats: [{ name: 'diverging', dtype: 'bool' }],
  })
  for (const chain of [0, 1]) await run.initChain(chain)
  return run
}

/** Appends draws to both chains; the last of each diverges. */
async function grow(run: StoreRun, start: number, count: number): Promise<void> {
  for (const number of [0, 1]) {
    const next = normals(1 + number + 2 * start)
    const values = (each: number) => Float64Array.from({ length: each * count }, next)
    await (await run.getChain(number))?.appendBatch({
      start,
      count,
      draws: new Map([
        ['mu', { dtype: 'float64', shape: [count], data: values(1) } as const],
        ['theta', { dtype: 'float64', shape: [count, 3], data: values(3) } as const],
      ]),
      stats: new Map([
        [
          'diverging',
          {
            dtype: 'bool',
            shape: [count],
            data: Uint8Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0)),
          } as const,
        ],
      ]),
    })
  }
}

/** Watches a run as a stream of events does. */
async function watch(run: StoreRun, diagnoses: Diagnoses) {
  const told: RunDiagnostics[] = []
  const counts: RunCounts[] = []
  const following = diagnoses.follow(run, OWNER, {
    diagnosed: (diagnostics) => void told.push(diagnostics),
    counted: (each) => void counts.push(each),
  })
  const end = await run.watch({ grown: following.grown, deleted: () => {}, lost: () => {} })
  const stop = () => {
    end()
    following.stop()
  }
  onTestFinished(stop)
  return { told, counts, stop }
}

const stored = async (run: StoreRun) => (await run.about()).diagnostics
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** The summary of a run that is asked for without a query, and with some. */
function question({ schema }: StoreRun, change: Partial<SummaryQuestion> = {}): SummaryQuestion {
  return {
    specs: [...schema.draws.values()],
    warmup: 'exclude',
    convention: 'posterior',
    ci: DEFAULT_INTERVAL,
    columns: DEFAULT_COLUMNS,
    limit: 1000,
    ...change,
  }
}

test('counts are exact with all that was appended', async () => {
  const { run, diagnoses } = await open()
  await grow(run, 0, 60)
  const { counts } = await watch(run, diagnoses)
  await expect.poll(() => counts.at(-1)?.draws).toBe(120)
  expect(counts.at(-1)).toMatchObject({ warmup: 0, divergences: 2, stats: { diverging: { least: 0, greatest: 1 } } })
  for (const start of [60, 70, 80]) await grow(run, start, 10)
  await expect.poll(() => counts.at(-1)?.draws, { timeout: 10_000 }).toBe(180)
  expect(counts.at(-1)?.divergences).toBe(8)
  const [mu, theta] = [counts.at(-1)?.variables.mu, counts.at(-1)?.variables.theta]
  const values = await Promise.all([0, 1].map(async (chain) => (await run.getChain(chain))?.getDraws('mu')))
  const all = values.flatMap((draws) => (draws !== undefined && 'data' in draws ? Array.from(draws.data, Number) : []))
  expect(all).toHaveLength(180)
  expect(mu).toMatchObject({ least: Math.min(...all), greatest: Math.max(...all), notFinite: 0 })
  expect(mu?.mean).toBeCloseTo(all.reduce((a, b) => a + b, 0) / 180, 12)
  expect(theta).toBeUndefined()
})

test('checks keep the figures', async () => {
  const { run, diagnoses, backend } = await open()
  await grow(run, 0, 100)
  const checks = await diagnoses.check(run, ASKING)
  const found = await stored(run)
  expect(found).toMatchObject({ draws: 100, divergences: 2, bfmi: null, status: 'fail' })
  expect(found?.status).toBe(checks.status)
  for (const figure of [found?.rhat, found?.essBulk, found?.essTail]) expect(figure).toBeGreaterThan(0.9)
  expect(Math.abs(Date.parse(found?.at ?? '') - Date.now())).toBeLessThan(60_000)
  // The same figures, asked for again, are no news: not even their time moves.
  await diagnoses.check(run, ASKING)
  await diagnoses.summarise(run, question(run), ASKING)
  expect(await stored(run)).toEqual(found)
  expect(await stored(await newRun(backend, 'other'))).toBeNull()
})

test('a summary of all scalars keeps the figures that it has, and no other does', async () => {
  const { run, diagnoses } = await open()
  await grow(run, 0, 100)
  const theta = [...run.schema.draws.values()].slice(1)
  const others: Partial<SummaryQuestion>[] = [
    { specs: theta },
    { specs: [...run.schema.columns] },
    { limit: 2 },
    { columns: ['rhat', 'ess_bulk'] },
    { warmup: 'include' },
    { convention: 'arviz' },
    { chains: [0] },
    { specs: theta, elements: [0, 2] },
  ]
  for (const other of others) await diagnoses.summarise(run, question(run, other), ASKING)
  expect(await stored(run)).toBeNull()
  const { rows } = await diagnoses.summarise(run, question(run, { sort: { column: 'rhat', order: 'falling' } }), ASKING)
  const worst = rows[0]?.figures[DEFAULT_COLUMNS.indexOf('rhat')]
  const found = await stored(run)
  expect(found).toMatchObject({ draws: 100, rhat: worst, divergences: null, bfmi: null, status: null })
  await diagnoses.check(run, ASKING)
  const { essBulk, essTail } = found ?? {}
  expect(await stored(run)).toMatchObject({ rhat: worst, essBulk, essTail, divergences: 2, status: 'fail' })
})

test('nothing is computed of a run that nobody watches, or where nothing runs behind requests', async () => {
  const { run, counted } = await open()
  await grow(run, 0, 100)
  const asked = await open('asked')
  await grow(asked.run, 0, 100)
  const { told } = await watch(asked.run, asked.diagnoses)
  await pause(2600)
  expect(await stored(run)).toBeNull()
  expect([counted.checked, asked.counted.checked, told]).toEqual([0, 0, []])
  await asked.diagnoses.check(asked.run, ASKING)
  expect(told).toEqual([await stored(asked.run)])
})

test('a watched run is computed at once, when it has grown by a quarter, and when it rests', async () => {
  const { run, diagnoses, counted } = await open()
  await grow(run, 0, 100)
  const { told } = await watch(run, diagnoses)
  await expect.poll(() => told.at(-1)?.draws).toBe(100)
  expect(await stored(run)).toEqual(told.at(-1))
  // A tenth more waits until the run rests.
  await grow(run, 100, 10)
  await pause(1000)
  expect(told.at(-1)?.draws).toBe(100)
  await expect.poll(() => told.at(-1)?.draws, { timeout: 10_000 }).toBe(110)
  const begun = performance.now()
  await grow(run, 110, 60)
  await expect.poll(() => told.at(-1)?.draws).toBe(170)
  expect(performance.now() - begun).toBeLessThan(2000)
  // One more when it rests, and then no other.
  await pause(2600)
  const { checked } = counted
  await pause(2600)
  expect(counted.checked).toBe(checked)
  expect(told.map(({ draws }) => draws)).toEqual([100, 110, 170])
})

test('watchers share what is computed; one that comes later is told at once, and a run that was computed is not again', async () => {
  const { run, diagnoses, counted } = await open()
  await grow(run, 0, 200)
  const first = await watch(run, diagnoses)
  const second = await watch(run, diagnoses)
  await expect.poll(() => [first.told.length, second.told.length]).toEqual([1, 1])
  const third = await watch(run, diagnoses)
  expect(third.told).toEqual(first.told)
  await pause(2600)
  expect(counted.atOnce).toBe(1)
  const { checked } = counted
  for (const { stop } of [first, second, third]) stop()
  const later = await watch(run, diagnoses)
  await expect.poll(() => later.told.map(({ draws }) => draws)).toEqual([200])
  await pause(2600)
  expect(counted.checked).toBe(checked)
})

test('runs of one tenant are computed one at a time', async () => {
  const { backend, diagnoses, counted } = await open()
  const runs = await Promise.all(['a', 'b', 'c', 'd'].map((rid) => newRun(backend, rid)))
  for (const run of runs) await grow(run, 0, 400)
  const watched = await Promise.all(runs.map((run) => watch(run, diagnoses)))
  await expect.poll(() => watched.every(({ told }) => told.length > 0)).toBe(true)
  expect(counted.atOnce).toBe(1)
})

test('a watcher that goes before its turn costs nothing, and failures end no watch', async () => {
  const { run, diagnoses, counted } = await open()
  await grow(run, 0, 100)
  ;(await watch(run, diagnoses)).stop()
  await pause(300)
  expect(counted.checked).toBe(0)
  counted.failure = new McbError('overloaded', 'busy')
  const { told } = await watch(run, diagnoses)
  await expect.poll(() => counted.checked).toBe(1)
  await grow(run, 100, 100)
  await pause(300)
  // Not again so soon.
  expect(counted.checked).toBe(1)
  counted.failure = undefined
  await diagnoses.check(run, ASKING)
  expect(told).toMatchObject([{ draws: 200 }])
})

test('a run that is deleted meanwhile', async () => {
  const { backend, run, diagnoses } = await open()
  await grow(run, 0, 100)
  const checked = diagnoses.check(run, ASKING).catch(() => undefined)
  await backend.deleteRun('r')
  await checked
  await diagnoses.summarise(run, question(run), ASKING).catch(() => undefined)
  expect((await (await newRun(backend, 'r')).about()).diagnostics).toBeNull()
})
