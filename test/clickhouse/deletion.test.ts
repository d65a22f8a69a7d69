/** Deletions that are cut off, what arrives behind them, and how long they are remembered. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import type { Connection, Params, Settings } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import type { Chain } from '../../src/core/interfaces.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { Relay } from '../support/relay.ts'

/** Loses what it is told to. */
class Lossy extends Relay {
  losesDeletes = false
  /** Inserts of registrations that arrive when `deliver` is called. */
  late: (() => Promise<void>)[] | undefined

  override async command(sql: string, params: Params): Promise<void> {
    if (this.losesDeletes && sql.startsWith('DELETE FROM')) throw new Error('the command is lost')
    await this.inner.command(sql, params)
  }

  override async insert(sql: string, rows: readonly Uint8Array<ArrayBuffer>[], settings: Settings): Promise<void> {
    const apply = () => this.inner.insert(sql, rows, settings)
    if (this.late === undefined || !sql.startsWith('INSERT INTO runs')) return apply()
    this.late.push(apply)
    throw new Error('the insert is late')
  }
}

let database: TestDatabase
let inner: Connection

beforeAll(async () => {
  database = await openDatabase()
  inner = new NodeConnection(database.options)
}, 300_000)

afterAll(async () => {
  await inner?.close()
  await database?.close()
})

const backendOn = (connection: Connection) => new StoreBackend(new ClickHouseStore(connection, 'deletes'))

async function written(backend: StoreBackend, rid: string, value: number): Promise<Chain> {
  const run = await backend.initRun({ rid, variables: [{ name: 'x', dtype: 'float64' }] })
  const chain = await run.initChain(0)
  await chain.append({ x: value })
  return chain
}

async function rowsOf(rid: string): Promise<number> {
  const sql = 'SELECT count() FROM chunks WHERE rid = {rid:String}'
  return Number(new RowReader(await inner.select(sql, { rid })).uint64())
}

/** As time does it. */
async function ageMarks(rid: string): Promise<void> {
  const aged = 'ALTER TABLE deletions UPDATE deleted = deleted - INTERVAL 40 DAY WHERE rid = {rid:String}'
  await inner.command(`${aged} SETTINGS mutations_sync = 2`, { rid })
  await inner.command('OPTIMIZE TABLE deletions FINAL', {})
}

it('a deletion that is cut off is completed by who asks again', async () => {
  const rows = await database.countRows()
  const lossy = new Lossy(inner)
  const backend = backendOn(lossy)
  await written(backend, 'cut', 1)
  lossy.losesDeletes = true
  await expect(backend.deleteRun('cut')).rejects.toMatchObject({ code: 'storage_unavailable' })
  expect(await backend.getRun('cut')).toBeUndefined()
  expect(await database.countRows()).toBeGreaterThan(rows)
  lossy.losesDeletes = false
  expect(await backend.deleteRun('cut')).toBe(false)
  expect(await database.countRows()).toBe(rows)
})

it('a deletion that is cut off is completed by who registers anew, and never undone', async () => {
  const lossy = new Lossy(inner)
  const backend = backendOn(lossy)
  await written(backend, 'anew', 1)
  const rows = await database.countRows()
  lossy.losesDeletes = true
  await expect(backend.deleteRun('anew')).rejects.toMatchObject({ code: 'storage_unavailable' })
  lossy.losesDeletes = false
  const chain = await written(backend, 'anew', 2)
  expect(await database.countRows()).toBe(rows)
  await ageMarks('anew')
  const seen = await (await backendOn(inner).getRun('anew'))?.getChain(0)
  expect(await seen?.getDraws('x')).toMatchObject({ data: Float64Array.of(2) })
  expect(await chain.length()).toBe(1)
})

it('a registration that arrives behind its deletion brings nothing back, however late it is', async () => {
  const rows = await database.countRows()
  const lossy = new Lossy(inner)
  const backend = backendOn(lossy)
  lossy.late = []
  const meta = { rid: 'late', variables: [{ name: 'x', dtype: 'float64' }] }
  await expect(backend.initRun(meta)).rejects.toMatchObject({ code: 'storage_unavailable' })
  await written(backendOn(inner), 'late', 1)
  await backendOn(inner).deleteRun('late')
  // The server drops an insert with a token that it has seen; this one arrives where it has forgotten it.
  await inner.command('TRUNCATE TABLE runs', {})
  for (const arrive of lossy.late) await arrive()
  await ageMarks('late')
  expect(await backendOn(inner).getRun('late')).toBeUndefined()
  expect((await backendOn(inner).listRuns()).runs.map(({ rid }) => rid)).not.toContain('late')
  await written(backendOn(inner), 'late', 2)
  expect(await backendOn(inner).deleteRun('late')).toBe(true)
  expect(await backendOn(inner).getRun('late')).toBeUndefined()
  expect(await database.countRows()).toBeLessThanOrEqual(rows)
})

it('a run may be deleted and registered again for years', async () => {
  for (let year = 0; year < 4; year++) {
    const chain = await written(backendOn(inner), 'years', year)
    expect(await chain.getDraws('x')).toMatchObject({ data: Float64Array.of(year) })
    expect(await backendOn(inner).deleteRun('years')).toBe(true)
    await ageMarks('years')
    await expect(chain.getDraws('x')).rejects.toMatchObject({ code: 'run_not_found' })
    await expect(chain.append({ x: 0 })).rejects.toMatchObject({ code: 'run_not_found' })
  }
})

/** The statement of the documentation, word by word. */
const SWEEP = /DELETE FROM chunks WHERE [\s\S]*?INTERVAL 1 DAY/

it('what is left of runs that are gone can be swept away', async () => {
  const sweep = SWEEP.exec(readFileSync(new URL('../../docs/clickhouse.md', import.meta.url), 'utf8'))?.[0] ?? ''
  const lossy = new Lossy(inner)
  await written(backendOn(inner), 'kept', 1)
  await written(backendOn(lossy), 'left', 2)
  lossy.losesDeletes = true
  await expect(backendOn(lossy).deleteRun('left')).rejects.toMatchObject({ code: 'storage_unavailable' })
  // Two appends, of which one created the chain, and one row of draws.
  expect([await rowsOf('kept'), await rowsOf('left')]).toEqual([3, 3])
  await inner.command(sweep, {})
  expect(await rowsOf('left')).toBe(3)
  await inner.command(
    'ALTER TABLE chunks UPDATE written = written - INTERVAL 2 DAY WHERE 1 SETTINGS mutations_sync = 2',
    {},
  )
  await inner.command(sweep, {})
  expect([await rowsOf('kept'), await rowsOf('left')]).toEqual([3, 0])
  const kept = await (await backendOn(inner).getRun('kept'))?.getChain(0)
  expect(await kept?.getDraws('x')).toMatchObject({ data: Float64Array.of(1) })
})
