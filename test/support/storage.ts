/** Storages of tests on Node: SQLite files in folders of their own, which are gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import type { Store } from '../../src/core/store.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { FileDriver } from '../../src/sql/file.ts'

export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

export interface TestStorage {
  /** Each call gives another store on the same data, with caches of its own. */
  readonly openStore: () => Store
  readonly path: string
  close(): Promise<void>
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'mcbackend-test-'))
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

/** A SQLite file in this thread. */
export function openFile(): TestStorage {
  const folder = newFolder()
  const path = join(folder, 'test.sqlite')
  const driver = new FileDriver({ path, migrations: MIGRATIONS })
  const close = async () => {
    driver.close()
    removeFolder(folder)
  }
  return { openStore: () => new SqliteStore(driver, 'local', DEFAULT_LIMITS), path, close }
}

/** A SQLite file in a thread of its own, as the Node entry has it. */
export async function openThread(): Promise<TestStorage> {
  const folder = newFolder()
  const path = join(folder, 'test.sqlite')
  const storage = await openFolderStorage({ path, migrations: MIGRATIONS })
  const close = async () => {
    await storage.close()
    removeFolder(folder)
  }
  return { openStore: () => storage.openStore('local'), path, close }
}

/** Rows of all tables of the schema, counted from outside. */
export function countRows(path: string): number {
  const database = new Database(path, { readonly: true })
  const tables = database
    .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .filter(({ name }) => !name.startsWith('__drizzle'))
  let rows = 0
  for (const { name } of tables) {
    rows += database.prepare<[], { n: number }>(`SELECT count(*) AS n FROM "${name}"`).get()?.n ?? 0
  }
  database.close()
  return rows
}
