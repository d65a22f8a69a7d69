/** Words to the catalogue that come late or not at all, and what lists and sums tell meanwhile. By a clock that these tests move. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { CatalogueEntry } from '../../src/backends/durable/catalogue.ts'
import type { CatalogueObject } from '../../src/backends/durable/catalogue-object.ts'
import { Crowd } from '../../src/backends/durable/crowd.ts'
import type { ShardStub } from '../../src/backends/durable/shard-protocol.ts'
import { ShardedCatalogue } from '../../src/backends/durable/sharded-catalogue.ts'
import { CROWD, LAG_MS, REST_MS, shardOf } from '../../src/backends/durable/shards.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { objectOf, openObjects, quiet, rowsInShards, shardAt, tablesIn } from './objects.ts'

const X = [{ name: 'x', dtype: 'int8' }]
const catalogue = new ShardedCatalogue(env.CATALOGUE)

let tenant = ''
let tenants = 0
let backend: StoreBackend
beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 3_600_000 })
})
beforeEach(() => {
  tenant = `faults-${++tenants}`
  backend = new StoreBackend(openObjects(tenant))
})
afterEach(quiet)
afterAll(() => void vi.useRealTimers())

const pass = (milliseconds: number) => void vi.setSystemTime(Date.now() + milliseconds)

async function append(rid: string): Promise<void> {
  const chain = await (await backend.getRun(rid))?.initChain(0)
  const start = (await chain?.length()) ?? 0
  const x = { dtype: 'int8', shape: [1], data: new Int8Array(1) } as const
  await chain?.appendBatch({ start, count: 1, draws: new Map([['x', x]]) })
}

async function announce(rid: string): Promise<void> {
  pass(LAG_MS)
  await runDurableObjectAlarm(objectOf(rid, tenant))
}

async function evict(shard: number): Promise<void> {
  await runInDurableObject(shardAt(shard, tenant), () => undefined)
  await evictDurableObject(shardAt(shard, tenant))
}

const ridsOf = async () => (await openObjects(tenant).list({ limit: 1000, terms: [] })).runs.map(({ rid }) => rid)

const grow = (shards: number) =>
  runInDurableObject(shardAt(0, tenant), (root: CatalogueObject) => root.grow({ tenant, shard: 0 }, shards))

const shardsOf = () =>
  runInDurableObject(shardAt(0, tenant), (_, { storage }) => storage.sql.exec('SELECT shards FROM shard').one().shards)

/** A rid of another shard than the root, of four. */
const STRANGER = ['a', 'b', 'c', 'd'].find((rid) => shardOf(rid, 4) !== 0) ?? ''
const HOME = shardOf(STRANGER, 4)

function entryOf(rid: string, more: Partial<CatalogueEntry>): CatalogueEntry {
  return {
    ...{ tenant, rid, version: 1, shards: 1, registration: `${rid}/1`, createdAt: 1000, updatedAt: 1000 },
    ...{ variables: 1, sampleStats: 0, chains: 0, draws: 0, bytes: 0, shortest: 0, shown: '', folded: '' },
    ...{ archived: 0, finished: 0, expected: null, diagnostics: null, terms: [], ...more },
  }
}

/** As a word about a run whose terms the shard has. */
function withoutTerms({ terms: _, ...entry }: CatalogueEntry): CatalogueEntry {
  return entry
}

async function listInD1(rid: string): Promise<void> {
  await env.DB.prepare(
    'INSERT INTO catalogue (tenant, rid, registration, created_at, updated_at, variables, sample_stats, chains, draws, version) ' +
      'VALUES (?, ?, ?, 1, 1, 1, 0, 0, 0, 5)',
  )
    .bind(tenant, rid, `${rid}/1`)
    .run()
}

test('a run that is deleted before the first list is not taken over from D1', async () => {
  await backend.initRun({ rid: 'a', variables: X })
  await listInD1('a')
  await evict(0)
  expect(await backend.deleteRun('a')).toBe(true)
  expect(await ridsOf()).toEqual([])
})

test('a catalogue grows only once it has what D1 lists: no run is in two shards for that', async () => {
  await listInD1(STRANGER)
  await runInDurableObject(shardAt(0, tenant), (root: CatalogueObject) => {
    root.crowd.limit = 1
  })
  for (const rid of ['x', 'y']) await backend.initRun({ rid, variables: X })
  await vi.waitFor(async () => expect(await shardsOf()).toBe(4))
  await backend.initRun({ rid: STRANGER, variables: X })
  expect((await openObjects(tenant).usage()).runs).toBe(3)
  expect((await ridsOf()).toSorted()).toEqual([STRANGER, 'x', 'y'].toSorted())
})

test('a word of staged objects that comes after one of none counts for nothing', async () => {
  await catalogue.put(0, entryOf('late', { version: 3 }))
  await catalogue.put(0, withoutTerms(entryOf('late', { version: 2, staged: 100 })))
  expect(await openObjects(tenant).usage()).toEqual({ runs: 1, bytes: 0 })
})

test('staged objects of a run that has moved count once', async () => {
  await openObjects(tenant).stage(STRANGER, 'path', new Uint8Array(1000))
  const staged = (await openObjects(tenant).usage()).bytes
  await grow(4)
  await backend.initRun({ rid: STRANGER, variables: X })
  await append(STRANGER)
  await announce(STRANGER)
  await append(STRANGER)
  await announce(STRANGER)
  const usage = await openObjects(tenant).usage()
  expect(await runInDurableObject(shardAt(HOME, tenant), (_, state) => tablesIn(state))).toContain('catalogue')
  expect(usage.runs).toBe(1)
  expect(usage.bytes).toBeLessThan(2 * staged)
})

test('a shard that a run has left and that cannot be reached does not hold up its announcements', async () => {
  await backend.initRun({ rid: STRANGER, variables: X })
  await grow(4)
  for (let i = 0; i < 2; i++) {
    await append(STRANGER)
    await announce(STRANGER)
  }
  await runInDurableObject(objectOf(STRANGER, tenant), (object) => {
    object.catalogue = {
      put: catalogue.put.bind(catalogue),
      putStaged: catalogue.putStaged.bind(catalogue),
      leave: catalogue.leave.bind(catalogue),
      remove: () => Promise.reject(new Error('the shard cannot be reached')),
    }
  })
  pass(30_000)
  await announce(STRANGER)
  await append(STRANGER)
  const alarm = await runInDurableObject(objectOf(STRANGER, tenant), (_, { storage }) => storage.getAlarm())
  expect((alarm ?? 0) - Date.now()).toBeGreaterThan(1000)
  const dirty = () =>
    runInDurableObject(
      objectOf(STRANGER, tenant),
      (_, { storage }) => storage.sql.exec('SELECT dirty FROM announcement').one().dirty,
    )
  expect(await dirty()).toBe(1)
  await announce(STRANGER)
  expect(await dirty()).toBe(0)
  expect(await ridsOf()).toEqual([STRANGER])
  await runInDurableObject(objectOf(STRANGER, tenant), (object) => {
    object.catalogue = catalogue
  })
  pass(31_000)
  await announce(STRANGER)
  expect(
    await runInDurableObject(shardAt(0, tenant), (_, { storage }) =>
      storage.sql.exec('SELECT rid FROM catalogue').toArray(),
    ),
  ).toEqual([])
})

test('a thousand runs of a tenant that begin together rest no longer than the contract allows', () => {
  const crowd = new Crowd()
  for (let i = 0; i < 1000; i++) crowd.note(`run-${i}`)
  expect(crowd.restMs(1)).toBe(REST_MS)
  expect(crowd.restMs(4)).toBe(REST_MS)
  // No more shards will come.
  expect(crowd.restMs(64)).toBeGreaterThan((REST_MS * 1000) / CROWD - 1)
})

test('a tenant of which a word is under way is cleared once that has come', async () => {
  await backend.initRun({ rid: 'a', variables: X })
  const held = Promise.withResolvers<void>()
  const forget = vi.spyOn(ShardedCatalogue.prototype, 'forget')
  await grow(4)
  await runInDurableObject(shardAt(0, tenant), (root: CatalogueObject) => {
    const counted: { busy: number } = Object(root)
    counted.busy++
    void held.promise.then(() => counted.busy--)
  })
  const cleared = openObjects(tenant).clear()
  await vi.waitFor(() => expect(forget).toHaveBeenCalled())
  await runInDurableObject(shardAt(0, tenant), () => held.resolve())
  await cleared
  vi.restoreAllMocks()
  expect(await rowsInShards(tenant)).toBe(0)
})

test('a page takes few lines of each shard, and all that belong to it, though most runs lie in one', async () => {
  const rids = Array.from({ length: 60 + 12 * 16 }, (_, i) => `run-${i}`)
  for (const [i, rid] of rids.entries()) {
    // As runs that rest since there was one shard, and runs that came later.
    if (i === 60) await grow(16)
    const shard = i < 60 ? 0 : 1 + (i % 15)
    await catalogue.put(shard, entryOf(rid, { createdAt: 1000 + (i < 60 ? 2 * i : i), shards: 1 }))
  }
  const sent: number[] = []
  const counting = new ShardedCatalogue({
    getByName: (name) => {
      const stub: ShardStub = env.CATALOGUE.getByName(name)
      return {
        ...{ put: stub.put, putStaged: stub.putStaged, remove: stub.remove, leave: stub.leave, usage: stub.usage },
        ...{ held: stub.held, grow: stub.grow, forget: stub.forget, adopt: stub.adopt, ping: stub.ping },
        list: async (at, query) => {
          const answer = await stub.list(at, query)
          if ('value' in answer) sent.push(answer.value.rows.length)
          return answer
        },
      }
    },
  })
  await counting.usage(tenant)
  const order = (i: number) => (i < 60 ? 2 * i : i)
  await counting.list(tenant, { limit: 12, terms: [] })
  expect(sent.reduce((a, b) => a + b, 0)).toBeLessThan(16 * 8)
  const newest = rids.map((_, i) => i).toSorted((a, b) => order(b) - order(a))
  for (const limit of [7, 30, 90]) {
    const found: number[] = []
    for (let before: string | undefined; ; ) {
      const page = await counting.list(tenant, { limit, terms: [], ...(before !== undefined && { before }) })
      found.push(...page.runs.map(({ rid }) => order(Number(rid.slice(4)))))
      before = page.next
      if (before === undefined) break
    }
    expect(found).toEqual(newest.map(order))
  }
})
