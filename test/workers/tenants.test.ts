/** Tenants on the storages of the Worker, in workerd: D1 alone, and run objects. */
import { listDurableObjectIds, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { D1Driver } from '../../src/sql/d1.ts'
import { tenantStores } from '../tenants/stores.ts'
import { database } from './local.ts'
import { openObjects, quiet, rowsIn, rowsInShards, tablesIn } from './objects.ts'

const driver = new D1Driver(database)

async function countIn(sql: string, tenant: string): Promise<number> {
  return (await env.DB.prepare(sql).bind(tenant).first<number>('n')) ?? 0
}

tenantStores({
  name: 'D1',
  keepsDraws: true,
  open: async () => ({
    openStore: (tenant) => new SqliteStore(driver, tenant, DEFAULT_LIMITS),
    countRows: async (tenant) =>
      (await countIn(
        'SELECT count(*) + coalesce(sum((SELECT count(*) FROM chains WHERE run_id = runs.id)), 0) AS n FROM runs WHERE tenant = ?',
        tenant,
      )) + (await countIn('SELECT count(*) AS n FROM stages WHERE tenant = ?', tenant)),
    close: async () => {},
  }),
})

/** Rows in the objects of a tenant, each of which has its run under the tenant's name. */
async function rowsInObjects(tenant: string): Promise<number> {
  let rows = 0
  for (const id of await listDurableObjectIds(env.RUNS)) {
    rows += await runInDurableObject(env.RUNS.get(id), (_, state) => {
      if (!tablesIn(state).includes('announcement')) return 0
      const [owner] = state.storage.sql.exec<{ tenant: string }>('SELECT tenant FROM announcement').toArray()
      return owner?.tenant === tenant ? rowsIn(state) : 0
    })
  }
  return rows
}

tenantStores({
  name: 'run objects',
  keepsDraws: true,
  open: async () => ({
    openStore: openObjects,
    countRows: async (tenant) => (await rowsInShards(tenant)) + (await rowsInObjects(tenant)),
    close: quiet,
  }),
})

test('objects of a tenant that is gone end: nothing of them is left, not even its name', async () => {
  const backend = new StoreBackend(openObjects('ended'))
  for (const rid of ['a', 'b', 'c']) await backend.initRun({ rid, variables: [{ name: 'x', dtype: 'int8' }] })
  await backend.retire()
  for (const id of await listDurableObjectIds(env.RUNS)) {
    // The first time may be too early. Told a second time, an object empties itself.
    for (let times = 0; times < 2; times++) await runDurableObjectAlarm(env.RUNS.get(id))
  }
  for (const id of await listDurableObjectIds(env.RUNS)) {
    await runInDurableObject(env.RUNS.get(id), (_, state) => {
      if (!tablesIn(state).includes('announcement')) return
      const owners = state.storage.sql.exec<{ tenant: string }>('SELECT tenant FROM announcement').toArray()
      expect(owners.map(({ tenant }) => tenant)).not.toContain('ended')
    })
  }
  expect(await rowsInShards('ended')).toBe(0)
  await quiet()
})
