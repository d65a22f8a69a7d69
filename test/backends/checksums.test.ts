/** Bits that a disk has flipped are found and never served, and a sampler goes on behind them. */
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Chain, Draws } from '../../src/core/interfaces.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { expectSameDraws, floats, named, randomArray, randomWords, texts } from '../conformance/arrays.ts'
import { openFile, type TestStorage } from '../support/storage.ts'

const KIB = 1024
const DAMAGED = /is not what was written/

let storage: TestStorage
let backend: StoreBackend
beforeEach(() => {
  storage = openFile()
  backend = new StoreBackend(storage.openStore())
})
afterEach(() => storage.close())

/** Changes the database behind the server's back. */
function change(sql: string, ...params: readonly unknown[]): void {
  const database = new Database(storage.path)
  expect(database.prepare(sql).run(...params).changes).toBeGreaterThan(0)
  database.close()
}

/** The next append finds a tail that is full. */
function foldNext(): void {
  change('UPDATE chains SET tail_bytes = 2000000')
}

/** Flips one bit of a blob. */
function flip(table: 'tail' | 'chunks', where: string, bit: number): void {
  const database = new Database(storage.path)
  const row = database.prepare<[], { id: number; data: Buffer }>(`SELECT id, data FROM ${table} WHERE ${where}`).get()
  if (row === undefined) throw new Error(`no row of ${table} where ${where}`)
  const at = Math.floor(bit / 8) % row.data.length
  row.data[at] = (row.data[at] ?? 0) ^ (1 << (bit % 8))
  database.prepare(`UPDATE ${table} SET data = ? WHERE id = ?`).run(row.data, row.id)
  database.close()
}

const numbers = (seed: number, count: number) => randomArray(randomWords(seed), 'float64', [count])

async function newChain(rid = 'r'): Promise<Chain> {
  const variables = [
    { name: 'x', dtype: 'float64' },
    { name: 's', dtype: 'str' },
  ]
  return (await backend.initRun({ rid, variables })).initChain(0)
}

function append(chain: Chain, start: number, x: Draws & { readonly shape: readonly number[] }): Promise<number> {
  const count = x.shape[0] ?? 0
  const words = Array.from({ length: count }, (_, i) => `word ${start + i}`)
  return chain.appendBatch({ start, count, draws: named(['x', x], ['s', texts([count], words)]) })
}

/** Expects the draws of the batch `i` of batches that are all as long. */
async function expectPart(chain: Chain, i: number, part: ReturnType<typeof numbers>): Promise<void> {
  const count = part.shape[0] ?? 0
  expectSameDraws(await chain.getDraws('x', { start: i * count, stop: (i + 1) * count }), part)
}

test('any flipped bit of a chunk is found by the reads that touch its block, and by no others', async () => {
  const chain = await newChain()
  const count = 32 * KIB
  const x = numbers(1, count)
  await append(chain, 0, x)
  const perBlock = (16 * KIB) / 8
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: count * 64 - 1 }), async (bit) => {
      flip('chunks', 'col = 0', bit)
      try {
        const block = Math.floor(bit / 64 / perBlock)
        const touched = chain.getDraws('x', { start: (block + 1) * perBlock - 1, stop: (block + 1) * perBlock })
        await expect(touched).rejects.toThrow(DAMAGED)
        await expect(chain.getDraws('x', { step: -6553 })).rejects.toThrow(DAMAGED)
        const before = { start: block * perBlock - 10, stop: block * perBlock }
        if (block > 0) expectSameDraws(await chain.getDraws('x', before), sliceOf(x, before))
        const behind = { start: (block + 1) * perBlock, stop: (block + 1) * perBlock + 10 }
        if (behind.stop <= count) expectSameDraws(await chain.getDraws('x', behind), sliceOf(x, behind))
      } finally {
        flip('chunks', 'col = 0', bit)
      }
    }),
    { numRuns: 30 },
  )
  expectSameDraws(await chain.getDraws('x'), x)
})

function sliceOf(array: Draws, { start, stop }: { start: number; stop: number }): Draws {
  if (!('dtype' in array) || array.dtype !== 'float64') throw new Error('not an array of float64')
  return floats([stop - start], [...array.data.slice(start, stop)])
}

test('any flipped bit of the tail is found, and of strings as well', async () => {
  const chain = await newChain()
  await append(chain, 0, numbers(1, 50))
  await append(chain, 50, numbers(2, 50))
  const large = await newChain('large')
  await append(large, 0, numbers(3, 40_000))
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (bit) => {
      flip('tail', 'start = 50', bit)
      flip('chunks', 'col = 1 ORDER BY start DESC', bit)
      for (const name of ['x', 's']) await expect(chain.getDraws(name)).rejects.toThrow(DAMAGED)
      await expect(large.getDraws('s', { start: -1 })).rejects.toThrow(DAMAGED)
      expectSameDraws(
        await large.getDraws('x', { start: -1 }),
        sliceOf(numbers(3, 40_000), { start: 39_999, stop: 40_000 }),
      )
      expectSameDraws(await chain.getDraws('x', { stop: 50 }), numbers(1, 50))
      flip('tail', 'start = 50', bit)
      flip('chunks', 'col = 1 ORDER BY start DESC', bit)
    }),
    { numRuns: 30 },
  )
  expectSameDraws(await chain.getDraws('x', { start: 50 }), numbers(2, 50))
})

test('a row of the tail that says another place or number of draws is found', async () => {
  const chain = await newChain()
  await append(chain, 0, numbers(1, 50))
  for (const changed of ['count = 49', 'start = 1, count = 49']) {
    change(`UPDATE tail SET ${changed}`)
    await expect(chain.getDraws('x', { start: 5, stop: 6 })).rejects.toThrow(DAMAGED)
    change('UPDATE tail SET start = 0, count = 50')
  }
  expectSameDraws(await chain.getDraws('x'), numbers(1, 50))
})

test('checksums that are cut off or gone wrong fit nothing', async () => {
  const chain = await newChain()
  await append(chain, 0, numbers(1, 40_000))
  change("UPDATE chunks SET sums = x'00' WHERE col = 0")
  await expect(chain.getDraws('x')).rejects.toThrow(DAMAGED)
})

test('a large draw in parts', async () => {
  const elements = 400_000
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64', shape: [elements] }] })
  const chain = await run.initChain(0)
  await chain.appendBatch({
    start: 0,
    count: 2,
    draws: named(['x', randomArray(randomWords(1), 'float64', [2, elements])]),
  })
  flip('chunks', 'start = 1 AND part = 3', 8 * 1000)
  await expect(chain.getDraws('x', { start: 1 })).rejects.toThrow(DAMAGED)
  expect(await chain.getDrawsAt(0)).toHaveLength(1)
})

test('a damaged chunk is not joined, and the sampler goes on', async () => {
  const chain = await newChain()
  const parts = [0, 1, 2, 3].map((seed) => numbers(seed, 2000))
  for (const [i, part] of parts.entries()) {
    await append(chain, i * 2000, part)
    foldNext()
    if (i === 1) flip('chunks', 'col = 0 AND start = 0', 77)
  }
  expect(await chain.length()).toBe(8000)
  await expect(chain.getDraws('x', { start: 10, stop: 11 })).rejects.toThrow(DAMAGED)
  for (const i of [2, 3]) await expectPart(chain, i, numbers(i, 2000))
  expect(await chain.getDraws('s')).toMatchObject({ shape: [8000] })
})

test('a damaged batch of the tail stays damaged when it is folded, and the sampler goes on', async () => {
  const chain = await newChain()
  const parts = [0, 1, 2, 3, 4].map((seed) => numbers(seed, 100))
  for (const [i, part] of parts.entries()) {
    if (i === 3) {
      flip('tail', 'start = 100', 3)
      foldNext()
    }
    await append(chain, i * 100, part)
  }
  expect(await chain.length()).toBe(500)
  for (const name of ['x', 's']) {
    await expect(chain.getDraws(name, { start: 150, stop: 151 })).rejects.toThrow(DAMAGED)
    await expect(chain.getDraws(name)).rejects.toThrow(DAMAGED)
  }
  for (const i of [0, 2, 3, 4]) await expectPart(chain, i, numbers(i, 100))
  // A sampler that sends the damaged iterations again is not told that they are stored.
  await expect(append(chain, 100, numbers(1, 100))).rejects.toThrow(DAMAGED)
})

test('rows of a version before, which have no checksums, are read and joined, and have them then', async () => {
  const chain = await newChain()
  for (let i = 0; i < 3; i++) {
    await append(chain, i * 1000, numbers(i, 1000))
    if (i === 0) foldNext()
  }
  change('UPDATE chunks SET sums = NULL, sum = NULL')
  change('UPDATE tail SET sum = NULL')
  for (let i = 0; i < 3; i++) await expectPart(chain, i, numbers(i, 1000))
  foldNext()
  await append(chain, 3000, numbers(3, 1000))
  const database = new Database(storage.path, { readonly: true })
  expect(database.prepare('SELECT count(*) AS n FROM chunks WHERE sums IS NULL').get()).toEqual({ n: 0 })
  database.close()
  for (let i = 0; i < 4; i++) await expectPart(chain, i, numbers(i, 1000))
})

test('a chunk of a thousand million draws without bytes, as a version before wrote them, is read and appended to', async () => {
  const run = await backend.initRun({
    rid: 'r',
    variables: [
      { name: 's', dtype: 'str', shape: [0] },
      { name: 'x', dtype: 'float64', shape: [0] },
    ],
  })
  const chain = await run.initChain(0)
  const count = 1000
  const batch = (start: number) =>
    chain.appendBatch({ start, count, draws: named(['s', texts([count, 0], [])], ['x', floats([count, 0], [])]) })
  await batch(0)
  foldNext()
  await batch(count)
  const length = 1_026_000_000
  change('UPDATE chunks SET count = ?, sums = NULL, sum = NULL', length)
  change('UPDATE levels SET sum = NULL, levels = ?', JSON.stringify([[[length, 0]], [[length, 0]]]))
  change('UPDATE chains SET sum = NULL, length = ?, folded = ?', length, length)
  expect(await chain.getDraws('s', { start: 7, stop: 8 })).toEqual(texts([1, 0], []))
  expect(await chain.getDraws('s', { step: -1 })).toMatchObject({ shape: [length, 0] })
  expect(await chain.getDraws('x')).toMatchObject({ shape: [length, 0] })
  for (let i = 0; i < 3; i++) {
    await batch(length + i * count)
    foldNext()
  }
  expect(await chain.getDrawsAt(-1)).toHaveLength(2)
})
