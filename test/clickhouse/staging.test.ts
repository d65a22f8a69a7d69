/** Staged objects in ClickHouse: inserts that arrive late, clocks that differ, marks that are removed, deletions that are cut off. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { commitsOf } from '../../src/backends/clickhouse/commit.ts'
import type { Connection, Params, Settings } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import { ClickHouseStaging } from '../../src/backends/clickhouse/staging.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { Relay } from '../support/relay.ts'

/** Keeps inserts back until `deliver`, and loses deletions, when it is told to. */
class Lossy extends Relay {
  isLate = false
  losesDeletes = false
  private readonly late: (() => Promise<void>)[] = []

  override async insert(sql: string, rows: readonly Uint8Array<ArrayBuffer>[], settings: Settings): Promise<void> {
    if (!this.isLate) return this.inner.insert(sql, rows, settings)
    this.late.push(() => this.inner.insert(sql, rows, settings))
    throw new Error('the insert is late')
  }

  override async command(sql: string, params: Params): Promise<void> {
    if (this.losesDeletes && sql.startsWith('DELETE FROM')) throw new Error('the command is lost')
    await this.inner.command(sql, params)
  }

  async deliver(): Promise<void> {
    for (let apply = this.late.pop(); apply !== undefined; apply = this.late.pop()) await apply()
  }
}

let database: TestDatabase
let inner: Connection
beforeAll(async () => {
  database = await openDatabase()
  inner = new NodeConnection(database.options)
}, 300_000)
afterAll(async () => {
  vi.useRealTimers()
  await inner?.close()
  await database?.close()
})

const TENANT = 'staging'
const bytesOf = (value: number) => new Uint8Array(3).fill(value)

async function rowsOf(rid: string): Promise<number> {
  const sql = 'SELECT count() FROM staged WHERE rid = {rid:String}'
  return Number(new RowReader(await inner.select(sql, { rid })).uint64())
}

test('an object that arrives late replaces none that was sent after it, and none that was forgotten comes back', async () => {
  const lossy = new Lossy(inner)
  const store = new ClickHouseStore(lossy, TENANT)
  await store.stage('late', 'a', bytesOf(0))
  lossy.isLate = true
  for (const path of ['a', 'b']) {
    await expect(store.stage('late', path, bytesOf(1))).rejects.toMatchObject({ code: 'storage_unavailable' })
  }
  lossy.isLate = false
  await store.stage('late', 'a', bytesOf(2))
  await store.stage('late', 'b', bytesOf(2))
  await store.unstage('late', ['b'])
  await lossy.deliver()
  expect(await store.staged('late', ['a', 'b'])).toEqual([bytesOf(2), undefined])
  expect(await store.listStaged('late', '')).toEqual([{ path: 'a', size: 3 }])
})

test('a writer whose clock is behind reads what it has written last', async () => {
  const ahead = new ClickHouseStore(inner, TENANT)
  const behind = new ClickHouseStore(inner, TENANT)
  const now = Date.now()
  const clock = vi.spyOn(Date, 'now').mockReturnValue(now + 3_600_000)
  await ahead.stage('clocks', 'a', bytesOf(1))
  clock.mockReturnValue(now)
  await behind.stage('clocks', 'a', bytesOf(2))
  expect(await ahead.staged('clocks', ['a'])).toEqual([bytesOf(2)])
  await behind.unstage('clocks', ['a'])
  expect(await ahead.staged('clocks', ['a'])).toEqual([undefined])
  await behind.stage('clocks', 'a', bytesOf(3))
  expect(await ahead.staged('clocks', ['a'])).toEqual([bytesOf(3)])
  clock.mockRestore()
})

test('marks that are old go with what they have replaced, and nothing else', async () => {
  const staging = new ClickHouseStaging(inner, TENANT, commitsOf(inner, 'each'))
  for (const path of ['gone', 'back', 'kept']) await staging.stage('marks', path, bytesOf(1))
  await staging.unstage('marks', ['gone', 'back'])
  await staging.stage('marks', 'back', bytesOf(2))
  await staging.prune('marks', Date.now() - 60_000)
  expect(await rowsOf('marks')).toBeGreaterThanOrEqual(3)
  await staging.prune('marks', Date.now() + 60_000)
  expect(await staging.listStaged('marks', '')).toEqual([
    { path: 'back', size: 3 },
    { path: 'kept', size: 3 },
  ])
  await inner.command('OPTIMIZE TABLE staged FINAL', {})
  expect(await rowsOf('marks')).toBe(2)
  expect(await staging.staged('marks', ['gone', 'back', 'kept'])).toEqual([undefined, bytesOf(2), bytesOf(1)])
})

test('what was staged before a deletion that was cut off is none of the next run', async () => {
  const lossy = new Lossy(inner)
  const store = new ClickHouseStore(lossy, TENANT)
  const backend = new StoreBackend(store)
  const variables = [{ name: 'x', dtype: 'float64' }]
  await backend.initRun({ rid: 'cut', variables })
  await store.stage('cut', 'old', bytesOf(1))
  lossy.losesDeletes = true
  await expect(backend.deleteRun('cut')).rejects.toMatchObject({ code: 'storage_unavailable' })
  lossy.losesDeletes = false
  await store.stage('cut', 'new', bytesOf(2))
  await backend.initRun({ rid: 'cut', variables })
  expect(await store.listStaged('cut', '')).toEqual([{ path: 'new', size: 3 }])
  expect(await backend.deleteRun('cut')).toBe(true)
  expect(await rowsOf('cut')).toBe(0)
})
