/** Queries of reads and appends: one for a read where the chain is as it was seen, and the same answer as ever. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { ITEM_SIZE, isNumericDtype } from '../../src/core/draws/dtype.ts'
import type { DrawBatch } from '../../src/core/interfaces.ts'
import { StoreBackend, type StoreChain } from '../../src/runs/backend.ts'
import { Content, pythonSlice, variableOf } from '../conformance/columns.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { Counting } from '../support/relay.ts'

let database: TestDatabase
let connection: Counting

beforeAll(async () => {
  database = await openDatabase()
  connection = new Counting(new NodeConnection(database.options))
}, 300_000)

afterAll(async () => {
  await connection?.close()
  await database?.close()
})

/** As another server has it. */
const newBackend = () => new StoreBackend(new ClickHouseStore(connection, 'queries'))

const VARIABLES = [
  { name: 'x', dtype: 'float64' },
  { name: 'n', dtype: 'int32', shape: [2] },
]

function batchOf(start: number, count: number): DrawBatch {
  const x = Float64Array.from({ length: count }, (_, i) => start + i)
  const n = Int32Array.from({ length: 2 * count }, (_, i) => 2 * start + i)
  return {
    start,
    count,
    draws: new Map([
      ['x', { dtype: 'float64', shape: [count], data: x }],
      ['n', { dtype: 'int32', shape: [count, 2], data: n }],
    ]),
  }
}

async function newChains(rid: string): Promise<readonly [here: StoreChain, there: StoreChain]> {
  const here = await (await newBackend().initRun({ rid, variables: VARIABLES })).initChain(0)
  const there = await (await newBackend().getRun(rid))?.getChain(0)
  if (there === undefined) throw new Error('the other server sees the chain')
  return [here, there]
}

async function selectsOf(read: () => Promise<unknown>): Promise<number> {
  const before = connection.selects
  await read()
  return connection.selects - before
}

it('a read takes one query where the chain was seen before', async () => {
  const [here, there] = await newChains('known')
  await here.appendBatch(batchOf(0, 10))
  expect(await selectsOf(() => here.getDraws('x'))).toBe(1)
  expect(await selectsOf(() => here.getDraws('x', { start: -3, step: 2 }))).toBe(1)
  expect(await selectsOf(() => here.getDrawsAt(-1))).toBe(1)
  expect(await selectsOf(() => here.length())).toBe(1)
  // The other server has not seen these draws, and then has.
  await there.getDraws('n')
  expect(await selectsOf(() => there.getDraws('n'))).toBe(1)
  await here.appendBatch(batchOf(10, 5))
  expect(await selectsOf(() => there.getDraws('n', { stop: 7 }))).toBe(1)
  await here.appendBatch(batchOf(15, 5))
  expect(await selectsOf(() => there.getDraws('n'))).toBe(2)
})

it('a first read by a server that knows nothing asks for the metadata once', async () => {
  const [here] = await newChains('cold')
  await here.appendBatch(batchOf(0, 10))
  const cold = newBackend()
  const selects = await selectsOf(async () => {
    const run = await cold.getRun('cold')
    const selection = run && (await run.read(0, run.schema.columns))
    expect(selection?.slice.count).toBe(10)
  })
  // The run with its metadata, the chain, and the draws.
  expect(selects).toBe(3)
})

it('the last draws bring no appends of those before', async () => {
  const [here, there] = await newChains('many')
  for (let start = 0; start < 200; start++) await here.appendBatch(batchOf(start, 1))
  expect(await there.length()).toBe(200)
  for (const chain of [here, there]) {
    connection.largest = 0
    await chain.getDraws('x', { start: 198 })
    // Two rows of an append and two of draws, about 100 bytes each.
    expect(connection.largest).toBeLessThan(1000)
  }
})

it('a page of any dtype comes along', async () => {
  const numeric = Object.keys(ITEM_SIZE).filter(isNumericDtype)
  const columns = numeric.map((dtype) => ({ name: `of ${dtype}`, dtype, shape: [2] }))
  const content = new Content(3, columns)
  const run = await newBackend().initRun({ rid: 'dtypes', variables: columns.map(variableOf) })
  const chain = await run.initChain(0)
  await chain.appendBatch({ start: 0, count: 5, draws: content.columnsOf(0, 5) })
  for (const column of columns) {
    let read: unknown
    const selects = await selectsOf(async () => {
      read = await chain.getDraws(column.name)
    })
    expect([column.name, selects]).toEqual([column.name, 1])
    expect(read).toEqual(content.read(column, [0, 1, 2, 3, 4]))
  }
})

it('reads the same as a list, however the chain has grown meanwhile', async () => {
  const bound = fc.option(fc.integer({ min: -12, max: 12 }), { nil: undefined })
  const slice = fc.record({ start: bound, stop: bound, step: fc.constantFrom(1, 2, 3, -1, -2) })
  const step = fc.record({ writer: fc.constantFrom(0, 1), count: fc.integer({ min: 0, max: 3 }), slice })
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
      const chains = await newChains(`grows-${++runs}`)
      let length = 0
      for (const { writer, count, slice } of steps) {
        if (count > 0) length = (await chains[writer === 0 ? 0 : 1].appendBatch(batchOf(length, count))) ?? 0
        const expected = pythonSlice(length, slice.start, slice.stop, slice.step)
        for (const chain of chains) {
          expect(await chain.getDraws('x', slice)).toMatchObject({ data: Float64Array.from(expected) })
          const pairs = Int32Array.from(expected.flatMap((i) => [2 * i, 2 * i + 1]))
          expect(await chain.getDraws('n', slice)).toMatchObject({ data: pairs })
        }
      }
    }),
    { numRuns: 6 },
  )
}, 300_000)

it('an append takes one query, within warmup and behind it', async () => {
  const sampleStats = [{ name: 'tune', dtype: 'bool' }]
  const run = await newBackend().initRun({ rid: 'warmup', variables: [], sampleStats })
  const chain = await run.initChain(0)
  const queries: number[] = []
  let start = 0
  for (const flags of [[1], [1, 1], [1], [1, 0], [1], [0, 0]]) {
    const count = flags.length
    const stats = new Map([['tune', { dtype: 'bool', shape: [count], data: Uint8Array.from(flags) } as const]])
    queries.push(await selectsOf(() => chain.appendBatch({ start, count, draws: new Map(), stats })))
    start += count
  }
  // It tells which attempt holds. The first append asks for the metadata as well.
  expect(queries).toEqual([2, 1, 1, 1, 1, 1])
})

it('a run that was deleted elsewhere is gone, also for a reader that knows it', async () => {
  const [here, there] = await newChains('gone')
  await here.appendBatch(batchOf(0, 4))
  await there.getDraws('x')
  expect(await newBackend().deleteRun('gone')).toBe(true)
  await expect(there.getDraws('x')).rejects.toMatchObject({ code: 'run_not_found' })
  const [anew] = await newChains('gone')
  expect(await anew.getDraws('x')).toMatchObject({ data: new Float64Array() })
  await expect(there.getDraws('x')).rejects.toMatchObject({ code: 'run_not_found' })
})
