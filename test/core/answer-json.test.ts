/** The JSON form of draws against lists that are nested the plain way. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ColumnSpec } from '../../src/core/draws/columns.ts'
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import type { Slice } from '../../src/core/draws/slice.ts'
import { jsonAnswer } from '../../src/core/formats/json.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend, type StoreChain } from '../../src/runs/backend.ts'
import { expectSameDraws, floats, named, numbers, texts } from '../conformance/arrays.ts'
import { type Column, Content, indicesOf, variableOf } from '../conformance/columns.ts'
import { roomFor } from '../support/room.ts'
import { turnsWhile } from '../support/turns.ts'

/** One array as nested lists, by recursion. */
function nested(array: NdArray, shape: readonly number[] = array.shape, offset = 0): unknown {
  const [length, ...rest] = shape
  if (length === undefined) {
    const value = array.data[offset]
    if (typeof value === 'bigint') return value > 2n ** 53n || value < -(2n ** 53n) ? String(value) : Number(value)
    if (array.dtype === 'bool') return value === 1
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
  }
  const size = rest.reduce((a, b) => a * b, 1)
  return Array.from({ length }, (_, i) => nested(array, rest, offset + i * size))
}

const SHAPES: readonly (readonly number[] | null)[] = [[], [2], [2, 1, 3], [0], [2, 0, 3], [-1], [-1, 0], [2, -1], null]
const COLUMNS: readonly Column[] = (['float64', 'float32', 'int64', 'uint64', 'bool', 'str', 'int8'] as const).flatMap(
  (dtype) => SHAPES.map((shape) => ({ name: `${dtype} [${shape}]`, dtype, shape })),
)

async function chainWith(columns: readonly Column[], content: Content, count: number) {
  const backend = new StoreBackend(new MemoryStore())
  const run = await backend.initRun({ rid: 'r', variables: columns.map(variableOf) })
  const chain = await run.initChain(0)
  if (count > 0) await chain.appendBatch(content.batch(0, count))
  return chain
}

async function textOf(answer: { readonly body: AsyncIterable<Uint8Array> }): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of answer.body) text += decoder.decode(bytes, { stream: true })
  return text
}

/** Some columns of a chain that was opened when it had another length. */
function selected({ run, state }: StoreChain, columns: readonly ColumnSpec[], length: number, slice: Slice = {}) {
  return run.select({ ...state, length }, columns, { slice })
}

test('every dtype and shape', async () => {
  const content = new Content(1, COLUMNS)
  const chain = await chainWith(COLUMNS, content, 7)
  const { columns } = chain.run.schema
  const slices = fc.record({ start: fc.integer({ min: -9, max: 9 }), step: fc.constantFrom(1, 2, -1, -3) })
  await fc.assert(
    fc.asyncProperty(slices, async ({ start, step }) => {
      const selection = selected(chain, columns, 7, { start, step })
      const { first, count } = selection.slice
      const answer = JSON.parse(await textOf(await jsonAnswer(selection, DEFAULT_LIMITS, roomFor())))
      const indices = indicesOf(first, count, step)
      const draws = COLUMNS.map((column) => [column.name, indices.map((i) => nested(content.draw(column, i)))])
      expect(answer).toEqual({ start: first, count, step, draws: Object.fromEntries(draws), stats: {} })
    }),
    { numRuns: 15 },
  )
})

test('an empty answer names its columns', async () => {
  const content = new Content(1, COLUMNS)
  const chain = await chainWith(COLUMNS, content, 0)
  const text = await textOf(await jsonAnswer(selected(chain, chain.run.schema.columns, 0), DEFAULT_LIMITS, roomFor()))
  const expected = Object.fromEntries(COLUMNS.map(({ name }) => [name, []]))
  expect(JSON.parse(text)).toEqual({ start: 0, count: 0, step: 1, draws: expected, stats: {} })
})

test('more axes than a stack holds, and large arrays, are written in pieces', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const variables = [
    { name: 'deep', dtype: 'int8', undefinedNdim: true },
    { name: 'long', dtype: 'int8', shape: [-1] },
  ]
  const chain = await (await backend.initRun({ rid: 'r', variables })).initChain(0)
  const deep = numbers('int8', new Array<number>(100_000).fill(1), [7])
  const long = numbers('int8', [500_000], new Array<number>(500_000).fill(-1))
  await chain.appendBatch({ start: 0, count: 1, draws: named(['deep', [deep]], ['long', [long]]) })
  expectSameDraws(await chain.getDraws('deep'), [deep])
  const { columns } = chain.run.schema
  const answer = await jsonAnswer(selected(chain, columns, 1), DEFAULT_LIMITS, roomFor())
  const sizes: number[] = []
  let text = ''
  for await (const bytes of answer.body) {
    sizes.push(bytes.length)
    text += new TextDecoder().decode(bytes)
  }
  expect(text).toContain(`"deep":[${'['.repeat(100_000)}7${']'.repeat(100_000)}]`)
  expect(text).toContain(`"long":[[${new Array(500_000).fill(-1).join()}]]`)
  expect(Math.max(...sizes)).toBeLessThan(400_000)
})

test('lists of no element that would be endless are too large an answer', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const variables = [
    { name: 'any', dtype: 'float64', undefinedNdim: true },
    { name: 'rigid', dtype: 'str', shape: [2 ** 31, 0] },
    { name: 'x', dtype: 'float64' },
  ]
  const chain = await (await backend.initRun({ rid: 'r', variables })).initChain(0)
  const huge = floats([2 ** 32 - 1, 0], [])
  await chain.appendBatch({
    start: 0,
    count: 1,
    draws: named(['any', [huge]], ['rigid', texts([1, 2 ** 31, 0], [])], ['x', floats([1], [1])]),
  })
  for (const name of ['any', 'rigid']) {
    const spec = chain.run.schema.draws.get(name)
    const selection = selected(chain, spec ? [spec] : [], 1)
    await expect(jsonAnswer(selection, DEFAULT_LIMITS, roomFor())).rejects.toMatchObject({ code: 'payload_too_large' })
  }
})

/** Bytes of an answer whose reader never waits for anything. */
async function sizeOf(answer: { readonly body: AsyncIterable<Uint8Array> }): Promise<number> {
  let bytes = 0
  for await (const piece of answer.body) bytes += piece.length
  return bytes
}

test('others have a turn every 64 KiB of text', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const variables = [
    { name: 'x', dtype: 'float64', shape: [200_000] },
    { name: 'lists', dtype: 'float64', shape: [200_000, 0] },
    { name: 'words', dtype: 'str', shape: [-1] },
    { name: 'ragged', dtype: 'int64', undefinedNdim: true },
  ]
  const chain = await (await backend.initRun({ rid: 'r', variables })).initChain(0)
  const count = 4
  const words = texts([100_000], new Array<string>(100_000).fill('μ"'))
  const ragged = numbers('int64', [100_000], new Array<bigint>(100_000).fill(2n ** 60n))
  const draws = named(
    ['x', floats([count, 200_000], new Array<number>(count * 200_000).fill(1 / 3))],
    ['lists', floats([count, 200_000, 0], [])],
    ['words', new Array(count).fill(words)],
    ['ragged', new Array(count).fill(ragged)],
  )
  await chain.appendBatch({ start: 0, count, draws })
  for (const spec of chain.run.schema.columns) {
    const answer = await jsonAnswer(selected(chain, [spec], count), DEFAULT_LIMITS, roomFor())
    const { turns, value: bytes } = await turnsWhile(() => sizeOf(answer))
    expect(turns, spec.name).toBeGreaterThan(bytes / (3 * 64 * 1024))
  }
})

test('the brackets of very many axes count', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const chain = await (
    await backend.initRun({ rid: 'r', variables: [{ name: 'deep', dtype: 'int8', undefinedNdim: true }] })
  ).initChain(0)
  const shape = [40_000, ...new Array<number>(100_000).fill(1)]
  await chain.appendBatch({
    start: 0,
    count: 1,
    draws: named(['deep', [numbers('int8', shape, new Array(40_000).fill(7))]]),
  })
  const selection = selected(chain, chain.run.schema.columns, 1)
  await expect(jsonAnswer(selection, DEFAULT_LIMITS, roomFor())).rejects.toMatchObject({ code: 'payload_too_large' })
})

test('the brackets of draws without elements count', async () => {
  const columns: readonly Column[] = [{ name: 'empty', dtype: 'float64', shape: [3, 0] }]
  const chain = await chainWith(columns, new Content(6, columns), 20)
  const selection = selected(chain, chain.run.schema.columns, 20)
  const { length } = new TextEncoder().encode(await textOf(await jsonAnswer(selection, DEFAULT_LIMITS, roomFor())))
  const limits = { ...DEFAULT_LIMITS, answerBytes: length / 2 }
  await expect(jsonAnswer(selection, limits, roomFor())).rejects.toMatchObject({ code: 'payload_too_large' })
})

test('the least size that is refused is never more than the answer has', async () => {
  const content = new Content(2, COLUMNS)
  const chain = await chainWith(COLUMNS, content, 5)
  for (const spec of chain.run.schema.columns) {
    const selection = selected(chain, [spec], 5)
    const { length } = new TextEncoder().encode(await textOf(await jsonAnswer(selection, DEFAULT_LIMITS, roomFor())))
    await jsonAnswer(selection, { ...DEFAULT_LIMITS, answerBytes: length }, roomFor())
  }
})
