/** The rows of all tables in the local D1, counted from outside the storage. */
import type { D1Database } from '@cloudflare/workers-types'

export async function countRows(database: D1Database): Promise<number> {
  const { results: tables } = await database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")
    .all<{ name: string }>()
  let rows = 0
  for (const { name } of tables) {
    if (name.startsWith('sqlite_') || name === 'd1_migrations') continue
    rows += (await database.prepare(`SELECT count(*) AS n FROM "${name}"`).first<number>('n')) ?? 0
  }
  return rows
}
