/** Programs when D1 fails: before it has done anything, or after, or for good. */
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { purgeHidden, SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import type { DrawBatch } from '../../src/core/interfaces.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { type BatchDatabase, D1Driver } from '../../src/sql/d1.ts'
import type { Program, Statement } from '../../src/sql/program.ts'
import worker from '../../src/worker.ts'
import { countRows, database } from './local.ts'

type Batch = BatchDatabase['batch']

/** The D1 of this process, but each batch goes through `send`, which may fail around it. */
function faulty(send: (really: () => ReturnType<Batch>) => Promise<unknown>): BatchDatabase {
  return {
    prepare: database.prepare,
    batch: async <T>(statements: Parameters<Batch>[0]) => {
      let results: Awaited<ReturnType<typeof database.batch<T>>> | undefined
      await send(async () => {
        results = await database.batch<T>(statements)
        return results
      })
      if (results === undefined) throw new Error('the fault has answered in place of the database')
      return results
    },
  }
}

function backendOn(db: BatchDatabase): StoreBackend {
  return new StoreBackend(new SqliteStore(new D1Driver(db), 'local', DEFAULT_LIMITS))
}

/** Loses the answer of every batch that has written something. */
function losesWrites(): { db: BatchDatabase; lost: () => number } {
  let lost = 0
  const db = faulty(async (really) => {
    const results = await really()
    if (results.every(({ meta }) => meta.rows_written === 0)) return
    lost++
    throw new Error('D1_ERROR: Network connection lost.')
  })
  return { db, lost: () => lost }
}

const X = { name: 'x', dtype: 'float64', shape: [] }
const values = (start: number, count: number) => Float64Array.from({ length: count }, (_, i) => start + i)
const batch = (start: number, count: number): DrawBatch => ({
  start,
  count,
  draws: new Map([['x', { dtype: 'float64', shape: [count], data: values(start, count) }]]),
})

describe('answers that are lost', () => {
  test('where every answer to a write is lost, every iteration is stored once', async () => {
    const { db, lost } = losesWrites()
    const backend = backendOn(db)
    const run = await backend.initRun({ rid: 'lost', variables: [X] })
    const chain = await run.initChain(0)
    let length = 0
    for (const count of [1, 7, 1, 40_000, 3, 1, 60_000, 2]) {
      length = await chain.appendBatch(batch(length, count))
    }
    // The run, its chain, and each batch.
    expect(lost()).toBe(10)
    const stored = await backendOn(database).getRun('lost')
    const read = await (await stored?.getChain(0))?.getDraws('x')
    expect(read).toEqual({ dtype: 'float64', shape: [length], data: values(0, length) })
  })

  test('a deletion whose answers are lost leaves rows, which the schedule removes', async () => {
    const before = await countRows()
    const backend = backendOn(database)
    const chain = await (await backend.initRun({ rid: 'cut', variables: [X] })).initChain(0)
    await chain.appendBatch(batch(0, 200_000))
    // The run is hidden by the second batch; nothing gets through after it.
    let call = 0
    const cut = faulty(async (really) => {
      if (++call > 2) throw new Error('D1_ERROR: Network connection lost.')
      return really()
    })
    await expect(backendOn(cut).deleteRun('cut')).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(await backend.getRun('cut')).toBeUndefined()
    expect(await countRows()).toBeGreaterThan(before)
    await worker.scheduled({}, env)
    expect(await countRows()).toBe(before)
  })

  test('a run that was half deleted does not stand in the way of another of its name', async () => {
    const before = await countRows()
    for (let round = 0; round < 2; round++) {
      const run = await backendOn(database).initRun({ rid: 'again', variables: [X] })
      await (await run.initChain(0)).appendBatch(batch(0, 10))
      let call = 0
      const cut = faulty(async (really) => {
        if (++call > 2) throw new Error('D1_ERROR: Network connection lost.')
        return really()
      })
      await expect(backendOn(cut).deleteRun('again')).rejects.toMatchObject({ code: 'storage_unavailable' })
    }
    await purgeHidden(new D1Driver(database))
    expect(await countRows()).toBe(before)
  })
})

/** A program that reads once, and what it has met. */
async function readOnce(send: (really: () => ReturnType<Batch>) => Promise<unknown>) {
  let sent = 0
  const driver = new D1Driver(
    faulty((really) => {
      sent++
      return send(really)
    }),
  )
  const outcome = await driver
    .run(function* (): Program<number> {
      const [rows] = yield { reads: [{ sql: 'SELECT 1 AS one', params: [] }] }
      return rows?.length ?? 0
    })
    .catch((error: unknown) => error)
  return { sent, outcome }
}

const failsWith = (message: string) => () => Promise.reject(new Error(message))

describe('failures', () => {
  test('a failure that passes is outlived', async () => {
    let left = 2
    const { sent, outcome } = await readOnce(async (really) => {
      if (left-- > 0) throw new Error('D1_ERROR: D1 DB reset because its code was updated.')
      return really()
    })
    expect(outcome).toBe(1)
    expect(sent).toBe(3)
  })

  test('one that does not pass is storage_unavailable after some attempts', async () => {
    const { sent, outcome } = await readOnce(failsWith('D1_ERROR: Network connection lost.'))
    expect(outcome).toMatchObject({ code: 'storage_unavailable', fields: { retryAfter: 5 } })
    expect(sent).toBe(4)
  })

  test.each([
    'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
    'D1_ERROR: D1 DB is overloaded. Too many requests queued.',
    "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
    'D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.',
    'D1_ERROR: Exceeded maximum DB size.',
    'Too many API requests by single worker invocation.',
    'D1_ERROR: database or disk is full: SQLITE_FULL',
  ])('"%s" is not asked for again', async (message) => {
    const { sent, outcome } = await readOnce(failsWith(message))
    expect(outcome).toMatchObject({ code: 'storage_unavailable' })
    expect(sent).toBe(1)
  })

  test('a statement that is wrong is a defect, not a failure of the storage', async () => {
    const driver = new D1Driver(database)
    const running = driver.run(function* (): Program<void> {
      yield { reads: [{ sql: 'SELEC 1', params: [] }] }
    })
    await expect(running).rejects.toThrow(/syntax error/)
    await expect(running).rejects.not.toHaveProperty('code')
  })

  test('a program that always loses its race gives up', async () => {
    const driver = new D1Driver(database)
    const guard = { sql: 'INSERT INTO chains (id) SELECT NULL', params: [] }
    let runs = 0
    const running = driver.run(function* (): Program<void> {
      runs++
      yield { guard, writes: [{ sql: 'DELETE FROM runs', params: [] }] }
    })
    await expect(running).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(runs).toBe(10)
  })

  test('what a batch has written before a statement that fails is undone', async () => {
    const before = await countRows()
    const driver = new D1Driver(database)
    const insert: Statement = { sql: 'INSERT INTO levels (chain_id, levels) VALUES (?, ?)', params: [4242, '[]'] }
    await driver
      .run(function* (): Program<void> {
        yield { writes: [insert, { sql: 'INSERT INTO nothing VALUES (1)', params: [] }] }
      })
      .catch(() => undefined)
    expect(await countRows()).toBe(before)
  })

  test('a database without tables says in the log what to do', async () => {
    const tables = ['runs', 'run_meta', 'chains', 'tail', 'chunks', 'levels']
    await env.DB.batch(tables.map((table) => env.DB.prepare(`ALTER TABLE ${table} RENAME TO kept_${table}`)))
    const failure: unknown = await backendOn(database)
      .getRun('x')
      .catch((error: unknown) => error)
    await env.DB.batch(tables.map((table) => env.DB.prepare(`ALTER TABLE kept_${table} RENAME TO ${table}`)))
    expect(failure).toMatchObject({ code: 'storage_unavailable' })
    expect(failure).not.toHaveProperty('message', expect.stringContaining('runs'))
    expect(failure).toHaveProperty('cause.message', expect.stringContaining('wrangler d1 migrations apply DB'))
  })
})
