/** Looking into run objects from outside their own code. */
import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { DurableObjectState, DurableObjectStub } from '@cloudflare/workers-types'
import { objectName } from '../../src/backends/durable/protocol.ts'

export function objectOf(rid: string, tenant = 'local'): DurableObjectStub {
  return env.RUNS.get(env.RUNS.idFromName(objectName(tenant, rid)))
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
  const tables = tablesIn(state).filter((name) => DRAW_TABLES.includes(name))
  return tables.reduce(
    (n, name) => n + state.storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM "${name}"`).one().n,
    0,
  )
}

/** Rows of all run objects together. */
export async function countObjectRows(): Promise<number> {
  let rows = 0
  for (const id of await listDurableObjectIds(env.RUNS)) {
    rows += await runInDurableObject(env.RUNS.get(id), (_, state) => rowsIn(state))
  }
  return rows
}

/** Ends what objects would still do by themselves: their alarms must not go off when the tests are over. */
export async function quiet(): Promise<void> {
  for (const id of await listDurableObjectIds(env.RUNS)) {
    await runInDurableObject(env.RUNS.get(id), (_, { storage }) => storage.deleteAlarm())
  }
}
