/** Writers of one process whose inserts go together: few inserts, and each writer is told what has come of its own. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { type Commits, commitsOf, insertsOf } from '../../src/backends/clickhouse/commit.ts'
import type { Connection, Settings } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import type { Chain, DrawBatch } from '../../src/core/interfaces.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { Relay } from '../support/relay.ts'

/** Counts the inserts of draws, and lets some of them fail. */
class Counting extends Relay {
  inserts = 0
  /** Called before each insert. */
  before: () => Promise<void> = async () => {}

  override async insert(sql: string, rows: readonly Uint8Array<ArrayBuffer>[], settings: Settings): Promise<void> {
    if (sql.startsWith('INSERT INTO chunks')) {
      this.inserts++
      await this.before()
    }
    await this.inner.insert(sql, rows, settings)
  }
}

let database: TestDatabase
let inner: Connection
let connection: Counting
let commits: Commits

beforeAll(async () => {
  database = await openDatabase()
  inner = new NodeConnection(database.options)
  connection = new Counting(inner)
  commits = commitsOf(connection, 'gather')
}, 300_000)

afterAll(async () => {
  await inner?.close()
  await database?.close()
})

const VARIABLES = [{ name: 'x', dtype: 'float64' }]

const backendOf = (tenant: string) => new StoreBackend(new ClickHouseStore(connection, tenant, { inserts: commits }))

function batchOf(start: number, mark: number): DrawBatch {
  const data = Float64Array.of(mark + start)
  return { start, count: 1, draws: new Map([['x', { dtype: 'float64', shape: [1], data } as const]]) }
}

async function chainsOf(tenant: string, rid: string, count: number): Promise<readonly Chain[]> {
  const run = await backendOf(tenant).initRun({ rid, variables: VARIABLES })
  return Promise.all(Array.from({ length: count }, (_, number) => run.initChain(number)))
}

it('few inserts carry the appends of many writers, of several tenants', async () => {
  const chains = [...(await chainsOf('one', 'many', 4)), ...(await chainsOf('two', 'many', 4))]
  connection.inserts = 0
  const rounds = 15
  await Promise.all(
    chains.map(async (chain, mark) => {
      for (let start = 0; start < rounds; start++) {
        expect(await chain.appendBatch(batchOf(start, mark * 1000))).toBe(start + 1)
      }
    }),
  )
  expect(connection.inserts).toBeLessThanOrEqual((rounds * chains.length) / 2)
  for (const [mark, chain] of chains.entries()) {
    const data = Float64Array.from({ length: rounds }, (_, start) => mark * 1000 + start)
    expect(await chain.getDraws('x')).toEqual({ dtype: 'float64', shape: [rounds], data })
  }
})

it('the writer of a deleted run learns that, and its companions that they were heard', async () => {
  const rows = await database.countRows()
  const [gone] = await chainsOf('one', 'gone', 1)
  const [kept, other] = await chainsOf('one', 'kept', 2)
  if (gone === undefined || kept === undefined || other === undefined) throw new Error('there are three chains')
  // Another server deletes the run when the insert is on its way.
  const elsewhere = new StoreBackend(new ClickHouseStore(inner, 'one'))
  connection.before = async () => {
    connection.before = async () => {}
    expect(await elsewhere.deleteRun('gone')).toBe(true)
  }
  // The first insert is the first writer's alone, or all's: each of both ways ends the same.
  const outcomes = await Promise.allSettled([gone, kept, other].map((chain) => chain.appendBatch(batchOf(0, 5))))
  expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: { code: 'run_not_found' } })
  expect(outcomes.slice(1)).toEqual([1, 1].map((value) => ({ status: 'fulfilled', value })))
  expect(await kept.getDraws('x')).toMatchObject({ data: Float64Array.of(5) })
  await elsewhere.deleteRun('kept')
  expect(await database.countRows()).toBe(rows)
})

it('all of a group whose insert fails are told so, and may send it again', async () => {
  const chains = await chainsOf('one', 'failing', 6)
  let failures = 0
  connection.before = async () => {
    failures++
    throw new Error('the insert is lost')
  }
  const append = () => Promise.allSettled(chains.map((chain) => chain.appendBatch(batchOf(0, 7))))
  for (const outcome of await append()) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'storage_unavailable' } })
  }
  expect(failures).toBeLessThan(chains.length)
  connection.before = async () => {}
  expect(await append()).toEqual(chains.map(() => ({ status: 'fulfilled', value: 1 })))
  for (const chain of chains) expect(await chain.length()).toBe(1)
})

it('an insert that is not answered holds up nobody else for long', async () => {
  const [stuck, other] = await chainsOf('one', 'stuck', 2)
  if (stuck === undefined || other === undefined) throw new Error('there are two chains')
  let answer = () => {}
  connection.before = () => {
    connection.before = async () => {}
    return new Promise<void>((resolve) => {
      answer = resolve
    })
  }
  const before = connection.inserts
  let isAnswered = false
  const silent = stuck.appendBatch(batchOf(0, 1)).then((length) => {
    isAnswered = true
    return length
  })
  await expect.poll(() => connection.inserts).toBeGreaterThan(before)
  expect(await other.appendBatch(batchOf(0, 2))).toBe(1)
  expect(await other.appendBatch(batchOf(1, 2))).toBe(2)
  expect(isAnswered).toBe(false)
  answer()
  expect(await silent).toBe(1)
})

it('a server that was silent for seconds is used again as soon as it answers', async () => {
  const chains = await chainsOf('one', 'outage', 14)
  // Inserts of this time are never answered before the end, as behind a balancer that has lost its connections.
  let release = () => {}
  const end = new Promise<void>((resolve) => {
    release = resolve
  })
  connection.before = () => end
  const lost: Promise<number>[] = []
  for (const chain of chains.slice(0, 10)) {
    lost.push(chain.appendBatch(batchOf(0, 3)))
    await new Promise((resolve) => setTimeout(resolve, 260))
  }
  connection.before = async () => {}
  // All of these are answered while those are not.
  for (const chain of chains.slice(10)) expect(await chain.appendBatch(batchOf(0, 4))).toBe(1)
  release()
  expect(await Promise.all(lost)).toEqual(lost.map(() => 1))
})

it('keys of any length fit a query', async () => {
  const rids = Array.from({ length: 40 }, (_, i) => `${'~'.repeat(125)}-${String(i).padStart(2, '0')}`)
  const opened = await Promise.all(rids.map((rid) => chainsOf('keys', rid, 1)))
  const appends = opened.map(([chain], i) => chain?.appendBatch(batchOf(0, i)))
  expect(await Promise.all(appends)).toEqual(rids.map(() => 1))
})

it('of two servers that race for many chains at once, one wins each', async () => {
  const run = await backendOf('one').initRun({ rid: 'raced', variables: VARIABLES })
  const rivals = [run, await new StoreBackend(new ClickHouseStore(inner, 'one')).getRun('raced')]
  const numbers = [0, 1, 2, 3]
  const opened = await Promise.all(
    rivals.map((rival) => Promise.all(numbers.map(async (n) => (await rival?.initChain(n)) ?? Promise.reject(run)))),
  )
  for (let start = 0; start < 10; start++) {
    const sent = opened.map((chains, mark) => chains.map((chain) => chain.appendBatch(batchOf(start, mark * 1000))))
    const [ours = [], theirs = []] = await Promise.all(sent.map((answers) => Promise.allSettled(answers)))
    for (const n of numbers) {
      expect([ours[n]?.status, theirs[n]?.status].sort()).toEqual(['fulfilled', 'rejected'])
      const value = ours[n]?.status === 'fulfilled' ? start : 1000 + start
      expect(await opened[0]?.[n]?.getDraws('x', { start })).toMatchObject({ data: Float64Array.of(value) })
    }
  }
})

it('the setting names its values', () => {
  expect(insertsOf()).toBe('gather')
  expect(insertsOf('each')).toBe('each')
  expect(() => insertsOf('later')).toThrow('CLICKHOUSE_INSERTS must be gather, server, each, not "later"')
})
