/** The SQLite file itself: how draws lie in it, and what happens when it cannot be written. */
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { purgeHidden, SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import type { Chain } from '../../src/core/interfaces.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { expectSameDraws, floats, named, randomArray, randomWords } from '../conformance/arrays.ts'
import { countRows, MIGRATIONS, openFile, openThread, type TestStorage } from '../support/storage.ts'

let storage: TestStorage
let backend: StoreBackend
beforeEach(() => {
  storage = openFile()
  backend = new StoreBackend(storage.openStore())
})
afterEach(() => storage.close())

async function newChain(variables: readonly string[], stats: readonly string[] = []): Promise<Chain> {
  const scalar = (name: string) => ({ name, dtype: 'float64' })
  const run = await backend.initRun({ rid: 'r', variables: variables.map(scalar), sampleStats: stats.map(scalar) })
  return run.initChain(0)
}

const ones = (count: number) => floats([count], new Array<number>(count).fill(1))

/** One row of a query, seen by another connection. */
function look<T>(sql: string): T[] {
  const database = new Database(storage.path, { readonly: true })
  const rows = database.prepare<[], T>(sql).all()
  database.close()
  return rows
}

test('the file is in WAL mode', () => {
  expect(look<{ journal_mode: string }>('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
})

test('no row exceeds 2,000,000 bytes, whatever is stored', async () => {
  const elements = 700_000
  const run = await backend.initRun({
    rid: 'large',
    variables: [
      { name: 'x', dtype: 'float64', shape: [elements] },
      { name: 's', dtype: 'str' },
    ],
    attributes: { a: { ndarrayValue: { data: new Uint8Array(5_000_000), dtype: 'int8', shape: [5_000_000] } } },
  })
  const chain = await run.initChain(0)
  const x = randomArray(randomWords(1), 'float64', [2, elements])
  await chain.appendBatch({
    start: 0,
    count: 2,
    draws: named(['x', x], ['s', { dtype: 'str', shape: [2], data: ['y'.repeat(3_000_000), ''] }]),
  })
  expectSameDraws(await chain.getDraws('x'), x)
  for (const table of ['run_meta', 'tail', 'chunks']) {
    const [row] = look<{ most: number | null }>(`SELECT max(length(data)) AS most FROM ${table}`)
    expect(row?.most ?? 0).toBeLessThanOrEqual(2_000_000)
  }
})

test('draws that came one by one lie in few rows', async () => {
  const chain = await newChain(['x', 'y'])
  const appends: Promise<number>[] = []
  for (let start = 0; start < 6000; start++) {
    appends.push(chain.appendBatch({ start, count: 1, draws: named(['x', ones(1)], ['y', ones(1)]) }))
  }
  expect(await Promise.all(appends)).toHaveLength(6000)
  const [chunks] = look<{ n: number }>('SELECT count(*) AS n FROM chunks')
  const [tail] = look<{ n: number }>('SELECT count(*) AS n FROM tail')
  expect(chunks?.n).toBeLessThanOrEqual(2 * 8)
  expect(tail?.n).toBeLessThanOrEqual(1025)
})

test.each([1, 20, 100])(
  'a stat of every other batch of %i lies in few rows, and takes little to go on',
  async (count) => {
    const chain = await newChain(['x'], ['s'])
    const appends: Promise<number>[] = []
    for (let i = 0; i < 4000; i++) {
      const stats = i % 2 ? named(['s', ones(count)]) : named()
      appends.push(chain.appendBatch({ start: i * count, count, draws: named(['x', ones(count)]), stats }))
    }
    await Promise.all(appends)
    const [chunks] = look<{ n: number }>('SELECT count(*) AS n FROM chunks WHERE col = 1')
    const [levels] = look<{ size: number }>('SELECT max(length(levels)) AS size FROM levels')
    expect(chunks?.n).toBeLessThanOrEqual(20)
    expect(levels?.size).toBeLessThan(500)
  },
)

test('a stat that is rarely sent is not filled up, and what is remembered of it does not grow', async () => {
  const chain = await newChain(['x'], ['rare'])
  const count = 5000
  for (let i = 0; i < 300; i++) {
    const start = i * (count + 1)
    await chain.appendBatch({ start, count, draws: named(['x', ones(count)]) })
    await chain.appendBatch({
      start: start + count,
      count: 1,
      draws: named(['x', ones(1)]),
      stats: named(['rare', ones(1)]),
    })
  }
  const [bytes] = look<{ n: number }>('SELECT coalesce(sum(length(data)), 0) AS n FROM chunks WHERE col = 1')
  const [levels] = look<{ size: number }>('SELECT max(length(levels)) AS size FROM levels')
  expect(bytes?.n).toBeLessThan(400_000)
  expect(levels?.size).toBeLessThan(500)
  const rare = await chain.getStats('rare', { start: count, step: count + 1 })
  expectSameDraws(rare, ones(300))
})

test('a deletion that was cut off is completed at the next start', async () => {
  const chain = await newChain(['x'], ['s'])
  for (let start = 0; start < 500_000; start += 50_000) {
    await chain.appendBatch({ start, count: 50_000, draws: named(['x', ones(50_000)]) })
  }
  const database = new Database(storage.path)
  database.exec("UPDATE runs SET deleted = 1, rid = '/' || registration; UPDATE chains SET number = -1 - number")
  database.close()
  expect(await new StoreBackend(storage.openStore()).getRun('r')).toBeUndefined()
  expect((await backend.listRuns()).runs).toEqual([])
  const driver = new FileDriver({ path: storage.path, migrations: MIGRATIONS })
  await purgeHidden(driver)
  driver.close()
  expect(countRows(storage.path)).toBe(0)
})

test('a file that another process holds is storage that cannot be reached, and nothing is changed', async () => {
  const chain = await newChain(['x'])
  await chain.appendBatch({ start: 0, count: 2, draws: named(['x', ones(2)]) })
  const holder = new Database(storage.path)
  holder.exec('BEGIN IMMEDIATE')
  // Many wait as long as one does, and not one after the other.
  const refused = Array.from(
    { length: 200 },
    (_, i): Promise<unknown> =>
      i === 0
        ? backend.initRun({ rid: 'new', variables: [] })
        : chain.appendBatch({ start: 2, count: 1, draws: named(['x', ones(1)]) }),
  )
  for (const outcome of await Promise.allSettled(refused)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'storage_unavailable', status: 503 } })
  }
  holder.exec('ROLLBACK')
  holder.close()
  expect(await chain.length()).toBe(2)
  expect(await backend.getRun('new')).toBeUndefined()
  expect(await chain.appendBatch({ start: 2, count: 1, draws: named(['x', ones(1)]) })).toBe(3)
})

test('a log that the disk keeps is not written on; reads go on, and so do writes when it is copied', async () => {
  const driver = new FileDriver({ path: storage.path, migrations: MIGRATIONS })
  const refused = new StoreBackend(new SqliteStore(driver, 'local', DEFAULT_LIMITS))
  const run = await refused.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
  const chain = await run.initChain(0)
  driver.refuse('disk I/O error')
  const writes = [chain.appendBatch({ start: 0, count: 1, draws: named(['x', ones(1)]) }), run.initChain(1)]
  const reads = [refused.getRun('r'), chain.length()]
  for (const outcome of await Promise.allSettled(writes)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'storage_unavailable', status: 503 } })
  }
  expect(await Promise.all(reads)).toMatchObject([{ registration: run.registration }, 0])
  driver.refuse(undefined)
  expect(await chain.appendBatch({ start: 0, count: 1, draws: named(['x', ones(1)]) })).toBe(1)
  driver.close()
})

test('what was committed is acknowledged, also when the log cannot be copied', async () => {
  const driver = new FileDriver({ path: storage.path, migrations: MIGRATIONS })
  driver.onCommit = () => {
    throw new Database.SqliteError('database table is locked', 'SQLITE_LOCKED')
  }
  const store = new SqliteStore(driver, 'local', DEFAULT_LIMITS)
  const run = await new StoreBackend(store).initRun({ rid: 'r', variables: [] })
  const chains = await Promise.all([0, 1, 2].map((number) => run.initChain(number)))
  expect([run.isNew, ...chains.map((chain) => chain.isNew)]).toEqual([true, true, true, true])
  driver.close()
})

test('a program that fails between its writes has written nothing, and others of its transaction are not its victims', async () => {
  const driver = new FileDriver({ path: storage.path, migrations: MIGRATIONS })
  const insert = (chain: number) => ({ sql: "INSERT INTO levels (chain_id, levels) VALUES (?, '[]')", params: [chain] })
  const failing = driver.run(function* () {
    yield {
      writes: [
        insert(1),
        {
          sql: insert(2).sql,
          get params(): number[] {
            throw new RangeError('Array buffer allocation failed')
          },
        },
      ],
    }
  })
  const other = driver.run(function* () {
    yield { writes: [insert(3)] }
  })
  await expect(failing).rejects.toThrow('allocation failed')
  await other
  expect(look('SELECT chain_id FROM levels')).toEqual([{ chain_id: 3 }])
  driver.close()
})

test('tenants see nothing of each other', async () => {
  const driver = new FileDriver({ path: storage.path, migrations: MIGRATIONS })
  const [a, b] = ['a', 'b'].map((tenant) => new StoreBackend(new SqliteStore(driver, tenant, DEFAULT_LIMITS)))
  const meta = (name: string) => ({ rid: 'r', variables: [{ name, dtype: 'float64' }] })
  const run = await a?.initRun(meta('x'))
  expect(await b?.getRun('r')).toBeUndefined()
  expect(await b?.deleteRun('r')).toBe(false)
  const other = await b?.initRun(meta('y'))
  expect([run?.isNew, other?.isNew]).toEqual([true, true])
  expect((await b?.listRuns())?.runs).toHaveLength(1)
  expect(await a?.deleteRun('r')).toBe(true)
  expect((await b?.getRun('r'))?.registration).toBe(other?.registration)
  driver.close()
})

test('a thread whose file is closed refuses what comes later', async () => {
  const thread = await openThread()
  const store = thread.openStore()
  await store.ping()
  await thread.close()
  await expect(store.ping()).rejects.toMatchObject({ code: 'storage_unavailable' })
})

test('a call that cannot be sent to the thread keeps nobody from closing it', async () => {
  const thread = await openThread()
  const store = thread.openStore()
  const sent = new Uint8Array(32 * 1024)
  sent.buffer.transfer(0)
  await expect(store.append('none', 0, sent)).rejects.toThrow()
  const unsendable = { rid: 'r', meta: new Uint8Array(), variables: 1, sampleStats: 0, terms: [], note: () => {} }
  await expect(store.register(unsendable)).rejects.toThrow()
  await thread.close()
})
