/** An object that the version before the bucket wrote: it serves at once, and its draws move by themselves. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { drizzle } from 'drizzle-orm/durable-sqlite'
import { migrate } from 'drizzle-orm/durable-sqlite/migrator'
import { afterAll, expect, test } from 'vitest'
import { journal, migrations } from '../../../src/backends/durable/generated/migrations.ts'
import { newRegistration } from '../../../src/backends/registration.ts'
import { SqliteStore } from '../../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { StoreBackend } from '../../../src/runs/backend.ts'
import { DurableDriver } from '../../../src/sql/object.ts'
import { apiOf, batchOf, drawBatch, jsonOf } from '../../http/api.ts'
import { fetchWorker } from '../local.ts'
import { objectOf, quiet, tablesIn } from '../objects.ts'
import { keysUnder } from './look.ts'

const api = apiOf(fetchWorker, 'http://worker.test')
const RID = 'old'
/** Migrations that the version before had. */
const BEFORE = { ...journal, entries: journal.entries.slice(0, 9) }
/** Draws of 64 KiB. */
const WIDTH = 8192
const COUNT = 24

afterAll(quiet)

const valuesOf = (start: number, count: number) =>
  Float64Array.from({ length: count * WIDTH }, (_, i) => start * WIDTH + i + 0.5)

/** The object as it was, and its line in D1. */
async function writeAsBefore(): Promise<void> {
  const version = Date.now() - 3_600_000
  const registration = await runInDurableObject(objectOf(RID), async (_, { storage }) => {
    await migrate(drizzle(storage), { journal: BEFORE, migrations })
    const store = new SqliteStore(new DurableDriver(storage), 'local', DEFAULT_LIMITS, { newRegistration })
    const run = await new StoreBackend(store).initRun({
      rid: RID,
      variables: [{ name: 'x', dtype: 'float64', shape: [WIDTH] }],
    })
    const x = { dtype: 'float64', shape: [COUNT, WIDTH], data: valuesOf(0, COUNT) } as const
    const chain = await run.initChain(0)
    await chain.appendBatch({ start: 0, count: COUNT, draws: new Map([['x', x]]) })
    storage.sql.exec(
      'INSERT INTO announcement (id, tenant, rid, dirty, version, told, told_staged) VALUES (1, ?, ?, 0, ?, ?, 0)',
      ...['local', RID, version, `${run.registration} []`],
    )
    return run.registration
  })
  await env.DB.prepare(
    'INSERT INTO catalogue (tenant, rid, registration, created_at, updated_at, variables, sample_stats, chains, draws, bytes, ' +
      "version, shown, folded, archived, finished, shortest) VALUES ('local', ?, ?, ?, ?, 1, 0, 1, ?, 1000, ?, '', '', 0, 0, ?)",
  )
    .bind(RID, registration, version, version, COUNT, version, COUNT)
    .run()
  await evictDurableObject(objectOf(RID))
}

const lines = async () => (await jsonOf(await api.get('/v1/runs'))).runs

async function expectDraws(count: number): Promise<void> {
  const { draws } = await batchOf(await api.get(`/v1/runs/${RID}/chains/0/draws`))
  expect(draws[0]?.data).toEqual(new Uint8Array(valuesOf(0, count).buffer))
}

test('an object of the version before is listed, read and written, and moves to the bucket', async () => {
  expect(BEFORE.entries.at(-1)?.tag).toMatch(/^0008_/)
  await writeAsBefore()
  expect(await lines()).toMatchObject([{ rid: RID, chains: 1, draws: COUNT }])
  await expectDraws(COUNT)
  expect(await runInDurableObject(objectOf(RID), (_, state) => tablesIn(state))).toContain('moves')
  await runDurableObjectAlarm(objectOf(RID))
  await expect.poll(async () => (await keysUnder(`local/${RID}/`)).size).toBeGreaterThan(0)
  await expectDraws(COUNT)

  const data = new Uint8Array(valuesOf(COUNT, 3).buffer)
  const body = drawBatch({ start: COUNT, count: 3, draws: [{ name: 'x', dtype: 'float64', data }] })
  expect((await api.request('POST', `/v1/runs/${RID}/chains/0/draws`, { body })).status).toBe(200)
  await expectDraws(COUNT + 3)
  await expect.poll(lines).toMatchObject([{ rid: RID, chains: 1, draws: COUNT + 3 }])
  // The list has moved as well.
  expect(await env.DB.prepare('SELECT count(*) AS n FROM catalogue').first<number>('n')).toBe(0)
})
