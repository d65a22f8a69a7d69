/** The one writer of DrawBatch and the one reader, which the client's answers go through as well. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { buildSchema, type ColumnSpec } from '../../src/core/draws/columns.ts'
import { type Elements, elementsColumn, type RigidColumn, resolveElements } from '../../src/core/draws/elements.ts'
import { mcbackend } from '../../src/core/generated/messages.js'
import type { Draws } from '../../src/core/interfaces.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { BATCH, COLUMN } from '../../src/core/wire/draw-batch-fields.ts'
import { decodeAnswer, decodeElements } from '../../src/core/wire/read-answer.ts'
import { decodeBatch } from '../../src/core/wire/read-batch.ts'
import { encodeBatch } from '../../src/core/wire/write-batch.ts'
import { batchHead } from '../../src/core/wire/write-columns.ts'

const SCHEMA = buildSchema(
  [
    { name: 'x', dtype: 'float64', shape: [2] },
    { name: 'grows', dtype: 'int16', shape: [-1] },
    { name: 'word', dtype: 'str' },
    { name: 'words', dtype: 'str', undefinedNdim: true },
  ],
  [{ name: 'flag', dtype: 'bool' }],
  DEFAULT_LIMITS,
)

const draw = fc.record({
  x: fc.tuple(fc.double(), fc.double()),
  grows: fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 300 }),
  word: fc.string({ unit: 'grapheme', maxLength: 50 }),
  words: fc.array(fc.string({ unit: 'binary', maxLength: 50 }), { maxLength: 4 }),
  flag: fc.boolean(),
})
const draws = fc.array(draw, { maxLength: 5 })

type Draw = typeof draw extends fc.Arbitrary<infer D> ? D : never

/** The columns of some draws, in the order of the schema. */
function columnsOf(all: readonly Draw[]): Draws[] {
  const count = all.length
  return [
    { dtype: 'float64', shape: [count, 2], data: new Float64Array(all.flatMap(({ x }) => x)) },
    all.map(({ grows }) => ({ dtype: 'int16', shape: [grows.length], data: new Int16Array(grows) })),
    { dtype: 'str', shape: [count], data: all.map(({ word }) => word) },
    all.map(({ words }) => ({ dtype: 'str', shape: [words.length, 1], data: words })),
    { dtype: 'bool', shape: [count], data: new Uint8Array(all.map(({ flag }) => Number(flag))) },
  ]
}

function encoded(all: readonly Draw[], start = 0): Uint8Array<ArrayBuffer> {
  const byName = new Map(columnsOf(all).map((column, i) => [SCHEMA.columns[i]?.name ?? '', column]))
  const stats = new Map([...byName].filter(([name]) => name === 'flag'))
  byName.delete('flag')
  return encodeBatch({ count: all.length, draws: byName, stats }, start, SCHEMA)
}

const WORDS = encoded([{ x: [1, 2], grows: [3, 4], word: 'five', words: ['six', 'sieben ü'], flag: true }], 300)

test('field numbers are those of the schema', () => {
  const path = new URL('../../protobufs/draws.proto', import.meta.url)
  const { root } = protobuf.parse(readFileSync(path, 'utf8'), { keepCase: true })
  const numbers = (name: string) =>
    Object.fromEntries(root.lookupType(`mcbackend.${name}`).fieldsArray.map((field) => [field.name, field.id]))
  expect(BATCH).toEqual(numbers('DrawBatch'))
  expect(COLUMN).toEqual(numbers('Column'))
})

test.each([1, -1, 2, -3, 2 ** 40])('a written step of %d is told as it was meant', (step) => {
  const bytes = Uint8Array.from(mcbackend.DrawBatch.encode({ count: 1, step }).finish())
  const detail = new RegExp(`^step ${step} was written`)
  expect(() => decodeBatch(bytes, SCHEMA, DEFAULT_LIMITS)).toThrow(detail)
})

test('half a character is told from a wrong dtype', () => {
  const draws = new Map<string, Draws>([['word', { dtype: 'str', shape: [1], data: ['\ud83d'] }]])
  expect(() => encodeBatch({ count: 1, draws }, 0, SCHEMA)).toThrow(/"word".*lone surrogate/)
})

test('the head of an answer is what the generated code reads', () => {
  const number = fc.oneof(fc.nat({ max: 200 }), fc.nat())
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      number,
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (start, count, step) => {
        const read = mcbackend.DrawBatch.decode(batchHead(start, count, step))
        expect([String(read.start), read.count, String(read.step)]).toEqual([String(start), count, String(step)])
      },
    ),
  )
})

describe('an answer', () => {
  test('comes back as it was written, whatever its columns', () => {
    fc.assert(
      fc.property(draws, fc.maxSafeNat(), (all, start) => {
        const answer = decodeAnswer(encoded(all, start), SCHEMA.columns)
        expect(answer).toEqual({ start, count: all.length, draws: columnsOf(all) })
      }),
    )
  })

  test('is read as well when another writer has made it', () => {
    fc.assert(
      fc.property(draws, (all) => {
        const bytes = mcbackend.DrawBatch.encode(mcbackend.DrawBatch.decode(encoded(all))).finish()
        expect(decodeAnswer(new Uint8Array(bytes), SCHEMA.columns).draws).toEqual(columnsOf(all))
      }),
    )
  })

  test('keeps a byte order mark, and all planes of Unicode', () => {
    const text = '\ufeff𝜃 \u0000 ÿ'
    const bytes = encoded([{ x: [0, 0], grows: [], word: text, words: [text, ''], flag: false }])
    expect(decodeAnswer(bytes, SCHEMA.columns).draws[2]).toMatchObject({ data: [text] })
    expect(decodeAnswer(bytes, SCHEMA.columns).draws[3]).toMatchObject([{ data: [text, ''] }])
  })

  test('that is cut is damaged', () => {
    for (let length = 0; length < WORDS.length; length++) {
      const cut = () => decodeAnswer(WORDS.slice(0, length), SCHEMA.columns)
      expect(cut).toThrow(expect.objectContaining({ code: 'invalid_protobuf' }))
    }
  })

  test('with wrong bytes is damaged, or means something else', () => {
    fc.assert(
      fc.property(fc.nat({ max: WORDS.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        const bytes = WORDS.slice()
        bytes[at] = byte
        try {
          expect(decodeAnswer(bytes, SCHEMA.columns).draws).toHaveLength(SCHEMA.columns.length)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_protobuf' })
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('without a column that was asked for, or with another, is damaged', () => {
    const [x, grows] = SCHEMA.columns
    const [empty] = buildSchema([{ name: 'none', dtype: 'float64', shape: [0] }], [], DEFAULT_LIMITS).columns
    if (x === undefined || grows === undefined || empty === undefined) throw new Error('no columns')
    const only = encodeBatch({ count: 0, draws: new Map([['x', columnsOf([])[0] ?? []]]) }, 0, SCHEMA)
    expect(decodeAnswer(only, [x]).draws).toHaveLength(1)
    for (const columns of [[x, grows], [grows], [empty]]) {
      expect(() => decodeAnswer(only, columns)).toThrow(expect.objectContaining({ code: 'invalid_protobuf' }))
    }
  })
})

describe('some elements of a column', () => {
  const SIZE = 6
  const [numbers, texts] = buildSchema(
    [
      { name: 'v', dtype: 'float32', shape: [2, 3] },
      { name: 't', dtype: 'str', shape: [6] },
    ],
    [],
    DEFAULT_LIMITS,
  ).columns
  const values = (spec: RigidColumn, count: number): Draws => {
    const shape = [count, ...spec.shape]
    const all = Array.from({ length: count * spec.elements }, (_, i) => i)
    if (spec.dtype === 'str') return { dtype: 'str', shape, data: all.map((i) => `ü${i}`) }
    return { dtype: 'float32', shape, data: new Float32Array(all) }
  }
  const message = (spec: ColumnSpec, column: Draws, count: number) => {
    const schema = { columns: [spec], draws: new Map([[spec.name, spec]]), stats: new Map() }
    return encodeBatch({ count, draws: new Map([[spec.name, column]]) }, 0, schema)
  }
  const index = fc.nat({ max: SIZE - 1 })
  const range = fc.tuple(index, fc.integer({ min: 1, max: SIZE })).map(([a, n]) => [a, Math.min(SIZE, a + n)] as const)
  const elements: fc.Arbitrary<Elements> = fc.array(fc.oneof(index, range), { minLength: 1, maxLength: 4 })

  test.each([numbers, texts])('are what they are in the whole answer of an older server: $name', (spec) => {
    if (spec?.layout !== 'rigid') throw new Error('not rigid')
    fc.assert(
      fc.property(elements, fc.nat({ max: 4 }), (parts, count) => {
        const resolved = resolveElements(spec, parts)
        const whole = values(spec, count)
        const { draws } = decodeElements(message(spec, whole, count), spec, resolved)
        const wanted = parts.flatMap((part) => {
          const [from, to] = typeof part === 'number' ? [part, part + 1] : part
          return Array.from({ length: to - from }, (_, i) => from + i)
        })
        const places = Array.from({ length: count }, (_, i) => wanted.map((at) => i * SIZE + at)).flat()
        const data = 'data' in whole ? places.map((at) => whole.data[at]) : []
        const [column] = draws
        if (column === undefined || !('data' in column)) throw new Error('no array')
        expect(column.shape).toEqual([count, wanted.length])
        expect([...column.data]).toEqual(data)
        // A newer one sends just these.
        if (wanted.length >= SIZE) return
        const few = message(elementsColumn(spec, resolved), column, count)
        expect(decodeElements(few, spec, resolved).draws).toEqual([column])
      }),
    )
  })

  test('are damaged when there are more or fewer', () => {
    if (numbers?.layout !== 'rigid') throw new Error('not rigid')
    const three = message(
      elementsColumn(numbers, resolveElements(numbers, [[0, 3]])),
      { dtype: 'float32', shape: [2, 3], data: new Float32Array(6) },
      2,
    )
    const read = (parts: Elements) => decodeElements(three, numbers, resolveElements(numbers, parts))
    expect(read([0, 4, 0]).count).toBe(2)
    expect(() => read([0, 4])).toThrow(expect.objectContaining({ code: 'invalid_protobuf' }))
    expect(() => read([0, 1, 2, 3])).toThrow(expect.objectContaining({ code: 'invalid_protobuf' }))
  })
})
