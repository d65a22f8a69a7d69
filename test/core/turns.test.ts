/** Work that one body or one answer can make long lets others have their turns. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { buildSchema } from '../../src/core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { STEP_SIZE } from '../../src/core/turn.ts'
import { concatBytes, fieldHead, writeVarint } from '../../src/core/wire/protobuf.ts'
import { type Batch, decodeBatch, prepareBatch } from '../../src/core/wire/read-batch.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { turnsWhile } from '../support/turns.ts'

const MIB = 1024 * 1024
const encoder = new TextEncoder()

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(10)
  return bytes.subarray(0, writeVarint(bytes, 0, value))
}

const field = (number: number, bytes: Uint8Array) => concatBytes([fieldHead(number, bytes.length), bytes])

/** A batch of one draw of one column `c`. */
function bodyOf(dtype: string, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const column = concatBytes([field(1, encoder.encode('c')), field(2, encoder.encode(dtype)), ...parts])
  return concatBytes([new Uint8Array([16, 1]), field(3, column)])
}

/** The same two bytes over and over. */
function pairs(size: number, first: number, second: number): Uint8Array {
  return new Uint8Array(new Uint16Array(size / 2).fill(first + second * 256).buffer)
}

const strings = 4 * MIB
const CASES = {
  'strings of no character': bodyOf(
    'str',
    field(4, concatBytes([varint(1), varint(strings)])),
    pairs(2 * strings, 42, 0),
  ),
  'a shape of very many dimensions': bodyOf(
    'int8',
    field(4, concatBytes([varint(strings), new Uint8Array(strings).fill(1)])),
    field(3, new Uint8Array([7])),
  ),
  'fields that nobody knows': bodyOf(
    'int8',
    pairs(8 * MIB, 8 * 9, 1),
    field(4, new Uint8Array([0])),
    field(3, new Uint8Array([7])),
  ),
  'columns that nobody knows': concatBytes([new Uint8Array([16, 1]), pairs(8 * MIB, 26, 0)]),
  'a group of very many fields': concatBytes([
    new Uint8Array([8 * 9 + 3]),
    pairs(8 * MIB, 8, 1),
    new Uint8Array([8 * 9 + 4]),
    bodyOf('int8', field(4, new Uint8Array([0])), field(3, new Uint8Array([7]))),
  ]),
  'many columns of some fields each': concatBytes(
    Array.from({ length: 100 }, () => field(3, pairs(80 * 1024, 8 * 9, 1))),
  ),
  'many words in one field': field(3, concatBytes([field(1, encoder.encode('d')), field(4, pairs(8 * MIB, 1, 1))])),
}

test.each(['int8', 'str'])('every pass over a column of %s has turns', async (dtype) => {
  const schema = buildSchema([{ name: 'c', dtype, undefinedNdim: true }], [], DEFAULT_LIMITS)
  const element = dtype === 'str' ? field(5, encoder.encode('x')) : field(3, new Uint8Array([7]))
  const size = 8 * MIB
  const body = bodyOf(dtype, pairs(size / 2, 8 * 9, 1), pairs(size / 2, 34, 0), field(4, new Uint8Array([0])), element)
  const passes = dtype === 'str' ? 4 : 3
  const { turns, value: decode } = await turnsWhile(() => prepareBatch(body, schema, DEFAULT_LIMITS))
  expect(decode().count).toBe(1)
  expect(turns).toBeGreaterThan((passes - 0.5) * (size / 2 / STEP_SIZE))
})

/** Megabytes are compared by their hashes: one by one it would take a minute. */
function digestOf({ segments, ...rest }: Batch) {
  return { ...rest, segments: segments.map((bytes) => bytes && createHash('sha256').update(bytes).digest('hex')) }
}

test.each(Object.entries(CASES))('parsing %s', async (_, body) => {
  const dtype = body === CASES['strings of no character'] ? 'str' : 'int8'
  const schema = buildSchema([{ name: 'c', dtype, undefinedNdim: true }], [], DEFAULT_LIMITS)
  const { turns, value: decode } = await turnsWhile(() => prepareBatch(body, schema, DEFAULT_LIMITS))
  expect(turns).toBeGreaterThan(40)
  // The outcome is the same as without turns.
  const outcome = (parse: () => Batch) => {
    try {
      return digestOf(parse())
    } catch (error) {
      return String(error)
    }
  }
  expect(outcome(decode)).toEqual(outcome(() => decodeBatch(body, schema, DEFAULT_LIMITS)))
})

test('a chain that is not there outranks what is wrong with a large body', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'c', dtype: 'int8' }] })
  await expect(run.append(3, new Uint8Array(MIB).fill(255))).rejects.toMatchObject({ code: 'chain_not_found' })
  await run.initChain(3)
  await expect(run.append(3, new Uint8Array(MIB).fill(255))).rejects.toMatchObject({ code: 'invalid_protobuf' })
})

test('a trace of draws that lie in memory as a whole', async () => {
  const run = await new StoreBackend(new MemoryStore()).initRun({
    rid: 'r',
    variables: [{ name: 'x', dtype: 'float64' }],
  })
  const chain = await run.initChain(0)
  const data = Float64Array.from({ length: 1_000_000 }, (_, i) => Math.sin(i))
  await chain.appendBatch({
    count: data.length,
    draws: new Map([['x', { dtype: 'float64', shape: [data.length], data }]]),
  })
  const { turns, value } = await turnsWhile(() => run.trace({ buckets: 10 }))
  expect(value.elements[0]?.chains[0]?.at.length).toBe(40)
  expect(turns).toBeGreaterThanOrEqual(7)
})
