/** Staged objects in the SQLite file: their rows, what they count for, damage, and a file that does not grow. */
import { statSync } from 'node:fs'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hideRun } from '../../src/backends/sqlite/runs.ts'
import { purgeHidden, SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { STAGED_OBJECTS } from '../../src/core/staging.ts'
import type { Store } from '../../src/core/store.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { countRows, MIGRATIONS, openFile, openThread, type TestStorage } from '../support/storage.ts'

const MIB = 1024 * 1024
let storage: TestStorage
let store: Store
beforeEach(() => {
  storage = openFile()
  store = storage.openStore()
})
afterEach(() => storage.close())

function look<T>(sql: string, ...params: unknown[]): T[] {
  const database = new Database(storage.path, { readonly: true })
  const rows = database.prepare<unknown[], T>(sql).all(...params)
  database.close()
  return rows
}

function change(sql: string): void {
  const database = new Database(storage.path)
  database.exec(sql)
  database.close()
}

const PATHS = ['a', 'ä', 'long/'.repeat(20), 'b', 'c']

test('any calls: what the rows hold is what is counted, and nothing is left of what is forgotten', async () => {
  const call = fc.record({
    path: fc.constantFrom(...PATHS),
    size: fc.constantFrom(0, 1, 1000, MIB, MIB + 1, 2 * MIB),
    forgets: fc.subarray(PATHS),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 12 }), async (calls) => {
      for (const { path, size, forgets } of calls) {
        await store.stage('r', path, new Uint8Array(size))
        await store.unstage('r', forgets)
        const [row] = look<{ bytes: number; objects: number }>(
          'SELECT coalesce(sum(length(data) + (part = 0) * (100 + octet_length(path))), 0) AS bytes, count(DISTINCT path) AS objects FROM staged',
        )
        expect((await store.usage()).bytes).toBe(row?.bytes)
        expect(look('SELECT objects, bytes FROM stages')).toEqual(row?.objects === 0 ? [] : [row])
      }
      await store.unstage('r', PATHS)
      expect(countRows(storage.path)).toBe(0)
    }),
    { numRuns: 25 },
  )
})

test('no row exceeds 1 MiB of data, and a listing is answered by the index alone', async () => {
  await store.stage('r', 'large', new Uint8Array(3 * MIB + 1))
  expect(look('SELECT part, size, length(data) AS n FROM staged ORDER BY part')).toEqual([
    ...[0, 1, 2].map((part) => ({ part, size: MIB, n: MIB })),
    { part: 3, size: 1, n: 1 },
  ])
  const plan = look<{ detail: string }>(
    'EXPLAIN QUERY PLAN SELECT path, sum(size) FROM staged WHERE stage_id = 1 AND path >= ? AND path < ? GROUP BY path ORDER BY path',
    'a',
    'b',
  )
  expect(plan.map(({ detail }) => detail)).toEqual([expect.stringContaining('USING COVERING INDEX staged_by_path')])
})

test('flipped bits are an error, and never an object', async () => {
  await store.stage('r', 'a', new Uint8Array(1000))
  await store.stage('r', 'b', new Uint8Array(1000))
  change("UPDATE staged SET data = CAST(zeroblob(999) || x'01' AS BLOB) WHERE path = 'a'")
  await expect(store.staged('r', ['b', 'a'])).rejects.toThrow('the staged object "a" is not what was written')
  expect(await store.staged('r', ['b'])).toEqual([new Uint8Array(1000)])
  // Bytes of one object under the path of another are found as well.
  change("UPDATE staged SET data = zeroblob(1000) WHERE path = 'a'")
  change("UPDATE staged SET path = 'c' WHERE path = 'a'")
  await expect(store.staged('r', ['c'])).rejects.toThrow('is not what was written')
  // Another object in its place mends it.
  await store.stage('r', 'c', new Uint8Array(1000))
  expect(await store.staged('r', ['c'])).toEqual([new Uint8Array(1000)])
})

test('a run has so many objects and no more; one that is there may be replaced', async () => {
  await store.stage('r', 'a', new Uint8Array(1))
  change(`UPDATE stages SET objects = ${STAGED_OBJECTS}`)
  await expect(store.stage('r', 'b', new Uint8Array(1))).rejects.toMatchObject({
    code: 'payload_too_large',
    fields: { limit: STAGED_OBJECTS },
  })
  await store.stage('r', 'a', new Uint8Array(2))
  await store.stage('other', 'b', new Uint8Array(1))
  expect(await store.listStaged('r', '')).toEqual([{ path: 'a', size: 2 }])
})

test('a listing of several pages has each object once', async () => {
  const paths = Array.from({ length: 11_000 }, (_, i) => `p/${String(i).padStart(5, '0')}`)
  await Promise.all(paths.map((path) => store.stage('r', path, new Uint8Array(1))))
  expect((await store.listStaged('r', 'p/')).map(({ path }) => path)).toEqual(paths)
  const found = await store.staged('r', paths)
  expect(found.filter((data) => data?.length === 1)).toHaveLength(paths.length)
  await store.unstage('r', paths)
  expect(countRows(storage.path)).toBe(0)
})

test('a deletion that was cut off is completed, and hides the objects until then', async () => {
  const driver = new FileDriver({ path: storage.path, migrations: MIGRATIONS })
  const own = new SqliteStore(driver, 'local', DEFAULT_LIMITS)
  for (let i = 0; i < 100; i++) await own.stage('r', `a/${i}`, new Uint8Array(10))
  await driver.run(() => hideRun('local', 'r'))
  expect(await own.listStaged('r', '')).toEqual([])
  expect(await own.usage()).toEqual({ runs: 0, bytes: 0 })
  await own.stage('r', 'new', new Uint8Array(1))
  expect(countRows(storage.path)).toBe(103)
  await purgeHidden(driver)
  expect(countRows(storage.path)).toBe(2)
  expect(await own.listStaged('r', '')).toEqual([{ path: 'new', size: 1 }])
  driver.close()
})

test('the file does not grow while objects come and go', async () => {
  const thread = await openThread()
  try {
    const threaded = thread.openStore()
    const size = () => statSync(thread.path).size
    const data = new Uint8Array(20_000)
    const sizes: number[] = []
    for (let round = 0; round < 30; round++) {
      const paths = Array.from({ length: 90 }, (_, i) => `x${i}/c/0/${round}`)
      await Promise.all(paths.map((path) => threaded.stage('r', path, data)))
      await threaded.unstage('r', paths)
      sizes.push(size())
    }
    // 54 MB have come and gone.
    expect(Math.max(...sizes)).toBeLessThan(12 * MIB)
    expect(countRows(thread.path)).toBe(0)
  } finally {
    await thread.close()
  }
})
