/** Names, notes and facts on ClickHouse: changes that race, get lost and come late, and lists compared with the store in memory. */
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import type { Connection, Settings } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { RowReader, RowWriter } from '../../src/backends/clickhouse/row-binary.ts'
import { WebConnection } from '../../src/backends/clickhouse/web-connection.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { NO_ABOUT, shownOf, writeAbout } from '../../src/core/about.ts'
import { isMcbError } from '../../src/core/errors.ts'
import { fold, type RunFilter } from '../../src/core/finding.ts'
import type { AboutChange, ListQuery, RunLine, Store } from '../../src/core/store.ts'
import { ROW_BYTES } from '../../src/core/usage.ts'
import { encodeRunMeta } from '../../src/core/wire/run-meta.ts'
import { migrateDatabase } from '../../src/node/clickhouse.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { conditionsOf } from '../../src/runs/lines.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { Relay } from '../support/relay.ts'

const FATES = ['answered', 'answer lost', 'lost', 'late', 'twice'] as const
type Fate = (typeof FATES)[number]

/** Does to each change what the next fate says; the server has forgotten their tokens. */
class Unreliable extends Relay {
  fates: Fate[] = []
  /** Called between an insert and what follows it. */
  between: (() => Promise<void>) | undefined
  private readonly late: (() => Promise<void>)[] = []

  override async insert(sql: string, rows: readonly Uint8Array<ArrayBuffer>[], settings: Settings): Promise<void> {
    if (!sql.startsWith('INSERT INTO about')) return this.inner.insert(sql, rows, settings)
    const { insert_deduplication_token: _, ...forgetful } = settings
    const apply = () => this.inner.insert(sql, rows, forgetful)
    const fate = this.fates.shift() ?? 'answered'
    if (fate === 'late' || fate === 'twice') this.late.push(apply)
    if (fate !== 'late' && fate !== 'lost') await apply()
    const { between } = this
    this.between = undefined
    await between?.()
    if (fate !== 'answered' && fate !== 'twice') throw new Error(`the insert is ${fate}`)
  }

  async deliver(): Promise<void> {
    for (let apply = this.late.pop(); apply !== undefined; apply = this.late.pop()) await apply()
  }
}

let database: TestDatabase
let inner: Connection

beforeAll(async () => {
  database = await openDatabase()
  inner = new NodeConnection(database.options)
}, 300_000)

afterEach(() => {
  vi.useRealTimers()
})

afterAll(async () => {
  await inner?.close()
  await database?.close()
})

const storeOn = (connection: Connection, tenant = 'about') => new ClickHouseStore(connection, tenant)

async function register(store: Store, rid: string, terms: readonly string[] = []): Promise<string> {
  const meta = encodeRunMeta({ rid, variables: [{ name: 'x', dtype: 'float64' }] })
  return (await store.register({ rid, meta, variables: 1, sampleStats: 0, terms })).registration
}

function changeOf(revision: number, name: string, notes = ''): AboutChange {
  const about = { ...NO_ABOUT, name, notes }
  return { revision, document: writeAbout(about), shown: shownOf(about) }
}

async function rowsOf(registration: string): Promise<number> {
  const sql = 'SELECT count() FROM about WHERE registration = {registration:String}'
  return Number(new RowReader(await inner.select(sql, { registration })).uint64())
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no error',
    (error: unknown) => (isMcbError(error) ? error.code : String(error)),
  )
}

/** The changes of a run that have been seen: each stays as it was. */
class History {
  private readonly registration: string
  private readonly seen = new Map<number, string>()

  constructor(registration: string) {
    this.registration = registration
  }

  async look(): Promise<number> {
    const { revision, document } = await storeOn(inner).about(this.registration)
    expect(document).toBe(this.seen.get(revision) ?? document)
    expect(revision).toBeGreaterThanOrEqual(Math.max(0, ...this.seen.keys()))
    this.seen.set(revision, document)
    return revision
  }

  /** Changes of the present revision, one over each connection. */
  async race(connections: readonly Unreliable[], fates: readonly Fate[], round: number): Promise<void> {
    const revision = await this.look()
    const changes = connections.map((_, i) => changeOf(revision, `${i} in ${round}`))
    const settled = await Promise.allSettled(
      connections.map((connection, i) => {
        connection.fates = [fates[i] ?? 'answered']
        return storeOn(connection).setAbout(this.registration, changes[i] ?? changeOf(revision, ''))
      }),
    )
    const made = changes.filter((_, i) => settled[i]?.status === 'fulfilled' && settled[i].value)
    expect(made.length).toBeLessThanOrEqual(1)
    for (const { document } of made) this.seen.set(revision + 1, document)
    for (const each of settled) {
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'storage_unavailable' })
      // A writer that is told of another's change finds it there.
      else expect(await this.look()).toBe(revision + 1)
    }
  }
}

describe('changes', () => {
  it('of two that race, one is made', async () => {
    const stores = [storeOn(inner), storeOn(inner)] as const
    const registration = await register(stores[0], 'race')
    for (let revision = 0; revision < 18; revision++) {
      const changes = stores.map((_, i) => changeOf(revision, `${i} of ${revision}`))
      const made = await Promise.all(
        stores.map((store, i) => store.setAbout(registration, changes[i] ?? changeOf(revision, ''))),
      )
      expect(made.filter(Boolean)).toHaveLength(1)
      const document = changes[made.indexOf(true)]?.document
      for (const store of stores) {
        expect(await store.about(registration)).toMatchObject({ revision: revision + 1, document })
      }
    }
    // Revisions that have been replaced are removed now and then.
    expect(await rowsOf(registration)).toBeLessThan(18)
    expect(await stores[0].setAbout(registration, changeOf(17, 'old'))).toBe(false)
    expect(await stores[0].setAbout(registration, changeOf(19, 'not yet'))).toBe(false)
  })

  it('a revision that was seen stays as it was, whatever arrives when', async () => {
    const fate = fc.constantFrom<Fate>(...FATES)
    const step = fc.record({ fates: fc.tuple(fate, fate), delivers: fc.boolean() })
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const connections = [new Unreliable(inner), new Unreliable(inner)]
        const history = new History(await register(storeOn(inner), `late-${++runs}`))
        for (const [round, { fates, delivers }] of steps.entries()) {
          await history.race(connections, fates, round)
          for (const connection of connections) if (delivers) await connection.deliver()
          await history.look()
        }
        for (const connection of connections) await connection.deliver()
        await history.look()
        await inner.command('OPTIMIZE TABLE about FINAL', {})
        await history.look()
      }),
      { numRuns: 12 },
    )
  })

  it.for([
    ['made, and others behind it', 'answered', true],
    ['not made, and others are', 'late', false],
  ] as const)('a slow writer learns that its change is %s', async ([, fate, expected]) => {
    const slow = new Unreliable(inner)
    const registration = await register(storeOn(inner), `slow-${fate}`)
    slow.fates = [fate]
    slow.between = async () => {
      const first = expected ? 1 : 0
      for (let revision = first; revision < 12; revision++) {
        const change = changeOf(revision, `${revision}`, 'n'.repeat(60_000))
        expect(await storeOn(inner).setAbout(registration, change)).toBe(true)
      }
      expect(await rowsOf(registration)).toBeLessThan(4)
    }
    expect(await storeOn(slow).setAbout(registration, changeOf(0, 'slow'))).toBe(expected)
    await slow.deliver()
    expect(await storeOn(inner).about(registration)).toMatchObject({ revision: 12, line: { name: '11' } })
  })

  it('one that sees its run deleted leaves nothing behind', async () => {
    const store = storeOn(inner)
    const rows = await database.countRows()
    const registration = await register(store, 'gone')
    expect(await store.setAbout(registration, changeOf(0, 'first'))).toBe(true)
    const writer = new Unreliable(inner)
    const other = storeOn(writer)
    expect(await other.setAbout(registration, changeOf(1, 'second'))).toBe(true)
    writer.between = async () => void (await store.remove('gone'))
    expect(await codeOf(other.setAbout(registration, changeOf(2, 'third')))).toBe('run_not_found')
    for (const each of [store, other, storeOn(inner)]) {
      expect(await codeOf(each.setAbout(registration, changeOf(0, 'fourth')))).toBe('run_not_found')
      expect(await codeOf(each.about(registration))).toBe('run_not_found')
    }
    const again = await register(store, 'gone')
    expect(await codeOf(store.about(registration))).toBe('run_not_found')
    expect(await store.about(again)).toMatchObject({ revision: 0, document: '' })
    await store.remove('gone')
    expect(await database.countRows()).toBe(rows)
  })

  it('a deletion removes all revisions, and so does clearing', async () => {
    const store = storeOn(inner, 'cleared')
    const rows = await database.countRows()
    for (const rid of ['one', 'two']) {
      const registration = await register(store, rid)
      for (let revision = 0; revision < 3; revision++) await store.setAbout(registration, changeOf(revision, rid))
    }
    expect(await database.countRows()).toBe(rows + 8)
    await store.remove('one')
    expect(await database.countRows()).toBe(rows + 4)
    await store.clear()
    expect(await database.countRows()).toBe(rows)
  })

  it('count as stored bytes, the present ones', async () => {
    const store = storeOn(inner, 'usage')
    const registration = await register(store, 'counted')
    const { bytes } = await store.usage()
    for (const [revision, name] of ['μ'.repeat(100), 'short'].entries()) {
      const change = changeOf(revision, name)
      await store.setAbout(registration, change)
      const length = new TextEncoder().encode(change.document).length
      expect(await store.usage()).toEqual({ runs: 1, bytes: bytes + ROW_BYTES + length })
    }
    expect(await storeOn(inner, 'another').usage()).toEqual({ runs: 0, bytes: 0 })
  })
})

const NAMES = [
  'Eight Schools',
  'σίσυφος',
  `it's \\ "back" \\0`,
  'nul \0 end',
  'a\tb\r\nc',
  '{x:String} %00',
  '',
  '𝔘😀',
  '\\N',
]
const TAGS = ['one', 'two', "'; --", '\0', 'a\\', '["one"]']

const BEGIN = 1_700_000_000_000
/** Milliseconds between two registrations, and between the steps of one run. */
const RUN_MS = 10_000
const STEP_MS = 1000
/** Milliseconds after which some runs are written once more, when all are there. */
const LATER_MS = 1_000_000

const pick = <T>(items: readonly T[], i: number): T | undefined => items[i % items.length]

function attributesOf(i: number) {
  return {
    ...(i % 2 === 0 && { cores: { numberValue: i % 3 } }),
    ...(i % 5 !== 0 && { cores: { stringValue: `${i % 3}` } }),
    ...(i % 7 === 0 && { 'odd \0 key': { stringValue: pick(NAMES, i) ?? '' } }),
  }
}

function patchOf(i: number) {
  const facts = { ...(i % 3 === 0 && { expected: { draws: i } }), ...(i % 8 === 1 && { finishedAt: 'now' }) }
  return { name: pick([...NAMES, null], i) ?? null, tags: TAGS.slice(i % 6, (i % 6) + 2), facts }
}

async function writeRun(backend: StoreBackend, i: number): Promise<void> {
  vi.setSystemTime(BEGIN + i * RUN_MS)
  const rid = `Run-${i}.${i % 4}`
  const variables = [{ name: 'x', dtype: 'float64' }]
  const run = await backend.initRun({ rid, variables, attributes: attributesOf(i) })
  for (let number = 0; number < i % 3; number++) {
    vi.setSystemTime(Date.now() + STEP_MS)
    const chain = await run.initChain(number)
    vi.setSystemTime(Date.now() + (i % 6 === 1 ? LATER_MS : STEP_MS))
    if (i % 4 !== 0) await chain.append({ x: i })
  }
  if (i % 4 !== 3) await run.setAbout(patchOf(i))
  if (i % 6 === 0) await run.setAbout({ archived: true, tags: [pick(TAGS, i >> 2) ?? ''] })
}

/** A store in memory and one on ClickHouse that have been told the same at the same times. */
async function twins(count: number): Promise<readonly [MemoryStore, ClickHouseStore]> {
  const stores = [new MemoryStore(), storeOn(inner, 'twins')] as const
  for (const backend of stores.map((store) => new StoreBackend(store))) {
    for (let i = 0; i < count; i++) await writeRun(backend, i)
  }
  return stores
}

/** All pages of a list. */
async function pagesOf(store: Store, query: ListQuery): Promise<(readonly RunLine[])[]> {
  const pages: (readonly RunLine[])[] = []
  let before: string | undefined
  do {
    const { runs, next } = await store.list({ ...query, before })
    pages.push(runs)
    before = next
  } while (before !== undefined)
  return pages
}

describe('lists', () => {
  it('find what the store in memory finds', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const count = 48
    const [memory, clickHouse] = await twins(count)
    const time = fc.integer({ min: -2, max: count + 110 }).map((i) => new Date(BEGIN + i * RUN_MS))
    const letters = fc.constantFrom(...NAMES, 'RUN-1', '.3', 'un-2', '\0', '\\', "'", 'ΣΊΣΥΦΟΣ', '\n', '😀', 'nowhere')
    const attribute = fc.constantFrom(
      ['cores', '1'] as const,
      ['cores', '1.0'] as const,
      ['cores', '2'] as const,
      ['odd \0 key', NAMES[0] ?? ''] as const,
      ['odd \0 key', NAMES[3] ?? ''] as const,
    )
    const condition: fc.Arbitrary<RunFilter> = fc.oneof(
      fc.record({ q: letters }),
      fc.record({ tag: fc.subarray(TAGS, { minLength: 1, maxLength: 2 }) }),
      fc.record({ attr: fc.array(attribute, { minLength: 1, maxLength: 2 }) }),
      fc.record({ since: time }),
      fc.record({ until: time }),
      fc.record({ updatedSince: time }),
      fc.record({ archived: fc.constantFrom('true', 'false', 'any') }),
    )
    const filter = fc.array(condition, { maxLength: 3 }).map((all): RunFilter => Object.assign({}, ...all))
    const rid = fc.oneof(
      { weight: 8, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom('Run-6.2', 'Run-7.3', 'run-7.3') },
    )
    const limit = fc.constantFrom(5, 17, 1000)
    let found = 0
    await fc.assert(
      fc.asyncProperty(filter, rid, limit, async (conditions, rid, limit) => {
        const query = { limit, rid, ...conditionsOf(conditions) }
        const expected = await pagesOf(memory, query)
        found += expected.flat().length
        expect(await pagesOf(clickHouse, query)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
    expect(found).toBeGreaterThan(100)
    expect(await pagesOf(clickHouse, { limit: 1000, terms: [] })).toEqual(
      await pagesOf(memory, { limit: 1000, terms: [] }),
    )
  })

  it('an attempt that came too late does not move the last write', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const tenant = 'moved'
    vi.setSystemTime(BEGIN)
    const run = await new StoreBackend(storeOn(inner, tenant)).initRun({
      rid: 'moved',
      variables: [{ name: 'x', dtype: 'float64' }],
    })
    const chain = await run.initChain(0)
    await chain.append({ x: 1 })
    // The same append by an attempt of its own, an hour later.
    const copy = `INSERT INTO chunks SELECT * REPLACE (attempt + 1 AS attempt, written + INTERVAL 1 HOUR AS written)
      FROM chunks WHERE tenant = {tenant:String} AND start >= 0`
    await inner.command(copy, { tenant })
    for (const [minutes, found] of [
      [0, 1],
      [30, 0],
    ] as const) {
      const query = { limit: 10, terms: [], updatedSince: BEGIN + minutes * 60_000 }
      expect((await storeOn(inner, tenant).list(query)).runs).toHaveLength(found)
    }
  })

  it.for([
    ['@clickhouse/client', () => new NodeConnection(database.options)],
    ['@clickhouse/client-web', () => new WebConnection(database.options)],
  ] as const)('take the longest questions, through %s', async ([, connect]) => {
    const connection = connect()
    const backend = new StoreBackend(storeOn(connection, 'longest'))
    const hostile = (i: number, length: number) => `${i}`.padEnd(length, '\u0001')
    const attr = Array.from({ length: 10 }, (_, i) => [hostile(i, 1024), hostile(i, 1024)] as const)
    const tags = Array.from({ length: 50 }, (_, i) => hostile(i, 64))
    const name = '\u0001'.repeat(200)
    const attributes = Object.fromEntries(attr.map(([key, stringValue]) => [key, { stringValue }]))
    const run = await backend.initRun({ rid: 'longest', variables: [], attributes })
    await run.setAbout({ name, tags })
    const question = { q: name, tag: tags, attr }
    expect((await backend.listRuns(question)).runs).toMatchObject([{ rid: 'longest', name, tags }])
    expect((await backend.listRuns({ ...question, q: name.repeat(1000) })).runs).toEqual([])
    const longer = [['k', 'v'.repeat(1_000_000)]] as const
    expect((await backend.listRuns({ ...question, attr: longer })).runs).toEqual([])
    await backend.deleteRun('longest')
    await connection.close()
  })
})

it('runs of a version before are found by their attributes, before and after a change', async () => {
  const store = storeOn(inner, 'earlier')
  const backend = new StoreBackend(store)
  const rids = Array.from({ length: 40 }, (_, i) => `earlier-${i}`)
  for (const [i, rid] of rids.entries()) {
    const meta = { rid, variables: [], attributes: { turn: { numberValue: i % 2 }, all: { stringValue: 'yes' } } }
    const writer = new RowWriter()
    for (const text of ['earlier', rid]) writer.string(text)
    writer.uint64(1n)
    writer.string(`${crypto.randomUUID()}.${rid}`)
    writer.int64(Date.now())
    for (const number of [0, 0]) writer.uint32(number)
    writer.blob(encodeRunMeta(i % 10 === 9 ? { rid } : meta))
    const sql =
      'INSERT INTO runs (tenant, rid, generation, registration, created, variables, sample_stats, meta) FORMAT RowBinary'
    await inner.insert(sql, writer.finish(), { async_insert: 0 })
  }
  const found = async (filter: RunFilter) =>
    (await backend.listRuns({ ...filter, limit: 1000 })).runs.map(({ rid }) => rid).reverse()
  expect(await found({ attr: [['all', 'yes']] })).toEqual([])
  const { bytes } = await store.usage()
  const forget = "ALTER TABLE migrations DELETE WHERE name = 'terms of 0006_about' SETTINGS mutations_sync = 2"
  for (let round = 0; round < 2; round++) {
    await inner.command(forget, {})
    expect(await migrateDatabase(database.options)).toEqual([])
    expect(await found({ attr: [['all', 'yes']] })).toEqual(rids.filter((_, i) => i % 10 !== 9))
    expect((await store.usage()).bytes).toBe(bytes)
  }
  const run = await backend.getRun('earlier-1')
  for (let i = 0; i < 20; i++) await run?.setAbout({ name: fold(`change ${i}`), tags: ['changed'] })
  expect(await found({ attr: [['turn', '1']], tag: ['changed'], q: 'change 19' })).toEqual(['earlier-1'])
  expect(await found({ attr: [['turn', '0']], tag: ['changed'] })).toEqual([])
  await store.clear()
})
