/** DrawBatch messages of the official protobuf runtime, in all the ways that a parser must take. */
import { describe, expect, test } from 'vitest'
import { buildSchema, type Schema } from '../../src/core/draws/columns.ts'
import { unpackSegment } from '../../src/core/draws/segment.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { decodeBatch } from '../../src/core/wire/read-batch.ts'
import { mcbackend, parseRunMeta } from '../../src/core/wire/run-meta.ts'
import { encodeSegments } from '../../src/core/wire/write-batch.ts'
import { type GoldenBatch, type GoldenColumn, goldenBatch, goldenBytes, goldenNames, goldenText } from './golden.ts'

const ITEM: { readonly [dtype: string]: number } = {
  ...{
    bool: 1,
    int8: 1,
    int16: 2,
    int32: 4,
    int64: 8,
    uint8: 1,
    uint16: 2,
    uint32: 4,
    uint64: 8,
    float32: 4,
    float64: 8,
  },
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A schema that the columns of a batch fit: ragged where they have shapes, else as large as they are. */
function schemaOf({ count, draws, stats }: GoldenBatch): Schema {
  const variable = ({ name, dtype, data, shapes, strings }: GoldenColumn) => {
    if (shapes.length > 0) return { name, dtype, undefinedNdim: true }
    const elements = dtype === 'str' ? strings.length : data.length / 2 / (ITEM[dtype] ?? 0)
    return { name, dtype, shape: elements === count ? [] : [elements / count] }
  }
  return buildSchema(draws.map(variable), stats.map(variable), DEFAULT_LIMITS)
}

/** A batch without its step, which writers do not send: of two values of a field the last one counts, and 0 is none. */
function withoutStep(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...bytes, 0x28, 0])
}

function described(columns: readonly mcbackend.Column.$Properties[]): GoldenColumn[] {
  return columns.map((c) => ({
    name: c.name ?? '',
    dtype: c.dtype ?? '',
    data: hex(c.data ?? new Uint8Array()),
    shapes: c.shapes ?? [],
    strings: c.strings ?? [],
  }))
}

/** Well-formed messages that are refused for their content. */
const NOT_FOR_WRITING: { readonly [name: string]: string } = {
  empty: 'empty_batch',
  'answer-empty': 'invalid_parameter',
  'answer-reversed': 'invalid_parameter',
  'largest-numbers': 'payload_too_large',
  'most-negative-step': 'invalid_parameter',
  'columns-without-fields': 'unknown_variable',
  // They carry the step that an answer would.
  small: 'invalid_parameter',
}

describe('a DrawBatch of the official runtime', () => {
  test.each(goldenNames('draws'))('%s: the generated decoder', (name) => {
    const golden = goldenBatch(name)
    const message = mcbackend.DrawBatch.decode(goldenBytes(`draws/${name}`))
    expect({
      count: message.count ?? 0,
      draws: described(message.draws ?? []),
      stats: described(message.stats ?? []),
    }).toEqual({
      count: golden.count,
      draws: golden.draws,
      stats: golden.stats,
    })
    expect(String(message.start ?? 0)).toBe(golden.start)
    expect(String(message.step ?? 0)).toBe(golden.step)
  })

  const writable = goldenNames('draws').filter((name) => name === 'small' || !(name in NOT_FOR_WRITING))

  test.each(writable)('%s: columns as they were written', (name) => {
    const golden = goldenBatch(name)
    const schema = schemaOf(golden)
    const batch = decodeBatch(withoutStep(goldenBytes(`draws/${name}`)), schema, DEFAULT_LIMITS)
    expect([batch.start, batch.count]).toEqual([Number(golden.start), golden.count])
    for (const [i, column] of [...golden.draws, ...golden.stats].entries()) {
      const spec = schema.columns[i]
      const segment = batch.segments[i]
      if (spec === undefined || !segment) throw new Error(`column ${column.name} is missing`)
      if (spec.kind === 'rigid-numbers') {
        expect(hex(segment)).toBe(column.data)
        continue
      }
      const { words, lengths, payload } = unpackSegment(spec, segment, batch.count)
      expect([...words]).toEqual(column.shapes)
      if (spec.dtype !== 'str') expect(hex(payload)).toBe(column.data)
      const strings: string[] = []
      let at = 0
      for (const length of lengths) {
        strings.push(Buffer.from(payload.subarray(at, at + length)).toString())
        at += length
      }
      expect(strings).toEqual(column.strings)
    }
  })

  test.each(writable)('%s: our encoder writes the same content', (name) => {
    const golden = goldenBatch(name)
    const schema = schemaOf(golden)
    const batch = decodeBatch(withoutStep(goldenBytes(`draws/${name}`)), schema, DEFAULT_LIMITS)
    const columns = schema.columns.flatMap((spec, i) => {
      const data = batch.segments[i]
      return data ? [{ spec, data }] : []
    })
    const message = mcbackend.DrawBatch.decode(encodeSegments(batch.start, batch.count, columns))
    expect(described(message.draws ?? [])).toEqual(golden.draws)
    expect(described(message.stats ?? [])).toEqual(golden.stats)
    expect([Number(message.start ?? 0), message.count]).toEqual([Number(golden.start), golden.count])
  })

  test.each(['variables', 'variables-unpacked'])('%s fits the run that it was made for', (name) => {
    const { schema } = parseRunMeta(goldenBytes('runmeta/variables'), DEFAULT_LIMITS)
    const batch = decodeBatch(goldenBytes(`draws/${name}`), schema, DEFAULT_LIMITS)
    const absent = schema.columns.filter((spec) => batch.segments[spec.index] === null)
    expect(absent.map((spec) => spec.name)).toEqual(['warning'])
  })

  test.each(Object.entries(NOT_FOR_WRITING))('%s is refused: %s', (name, code) => {
    const golden = goldenBatch(name)
    const named = { ...golden, draws: golden.draws.filter((c) => c.name), stats: golden.stats.filter((c) => c.name) }
    const schema =
      golden.count === 0 || named.draws.length < golden.draws.length
        ? buildSchema([], [], DEFAULT_LIMITS)
        : schemaOf(named)
    const bytes = goldenBytes(`draws/${name}`)
    expect(() => decodeBatch(bytes, schema, DEFAULT_LIMITS)).toThrow(expect.objectContaining({ code }))
  })
})

test.each(goldenNames('malformed', 'draws-'))('malformed: %s', (name) => {
  const schema = buildSchema([{ name: 'x', dtype: 'float64', shape: [-1] }], [], DEFAULT_LIMITS)
  expect(
    () => decodeBatch(goldenBytes(`malformed/${name}`), schema, DEFAULT_LIMITS),
    goldenText(`malformed/${name}`),
  ).toThrow(expect.objectContaining({ code: 'invalid_protobuf', status: 400 }))
})
