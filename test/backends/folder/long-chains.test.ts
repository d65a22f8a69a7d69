/**
 * Reads of long chains, the draws of which lie in objects and in the journal: each draw is compared with what was appended,
 * also while the chain grows and is folded between two pages, and memory that a page gives away is freed as a server does it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { equalSegments } from '../../../src/core/draws/segment.ts'
import { resolveSlice, type Slice } from '../../../src/core/draws/slice.ts'
import { McbError } from '../../../src/core/errors.ts'
import { freeSent, isLastUse, lastUse } from '../../../src/core/free.ts'
import type { Question, Read, ReadCursor, Store } from '../../../src/core/store.ts'
import { StoreBackend, type StoreRun } from '../../../src/runs/backend.ts'
import { Random } from '../../disk/random.ts'
import { openThread, type TestStorage } from '../../support/storage.ts'
import { bodyOf, columnsOf, segmentOf } from './content.ts'

const MIB = 1024 * 1024
/** Numbers of a draw: its bytes are no part of a block of checksums, nor a multiple of one. */
const WIDTH = 1501
const DRAW = WIDTH * 8
/** Positions of the columns in content.ts. */
const [TAG, X, WORD, RAGGED, LP] = [0, 1, 2, 3, 4]
const ALL = [TAG, X, WORD, RAGGED, LP]

let storage: TestStorage
let store: Store
beforeAll(async () => {
  storage = await openThread()
  store = storage.openStore()
})
afterAll(() => storage.close())

/** A chain that grows: the batch of each draw that was acknowledged. */
class Growing {
  readonly run: StoreRun
  readonly origins: number[] = []
  /** Bytes of `x` in a draw. */
  private readonly draw: number
  private batches = 0

  constructor(run: StoreRun, draw = DRAW) {
    this.run = run
    this.draw = draw
  }

  async append(bytes: number): Promise<void> {
    const start = this.origins.length
    const batch = this.batches++
    const count = Math.max(1, Math.round(bytes / this.draw))
    const origins = new Array<number>(count).fill(batch)
    const body = bodyOf(this.run.schema, start, origins)
    expect(await store.append(this.run.registration, 0, body)).toBe(start + count)
    for (const origin of origins) this.origins.push(origin)
  }
}

async function newChain(rid: string, width = WIDTH): Promise<Growing> {
  const run = await new StoreBackend(store).initRun({ rid, ...columnsOf(width) })
  await run.initChain(0)
  return new Growing(run, 8 * width)
}

/** Sizes of batches: such as go to the journal, and such as go to an object at once. */
function sizes(random: Random, count: number): number[] {
  const kinds = [() => random.below(200) * 1024, () => (300 + random.below(3000)) * 1024]
  return Array.from({ length: count }, (_, i) =>
    i % 9 === 8 ? 12 * MIB : ((kinds[random.below(2)] ?? kinds[0])?.() ?? 1),
  )
}

interface Outcome {
  readonly pages: number
  readonly freed: number
}

/** Reads page by page, and compares. */
async function compare(chain: Growing, question: Question, between = async (_page: number) => {}): Promise<Outcome> {
  const { run, origins } = chain
  const length = origins.length
  const { first, count, step } = resolveSlice(question.slice, length)
  const counts = question.columns.map(() => 0)
  const outcome = { pages: 0, freed: 0 }
  let cursor: ReadCursor | undefined
  do {
    const { state, page }: Read = await store.read(run.registration, 0, question, cursor)
    if (cursor === undefined) expect(state.length).toBe(length)
    for (const { position, count: n, data } of page.stretches) {
      const spec = run.schema.columns[question.columns[position] ?? -1]
      if (spec === undefined) throw new Error('a stretch of no column')
      const done = counts[position] ?? 0
      const at = first + done * Number(step)
      const own = Array.from({ length: n }, (_, i) => origins[at + i * Number(step)] ?? -1)
      if (!equalSegments(spec, n, data, segmentOf(spec, at, own, Number(step))))
        throw new Error(`"${spec.name}" has other bits in the ${n} draws from ${at} on, step ${step}`)
      counts[position] = done + n
      if (data !== null && spec.kind === 'rigid-numbers' && isLastUse(lastUse(data))) {
        freeSent(data)
        outcome.freed++
      }
    }
    cursor = page.next
    if (cursor !== undefined) await between(++outcome.pages)
  } while (cursor !== undefined)
  expect(counts).toEqual(question.columns.map(() => count))
  return outcome
}

const SLICES: readonly Slice[] = [
  {},
  { step: 3 },
  { step: -1 },
  { step: -7 },
  { start: 777, step: 1 },
  { start: 1234, stop: -5, step: 3 },
  { start: 2500, step: -1 },
  { start: -333, stop: 100, step: -7 },
  { step: 45 },
  { step: -200 },
  { start: -1 },
]

test('slices of a chain of many batches, of one column and of all', async () => {
  const chain = await newChain('still')
  for (const size of sizes(new Random(1), 18)) await chain.append(size)
  await chain.append(1000)
  expect(chain.origins.length * DRAW).toBeGreaterThan(30 * MIB)
  let freed = 0
  for (const slice of SLICES) freed += (await compare(chain, { columns: [X], slice })).freed
  // A page of 2 MiB is given away when all of it lies in chunks.
  expect(freed).toBeGreaterThan(5)
  for (const slice of SLICES.slice(2, 9)) await compare(chain, { columns: ALL, slice })
})

test('draws so large that those of a slice are read one by one, into memory that they share', async () => {
  const chain = await newChain('large', 12_345)
  for (let i = 0; i < 4; i++) await chain.append(5 * MIB)
  let freed = 0
  for (const step of [1, 2, 3, 5, 30, -1, -2, -3, -5, -30]) {
    freed += (await compare(chain, { columns: [X], slice: { step } })).freed
    await compare(chain, { columns: [TAG, X], slice: { start: 77, step } })
  }
  expect(freed).toBeGreaterThan(5)
})

test.each([1, 3, -1, -7])(
  'a chain that grows and is folded between the pages of a slice with step %d',
  async (step) => {
    const chain = await newChain(`grows${step}`)
    const random = new Random(step + 100)
    for (const size of sizes(random, 12)) await chain.append(size)
    const middle = Math.floor(chain.origins.length / 2)
    for (const [columns, start] of [
      [[X], undefined],
      [ALL, middle],
    ] as const) {
      // Batches of 100 KiB stay in the journal until a larger one comes, which folds them.
      for (let i = 0; i < 40; i++) await chain.append(100 * 1024)
      const grow = async (page: number) => {
        if (page <= 12) await chain.append(page % 3 === 2 ? 400 * 1024 : 50 * 1024)
      }
      const { pages } = await compare(chain, { columns, slice: { start, step } }, grow)
      expect(pages).toBeGreaterThan(0)
    }
  },
)

test('many reads at once of a chain that grows', async () => {
  const chain = await newChain('crowd')
  for (const size of sizes(new Random(7), 12)) await chain.append(size)
  let isRead = false
  const growing = (async () => {
    while (!isRead) await chain.append(chain.origins.length % 2 === 0 ? 300 * 1024 : 30 * 1024)
  })()
  const fixed = new Growing(chain.run)
  fixed.origins.push(...chain.origins)
  const stop = fixed.origins.length
  const reads = SLICES.map(async (slice) => {
    // The moment is a later one each time: the slice is of what was there before.
    const { first, count, step } = resolveSlice(slice, stop)
    const last = first + (count - 1) * Number(step)
    const own = { start: first, stop: step < 0n ? (last === 0 ? undefined : last - 1) : last + 1, step }
    await compareSome(fixed, { columns: [X], slice: own })
  })
  await Promise.all(reads).finally(() => {
    isRead = true
  })
  await growing
})

/** As `compare`, of a chain that may be longer by now. */
async function compareSome({ run, origins }: Growing, question: Question): Promise<void> {
  const { first, count, step } = resolveSlice(question.slice, origins.length)
  const spec = run.schema.columns[X]
  if (spec === undefined) throw new Error('there is no such column')
  let done = 0
  let cursor: ReadCursor | undefined
  do {
    const { page }: Read = await store.read(run.registration, 0, question, cursor)
    for (const { count: n, data } of page.stretches) {
      const at = first + done * Number(step)
      const own = Array.from({ length: n }, (_, i) => origins[at + i * Number(step)] ?? -1)
      expect(equalSegments(spec, n, data, segmentOf(spec, at, own, Number(step)))).toBe(true)
      done += n
    }
    cursor = page.next
  } while (cursor !== undefined)
  expect(done).toBe(count)
}

test('a run that is deleted between two pages, and is there again with other draws, is not found', async () => {
  const chain = await newChain('gone')
  for (let i = 0; i < 4; i++) await chain.append(3 * MIB)
  const remove = async (page: number) => {
    if (page !== 2) return
    await store.remove('gone')
    const other = await newChain('gone')
    await other.append(1000)
    for (let i = 0; i < 4; i++) await other.append(3 * MIB)
  }
  const read = compare(chain, { columns: [X], slice: {} }, remove)
  const error = await read.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(McbError)
  expect(error).toMatchObject({ code: expect.stringMatching(/_not_found$/) })
})

test('elements of draws', async () => {
  const chain = await newChain('elements')
  for (const size of sizes(new Random(5), 14)) await chain.append(size)
  const spec = chain.run.schema.columns[X]
  if (spec === undefined) throw new Error('there is no such column')
  for (const slice of SLICES) {
    const question: Question = { columns: [X], slice, elements: { ranges: [[1, 2]], count: 1 } }
    const { first, count, step } = resolveSlice(slice, chain.origins.length)
    let done = 0
    let cursor: ReadCursor | undefined
    do {
      const { page }: Read = await store.read(chain.run.registration, 0, question, cursor)
      for (const { count: n, data } of page.stretches) {
        for (let i = 0; i < n; i++, done++) {
          const at = first + done * Number(step)
          const expected = segmentOf(spec, at, [chain.origins[at] ?? -1])?.subarray(8, 16)
          expect(Buffer.compare(data?.subarray(8 * i, 8 * i + 8) ?? Buffer.alloc(0), expected ?? Buffer.alloc(0))).toBe(
            0,
          )
        }
        if (data !== null && isLastUse(lastUse(data))) freeSent(data)
      }
      cursor = page.next
    } while (cursor !== undefined)
    expect(done).toBe(count)
  }
})
