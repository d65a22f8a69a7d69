/** Tenants on the storages of Node. */
import Database from 'better-sqlite3'
import { MemoryStore } from '../../src/backends/memory.ts'
import { NullStore } from '../../src/backends/null.ts'
import type { OpenStore, Store } from '../../src/core/store.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'
import { tenantStores } from './stores.ts'

function inMemory(newStore: () => Store): OpenStore {
  const stores = new Map<string, Store>()
  return (tenant) => {
    const store = stores.get(tenant) ?? newStore()
    stores.set(tenant, store)
    return store
  }
}

tenantStores({
  name: 'memory',
  keepsDraws: true,
  open: async () => ({ openStore: inMemory(() => new MemoryStore()), close: async () => {} }),
})

tenantStores({
  name: 'the null storage',
  keepsDraws: false,
  open: async () => ({ openStore: inMemory(() => new NullStore()), close: async () => {} }),
})

/** Rows of a tenant's runs; the other tables of the storage hang on them. */
const ROWS = `
  WITH own AS (SELECT id FROM runs WHERE tenant = ?), own_chains AS (SELECT id FROM chains WHERE run_id IN own)
  SELECT (SELECT count(*) FROM own) + (SELECT count(*) FROM own_chains)
    + (SELECT count(*) FROM run_meta WHERE run_id IN own) + (SELECT count(*) FROM levels WHERE chain_id IN own_chains)
    + (SELECT count(*) FROM chunks WHERE chain_id IN own_chains)
    + (SELECT count(*) FROM tail WHERE id / 4096 IN own_chains) AS n`
/** Rows that hang on nothing, since a deletion forgot them. */
const ORPHANS = `
  SELECT (SELECT count(*) FROM chains WHERE run_id NOT IN (SELECT id FROM runs))
    + (SELECT count(*) FROM run_meta WHERE run_id NOT IN (SELECT id FROM runs))
    + (SELECT count(*) FROM levels WHERE chain_id NOT IN (SELECT id FROM chains))
    + (SELECT count(*) FROM chunks WHERE chain_id NOT IN (SELECT id FROM chains))
    + (SELECT count(*) FROM tail WHERE id / 4096 NOT IN (SELECT id FROM chains)) AS n`

tenantStores({
  name: 'a SQLite file in a thread',
  keepsDraws: true,
  open: async () => {
    const folder = newFolder()
    const path = `${folder}/test.sqlite`
    const storage = await openFolderStorage({ path, migrations: MIGRATIONS })
    const database = new Database(path, { readonly: true })
    const own = database.prepare<[string], { n: number }>(ROWS)
    const orphans = database.prepare<[], { n: number }>(ORPHANS)
    return {
      openStore: storage.openStore,
      countRows: async (tenant) => (own.get(tenant)?.n ?? 0) + (orphans.get()?.n ?? 0),
      close: async () => {
        database.close()
        await storage.close()
        removeFolder(folder)
      },
    }
  },
})
