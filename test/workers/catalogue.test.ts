/**
 * The catalogue of a tenant in shards: lists are complete and in order while it grows, runs move, and whatever is cut off. By a clock that
 * these tests move, so that alarms go off when they are run here, and no sooner.
 */
import { evictDurableObject, listDurableObjectIds, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import type { DurableObjectStub } from '@cloudflare/workers-types'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Catalogue, SqlCatalogue } from '../../src/backends/durable/catalogue.ts'
import type { CatalogueObject } from '../../src/backends/durable/catalogue-object.ts'
import { ShardedCatalogue } from '../../src/backends/durable/sharded-catalogue.ts'
import { CROWD, GATHER_MS, LAG_MS, MOST_REST_MS, REST_MS, restOf, shardOf } from '../../src/backends/durable/shards.ts'
import type { RunLine } from '../../src/core/store.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { answersLost, NEVER_ASKED, objectOf, openObjects, quiet, rowsInShards, shardAt, tablesIn } from './objects.ts'

const X = [{ name: 'x', dtype: 'int8' }]
/** Milliseconds after which a run is not at work any more, and more shards may be asked for again. */
const MINUTE = 61_000
const catalogue = new ShardedCatalogue(env.CATALOGUE)

let tenant = ''
let tenants = 0
let backend: StoreBackend
beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 3_600_000 })
})
beforeEach(() => {
  tenant = `catalogue-${++tenants}`
  backend = new StoreBackend(openObjects(tenant))
})
afterEach(quiet)
afterAll(() => void vi.useRealTimers())

const pass = (milliseconds: number) => void vi.setSystemTime(Date.now() + milliseconds)

/** Registers a run, in a millisecond of its own. */
async function register(rid: string): Promise<void> {
  pass(1)
  await backend.initRun({ rid, variables: X })
}

async function append(rid: string, count: number): Promise<void> {
  const chain = await (await backend.getRun(rid))?.initChain(0)
  const start = (await chain?.length()) ?? 0
  const x = { dtype: 'int8', shape: [count], data: new Int8Array(count) } as const
  await chain?.appendBatch({ start, count, draws: new Map([['x', x]]) })
}

/** Alarms of runs go off, all at once. */
async function announce(rids: readonly string[]): Promise<void> {
  pass(LAG_MS)
  await Promise.all(rids.map((rid) => runDurableObjectAlarm(objectOf(rid, tenant))))
}

/** A new life of an object. */
async function evict(stub: DurableObjectStub): Promise<void> {
  // One that is not there cannot go.
  await runInDurableObject(stub, () => undefined)
  await evictDurableObject(stub)
}

/** From now on so many runs at work are a crowd, in the shards that there are. */
async function crowd(limit: number): Promise<void> {
  for (let shard = 0; shard < 64; shard++) {
    const stub = shardAt(shard, tenant)
    const holds = await runInDurableObject(stub, (_: CatalogueObject, state) => tablesIn(state).length > 0)
    if (shard > 0 && !holds) continue
    await runInDurableObject(stub, (object: CatalogueObject) => {
      object.crowd.limit = limit
    })
  }
}

/** Ids of the lines in a shard, by rid. */
function linesOf(shard: number): Promise<Map<string, number>> {
  return runInDurableObject(shardAt(shard, tenant), (_: CatalogueObject, state) => {
    if (!tablesIn(state).includes('catalogue')) return new Map<string, number>()
    const rows = state.storage.sql.exec<{ rid: string; id: number }>('SELECT rid, id FROM catalogue').toArray()
    return new Map(rows.map(({ rid, id }) => [rid, id]))
  })
}

function shardsOf(): Promise<number> {
  return runInDurableObject(shardAt(0, tenant), (_: CatalogueObject, state) =>
    tablesIn(state).includes('shard')
      ? state.storage.sql.exec<{ shards: number }>('SELECT shards FROM shard').one().shards
      : 1,
  )
}

/** All lines, a page after the other, by a store that remembers no number of shards. */
async function listAll(limit: number): Promise<RunLine[]> {
  const store = openObjects(tenant)
  const lines: RunLine[] = []
  for (let before: string | undefined; ; ) {
    const page = await store.list({ limit, terms: [], ...(before !== undefined && { before }) })
    lines.push(...page.runs)
    before = page.next
    if (before === undefined) return lines
  }
}

const ridsOf = async (limit = 1000) => (await listAll(limit)).map(({ rid }) => rid)

/** Some rids of a shard among so many. */
function ridsIn(shard: number, shards: number, count: number): string[] {
  const rids: string[] = []
  for (let i = 0; rids.length < count; i++) if (shardOf(`run-${i}`, shards) === shard) rids.push(`run-${i}`)
  return rids
}

/** A root that knows of four shards, with two runs that belong to others; the first one has been told so. */
async function grown(): Promise<[string, string]> {
  const [a = ''] = ridsIn(1, 4, 1)
  const [b = ''] = ridsIn(2, 4, 1)
  await register(a)
  await crowd(1)
  await register(b)
  expect(await shardsOf()).toBe(4)
  await append(a, 1)
  await announce([a])
  return [a, b]
}

test('the pause of runs: within 2 s up to a crowd in a shard, and half a minute at most', () => {
  expect(REST_MS + GATHER_MS).toBeLessThan(LAG_MS)
  expect([1, CROWD, CROWD * 2, 1e6].map((n) => restOf(n, CROWD))).toEqual([REST_MS, REST_MS, 2 * REST_MS, MOST_REST_MS])
  // A thousand of a tenant make a crowd of its one shard, and none of four.
  const shards = Array.from({ length: 1000 }, (_, i) => shardOf(crypto.randomUUID() + i, 16))
  const most = Math.max(...Array.from(Map.groupBy(shards, (shard) => shard).values(), ({ length }) => length))
  expect(restOf(most, CROWD)).toBe(REST_MS)
})

test('a run that the root does not know goes to its own shard, and one that it knows moves when it is written', async () => {
  const [a, b] = await grown()
  const [c = ''] = ridsIn(3, 4, 1)
  await register(c)
  expect([...(await linesOf(3)).keys()]).toEqual([c])
  expect(await ridsOf(1)).toEqual([c, b, a])
  const before = await linesOf(0)
  await append(a, 3)
  await announce([a])
  // The root is told that it has left, and removes it half a minute later.
  expect(await linesOf(1)).toEqual(new Map([[a, before.get(a)]]))
  expect(await linesOf(0)).toEqual(before)
  expect(await ridsOf(1)).toEqual([c, b, a])
  expect((await openObjects(tenant).usage()).runs).toBe(3)
  expect((await listAll(9)).find(({ rid }) => rid === a)?.draws).toBe(4)
  pass(30_000)
  await announce([a])
  expect([...(await linesOf(0)).keys()]).toEqual([b])
  expect(await ridsOf(2)).toEqual([c, b, a])
  // A run that rests stays.
  await announce([b])
  expect([...(await linesOf(2)).keys()]).toEqual([])
})

test('a line that a run has left is no longer found by what it was', async () => {
  const [a] = await grown()
  await append(a, 1)
  await announce([a])
  await backend.getRun(a).then((run) => run?.setAbout({ archived: true }))
  await announce([a])
  pass(1)
  const found = await openObjects(tenant).list({ limit: 9, terms: [], archived: false })
  expect(found.runs.map(({ rid }) => rid)).not.toContain(a)
})

const STEPS = ['put', 'leave', 'remove'] as const
const FAULTS = [
  ['was never asked', NEVER_ASKED],
  ['answer was lost', answersLost(catalogue)],
] as const

describe.each(STEPS)('a move that ends at its step "%s"', (step) => {
  test.each(FAULTS)('the catalogue %s, and the object crashed: it heals', async (_, fault) => {
    const [a, b] = await grown()
    const broken: Catalogue = {
      put: (...args) => (step === 'put' ? fault : catalogue).put(...args),
      putStaged: (...args) => catalogue.putStaged(...args),
      leave: (...args) => (step === 'leave' ? fault : catalogue).leave(...args),
      remove: (...args) => (step === 'remove' ? fault : catalogue).remove(...args),
    }
    await append(a, 2)
    await runInDurableObject(objectOf(a, tenant), (object) => {
      object.catalogue = broken
    })
    await announce([a])
    expect(await ridsOf()).toEqual([b, a])
    pass(30_000)
    await announce([a])
    expect(await ridsOf()).toEqual([b, a])
    await evict(objectOf(a, tenant))
    for (let i = 0; i < 2; i++) {
      pass(31_000)
      await announce([a])
      expect((await listAll(1)).map(({ rid, draws }) => [rid, draws])).toEqual([
        [b, 0],
        [a, 3],
      ])
    }
    expect([...(await linesOf(0)).keys()]).toEqual([b])
    expect([...(await linesOf(1)).keys()]).toEqual([a])
    expect((await openObjects(tenant).usage()).runs).toBe(2)
    // Nothing is left to be told.
    expect(await runDurableObjectAlarm(objectOf(a, tenant))).toBe(false)
  })

  test('the run is deleted then: no shard has a word of it', async () => {
    const [a, b] = await grown()
    const fault = answersLost(catalogue)
    await append(a, 2)
    await runInDurableObject(objectOf(a, tenant), (object) => {
      object.catalogue = {
        ...NEVER_ASKED,
        ...(step === 'put' ? { put: fault.put } : { put: catalogue.put.bind(catalogue) }),
      }
    })
    await announce([a])
    await evict(objectOf(a, tenant))
    pass(1)
    expect(await backend.deleteRun(a)).toBe(true)
    expect(await ridsOf()).toEqual([b])
    for (const shard of [0, 1]) expect((await linesOf(shard)).has(a)).toBe(false)
  })
})

test('announcements of a moment are one statement, and each is written when it is answered', async () => {
  const rids = Array.from({ length: 30 }, (_, i) => `gathered-${i}`)
  for (const rid of rids) await register(rid)
  // Chains are new for the catalogue, but change nothing that is in an index.
  await Promise.all(rids.map((rid, i) => append(rid, i + 1)))
  const written = vi.spyOn(SqlCatalogue.prototype, 'putKnown')
  const put = vi.spyOn(SqlCatalogue.prototype, 'put')
  await announce(rids)
  expect(put).not.toHaveBeenCalled()
  expect(written.mock.calls.reduce((n, [, entries]) => n + entries.length, 0)).toBe(30)
  expect(written.mock.calls.length).toBeLessThan(10)
  vi.restoreAllMocks()
  await evict(shardAt(0, tenant))
  expect((await listAll(7)).map(({ draws }) => draws)).toEqual(rids.map((_, i) => 30 - i))
})

test('what is gathered is not overtaken by what is written at once', async () => {
  await register('a')
  await append('a', 1)
  const announced = announce(['a'])
  await new Promise((resolve) => setTimeout(resolve, GATHER_MS / 2))
  await backend.deleteRun('a')
  await announced
  expect(await ridsOf()).toEqual([])
})

test('a shard that lost a line is given it again, with its terms', async () => {
  await backend.initRun({ rid: 'a', variables: X, attributes: { model: { stringValue: 'm' } } })
  await catalogue.remove(0, tenant, 'a', Number.MAX_SAFE_INTEGER)
  expect(await ridsOf()).toEqual([])
  expect(await runInDurableObject(shardAt(0, tenant), (_, state) => tablesIn(state))).toEqual([])
  await append('a', 1)
  await announce(['a'])
  const found = await backend.listRuns({ attr: [['model', 'm']] })
  expect(found.runs.map(({ rid }) => rid)).toEqual(['a'])
})

test('a tenant of many shards that is cleared leaves none of them', async () => {
  const [a, b] = await grown()
  const rids = Array.from({ length: 12 }, (_, i) => `cleared-${i}`)
  for (const rid of rids) await register(rid)
  await openObjects(tenant).stage('never-registered', 'a', new Uint8Array(9))
  await append(a, 1)
  await append(b, 1)
  await announce([a, b])
  expect(await rowsInShards(tenant)).toBeGreaterThan(12)
  await openObjects(tenant).clear()
  expect(await openObjects(tenant).usage()).toEqual({ runs: 0, bytes: 0 })
  expect(await rowsInShards(tenant)).toBe(0)
  for (const id of await listDurableObjectIds(env.CATALOGUE)) {
    const left = await runInDurableObject(env.CATALOGUE.get(id), (_: CatalogueObject, state) =>
      tablesIn(state).includes('shard') ? state.storage.sql.exec('SELECT tenant FROM shard').one().tenant : undefined,
    )
    expect(left).not.toBe(tenant)
  }
  // A writer that does not know yet: its shard makes the root know of the others again.
  await register(rids[0] ?? '')
  expect(await ridsOf()).toEqual([rids[0]])
})

test('asking for a list leaves no trace', async () => {
  expect(await ridsOf()).toEqual([])
  await catalogue.remove(0, tenant, 'nobody', 1)
  await catalogue.remove(3, tenant, 'nobody', 1)
  for (const shard of [0, 3]) {
    expect(await runInDurableObject(shardAt(shard, tenant), (_, state) => tablesIn(state))).toEqual([])
  }
})

/** A deed of a user, or an event, and the number of a run. */
type Step = readonly [
  'register' | 'append' | 'remove' | 'evict' | 'evictShard' | 'announce' | 'minute' | 'crowd',
  number,
]
const RUNS = 10
const anyStep: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('register', 'append', 'append', 'remove', 'evict', 'evictShard', 'announce', 'minute', 'crowd'),
  fc.nat(RUNS - 1),
)

test('at every moment the list is complete, in the order of registration, and each run is in it once', async () => {
  const reached = new Set<number>()
  const check = async (steps: readonly Step[]) => {
    tenant = `property-${++tenants}`
    backend = new StoreBackend(openObjects(tenant))
    const listed: string[] = []
    const all = () => announce(listed)
    const doers: Record<Step[0], (rid: string, n: number) => Promise<unknown>> = {
      register: async (rid) => {
        if (listed.includes(rid)) return
        await register(rid)
        listed.unshift(rid)
      },
      append: async (rid, n) => listed.includes(rid) && append(rid, n + 1),
      remove: async (rid) => {
        expect(await backend.deleteRun(rid)).toBe(listed.includes(rid))
        if (listed.includes(rid)) listed.splice(listed.indexOf(rid), 1)
      },
      evict: (rid) => evict(objectOf(rid, tenant)),
      evictShard: (_, n) => evict(shardAt(n % 8, tenant)),
      announce: all,
      minute: async () => pass(MINUTE),
      crowd: () => crowd(1),
    }
    for (const [what, n] of steps) {
      await doers[what](`run-${n}`, n)
      expect(await ridsOf(3)).toEqual(listed)
    }
    for (let i = 0; i < 3; i++) {
      pass(MINUTE)
      await all()
      expect(await ridsOf(4)).toEqual(listed)
    }
    reached.add(await shardsOf())
    expect((await openObjects(tenant).usage()).runs).toBe(listed.length)
    const lines = await listAll(100)
    for (const rid of listed) {
      const length = (await (await (await backend.getRun(rid))?.getChain(0))?.length()) ?? 0
      expect(lines.find((line) => line.rid === rid)?.draws).toBe(length)
    }
    await openObjects(tenant).clear()
    expect(await rowsInShards(tenant)).toBe(0)
    await quiet()
  }
  const many = fc.array(anyStep, { minLength: 5, maxLength: 20 })
  /** A tenant that grows twice, before anything happens by chance. */
  const begin: Step[] = Array.from({ length: RUNS }, (_, n) => ['register', n])
  const grow: Step[] = [['minute', 0], ['crowd', 0], ...begin.map(([, n]) => ['append', n] as const), ['announce', 0]]
  await fc.assert(fc.asyncProperty(many, check), { numRuns: 3 })
  await fc.assert(
    fc.asyncProperty(many, (steps) => check([...begin, ...grow, ...grow, ...steps])),
    { numRuns: 2 },
  )
  expect(Math.max(...reached)).toBeGreaterThanOrEqual(16)
}, 300_000)

test('over HTTP each page leads to the next one', async () => {
  backend = new StoreBackend(openObjects('local'))
  for (const rid of ['first', 'second', 'third']) await register(rid)
  const rids: string[] = []
  for (let cursor = ''; ; ) {
    const page = await exports.default.fetch(new Request(`http://worker.test/v1/runs?limit=1${cursor}`))
    expect(page.status).toBe(200)
    const { runs, nextCursor }: { runs: { rid: string }[]; nextCursor?: string } = JSON.parse(await page.text())
    rids.push(...runs.map(({ rid }) => rid))
    if (nextCursor === undefined) break
    cursor = `&cursor=${nextCursor}`
  }
  expect(rids).toEqual(['third', 'second', 'first'])
})
