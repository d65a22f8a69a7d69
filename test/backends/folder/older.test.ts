/** A folder of the version before, whose draws all lie in the database, is opened, read and written on. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SqliteStore } from '../../../src/backends/sqlite/sqlite-store.ts'
import type { NdArray } from '../../../src/core/draws/ndarray.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import type { Store } from '../../../src/core/store.ts'
import { openFolderStorage } from '../../../src/node/storage-thread/folder-storage.ts'
import { StoreBackend } from '../../../src/runs/backend.ts'
import { FileDriver } from '../../../src/sql/file.ts'
import { expectSameDraws, named, randomArray, randomWords, texts } from '../../conformance/arrays.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../../support/storage.ts'

/** Draws of the batches of a chain: the large one lies in chunks, the last ones in the tail. */
const COUNTS = [700, 40_000, 3, 1]
const VARIABLES = [
  { name: 'x', dtype: 'float64' },
  { name: 's', dtype: 'str' },
]

let folder: string
let path: string
beforeEach(() => {
  folder = newFolder()
  path = join(folder, 'mcbackend.sqlite')
})
afterEach(() => removeFolder(folder))

/** The migrations of the version before. */
function olderMigrations(): string {
  const older = join(folder, 'migrations')
  cpSync(MIGRATIONS, older, { recursive: true })
  const journal = join(older, 'meta', '_journal.json')
  const { entries, ...more } = JSON.parse(readFileSync(journal, 'utf8'))
  const kept = entries.filter(({ tag }: { tag: string }) => tag < '0007')
  expect(kept.length).toBeLessThan(entries.length)
  writeFileSync(journal, JSON.stringify({ ...more, entries: kept }))
  return older
}

interface Batch {
  readonly start: number
  readonly count: number
  readonly x: NdArray
  readonly s: NdArray
}

function batches(chain: number): Batch[] {
  let start = 0
  return COUNTS.map((count, i) => {
    const batch = batchAt(chain, i, start, count)
    start += count
    return batch
  })
}

function batchAt(chain: number, seed: number, start: number, count: number): Batch {
  const x = randomArray(randomWords(100 * chain + seed), 'float64', [count])
  const words = Array.from({ length: count }, (_, i) => `word ${start + i}`)
  return { start, count, x, s: texts([count], words) }
}

const drawsOf = ({ start, count, x, s }: Batch) => ({ start, count, draws: named(['x', x], ['s', s]) })

/**
 * A file as the version before has left it: two chains with chunks and a tail, in rows without the columns that came since.
 */
async function writeOlder(): Promise<void> {
  const written = join(folder, 'written.sqlite')
  const driver = new FileDriver({ path: written, migrations: MIGRATIONS })
  const run = await new StoreBackend(new SqliteStore(driver, 'local', DEFAULT_LIMITS)).initRun({
    rid: 'r',
    variables: VARIABLES,
  })
  for (const number of [0, 1]) {
    const chain = await run.initChain(number)
    for (const batch of batches(number)) await chain.appendBatch(drawsOf(batch))
  }
  driver.close()
  new FileDriver({ path, migrations: olderMigrations() }).close()
  const database = new Database(path)
  database.exec(`ATTACH '${written}' AS written`)
  for (const table of ['runs', 'run_meta', 'chains', 'tail', 'chunks', 'levels', 'terms']) {
    const names = database
      .prepare<[], { name: string }>(`SELECT name FROM pragma_table_info('${table}')`)
      .all()
      .map(({ name }) => name)
      .join(', ')
    database.exec(`INSERT INTO main.${table} (${names}) SELECT ${names} FROM written.${table}`)
  }
  expect(database.prepare('SELECT count(*) AS n FROM tail').get()).toEqual({ n: 4 })
  database.close()
}

async function withStore(work: (store: Store) => Promise<void>): Promise<void> {
  const storage = await openFolderStorage({ path, migrations: MIGRATIONS })
  try {
    await work(storage.openStore('local'))
  } finally {
    await storage.close()
  }
}

async function chainOf(store: Store, number: number) {
  const run = await new StoreBackend(store).getRun('r')
  const chain = await run?.getChain(number)
  if (chain === undefined) throw new Error(`no chain ${number}`)
  return chain
}

async function expectAll(store: Store, number: number, expected: readonly Batch[]): Promise<void> {
  const chain = await chainOf(store, number)
  for (const { start, count, x, s } of expected) {
    expectSameDraws(await chain.getDraws('x', { start, stop: start + count }), x)
    expectSameDraws(await chain.getDraws('s', { start, stop: start + count }), s)
  }
  expect(await chain.length()).toBe(expected.reduce((n, { count }) => n + count, 0))
}

test('draws of the version before are read, appended to, sent again, and there after a restart', async () => {
  await writeOlder()
  const all = batches(0)
  const length = COUNTS.reduce((n, count) => n + count, 0)
  const more = [batchAt(0, 7, length, 2), batchAt(0, 8, length + 2, 50_000), batchAt(0, 9, length + 50_002, 5)]
  await withStore(async (store) => {
    await expectAll(store, 0, all)
    const chain = await chainOf(store, 0)
    for (const batch of [...all, ...more, ...all, ...more]) {
      expect(await chain.appendBatch(drawsOf(batch))).toBeGreaterThanOrEqual(length)
    }
    const different = batchAt(0, 3, 700, 40_000)
    await expect(chain.appendBatch(drawsOf(different))).rejects.toMatchObject({ code: 'draw_conflict' })
    await expectAll(store, 0, [...all, ...more])
  })
  await withStore(async (store) => {
    await expectAll(store, 0, [...all, ...more])
    // The other one was not used until now.
    await expectAll(store, 1, batches(1))
  })
  const database = new Database(path, { readonly: true })
  expect(database.prepare('SELECT count(*) AS n FROM tail').get()).toEqual({ n: 0 })
  database.close()
  expect(existsSync(join(folder, 'objects'))).toBe(true)
})

test('the version before does not open a folder of this one', async () => {
  await writeOlder()
  await withStore((store) => expectAll(store, 0, batches(0)))
  expect(() => new FileDriver({ path, migrations: join(folder, 'migrations') })).toThrow(/newer version/)
})

test('a run of the version before is deleted with all that it has', async () => {
  await writeOlder()
  await withStore(async (store) => {
    await expectAll(store, 0, batches(0))
    expect(await store.remove('r')).toBe(true)
    expect(await store.usage()).toEqual({ runs: 0, bytes: 0 })
  })
  const database = new Database(path, { readonly: true })
  for (const table of ['runs', 'run_meta', 'chains', 'tail', 'chunks', 'levels', 'terms']) {
    expect(database.prepare(`SELECT count(*) AS n FROM ${table}`).get(), table).toEqual({ n: 0 })
  }
  database.close()
})
