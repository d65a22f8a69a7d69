/** Draws in JSON at the border: what each dtype and shape takes, how it is refused, and that answers can be sent back. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildSchema, type ColumnSpec, type Schema } from '../../src/core/draws/columns.ts'
import { bytesOf, isNumericDtype, TYPED_ARRAYS } from '../../src/core/draws/dtype.ts'
import { numericArray } from '../../src/core/draws/ndarray.ts'
import { fillSegment, unpackSegment } from '../../src/core/draws/segment.ts'
import { valuesOf } from '../../src/core/draws/values.ts'
import { McbError } from '../../src/core/errors.ts'
import { jsonAnswer } from '../../src/core/formats/json.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import type { Selection } from '../../src/core/selection.ts'
import { atOnce } from '../../src/core/turn.ts'
import { batchOfJson } from '../../src/core/wire/json-batch.ts'
import { type Batch, decodeBatch } from '../../src/core/wire/read-batch.ts'
import { batchSegments } from '../../src/core/wire/write-batch.ts'

interface Registered {
  readonly name: string
  readonly dtype: string
  readonly shape?: number[]
  readonly undefinedNdim?: boolean
}

const schemaOf = (variables: readonly Registered[], stats: readonly Registered[] = []): Schema =>
  buildSchema(variables, stats, DEFAULT_LIMITS)

function read(text: string, schema: Schema, limits: Limits = DEFAULT_LIMITS): Batch {
  return decodeBatch(atOnce(batchOfJson(text, schema, limits, () => {})), schema, limits)
}

/** Draws of the one variable `x` that a batch of these draws, as text, brings. */
function drawsOf(draws: string, of: Omit<Registered, 'name'>): Draws {
  const schema = schemaOf([{ name: 'x', ...of }])
  const batch = read(`{"start":0,"draws":{"x":${draws}}}`, schema)
  const [spec] = schema.columns
  const segment = batch.segments[0]
  if (spec === undefined || !segment) throw new Error('there is no column')
  return valuesOf(spec, unpackSegment(spec, segment, batch.count), batch.count)
}

function refusalOf(work: () => unknown): McbError {
  try {
    work()
  } catch (error) {
    if (error instanceof McbError) return error
    throw error
  }
  throw new Error('it was taken')
}

const flat = (draws: Draws): unknown[] => ('data' in draws ? [...draws.data] : draws.map(({ shape }) => shape))

describe('elements that a dtype takes', () => {
  test.each([
    ['float64', '[1, -0, -0.0, 1e-400, "NaN", "Infinity", "-Infinity", 1.7976931348623157e308]'],
    ['float32', '[0.1, 16777217, 3.4028235e38, 1.401298464324817e-45, "NaN"]'],
    ['int8', '[-128, 127, 1.0, 1e1, 100e-1, "5", -0]'],
    ['uint8', '[0, 255]'],
    ['int16', '[-32768, 32767]'],
    ['uint16', '[65535]'],
    ['int32', '[-2147483648, 2147483647, 2.147483647e9]'],
    ['uint32', '[4294967295]'],
    ['int64', '[9007199254740992, -9007199254740992, "9007199254740993", "-9223372036854775808", 9007199254740991.0]'],
    ['uint64', '[0, "18446744073709551615", 9.007199254740992e15]'],
    ['bool', '[true, false]'],
    ['str', '["", "a\\u0000b", "\\ud83d\\ude00", "😀", "\\"\\\\\\/\\b\\f\\n\\r\\t"]'],
  ])('%s: %s', (dtype, text) => {
    const expected: Record<string, unknown[]> = {
      float64: [1, -0, -0, 0, Number.NaN, Infinity, -Infinity, Number.MAX_VALUE],
      float32: [Math.fround(0.1), 16777216, Math.fround(3.4028235e38), 1.401298464324817e-45, Number.NaN],
      int8: [-128, 127, 1, 10, 10, 5, 0],
      uint8: [0, 255],
      int16: [-32768, 32767],
      uint16: [65535],
      int32: [-2147483648, 2147483647, 2147483647],
      uint32: [4294967295],
      int64: [2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n, -(2n ** 63n), 2n ** 53n - 1n],
      uint64: [0n, 2n ** 64n - 1n, 2n ** 53n],
      bool: [1, 0],
      str: ['', 'a\u0000b', '😀', '😀', '"\\/\b\f\n\r\t'],
    }
    expect(flat(drawsOf(text, { dtype }))).toEqual(expected[dtype])
  })

  test('NaN has the bits of the fill value', () => {
    for (const dtype of ['float64', 'float32'] as const) {
      const schema = schemaOf([{ name: 'x', dtype }])
      const [spec] = schema.columns
      if (spec === undefined) throw new Error('there is no column')
      expect(read('{"start":0,"draws":{"x":["NaN"]}}', schema).segments[0]).toEqual(fillSegment(spec, 1))
    }
  })
})

describe('elements that a dtype does not take', () => {
  test.each([
    ['float64', '1e999', 'number 1e999'],
    ['float64', '-1e999', 'number -1e999'],
    ['float64', '"nan"', 'string "nan"'],
    ['float64', '"1.5"', 'string "1.5"'],
    ['float64', 'null', 'null'],
    ['float64', 'true', 'boolean true'],
    ['float64', '{}', 'object'],
    ['float32', '3.5e38', 'number 3.5e38'],
    ['int8', '1.5', 'number 1.5'],
    ['int8', '128', 'number 128'],
    ['int8', '-129', 'number -129'],
    ['int8', '1e-400', 'number 1e-400'],
    ['int8', '1e999999999999', 'number 1e999999999999'],
    ['int8', '"1.0"', 'string "1.0"'],
    ['int8', '"NaN"', 'string "NaN"'],
    ['int8', 'false', 'boolean false'],
    ['uint8', '-1', 'number -1'],
    ['int64', '9007199254740993', 'number 9007199254740993'],
    ['int64', '9007199254740992.5', 'number 9007199254740992.5'],
    ['int64', '-9007199254740993', 'number -9007199254740993'],
    ['int64', '1e18', 'number 1e18'],
    ['int64', '"9223372036854775808"', 'string "9223372036854775808"'],
    ['uint64', '"-1"', 'string "-1"'],
    ['uint64', '"18446744073709551616"', 'string "18446744073709551616"'],
    ['bool', '1', 'number 1'],
    ['bool', '"true"', 'string "true"'],
    ['bool', 'null', 'null'],
    ['str', '1', 'number 1'],
    ['str', 'null', 'null'],
  ])('%s: %s', (dtype, element, actual) => {
    const error = refusalOf(() => drawsOf(`[ ${element} ]`, { dtype }))
    expect(error).toMatchObject({ code: 'dtype_mismatch', fields: { variable: 'x', expected: dtype } })
    expect(error.fields.actual).toBe(actual.split(' ')[0])
    expect(error.message).toContain(actual)
    expect(error.message).toContain('line 1, column 27')
  })
})

describe('shapes', () => {
  test.each<[string, Omit<Registered, 'name'>, number[]]>([
    ['[]', { dtype: 'int8', shape: [-1] }, [0]],
    ['[1,2]', { dtype: 'int8', shape: [-1] }, [2]],
    ['[]', { dtype: 'int8', shape: [-1, 3] }, [0, 3]],
    ['[[1,2,3]]', { dtype: 'int8', shape: [-1, 3] }, [1, 3]],
    ['[]', { dtype: 'int8', shape: [-1, -1] }, [0, 0]],
    ['[[],[]]', { dtype: 'int8', shape: [-1, -1] }, [2, 0]],
    ['[[],[],[]]', { dtype: 'int8', shape: [3, -1] }, [3, 0]],
    ['[[],[]]', { dtype: 'int8', shape: [-1, -1, 4] }, [2, 0, 4]],
    ['7', { dtype: 'int8', undefinedNdim: true }, []],
    ['[]', { dtype: 'int8', undefinedNdim: true }, [0]],
    ['[[],[]]', { dtype: 'int8', undefinedNdim: true }, [2, 0]],
    ['[[[1],[2]]]', { dtype: 'int8', undefinedNdim: true, shape: [5] }, [1, 2, 1]],
    ['["a","b"]', { dtype: 'str', undefinedNdim: true }, [2]],
  ])('%s of %o', (draw, of, shape) => {
    expect(flat(drawsOf(`[${draw},${draw}]`, of))).toEqual([shape, shape])
  })

  test.each<[string, Omit<Registered, 'name'>, number[], number[]]>([
    ['[1,2]', { dtype: 'int8' }, [], [2]],
    ['[]', { dtype: 'int8' }, [], [0]],
    ['1', { dtype: 'int8', shape: [2] }, [2], []],
    ['[1]', { dtype: 'int8', shape: [2] }, [2], [1]],
    ['[1,2,3]', { dtype: 'int8', shape: [2] }, [2], [3]],
    ['[[1,2]]', { dtype: 'int8', shape: [2] }, [2], [1, 2]],
    ['[[1,2,3],[4,5,6]]', { dtype: 'int8', shape: [2, 2] }, [2, 2], [2, 3]],
    ['[]', { dtype: 'int8', shape: [3, -1] }, [3, -1], [0]],
    ['[[],[]]', { dtype: 'int8', shape: [-1, 3] }, [-1, 3], [2, 0]],
    ['[1]', { dtype: 'int8', shape: [-1, 3] }, [-1, 3], [1]],
  ])('not %s of %o', (draw, of, expected, actual) => {
    expect(refusalOf(() => drawsOf(`[${draw}]`, of))).toMatchObject({
      code: 'shape_mismatch',
      fields: { variable: 'x', expected, actual },
    })
  })

  test.each(['[[1,2],[3]]', '[1,[2]]', '[[1],2]', '[[],1]', '[[],[1]]', '[[1],[[2]]]', '[[[1]],[2]]'])(
    'no array: %s',
    (draw) => {
      const error = refusalOf(() => drawsOf(`[0,${draw}]`, { dtype: 'int8', undefinedNdim: true }))
      expect(error.code).toBe('shape_mismatch')
      expect(error.message).toContain('draw 1 is no array')
    },
  )

  test('no elements, in fixed shapes', () => {
    expect(drawsOf('[[],[]]', { dtype: 'int8', shape: [0, 5] })).toMatchObject({ shape: [2, 0, 5] })
    expect(drawsOf('[[[],[]]]', { dtype: 'int8', shape: [2, 0] })).toMatchObject({ shape: [1, 2, 0] })
    expect(refusalOf(() => drawsOf('[[]]', { dtype: 'int8', shape: [2, 0] })).code).toBe('shape_mismatch')
  })
})

describe('a batch as a whole', () => {
  const schema = schemaOf(
    [
      { name: 'a', dtype: 'float64' },
      { name: '__proto__', dtype: 'int8', shape: [2] },
    ],
    [{ name: 'a', dtype: 'bool' }],
  )
  const good = '"draws":{"a":[1,2],"__proto__":[[1,2],[3,4]]}'

  test.each([
    [`{"start":3,${good}}`, 3],
    [`{${good},"count":2,"step":1,"start":"3"}`, 3],
    [`{"start":3,${good},"stats":{"a":[true,false]},"step":0}`, 3],
    [` \r\n\t{"start" : 3.0 , ${good} , "stats" : { } } \n`, 3],
    [`{"start":9007199254740993,${good}}`, 9007199254740992],
  ])('%s', (text, start) => {
    expect(read(text, schema)).toMatchObject({ start, count: 2 })
  })

  test('a start beyond 64 bits does not wrap around to one that fits', () => {
    expect(read(`{"start":"18446744073709551615",${good}}`, schema).start).toBeGreaterThan(2 ** 63)
    expect(refusalOf(() => read(`{"start":"18446744073709551616",${good}}`, schema)).code).toBe('invalid_json')
  })

  test.each([
    ['invalid_json', '', 'line 1, column 1: expected a value, and the text ends'],
    ['invalid_json', '[]', 'line 1, column 1: a batch is an object, not array'],
    ['invalid_json', `{${good}}`, '"start" is missing'],
    ['invalid_json', `{"start":null,${good}}`, 'line 1, column 10'],
    ['invalid_json', `{"start":-1,${good}}`, 'line 1, column 10'],
    ['invalid_json', `{"start":0.5,${good}}`, 'line 1, column 10'],
    ['invalid_json', `{"start":0,"count":4294967296,${good}}`, '"count"'],
    ['invalid_json', `{"start":0,"start":0,${good}}`, '"start" is there twice'],
    ['invalid_json', `{"start":0,${good},${good}}`, '"draws" is there twice'],
    ['invalid_json', `{"start":0,\n ${good},"chain":0}`, 'line 2, column 48: a batch has no member "chain"'],
    ['invalid_json', '{"start":0,"draws":[]}', 'an object of columns is an object, not array'],
    ['invalid_json', '{"start":0,"draws":null}', 'not null'],
    ['invalid_json', `{"start":0,"draws":{"a":[1.5,"x"]},"draws":1}`, 'twice'],
    ['invalid_parameter', `{"start":0,"step":2,${good}}`, 'step 2'],
    ['invalid_parameter', `{"start":0,"step":-1,${good}}`, 'step -1'],
    ['empty_batch', `{"start":0,"count":0,${good}}`, 'count is 0'],
    ['empty_batch', '{"start":0,"draws":{"a":[],"__proto__":[]}}', 'count is 0'],
    ['empty_batch', '{"start":0}', 'count is 0'],
    ['missing_variable', '{"start":0,"draws":{"a":[1]}}', '"__proto__"'],
    ['unknown_variable', '{"start":0,"draws":{"b":[1]}}', '"b"'],
    ['unknown_variable', `{"start":0,${good},"stats":{"lp":[1,{"x":[[]]}]}}`, '"lp"'],
    ['duplicate_variable', '{"start":0,"draws":{"a":[1],"a":[1]}}', '"a" is in the batch twice'],
    ['duplicate_variable', '{"start":0,"draws":{"a":[1],"\\u0061":[1]}}', '"a" is in the batch twice'],
    ['shape_mismatch', '{"start":0,"draws":{"a":[1],"__proto__":[[1,2],[3,4]]}}', '"a": expected 2 draws, got 1'],
    ['shape_mismatch', `{"start":0,"count":3,${good}}`, '"a": expected 3 draws, got 2'],
    ['shape_mismatch', `{"start":0,${good},"stats":{"a":[true]}}`, '"a": expected 2 draws, got 1'],
    ['dtype_mismatch', '{"start":0,"draws":{"__proto__":[[1,2]],"a":["x"]}}', '"a"'],
    ['dtype_mismatch', '{"start":0,"draws":{"a":5,"__proto__":[[1,2]]}}', 'a list with an element for each draw'],
    ['dtype_mismatch', '{"start":0,"draws":{"a":["x"]}}', '"a"'],
  ])('%s: %s', (code, text, detail) => {
    const error = refusalOf(() => read(text, schema))
    expect(error.message).toContain(detail)
    expect(error.code).toBe(code)
  })

  test('what is wrong with the text comes before what is wrong with a column', () => {
    const error = refusalOf(() => read('{"start":0,"draws":{"a":["x"]},"stats":{"a":[tru]}}', schema))
    expect(error.message).toMatch(/^line 1, column 46: expected a value, found "tru\]/)
  })

  test('an empty list of many dimensions takes no more than a body may', () => {
    const wide = schemaOf([{ name: 'x', dtype: 'int8', shape: [-1, ...new Array<number>(60_000).fill(1)] }])
    const text = `{"start":0,"draws":{"x":[${new Array<string>(2000).fill('[]').join()}]}}`
    expect(refusalOf(() => read(text, wide))).toMatchObject({ code: 'payload_too_large', fields: { limit: 2 ** 26 } })
  })

  test('iterations beyond the limit', () => {
    const limits = { ...DEFAULT_LIMITS, batchIterations: 1 }
    expect(refusalOf(() => read(`{"start":0,${good}}`, schema, limits))).toMatchObject({
      code: 'payload_too_large',
      fields: { limit: 1 },
    })
  })
})

/** Values that JSON can say: any but NaN of other bits. */
function elementsOf(dtype: string): fc.Arbitrary<unknown> {
  if (dtype === 'str') return fc.string({ unit: 'binary' })
  if (dtype === 'bool') return fc.constantFrom(0, 1)
  if (dtype === 'float64') return fc.double()
  if (dtype === 'float32') return fc.float()
  const bits = BigInt(dtype.replace(/\D/g, ''))
  const least = dtype.startsWith('u') ? 0n : -(2n ** (bits - 1n))
  const most = (dtype.startsWith('u') ? 2n ** bits : 2n ** (bits - 1n)) - 1n
  const any = fc.oneof(fc.bigInt({ min: least, max: most }), fc.constantFrom(least, most))
  return bits === 64n ? any : any.map(Number)
}

function arrayFrom(dtype: string, shape: number[], values: readonly unknown[]): Draws {
  if (dtype === 'str') return { dtype, shape, data: values.map(String) }
  if (!isNumericDtype(dtype)) throw new Error(`${dtype} is no dtype`)
  const array = new TYPED_ARRAYS[dtype](values.length)
  for (const [i, value] of values.entries()) {
    if (array instanceof BigInt64Array || array instanceof BigUint64Array) array[i] = BigInt(String(value))
    else array[i] = Number(value)
  }
  return numericArray(dtype, shape, bytesOf(array))
}

const DTYPES = ['bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float32', 'float64']
const shapes = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 })

/** Any column, with draws that fit it. */
const columns = fc
  .record({
    name: fc.oneof(fc.constantFrom('__proto__', 'constructor', '0'), fc.string({ unit: 'binary', minLength: 1 })),
    dtype: fc.constantFrom(...DTYPES, 'str'),
    shape: shapes,
    varies: fc.boolean(),
    count: fc.constant(3),
  })
  .chain(({ name, dtype, shape, varies, count }) => {
    const size = shape.reduce((n, axis) => n * axis, 1) * count
    return fc.array(elementsOf(dtype), { minLength: size, maxLength: size }).map((values) => {
      const registered: Registered = varies ? { name, dtype, undefinedNdim: true } : { name, dtype, shape }
      return { registered, draws: arrayFrom(dtype, [count, ...shape], values), shape, count }
    })
  })

/** A selection of whole segments, as a store would give it. */
function selectionOf(specs: readonly ColumnSpec[], segments: readonly Uint8Array<ArrayBuffer>[], count: number) {
  const selection: Selection = {
    chain: 0,
    columns: specs,
    slice: { first: 0, step: 1n, count },
    read: async function* (positions) {
      for (const position of positions) {
        const data = segments[position]
        if (data !== undefined) yield { position, count, data }
      }
    },
  }
  return selection
}

test('what an answer says in JSON comes back as the same bytes', async () => {
  const room = { take: () => true, give: () => {} }
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(columns, { selector: (c) => c.registered.name, minLength: 1, maxLength: 4 }),
      async (all) => {
        const told = all.filter(({ shape, registered }) => !registered.undefinedNdim || !shape.slice(0, -1).includes(0))
        const schema = schemaOf(told.map(({ registered }) => registered))
        if (told.length === 0) return
        const sent = batchSegments({ count: 3, draws: new Map(told.map((c) => [c.registered.name, c.draws])) }, schema)
        const segments = sent.map(({ data }) => data)
        const { body } = await jsonAnswer(selectionOf(schema.columns, segments, 3), DEFAULT_LIMITS, room)
        let text = ''
        for await (const piece of body) text += new TextDecoder().decode(piece)
        const batch = read(text, schema)
        expect(batch.count).toBe(3)
        expect(batch.segments.map((segment) => Buffer.from(segment ?? []).toString('hex'))).toEqual(
          segments.map((segment) => Buffer.from(segment).toString('hex')),
        )
      },
    ),
    { numRuns: 500 },
  )
})
