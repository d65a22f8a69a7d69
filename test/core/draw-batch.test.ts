/** The one writer of DrawBatch and the one reader, which the client's answers go through as well. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { buildSchema } from '../../src/core/draws/columns.ts'
import { mcbackend } from '../../src/core/generated/messages.js'
import type { Draws } from '../../src/core/interfaces.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { BATCH, COLUMN } from '../../src/core/wire/draw-batch-fields.ts'
import { decodeAnswer } from '../../src/core/wire/read-answer.ts'
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
