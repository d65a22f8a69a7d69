/** Remains of workerd on this disk, looked at while it does not run: rows of all objects and of D1, keys of the bucket. */
import { globSync } from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Folder of the data that bench/workerd/server.ts was given. */
const STATE = 'state'
/** Tables of the platform, and those that say which migrations were applied. */
const OTHERS = /^(_cf_|sqlite_|d1_migrations$|__drizzle_migrations$)/

/** Rows by table and file; tables without any are left out. */
export function rowsLeft(data: string): Map<string, number> {
  const rows = new Map<string, number>()
  for (const path of globSync(join(data, STATE, '{do,d1,r2}/*/*.sqlite'))) {
    if (path.endsWith('/metadata.sqlite')) continue
    for (const [table, count] of countRows(path)) rows.set(`${relative(join(data, STATE), path)} ${table}`, count)
  }
  return rows
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
