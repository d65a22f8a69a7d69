/** Selections: of one chain, of several, and row by row; in any order of reading, all is of one moment. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ColumnSpec } from '../../src/core/draws/columns.ts'
import { drawsOf } from '../../src/core/draws/values.ts'
import { measured } from '../../src/core/formats/measure.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import { type Piece, pieces, piecesOfChains, rowWindows, type Selection } from '../../src/core/selection.ts'
import type { Question, Read, ReadCursor, Store } from '../../src/core/store.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { expectSameDraws } from '../conformance/arrays.ts'
import { type Column, Content, pythonSlice, variableOf } from '../conformance/columns.ts'
import { shortPage } from '../support/pages.ts'
import { roomFor } from '../support/room.ts'
import { openFile, type TestStorage } from '../support/storage.ts'

const COLUMNS: readonly Column[] = [
  { name: 'x', dtype: 'float64', shape: [] },
  { name: 'ragged', dtype: 'int16', shape: [-1] },
  { name: 'word', dtype: 'str', shape: [] },
  { name: 'm', dtype: 'uint8', shape: [3] },
]
const LENGTHS = [37, 0, 61]

/** A store with pages of a few draws, which counts them. */
class ShortPages extends MemoryStore {
  reads = 0

  override async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    this.reads++
    return shortPage(question, 5, cursor, (...asked) => super.read(registration, chain, ...asked))
  }
}

const contents = LENGTHS.map((_, chain) => new Content(50 + chain, COLUMNS))

async function fill(store: Store): Promise<StoreRun> {
  const run = await new StoreBackend(store).initRun({ rid: 'r', variables: COLUMNS.map(variableOf) })
  for (const [number, content] of contents.entries()) {
    const chain = await run.initChain(number)
    const length = LENGTHS[number] ?? 0
    for (let start = 0; start < length; ) {
      start = await chain.appendBatch(content.batch(start, Math.min(7, length - start)))
    }
  }
  return run
}

async function listOf<T>(all: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const one of all) list.push(one)
  return list
}

/** The draws that pieces hold, by column. */
function gathered({ columns }: Selection, found: readonly Piece[]): Draws[] {
  return columns.map((spec, position) =>
    drawsOf(
      spec,
      found.filter((piece) => piece.position === position),
    ),
  )
}

function expectColumns(
  actual: readonly Draws[],
  chain: number,
  indices: readonly number[],
  columns: readonly ColumnSpec[],
) {
  for (const [i, { name }] of columns.entries()) {
    const column = COLUMNS.find((one) => one.name === name)
    const draws = actual[i]
    if (column === undefined || draws === undefined) throw new Error(`there is no "${name}"`)
    expectSameDraws(draws, contents[chain]?.read(column, indices) ?? [])
  }
}

const bound = fc.option(fc.integer({ min: -70, max: 70 }), { nil: undefined })
const step = fc.integer({ min: -7, max: 7 }).filter((n) => n !== 0)
const slices = fc.record({ start: bound, stop: bound, step })

describe.each(['pages of five draws', 'a file'])('on %s', (name) => {
  let run: StoreRun
  let storage: TestStorage | undefined
  beforeAll(async () => {
    storage = name === 'a file' ? openFile() : undefined
    run = await fill(storage?.openStore() ?? new ShortPages())
  })
  afterAll(() => storage?.close())

  test('columns are read in any choice, again and again', async () => {
    const { columns } = run.schema
    const chosen = fc.subarray(columns.map((_, i) => i))
    await fc.assert(
      fc.asyncProperty(slices, fc.array(chosen, { maxLength: 3 }), async (slice, choices) => {
        const selection = await run.read(2, columns, { slice })
        const indices = pythonSlice(61, slice.start, slice.stop, slice.step)
        for (const positions of [...choices, [0, 1, 2, 3], [0, 1, 2, 3]]) {
          const found = await listOf(pieces(selection, positions))
          const all = gathered(selection, found).filter((_, i) => positions.includes(i))
          const specs = columns.filter((_, i) => positions.includes(i))
          expectColumns(all, 2, indices, specs)
          const order = found.map(({ position }) => position)
          expect(order).toEqual(order.toSorted((a, b) => a - b))
        }
      }),
      { numRuns: 60 },
    )
  })

  test('what varies in size is looked at first, and all comes in order, however much of it is held', async () => {
    const { columns } = run.schema
    await fc.assert(
      fc.asyncProperty(slices, fc.nat(20), fc.shuffledSubarray([0, 1, 2, 3]), async (slice, room, order) => {
        const chosen = order.flatMap((i) => columns[i] ?? [])
        const selection = await run.read(0, chosen, { slice })
        const seen: Piece[] = []
        const places = roomFor(room)
        const rest = await measured(selection, places, (_, piece) => seen.push(piece))
        const found = await listOf(rest)
        expect(places.held).toBe(0)
        const indices = pythonSlice(37, slice.start, slice.stop, slice.step)
        expectColumns(gathered(selection, found), 0, indices, chosen)
        const varying = chosen.flatMap(({ kind }, i) => (kind === 'rigid-numbers' ? [] : [i]))
        const isVarying = ({ position }: Piece) => varying.includes(position)
        expect(found.filter(isVarying).slice(0, room)).toEqual(seen.slice(0, room))
        const positions = found.map(({ position }) => position)
        expect(positions).toEqual(positions.toSorted((a, b) => a - b))
      }),
      { numRuns: 100 },
    )
  })

  test('rows come in windows of all columns', async () => {
    await fc.assert(
      fc.asyncProperty(slices, fc.integer({ min: 1, max: 3000 }), async (slice, most) => {
        const selection = await run.read(2, run.schema.columns, { slice })
        const windows = await listOf(rowWindows(selection, most))
        let done = 0
        for (const window of windows) {
          expect(window.done).toBe(done)
          done += window.count
          const bytes = window.segments.reduce((n, segment) => n + segment.length, 0)
          if (window.count > 1) expect(bytes).toBeLessThanOrEqual(2 * most)
        }
        expect(done).toBe(selection.slice.count)
        const indices = pythonSlice(61, slice.start, slice.stop, slice.step)
        const joined = selection.columns.map((spec, i) =>
          drawsOf(
            spec,
            windows.map(({ segments, count }) => ({ data: segments[i] ?? new Uint8Array(), count })),
          ),
        )
        expectColumns(joined, 2, indices, selection.columns)
      }),
      { numRuns: 60 },
    )
  })

  test('several chains are read one after the other, each of its moment', async () => {
    const { columns } = run.schema
    const selections = await run.readChains(columns, { slice: { start: -20 } })
    expect(selections.map(({ chain, slice }) => [chain, slice.count])).toEqual([
      [0, 20],
      [1, 0],
      [2, 20],
    ])
    const found = await listOf(piecesOfChains(selections))
    for (const [number, selection] of selections.entries()) {
      const own = found.filter(({ chain }) => chain === number)
      const length = LENGTHS[number] ?? 0
      expectColumns(gathered(selection, own), number, pythonSlice(length, -20), columns)
    }
    const chains = found.map(({ chain }) => chain)
    expect(chains).toEqual(chains.toSorted((a, b) => a - b))
    expect((await run.readChains(columns, {}, [2, 0])).map(({ chain }) => chain)).toEqual([2, 0])
    await expect(run.readChains(columns, {}, [7])).rejects.toMatchObject({ code: 'chain_not_found' })
  })
})

test('columns that vary in size are read once', async () => {
  const store = new ShortPages()
  const run = await fill(store)
  const before = store.reads
  await listOf(await measured(await run.read(2, run.schema.columns), roomFor(), () => {}))
  // 13 pages of each of four columns, of which none is read twice.
  expect(store.reads - before).toBeLessThanOrEqual(4 * 13 + 1)
})

test('draws without bytes take room as well', async () => {
  const variables = [{ name: 'nothing', dtype: 'str', shape: [0] }]
  const run = await new StoreBackend(new ShortPages()).initRun({ rid: 'n', variables })
  const chain = await run.initChain(0)
  await chain.appendBatch({ count: 50, draws: new Map([['nothing', { dtype: 'str', shape: [50, 0], data: [] }]]) })
  const room = roomFor()
  await measured(await run.read(0, run.schema.columns), room, () => {})
  expect(room.held).toBeGreaterThan(10 * 100)
})

test('of a column that is held in part, the rest alone is read twice', async () => {
  const store = new ShortPages()
  const run = await fill(store)
  const before = store.reads
  await listOf(await measured(await run.read(2, run.schema.columns), roomFor(20), () => {}))
  // 13 pages of the first column that varies and 7 of the second are held.
  expect(store.reads - before).toBeGreaterThan(4 * 13)
  expect(store.reads - before).toBeLessThanOrEqual(4 * 13 + 6 + 1)
})

test('a selection stays of its moment while the chain grows', async () => {
  const run = await new StoreBackend(new ShortPages()).initRun({ rid: 'g', variables: COLUMNS.map(variableOf) })
  const chain = await run.initChain(0)
  const [content] = contents
  if (content === undefined) throw new Error('there is content')
  await chain.appendBatch(content.batch(0, 23))
  const selection = await run.read(0, run.schema.columns, { slice: { step: -2 } })
  await chain.appendBatch(content.batch(23, 8))
  const found = await listOf(pieces(selection))
  expectColumns(gathered(selection, found), 0, pythonSlice(23, undefined, undefined, -2), run.schema.columns)
})

/** Remembers what it gave first, but does not hold it. */
class Remembered extends ShortPages {
  private first: WeakRef<object> | undefined

  isFirstHeld(): boolean {
    return this.first?.deref() !== undefined
  }

  override async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    const { state, page } = await super.read(registration, chain, question, cursor)
    const stretches = page.stretches.map((stretch) => ({ ...stretch, data: stretch.data?.slice() ?? null }))
    this.first ??= new WeakRef(stretches[0]?.data ?? {})
    return { state, page: { ...page, stretches } }
  }
}

test.each([[['x']], [['x', 'ragged', 'm']]])('of %j the first page is not held once it was taken', async (names) => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const store = new Remembered()
  const run = await fill(store)
  const selection = await run.read(
    0,
    run.schema.columns.filter(({ name }) => names.includes(name)),
  )
  expect(store.isFirstHeld()).toBe(true)
  const reading = await measured(selection, roomFor(), () => {})
  for (let taken = 0; taken < 12; taken += (await reading.next()).value?.count ?? 12);
  await expect
    .poll(
      () => {
        collect()
        return store.isFirstHeld()
      },
      { timeout: 20_000 },
    )
    .toBe(false)
  expect((await reading.next()).done).toBe(false)
})
