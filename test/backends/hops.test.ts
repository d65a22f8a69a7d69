/** A read is one question: one call to the storage thread before the first byte, and no bytes but those that were asked for. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { pieces } from '../../src/core/selection.ts'
import type { ReadCursor } from '../../src/core/store.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { floats } from '../conformance/arrays.ts'
import { countHops, type Hops } from '../support/hops.ts'
import { MIGRATIONS, newFolder, openThread, removeFolder, type TestStorage } from '../support/storage.ts'

const LENGTH = 20_000
const SCALARS = 100

let storage: TestStorage
let run: StoreRun
beforeAll(async () => {
  storage = await openThread()
  const scalars = Array.from({ length: SCALARS }, (_, i) => ({ name: `x${i}`, dtype: 'float64' }))
  const variables = [...scalars, { name: 'theta', dtype: 'float64', shape: [1000] }]
  run = await new StoreBackend(storage.openStore()).initRun({ rid: 'r', variables })
  const chain = await run.initChain(0)
  const thetas = 500
  for (let start = 0; start < LENGTH; start += thetas) {
    const draws = new Map<string, Draws>(
      scalars.map(({ name }, i) => [
        name,
        floats(
          [thetas],
          Array.from({ length: thetas }, (_, k) => start + k + i),
        ),
      ]),
    )
    draws.set('theta', { dtype: 'float64', shape: [thetas, 1000], data: new Float64Array(thetas * 1000).fill(start) })
    await chain.appendBatch({ start, count: thetas, draws })
  }
  await chain.length()
}, 120_000)
afterAll(() => storage.close())

async function hopsOf(read: () => Promise<unknown>): Promise<Hops> {
  const { hops, end } = countHops()
  try {
    await read()
  } finally {
    end()
  }
  return hops
}

test('the last draw of many columns is one call, and some bytes', async () => {
  const chain = await run.getChain(0)
  const names = Array.from({ length: SCALARS }, (_, i) => `x${i}`)
  const { calls, bytes } = await hopsOf(async () => {
    const last = await chain?.getDrawsAt(-1, names)
    expect(last?.get('x7')?.data[0]).toBe(LENGTH - 1 + 7)
  })
  expect(calls).toBe(1)
  expect(bytes).toBeLessThan(SCALARS * 100)
})

test('the last draw is asked for once, until there is another', async () => {
  const chain = await run.initChain(1)
  const names = Array.from({ length: SCALARS }, (_, i) => `x${i}`)
  const append = async (start: number, count: number) => {
    const own = (i: number) => Array.from({ length: count }, (_, k) => 1000 * i + start + k)
    const draws = new Map<string, Draws>(names.map((name, i) => [name, floats([count], own(i))]))
    draws.set('theta', { dtype: 'float64', shape: [count, 1000], data: new Float64Array(count * 1000).fill(start) })
    await chain.appendBatch({ start, count, draws })
  }
  const callsFor = async (wanted: string[], iteration: number) => {
    const { calls } = await hopsOf(async () => {
      const draw = await chain.getDrawsAt(-1, wanted)
      for (const name of wanted) {
        expect(draw.get(name)?.data[0]).toBe(name === 'theta' ? 121 : 1000 * names.indexOf(name) + iteration)
      }
    })
    return calls
  }
  // Batches of this size go to chunks at once.
  await append(0, 121)
  await append(121, 60)
  expect(await callsFor(['x3'], 180)).toBe(1)
  expect(await callsFor([...names, 'theta'], 180)).toBe(1)
  expect(await callsFor(['x7', 'x2'], 180)).toBe(0)
  expect(await callsFor(['theta'], 180)).toBe(0)
  // This one stays in the journal, whose records need no index.
  await append(181, 1)
  expect(await callsFor(names, 181)).toBe(0)
  await append(182, 60)
  expect(await callsFor(names, 241)).toBe(1)
})

test('a slice, elements, and a step take what they ask for', async () => {
  const chain = await run.getChain(0)
  for (const [asked, read] of [
    [8 * 100, () => chain?.getDraws('x7', { start: 5000, stop: 5100 })],
    // Chunks of the index cross as far as they are read.
    [8 * LENGTH, () => chain?.getDraws('x7', { step: 200 })],
    [8 * LENGTH, () => chain?.getDraws('x7', { step: -200 })],
    [8000, () => chain?.getDraws('theta', { start: -1 })],
    [8 * 3 * 10, () => chain?.getDraws('theta', { start: 100, stop: 110 }, [0, 1, 500])],
  ] as const) {
    const { calls, bytes } = await hopsOf(async () => read())
    expect(calls).toBe(1)
    expect(bytes).toBeLessThan(asked + 1000)
  }
})

test('a long read of few bytes asks page by page, and takes no more', async () => {
  const chain = await run.getChain(0)
  const { calls, bytes } = await hopsOf(async () => chain?.getDraws('theta', {}, [7]))
  // 160 MB lie on the disk, of which 8 MiB are gone through at a time, and the places of 32 MiB are asked for.
  expect(calls).toBeGreaterThan(4)
  expect(calls).toBeLessThan(40)
  expect(bytes).toBeLessThan(LENGTH * 8 + calls * 1000)
  const sparse = await hopsOf(async () => chain?.getDraws('theta', { step: 2000 }, [7]))
  expect(sparse.calls).toBe(1)
})

test('a large read moves its bytes once', async () => {
  const { bytes } = await hopsOf(async () => {
    const { slice, columns } = await run.read(0, [...run.schema.columns].slice(0, SCALARS))
    expect([slice.count, columns.length]).toEqual([LENGTH, SCALARS])
  })
  expect(bytes).toBeLessThan(3 * 1024 * 1024)
  let read = 0
  const whole = await hopsOf(async () => {
    for await (const { data } of pieces(await run.read(0, run.schema.columns))) read += data.length
  })
  expect(read).toBe(LENGTH * (SCALARS + 1000) * 8)
  expect(whole.bytes).toBeLessThan(1.01 * read)
})

test.each([1, -1])('chunks that a version before has left in the index come page by page: step %d', async (step) => {
  const folder = newFolder()
  const path = join(folder, 'test.sqlite')
  const driver = new FileDriver({ path, migrations: MIGRATIONS })
  const variables = [{ name: 'theta', dtype: 'float64', shape: [1000] }]
  const older = await new StoreBackend(new SqliteStore(driver, 'local', DEFAULT_LIMITS)).initRun({
    rid: 'r',
    variables,
  })
  const chain = await older.initChain(0)
  const count = 500
  for (let start = 0; start < 4000; start += count) {
    const data = new Float64Array(count * 1000).fill(start)
    await chain.appendBatch({
      start,
      count,
      draws: new Map([['theta', { dtype: 'float64', shape: [count, 1000], data }]]),
    })
  }
  driver.close()
  const opened = await openFolderStorage({ path, migrations: MIGRATIONS })
  try {
    const store = opened.openStore('local')
    const sizes: number[] = []
    const { bytes } = await hopsOf(async () => {
      let cursor: ReadCursor | undefined
      do {
        const { page } = await store.read(older.registration, 0, { columns: [0], slice: { step } }, cursor)
        sizes.push(page.stretches.reduce((n, { data }) => n + (data?.length ?? 0), 0))
        cursor = page.next
      } while (cursor !== undefined)
    })
    const asked = 4000 * 1000 * 8
    expect(sizes.reduce((n, size) => n + size, 0)).toBe(asked)
    // A page is planned for 2 MiB, takes 1 MiB more, and all of a row that the index has.
    expect(Math.max(...sizes)).toBeLessThan(4 * 1024 * 1024)
    expect(bytes).toBeLessThan(2 * asked)
  } finally {
    await opened.close()
    removeFolder(folder)
  }
})
