/** Stores on Node tell their observer of new draws. ClickHouse's test is in `test/clickhouse/`. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { openThreadStorage } from '../../src/node/storage-thread/client.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { expectObserved, Told } from '../support/observed.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'

test('memory', async () => {
  const told = new Told()
  await expectObserved(new MemoryStore(undefined, told), told)
})

test('SQLite', async () => {
  const told = new Told()
  const driver = new FileDriver({ path: ':memory:', migrations: MIGRATIONS })
  await expectObserved(new SqliteStore(driver, 'local', DEFAULT_LIMITS, { observer: told }), told)
  driver.close()
})

/** As `Told`, with the times of commits. */
class ToldOfCommits extends Told {
  readonly commits: number[] = []

  committed(seconds: number): void {
    this.commits.push(seconds)
  }
}

test('SQLite in its thread, which tells of commits of writes as well', async () => {
  const folder = newFolder()
  const told = new ToldOfCommits()
  const storage = await openThreadStorage(
    { path: join(folder, 'test.sqlite'), migrations: MIGRATIONS },
    undefined,
    told,
  )
  try {
    await expectObserved(storage.openStore('local'), told)
    // Registration, chain, and three appends; what only reads, or is refused, is none.
    expect(told.commits.length).toBe(5)
    expect(Math.min(...told.commits)).toBeGreaterThan(0)
    const store = storage.openStore('local')
    await store.find('observed')
    await store.ping()
    expect(told.commits.length).toBe(5)
    // Deletions leave room in the file.
    expect(await storage.reusable()).toBe(0)
  } finally {
    await storage.close()
    removeFolder(folder)
  }
})
