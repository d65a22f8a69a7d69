/** Remains of workerd on this disk, looked at while it does not run: rows of all objects and of D1, keys of the bucket. */
import { globSync } from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Folder of the data that bench/workerd/server.ts was given. */
const STATE = 'state'
/** Tables of the platform, and those that say which migrations were applied. */
const OTHERS = /^(_cf_|sqlite_|d1_migrations$|__drizzle_migrations$)/

/** Tables of a run object without a run that waits for puts which a kill has cut off: one might still arrive. */
const WAITING = ['announcement', 'moved', 'moves']
/** Milliseconds that it waits. */
const LATE_MS = 10 * 60_000

/** Rows by table and file; tables without any are left out, and so are objects that wait as they must. */
export function rowsLeft(data: string): Map<string, number> {
  const left = new Map<string, number>()
  for (const path of globSync(join(data, STATE, '{do,d1,r2}/*/*.sqlite'))) {
    if (path.endsWith('/metadata.sqlite')) continue
    const rows = countRows(path)
    if (isWaiting(path, rows)) continue
    for (const [table, count] of rows) left.set(`${relative(join(data, STATE), path)} ${table}`, count)
  }
  return left
}

function isWaiting(path: string, rows: ReadonlyMap<string, number>): boolean {
  if (!rows.has('moves') || ![...rows.keys()].every((table) => WAITING.includes(table))) return false
  const database = new DatabaseSync(path)
  try {
    const row = database.prepare('SELECT max(begun_at) AS last FROM moves').get()
    return Number(row?.last) > Date.now() - LATE_MS
  } finally {
    database.close()
  }
}

/** Objects of the bucket. */
export function countKeys(data: string): number {
  return globSync(join(data, STATE, 'r2/*/*.sqlite')).reduce(
    (n, path) => n + (countRows(path).get('_mf_objects') ?? 0),
    0,
  )
}

function countRows(path: string): Map<string, number> {
  const database = new DatabaseSync(path)
  try {
    const counts = new Map<string, number>()
    for (const { name } of database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()) {
      if (OTHERS.test(String(name))) continue
      const count = Number(database.prepare(`SELECT count(*) AS n FROM "${name}"`).get()?.n)
      if (count > 0) counts.set(String(name), count)
    }
    return counts
  } finally {
    database.close()
  }
}
