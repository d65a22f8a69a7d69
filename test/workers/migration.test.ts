/** An object that was written by the schema before meets the present code. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { drizzle } from 'drizzle-orm/durable-sqlite'
import { migrate } from 'drizzle-orm/durable-sqlite/migrator'
import { afterAll, expect, test } from 'vitest'
import { journal, migrations } from '../../src/backends/durable/generated/migrations.ts'
import { ShardedCatalogue } from '../../src/backends/durable/sharded-catalogue.ts'
import { newRegistration } from '../../src/backends/registration.ts'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { DurableDriver } from '../../src/sql/object.ts'
import { objectOf, openObjects, quiet, rowsIn, tablesIn } from './objects.ts'

afterAll(quiet)

const catalogue = new ShardedCatalogue(env.CATALOGUE)
const X = [{ name: 'x', dtype: 'float64' }]

const TO_FIRST_SCHEMA = [
  'DROP TABLE announcement',
  'DROP TABLE moves',
  'DROP TABLE moved',
  'DROP TABLE stages',
  'DROP TABLE staged',
  'DROP TABLE about',
  'DROP TABLE terms',
  'DROP INDEX runs_for_list',
  'CREATE INDEX runs_by_age ON runs (tenant, id)',
  ...[
    'shown',
    'folded',
    'archived',
    'finished',
    'expected',
    'revision',
    'about_bytes',
    'touched_at',
    'indexed',
    'diagnostics',
  ].map((column) => `ALTER TABLE runs DROP COLUMN ${column}`),
  'ALTER TABLE runs DROP COLUMN meta_bytes',
  'ALTER TABLE chains DROP COLUMN bytes',
  'ALTER TABLE chunks DROP COLUMN sums',
  'ALTER TABLE tail DROP COLUMN sum',
  ...['object', 'object_end', 'sum'].map((column) => `ALTER TABLE chains DROP COLUMN ${column}`),
  ...['object', 'at', 'size', 'sum'].map((column) => `ALTER TABLE chunks DROP COLUMN ${column}`),
  'ALTER TABLE run_meta DROP COLUMN sum',
  'ALTER TABLE levels DROP COLUMN sum',
  'DELETE FROM __drizzle_migrations WHERE created_at > (SELECT min(created_at) FROM __drizzle_migrations)',
]

function batch(start: number, count: number) {
  const data = Float64Array.from({ length: count }, (_, i) => start + i)
  return { start, count, draws: new Map([['x', { dtype: 'float64', shape: [count], data } as const]]) }
}

test.each([1, 40_000])('a run of %i draws of the first schema is read, written and listed', async (count) => {
  const { bytes: before } = await catalogue.usage('local')
  const rid = `first-schema-${count}`
  const stub = objectOf(rid)
  await runInDurableObject(stub, async (_, { storage }) => {
    await migrate(drizzle(storage), { journal, migrations })
    const store = new SqliteStore(new DurableDriver(storage), 'local', DEFAULT_LIMITS, { newRegistration })
    const run = await new StoreBackend(store).initRun({
      rid,
      variables: X,
      attributes: { model: { stringValue: rid } },
    })
    await (await run.initChain(0)).appendBatch(batch(0, count))
    // The additions of later migrations are taken away again.
    for (const sql of TO_FIRST_SCHEMA) storage.sql.exec(sql)
  })
  expect(await runInDurableObject(stub, (_, state) => tablesIn(state))).not.toContain('announcement')
  await evictDurableObject(stub)

  const backend = new StoreBackend(openObjects())
  const chain = await (await backend.getRun(rid))?.getChain(0)
  expect(await chain?.length()).toBe(count)
  expect(await chain?.appendBatch(batch(count, 3))).toBe(count + 3)
  const draws = await chain?.getDraws('x')
  expect(draws).toMatchObject({ shape: [count + 3], data: batch(0, count + 3).draws.get('x')?.data })
  expect(await runInDurableObject(stub, (_, state) => tablesIn(state))).toContain('announcement')
  // Nobody had ever told the catalogue of it.
  await runDurableObjectAlarm(stub)
  const { runs } = await catalogue.list('local', { limit: 1000, terms: [] })
  expect(runs.filter((run) => run.rid === rid)).toMatchObject([{ chains: 1, draws: count + 3 }])
  const found = await backend.listRuns({ attr: [['model', rid]] })
  expect(found.runs.map((run) => run.rid)).toEqual([rid])
  const { bytes } = await catalogue.usage('local')
  expect(bytes - before).toBeGreaterThan(count * 8)
  expect(bytes - before).toBeLessThan(count * 8 + 1000)
})

test('an object of the present schema is left as it is', async () => {
  const backend = new StoreBackend(openObjects())
  await backend.initRun({ rid: 'present', variables: X })
  const applied = () =>
    runInDurableObject(objectOf('present'), (_, { storage }) =>
      storage.sql.exec('SELECT created_at FROM __drizzle_migrations ORDER BY created_at').toArray(),
    )
  const before = await applied()
  expect(before).toHaveLength(journal.entries.length)
  await evictDurableObject(objectOf('present'))
  await backend.getRun('present')
  expect(await applied()).toEqual(before)
})

test('an object of a newer schema is left as it is, until that schema is known again', async () => {
  const backend = new StoreBackend(openObjects())
  const run = await backend.initRun({ rid: 'newer', variables: X })
  await (await run.initChain(0)).appendBatch(batch(0, 2))
  const stub = objectOf('newer')
  const future = Date.UTC(2101, 1, 3)
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('', ?)", future)
  })
  await evictDurableObject(stub)
  const rows = () => runInDurableObject(stub, (_, state) => rowsIn(state))
  const before = await rows()
  const again = () => new StoreBackend(openObjects())
  const refused = { code: 'storage_unavailable', fields: { retryAfter: 60 } }
  await expect(again().getRun('newer')).rejects.toMatchObject(refused)
  await expect(again().initRun({ rid: 'newer', variables: X })).rejects.toMatchObject(refused)
  await expect(again().deleteRun('newer')).rejects.toMatchObject(refused)
  const chain = await run.getChain(0).catch((error) => error)
  expect(chain).toMatchObject(refused)
  await runInDurableObject(stub, (object) => object.alarm?.())
  expect(await rows()).toBe(before)
  expect(await runInDurableObject(stub, (_, { storage }) => storage.getAlarm())).toBeGreaterThan(Date.now() + 60_000)

  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec('DELETE FROM __drizzle_migrations WHERE created_at = ?', future)
  })
  await evictDurableObject(stub)
  expect(await (await (await again().getRun('newer'))?.getChain(0))?.length()).toBe(2)
})
