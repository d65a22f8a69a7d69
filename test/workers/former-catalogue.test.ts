/** A deployment whose list of runs still lies in D1: it is taken over, and the objects of before follow by themselves. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CatalogueObject } from '../../src/backends/durable/catalogue-object.ts'
import { FormerCatalogue } from '../../src/backends/durable/former-catalogue.ts'
import { ShardedCatalogue } from '../../src/backends/durable/sharded-catalogue.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { createWorker } from '../../src/worker/handler.ts'
import { objectOf, openObjects, quiet, rowsInShards, shardAt, tablesIn } from './objects.ts'

const X = [{ name: 'x', dtype: 'int8' }]
const catalogue = new ShardedCatalogue(env.CATALOGUE)

let tenant = ''
let tenants = 0
let backend: StoreBackend
beforeEach(() => {
  tenant = `former-${++tenants}`
  backend = new StoreBackend(openObjects(tenant))
})
afterEach(quiet)

type Cells = Record<string, string | number | null>

async function insert(table: string, { id: _, ...cells }: Cells): Promise<number> {
  const names = Object.keys(cells)
  const sql = `INSERT INTO ${table} (${names.join()}) VALUES (${names.map(() => '?').join()}) RETURNING rowid AS id`
  const row = await env.DB.prepare(sql)
    .bind(...Object.values(cells))
    .first<{ id: number }>()
  return row?.id ?? 0
}

/** Takes a shard's rows of a run to D1; the run's object knows nothing of shards. */
async function asBefore(rid: string): Promise<void> {
  const shard = await runInDurableObject(objectOf(rid, tenant), (_, { storage }) => {
    const [row] = storage.sql.exec<{ shard: number }>('SELECT shard FROM announcement').toArray()
    storage.sql.exec('UPDATE announcement SET shard = NULL, shards = 1, place = NULL')
    return row?.shard ?? 0
  })
  const [runs, terms, stages] = await runInDurableObject(shardAt(shard, tenant), (_: CatalogueObject, { storage }) => {
    const rows = (sql: string) => storage.sql.exec<Cells>(sql, rid).toArray()
    const ofRun = 'run_id = (SELECT id FROM catalogue WHERE rid = ?)'
    return [
      rows('SELECT * FROM catalogue WHERE rid = ?'),
      rows(`SELECT * FROM catalogue_terms WHERE ${ofRun}`),
      rows('SELECT * FROM catalogue_stages WHERE rid = ?'),
    ]
  })
  // Before D1 lists it: a deletion would take it over to delete it.
  await catalogue.remove(shard, tenant, rid, Number.MAX_SAFE_INTEGER)
  for (const run of runs ?? []) {
    const id = await insert('catalogue', run)
    for (const term of terms ?? []) await insert('catalogue_terms', { ...term, run_id: id })
  }
  for (const stage of stages ?? []) await insert('catalogue_stages', stage)
  await evictDurableObject(objectOf(rid, tenant))
}

/** Rows of D1's list. */
async function rowsInD1(): Promise<number> {
  let rows = 0
  for (const table of ['catalogue', 'catalogue_terms', 'catalogue_stages']) {
    const sql = `SELECT count(*) AS n FROM ${table} WHERE tenant = ?`
    rows += (await env.DB.prepare(sql).bind(tenant).first<number>('n')) ?? 0
  }
  return rows
}

/** A line of a run whose object holds nothing. */
const GHOST = {
  ...{ rid: 'ghost', registration: 'r', created_at: 1, updated_at: 1, variables: 1, sample_stats: 0 },
  ...{ chains: 0, draws: 0, version: 5, shown: '', folded: '', archived: 0, finished: 0 },
}

const ridsOf = async () => {
  const { runs } = await openObjects(tenant).list({ limit: 1000, terms: [] })
  return runs.map(({ rid }) => rid)
}

/** The root asks objects until there is none left to ask. */
async function settle(): Promise<void> {
  while (await runDurableObjectAlarm(shardAt(0, tenant)));
}

const shardIn = (rid: string) =>
  runInDurableObject(
    objectOf(rid, tenant),
    (_, { storage }) => storage.sql.exec('SELECT shard FROM announcement').one().shard,
  )

test('lines, terms and staged objects are taken over, and ghosts go', async () => {
  const rids = ['a', 'b', 'c', 'd', 'e']
  for (const rid of rids) {
    await backend.initRun({ rid, variables: X, attributes: { model: { stringValue: rid } } })
  }
  await openObjects(tenant).stage('b', 'path', new Uint8Array(100))
  await openObjects(tenant).stage('alone', 'path', new Uint8Array(100))
  const before = await openObjects(tenant).usage()
  for (const rid of [...rids, 'alone']) await asBefore(rid)
  await insert('catalogue', { ...GHOST, tenant })
  await evictDurableObject(shardAt(0, tenant))
  expect(await rowsInShards(tenant)).toBe(0)

  expect(await ridsOf()).toEqual([...rids.toReversed(), 'ghost'])
  expect(await openObjects(tenant).usage()).toEqual({ runs: before.runs + 1, bytes: before.bytes })
  expect((await backend.listRuns({ attr: [['model', 'c']] })).runs.map(({ rid }) => rid)).toEqual(['c'])
  expect(await rowsInD1()).toBe(0)
  await settle()
  expect(await ridsOf()).toEqual(rids.toReversed())
  expect(await openObjects(tenant).usage()).toEqual(before)
  for (const rid of rids) expect(await shardIn(rid)).toBe(0)
  expect((await backend.listRuns({ attr: [['model', 'c']] })).runs.map(({ rid }) => rid)).toEqual(['c'])
  await openObjects(tenant).clear()
  expect(await rowsInShards(tenant)).toBe(0)
})

test('a move that is cut off goes on where it was', async () => {
  for (let i = 0; i < 120; i++) await insert('catalogue', { ...GHOST, rid: `ghost-${i}`, tenant })
  const drop = vi.spyOn(FormerCatalogue.prototype, 'drop').mockRejectedValueOnce(new Error('D1 is gone'))
  await expect(ridsOf()).rejects.toThrow('D1 is gone')
  expect(await rowsInD1()).toBe(120)
  await evictDurableObject(shardAt(0, tenant))
  expect(await ridsOf()).toEqual(Array.from({ length: 120 }, (_, i) => `ghost-${119 - i}`))
  expect(await rowsInD1()).toBe(0)
  drop.mockRestore()
  await settle()
  expect(await ridsOf()).toEqual([])
  expect(await rowsInShards(tenant)).toBe(0)
})

test('what is written to D1 later, and of tenants that nobody lists, moves with the schedule', async () => {
  await backend.initRun({ rid: 'a', variables: X })
  expect(await ridsOf()).toEqual(['a'])
  await insert('catalogue', { ...GHOST, rid: 'late', tenant })
  await insert('catalogue_stages', { tenant: `${tenant}-other`, rid: 's', bytes: 9, version: 1 })
  expect(await ridsOf()).toEqual(['a'])
  await createWorker().scheduled(undefined, env)
  expect(await rowsInD1()).toBe(0)
  expect(await ridsOf()).toEqual(['a', 'late'])
  expect(await openObjects(`${tenant}-other`).usage()).toEqual({ runs: 0, bytes: 9 })
  await settle()
  expect(await ridsOf()).toEqual(['a'])
})

test('an object that cannot answer is asked again', async () => {
  const rid = 'a'
  await backend.initRun({ rid, variables: X })
  await asBefore(rid)
  await evictDurableObject(shardAt(0, tenant))
  await catalogue.adopt(tenant)
  const future = Date.UTC(2101, 1, 3)
  await runInDurableObject(objectOf(rid, tenant), (_, { storage }) => {
    storage.sql.exec("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('', ?)", future)
  })
  await evictDurableObject(objectOf(rid, tenant))
  await runDurableObjectAlarm(shardAt(0, tenant))
  const unsettled = () =>
    runInDurableObject(shardAt(0, tenant), (_: CatalogueObject, state) =>
      tablesIn(state).includes('unsettled') ? state.storage.sql.exec('SELECT rid FROM unsettled').toArray() : [],
    )
  expect(await unsettled()).toEqual([{ rid }])
  await runInDurableObject(objectOf(rid, tenant), (_, { storage }) => {
    storage.sql.exec('DELETE FROM __drizzle_migrations WHERE created_at = ?', future)
  })
  await evictDurableObject(objectOf(rid, tenant))
  await runInDurableObject(shardAt(0, tenant), (_: CatalogueObject, { storage }) => {
    storage.sql.exec('UPDATE unsettled SET due = 0')
  })
  await runDurableObjectAlarm(shardAt(0, tenant))
  expect(await unsettled()).toEqual([])
  expect(await shardIn(rid)).toBe(0)
  expect(await ridsOf()).toEqual([rid])
})
