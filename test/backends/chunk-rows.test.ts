/** Chunks of any size of row are read: a part of a row, and the larger rows that versions before have written. */
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Draws } from '../../src/core/interfaces.ts'
import { StoreBackend, type StoreChain } from '../../src/runs/backend.ts'
import { numbers } from '../conformance/arrays.ts'
import { pythonSlice } from '../conformance/columns.ts'
import { openFile, type TestStorage } from '../support/storage.ts'

const LENGTH = 150_000
const COLUMNS = [
  { name: 'x', dtype: 'float64', each: 1 },
  { name: 'odd', dtype: 'uint8', each: 3 },
  { name: 'wide', dtype: 'uint16', each: 40 },
] as const

const valueAt = (draw: number, element: number) => (draw * 7 + element * 131) % 251

let storage: TestStorage
let chain: StoreChain
beforeAll(async () => {
  storage = openFile()
  const backend = new StoreBackend(storage.openStore())
  const variables = COLUMNS.map(({ name, dtype, each }) => ({ name, dtype, shape: each === 1 ? [] : [each] }))
  chain = await (await backend.initRun({ rid: 'r', variables })).initChain(0)
  for (let start = 0; start < LENGTH; start += LENGTH / 2) {
    const count = LENGTH / 2
    const draws = new Map<string, Draws>()
    for (const { name, dtype, each } of COLUMNS) {
      const values = Array.from({ length: count * each }, (_, i) => valueAt(start + Math.floor(i / each), i % each))
      draws.set(name, numbers(dtype, each === 1 ? [count] : [count, each], values))
    }
    await chain.appendBatch({ start, count, draws })
  }
}, 120_000)
afterAll(() => storage.close())

/** Joins neighbouring rows to such of up to a MiB, as versions before wrote them: with checksums, and before that without. */
function makeLarge(withSums: boolean): void {
  const database = new Database(storage.path)
  interface Chunk {
    id: number
    col: number
    count: number
    data: Buffer
    sums: Buffer
  }
  const rows = database.prepare<[], Chunk>('SELECT id, col, count, data, sums FROM chunks ORDER BY col, start').all()
  const large: Chunk[] = []
  for (const row of rows) {
    const last = large.at(-1)
    // Checksums are those of the whole where a row has whole blocks.
    const fits =
      last?.col === row.col && last.data.length % 16384 === 0 && last.data.length + row.data.length <= 2 ** 20
    if (last === undefined || !fits) large.push(row)
    else {
      database.prepare('DELETE FROM chunks WHERE id = ?').run(row.id)
      last.count += row.count
      last.data = Buffer.concat([last.data, row.data])
      last.sums = Buffer.concat([last.sums, row.sums])
    }
  }
  for (const { id, count, data, sums } of large) {
    database
      .prepare('UPDATE chunks SET count = ?, data = ?, sums = ?, sum = NULL WHERE id = ?')
      .run(count, data, withSums ? sums : null, id)
  }
  database.close()
}

const largest = () => {
  const database = new Database(storage.path, { readonly: true })
  const row = database.prepare<[], { n: number }>('SELECT max(length(data)) AS n FROM chunks').get()
  database.close()
  return row?.n ?? 0
}

const bound = fc.option(fc.integer({ min: -LENGTH - 5, max: LENGTH + 5 }), { nil: undefined })
const narrow = fc.tuple(fc.nat({ max: LENGTH }), fc.nat({ max: 300 })).map(([start, n]) => ({ start, stop: start + n }))
const ends = fc.oneof(narrow, fc.record({ start: bound, stop: bound }))
const step = fc.oneof(
  fc.constantFrom(1, -1),
  fc.integer({ min: -60_000, max: 60_000 }).filter((n) => n !== 0),
)

async function readsAll(): Promise<void> {
  await fc.assert(
    fc.asyncProperty(ends, step, fc.constantFrom(...COLUMNS), async ({ start, stop }, by, { name, each }) => {
      const indices = pythonSlice(LENGTH, start, stop, by)
      const read = await chain.getDraws(name, { start, stop, step: by })
      if (!('shape' in read) || read.dtype === 'str') throw new Error(`"${name}" holds numbers`)
      expect(read.shape[0]).toBe(indices.length)
      let wrong = 0
      for (const [i, draw] of indices.entries()) {
        for (let element = 0; element < each; element++) {
          if (Number(read.data[i * each + element]) !== valueAt(draw, element)) wrong++
        }
      }
      expect(wrong).toBe(0)
    }),
    { numRuns: 60 },
  )
}

describe('any slice', () => {
  test('of the rows of this version', async () => {
    expect(largest()).toBeLessThanOrEqual(256 * 1024)
    await readsAll()
  }, 120_000)

  test.each([true, false])(
    'of rows of up to a MiB, with checksums: %s',
    async (withSums) => {
      makeLarge(withSums)
      expect(largest()).toBeGreaterThan(500_000)
      await readsAll()
    },
    120_000,
  )
})
