/** Pages of a read: about 4 MiB whatever the slice and the columns, so that a server holds no more of an answer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { joinSegments } from '../../src/core/draws/segment.ts'
import type { Slice } from '../../src/core/draws/slice.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import { type Piece, pieces } from '../../src/core/selection.ts'
import type { Store } from '../../src/core/store.ts'
import { equalBytes } from '../../src/core/wire/protobuf.ts'
import { StoreBackend, type StoreChain, type StoreRun } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { Counting } from '../support/relay.ts'

const MIB = 1024 * 1024
/** Bytes of an answer of ClickHouse at most: a page, and the rows of 1 MiB that it begins and ends within. */
const MOST_BYTES = 6 * MIB + 64 * 1024

/** Draws of a chain; of all columns but `n` together they have three pages each. */
const LENGTH = 24
const WIDTH = 64 * 1024
const VARIABLES = [
  { name: 'x', dtype: 'float64', shape: [WIDTH] },
  { name: 's', dtype: 'str' },
  { name: 'r', dtype: 'float64', shape: [-1] },
  { name: 'n', dtype: 'int64' },
]

/** Draws that have their index in all places; those of `s` and `r` vary in size. */
function drawsOf(start: number, count: number): Map<string, Draws> {
  const draws = Array.from({ length: count }, (_, i) => start + i)
  const x = new Float64Array(count * WIDTH)
  for (const [i, draw] of draws.entries()) x.fill(draw, i * WIDTH, (i + 1) * WIDTH)
  const r = draws.map((draw) => {
    const data = new Float64Array(WIDTH + draw).fill(draw)
    return { dtype: 'float64', shape: [data.length], data } as const
  })
  return new Map<string, Draws>([
    ['x', { dtype: 'float64', shape: [count, WIDTH], data: x }],
    ['s', { dtype: 'str', shape: [count], data: draws.map((draw) => String(draw % 10).repeat(MIB / 2 + draw)) }],
    ['r', r],
    ['n', { dtype: 'int64', shape: [count], data: BigInt64Array.from(draws, BigInt) }],
  ])
}

async function newRun(store: Store): Promise<StoreRun> {
  const run = await new StoreBackend(store).initRun({ rid: 'large', variables: VARIABLES })
  const chain = await run.initChain(0)
  const count = 6
  for (let start = 0; start < LENGTH; start += count) {
    await chain.appendBatch({ start, count, draws: drawsOf(start, count) })
  }
  return run
}

let database: TestDatabase
let connection: Counting
let run: StoreRun
/** The same draws, as another store reads them. */
let reference: StoreRun

beforeAll(async () => {
  database = await openDatabase()
  connection = new Counting(new NodeConnection(database.options))
  run = await newRun(new ClickHouseStore(connection, 'pages'))
  reference = await newRun(new MemoryStore())
}, 300_000)

afterAll(async () => {
  await connection?.close()
  await database?.close()
})

/** Draws of some columns, each as one segment. */
async function read(from: StoreRun, names: readonly string[], slice: Slice): Promise<readonly Uint8Array[]> {
  const specs = names.map((name) => from.schema.draws.get(name)).filter((spec) => spec !== undefined)
  const own: Piece[][] = specs.map(() => [])
  for await (const piece of pieces(await from.read(0, specs, { slice }))) own[piece.position]?.push(piece)
  return specs.map((spec, i) => joinSegments(spec, own[i] ?? []))
}

const COLUMNS = [['x'], ['s'], ['r'], ['x', 's'], ['s', 'x'], ['n', 'r', 's', 'x']]
const SLICES: readonly Slice[] = [{}, { step: -1 }, { start: -2, step: -3 }]

test.for(COLUMNS.flatMap((names) => SLICES.map((slice) => [names, slice] as const)))(
  'a page is bounded: %j over %j',
  async ([names, slice]) => {
    connection.largest = 0
    const draws = await read(run, names, slice)
    const expected = await read(reference, names, slice)
    expect(draws.map((data, i) => equalBytes(data, expected[i] ?? data.subarray(1)))).toEqual(names.map(() => true))
    expect(connection.largest).toBeGreaterThan(2 * MIB)
    expect(connection.largest).toBeLessThan(MOST_BYTES)
  },
)

async function newMatrix(rid: string, length: number, width: number): Promise<StoreChain> {
  const backend = new StoreBackend(new ClickHouseStore(connection, 'pages'))
  const matrix = await backend.initRun({ rid, variables: [{ name: 'x', dtype: 'float64', shape: [width] }] })
  const chain = await matrix.initChain(0)
  const data = Float64Array.from({ length: length * width }, (_, i) => i)
  const draws = new Map([['x', { dtype: 'float64', shape: [length, width], data } as const]])
  await chain.appendBatch({ start: 0, count: length, draws })
  return chain
}

test('elements come without the others of their draws', async () => {
  const chain = await newMatrix('few', 100, 10_000)
  connection.bytes = 0
  const expected = Float64Array.from({ length: 100 }, (_, draw) => draw * 10_000 + 7)
  expect(await chain.getDraws('x', {}, [7])).toMatchObject({ data: expected })
  expect(connection.bytes).toBeGreaterThan(expected.byteLength)
  // All are 8 MB.
  expect(connection.bytes).toBeLessThan(4096)
})

test('as many elements as a read may name, in any order', async () => {
  const [length, width, count] = [25, 25_000, 10_000]
  const chain = await newMatrix('many', length, width)
  const elements = Array.from({ length: count }, (_, i) => width - 1 - 2 * (i % 5000))
  connection.bytes = 0
  const expected = Float64Array.from({ length: length * count }, (_, i) => {
    return Math.floor(i / count) * width + (elements[i % count] ?? Number.NaN)
  })
  expect(await chain.getDraws('x', {}, elements)).toMatchObject({ data: expected })
  // Each comes once, and is asked for twice.
  expect(connection.bytes).toBeLessThan(1.01 * length * 5000 * 8)
})
