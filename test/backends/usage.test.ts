/** Usage is what the rows take, however the draws were batched. */
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { floats, named, numbers } from '../conformance/arrays.ts'
import { openFile, type TestStorage } from '../support/storage.ts'

let storage: TestStorage
let store: Store
let backend: StoreBackend
beforeEach(() => {
  storage = openFile()
  store = storage.openStore()
  backend = new StoreBackend(store)
})
afterEach(() => storage.close())

function look(sql: string): number {
  const database = new Database(storage.path, { readonly: true })
  const row = database.prepare<[], { n: number }>(sql).get()
  database.close()
  return row?.n ?? 0
}

/** Each row with 100 bytes, and all blobs and texts of any length. */
const COUNTED = `SELECT
  (SELECT coalesce(sum(100 + length(data)), 0) FROM tail) +
  (SELECT coalesce(sum(100 + coalesce(length(data), 0) + coalesce(length(sums), 0)), 0) FROM chunks) +
  (SELECT coalesce(sum(length(levels)), 0) FROM levels) + (SELECT 100 * count(*) FROM chains) +
  (SELECT sum(100 + length(rid) + length(registration)) FROM runs) + (SELECT sum(length(data)) FROM run_meta) AS n`

test('any batches: the sum of the rows, exactly', async () => {
  const batches = fc.array(
    fc.record({
      count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 500, max: 4000 })),
      stat: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  )
  let runs = 0
  await fc.assert(
    fc.asyncProperty(batches, async (counts) => {
      const variables = [
        { name: 'wide', dtype: 'float64', shape: [40] },
        { name: 'n', dtype: 'int8' },
        { name: 'empty', dtype: 'float64', shape: [0] },
      ]
      const rid = `r${runs++}`
      const chain = await (
        await backend.initRun({ rid, variables, sampleStats: [{ name: 's', dtype: 'float64' }] })
      ).initChain(0)
      let start = 0
      for (const { count, stat } of counts) {
        const wide = floats([count, 40], new Array<number>(count * 40).fill(start))
        const n = numbers('int8', [count], new Array<number>(count).fill(1))
        const draws = named(['wide', wide], ['n', n], ['empty', floats([count, 0], [])])
        const stats = stat ? named(['s', floats([count], new Array<number>(count).fill(2))]) : named()
        start = await chain.appendBatch({ start, count, draws, stats })
      }
      expect((await store.usage()).bytes).toBe(look(COUNTED))
    }),
    { numRuns: 12 },
  )
})

test('narrow draws in very many columns count about what the file has', async () => {
  const columns = 3000
  const variables = Array.from({ length: columns }, (_, i) => ({ name: `n${i}`, dtype: 'int8' }))
  const chain = await (await backend.initRun({ rid: 'narrow', variables })).initChain(0)
  const one = numbers('int8', [1], [1])
  const draws = new Map(variables.map(({ name }) => [name, one]))
  for (let start = 0; start < 200; start++) await chain.appendBatch({ start, count: 1, draws })
  const { bytes } = await store.usage()
  const used = look(
    'SELECT (page_count - freelist_count) * page_size AS n FROM pragma_page_count, pragma_freelist_count, pragma_page_size',
  )
  expect(bytes).toBeGreaterThan(used / 2)
})

test('stats that are never sent count as well: each has a place in every batch, and chunks', async () => {
  const sampleStats = Array.from({ length: 3000 }, (_, i) => ({ name: `s${i}`, dtype: 'float64' }))
  const chain = await (
    await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'int8' }], sampleStats })
  ).initChain(0)
  const before = (await store.usage()).bytes
  await chain.appendBatch({ start: 0, count: 1, draws: named(['x', numbers('int8', [1], [1])]) })
  expect((await store.usage()).bytes - before).toBeGreaterThan(3000 * 4)
})
