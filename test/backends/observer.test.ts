/** Stores on Node tell their observer of new draws. ClickHouse's test is in `test/clickhouse/`. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { Tally } from '../../src/node/tally.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { figuresIn } from '../support/figures.ts'
import { BROUGHT, expectObserved, Told, writeObserved } from '../support/observed.ts'
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

/** Commits of writes that a tally has counted. */
function commitsOf(tally: Tally): number | undefined {
  return figuresIn(tally.commits.lines('commits', '').join('\n')).get('commits_count')
}

test('SQLite in its thread, which tells of commits of writes as well', async () => {
  const folder = newFolder()
  const tally = new Tally()
  const storage = await openFolderStorage(
    { path: join(folder, 'test.sqlite'), migrations: MIGRATIONS },
    undefined,
    tally,
  )
  try {
    await writeObserved(storage.openStore('local'))
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b)
    expect([tally.draws, tally.bytes]).toEqual([sum(BROUGHT.draws), sum(BROUGHT.bytes)])
    // Three appends; what is repeated, only reads, or is refused, is none.
    expect(commitsOf(tally)).toBe(3)
    const store = storage.openStore('local')
    await store.find('observed')
    await store.ping()
    expect(commitsOf(tally)).toBe(3)
    // Deletions leave room in the file.
    expect(await storage.reusable()).toBe(0)
  } finally {
    await storage.close()
    removeFolder(folder)
  }
})
