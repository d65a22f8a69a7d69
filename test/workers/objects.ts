/** Looking into run objects from outside their own code. */
import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { DurableObjectState, DurableObjectStub } from '@cloudflare/workers-types'
import type { Catalogue } from '../../src/backends/durable/catalogue.ts'
import { DurableStore } from '../../src/backends/durable/durable-store.ts'
import { objectName, type RunNamespace } from '../../src/backends/durable/protocol.ts'
import { ShardedCatalogue } from '../../src/backends/durable/sharded-catalogue.ts'
import { shardName } from '../../src/backends/durable/shards.ts'

/** A store of a tenant with caches of its own, as another isolate has them. */
export function openObjects(tenant = 'local', runs: RunNamespace = env.RUNS): DurableStore {
  return new DurableStore(runs, new ShardedCatalogue(env.CATALOGUE), tenant)
}

export function shardAt(shard: number, tenant = 'local'): DurableObjectStub {
  return env.CATALOGUE.get(env.CATALOGUE.idFromName(shardName({ tenant, shard })))
}

export function objectOf(rid: string, tenant = 'local'): DurableObjectStub {
  return env.RUNS.get(env.RUNS.idFromName(objectName(tenant, rid)))
}

/** A catalogue that cannot be reached: it was never asked. */
const refuse = () => Promise.reject(new Error('the catalogue cannot be reached'))
export const NEVER_ASKED: Catalogue = { put: refuse, putStaged: refuse, remove: refuse, leave: refuse }

/** A catalogue that does not answer. */
const wait = () => new Promise<never>(() => {})
export const SILENT: Catalogue = { put: wait, putStaged: wait, remove: wait, leave: wait }

/** A catalogue that does what it is asked, and cannot say so. */
export function answersLost(catalogue: Catalogue): Catalogue {
  const lose = async (work: Promise<unknown>) => {
    await work
    throw new Error('the answer was lost')
  }
  return {
    put: (...args) => lose(catalogue.put(...args)),
    putStaged: (...args) => lose(catalogue.putStaged(...args)),
    remove: (...args) => lose(catalogue.remove(...args)),
    leave: (...args) => lose(catalogue.leave(...args)),
  }
}

/** Tables that hold what users have sent. */
const DRAW_TABLES = ['runs', 'run_meta', 'chains', 'tail', 'chunks', 'levels', 'stages', 'staged']

/** Names of the object's own tables; none in an object that holds nothing. */
export function tablesIn({ storage }: DurableObjectState): string[] {
  const sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"
  return storage.sql
    .exec<{ name: string }>(sql)
    .toArray()
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('sqlite_'))
}

export function rowsIn(state: DurableObjectState): number {
  return countIn(state, DRAW_TABLES)
}

function countIn(state: DurableObjectState, counted: readonly string[]): number {
  const tables = tablesIn(state).filter((name) => counted.includes(name))
  return tables.reduce(
    (n, name) => n + state.storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM "${name}"`).one().n,
    0,
  )
}

/** Tables that list what objects hold. */
const LIST_TABLES = ['catalogue', 'catalogue_terms', 'catalogue_stages']

function linesIn(state: DurableObjectState): number {
  return countIn(state, LIST_TABLES)
}

/** Rows of all run objects and all shards of the catalogue together. */
export async function countObjectRows(): Promise<number> {
  let rows = 0
  for (const id of await listDurableObjectIds(env.RUNS)) {
    rows += await runInDurableObject(env.RUNS.get(id), (_, state) => rowsIn(state))
  }
  for (const id of await listDurableObjectIds(env.CATALOGUE)) {
    rows += await runInDurableObject(env.CATALOGUE.get(id), (_, state) => linesIn(state))
  }
  return rows
}

/** Rows in a tenant's shards of the catalogue, with those by which a shard knows itself. */
export async function rowsInShards(tenant: string): Promise<number> {
  let rows = 0
  for (const id of await listDurableObjectIds(env.CATALOGUE)) {
    rows += await runInDurableObject(env.CATALOGUE.get(id), (_, state) => {
      if (!tablesIn(state).includes('shard')) return 0
      const [owner] = state.storage.sql.exec<{ tenant: string }>('SELECT tenant FROM shard').toArray()
      return owner?.tenant === tenant ? 1 + linesIn(state) : 0
    })
  }
  return rows
}

/** Ends what objects would still do by themselves: their alarms must not go off when the tests are over. */
export async function quiet(): Promise<void> {
  for (const objects of [env.RUNS, env.CATALOGUE]) {
    for (const id of await listDurableObjectIds(objects)) {
      await runInDurableObject(objects.get(id), (_, { storage }) => storage.deleteAlarm())
    }
  }
}
