/**
 * The costs of two typical runs, as docs/deploy.md has them, against those counted. A run is stored as samplers send it, ten
 * minutes long, by a clock that this test moves: alarms go off when they are due by it, so that hardly a count hangs on this machine.
 */
import { listDurableObjectIds, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { DurableObjectStub } from '@cloudflare/workers-types'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import deployPage from '../../docs/deploy.md?raw'
import scalePage from '../../docs/scale.md?raw'
import { buildSchema, type Schema } from '../../src/core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { encodeRunMeta, mcbackend } from '../../src/core/wire/run-meta.ts'
import { encodeSegments } from '../../src/core/wire/write-batch.ts'
import { fetchWorker } from './local.ts'
import { type Bill, dollarsOf, Meter } from './meter.ts'
import { objectOf, quiet } from './objects.ts'
import { BILLED, STORAGE_PRICES, STORED, type Stored } from './prices.ts'

const CHAINS = 4
const SAMPLING_MS = 10 * 60_000
/** Milliseconds after the last draw until nothing is left to be done. */
const REST_MS = 15 * 60_000
/** Section of the page that is about this deployment. */
const HEADING = 'DRAWS' in env ? 'With a bucket' : 'Without a bucket'
const TIMEOUT_MS = 300_000
const PROTOBUF = 'application/x-protobuf'

type Table = ReadonlyMap<string, readonly number[]>

interface TypicalRun {
  readonly variables: number
  readonly draws: number
  /** Draws of a POST. */
  readonly batch: number
}

/** The run of docs/scale.md, with a POST a chain each second, and each ten seconds. */
const AT_WORK: readonly TypicalRun[] = [
  { variables: 10, draws: 600 * 64, batch: 64 },
  { variables: 10, draws: 600 * 64, batch: 640 },
]

const RUNS: readonly TypicalRun[] = [
  { variables: 100, draws: 2000, batch: 10 },
  { variables: 10, draws: 1_000_000, batch: 10_000 },
]

let meter: Meter
beforeAll(async () => {
  // Alarms of the platform itself wait for a time that does not come while this runs.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 3_600_000 })
  meter = await runInDurableObject(objectOf('none'), (_, state) => new Meter(state))
})
afterAll(async () => {
  await quiet()
  vi.useRealTimers()
})

/** Stubs of all run objects, and of all shards of the catalogue. */
async function allObjects(): Promise<DurableObjectStub[]> {
  const stubs = [env.RUNS, env.CATALOGUE].map(async (namespace) =>
    (await listDurableObjectIds(namespace)).map((id) => namespace.get(id)),
  )
  return (await Promise.all(stubs)).flat()
}

/** Lets the clock go on to a moment, and the alarms on the way go off. */
async function passTo(moment: number): Promise<void> {
  for (;;) {
    const stubs = await allObjects()
    const due = await Promise.all(
      stubs.map(async (stub) => ({ stub, at: await runInDurableObject(stub, (_, { storage }) => storage.getAlarm()) })),
    )
    const next = due.filter(({ at }) => at !== null && at <= moment).sort((a, b) => Number(a.at) - Number(b.at))[0]
    if (next === undefined) break
    vi.setSystemTime(Math.max(Date.now(), Number(next.at)))
    await runDurableObjectAlarm(next.stub)
  }
  vi.setSystemTime(moment)
}

async function ask(path: string, init: RequestInit = {}): Promise<Uint8Array> {
  meter.count('requests to the Worker')
  const answer = await fetchWorker(new Request(`http://worker.test/v1/runs/${path}`, init))
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${new TextDecoder().decode(bytes)}`)
  return bytes
}

function bodyOf(schema: Schema, start: number, count: number): Uint8Array<ArrayBuffer> {
  const columns = schema.columns.map((spec, column) => {
    const values = Float64Array.from({ length: count }, (_, i) => Math.sin(start + i + column))
    return { spec, data: new Uint8Array(values.buffer) }
  })
  return encodeSegments(start, count, columns)
}

/** Registers a run and writes it, a POST of each chain after the other, in ten minutes. */
async function write(rid: string, { variables: count, draws, batch }: TypicalRun): Promise<Bill> {
  const variables = Array.from({ length: count }, (_, i) => ({ name: `x${i}`, dtype: 'float64', shape: [] }))
  const schema = buildSchema(variables, [], DEFAULT_LIMITS)
  const headers = { 'Content-Type': PROTOBUF }
  await ask(rid, { method: 'PUT', headers, body: encodeRunMeta(new mcbackend.RunMeta({ variables })) })
  for (let chain = 0; chain < CHAINS; chain++) await ask(`${rid}/chains/${chain}`, { method: 'PUT' })
  const begun = Date.now()
  for (let start = 0; start < draws; start += batch) {
    const body = bodyOf(schema, start, batch)
    for (let chain = 0; chain < CHAINS; chain++) {
      await ask(`${rid}/chains/${chain}/draws`, { method: 'POST', headers, body })
    }
    await passTo(begun + ((start + batch) / draws) * SAMPLING_MS)
  }
  await passTo(Date.now() + REST_MS)
  return meter.take()
}

async function read(rid: string, { variables, draws }: TypicalRun): Promise<Bill> {
  for (let chain = 0; chain < CHAINS; chain++) {
    const { length } = await ask(`${rid}/chains/${chain}/draws`, { headers: { Accept: PROTOBUF } })
    expect(length).toBeGreaterThan(variables * draws * 8)
  }
  return meter.take()
}

async function kept(rid: string): Promise<Record<Stored, number>> {
  const object = await runInDurableObject(objectOf(rid), (_, { storage }) => storage.sql.databaseSize)
  const { objects } = 'DRAWS' in env ? await env.DRAWS.list({ prefix: `local/${rid}/` }) : { objects: [] }
  // This look is not the product's.
  meter.take()
  return { 'bytes in objects': object, 'bytes in R2': objects.reduce((sum, { size }) => sum + size, 0) }
}

/** Rows of a table of a page, by what they are about. */
function documented(page: string, heading: string): Table {
  const section = page.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').filter((line) => /^\| [a-z]/i.test(line))
  return new Map(
    rows.map((row) => {
      const [name = '', ...cells] = row.split('|').slice(1, -1)
      return [name.trim(), cells.map((cell) => Number(cell.replaceAll(',', '')))]
    }),
  )
}

/**
 * Within a tenth, or where a few things are counted within two of them: moves to the bucket go on beside the clock of this test, and
 * a busy machine makes fewer and larger ones of them.
 */
function isNear(told: number, found: number): boolean {
  const few = Number.isInteger(told) && told > 0 ? 2 : 0
  return Math.abs(told - found) <= Math.max(few, found / 10)
}

/** A count that is near stands as it is told, so that a failure shows the others. */
function expectTold(told: Table, found: Table): void {
  const settled = [...found].map(([name, cells]) => {
    const said = told.get(name) ?? []
    return [name, cells.map((cell, i) => (isNear(said[i] ?? Number.NaN, cell) ? said[i] : cell))]
  })
  expect(settled).toEqual([...told])
}

class Found {
  readonly table = new Map<string, number[]>()

  add(name: string, ...cells: readonly number[]): void {
    this.table.set(name, [...(this.table.get(name) ?? []), ...cells])
  }
}

test(
  'a run costs what docs/deploy.md says',
  async () => {
    const found = new Found()
    for (const run of RUNS) {
      const rid = `typical-${run.variables}`
      meter.take()
      const written = await write(rid, run)
      const stored = await kept(rid)
      const readOnce = await read(rid, run)
      for (const what of BILLED) found.add(what, written[what], 0, readOnce[what])
      for (const what of STORED) found.add(what, 0, stored[what], 0)
      const month = STORED.reduce((sum, what) => sum + stored[what] * STORAGE_PRICES[what], 0)
      found.add('dollars', dollarsOf(written), month, dollarsOf(readOnce))
    }
    expectTold(documented(deployPage, HEADING), found.table)
  },
  TIMEOUT_MS,
)

test(
  'a run at work costs what docs/scale.md says',
  async () => {
    const found = new Found()
    for (const run of AT_WORK) {
      meter.take()
      const written = await write(`at-work-${run.batch}`, run)
      for (const what of BILLED) found.add(what, written[what])
      found.add('dollars', dollarsOf(written))
    }
    expectTold(documented(scalePage, HEADING), found.table)
  },
  TIMEOUT_MS,
)
