/** RunMeta in JSON at the border: proto3's canonical mapping, its other spellings, and that answers can be sent back. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { McbError } from '../../src/core/errors.ts'
import { jsonText } from '../../src/core/json.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { atOnce, Pace } from '../../src/core/turn.ts'
import { JsonReader, passValue } from '../../src/core/wire/json-reader.ts'
import {
  acceptRunMeta,
  decodeRunMeta,
  encodeRunMeta,
  equalRunMeta,
  type google,
  type mcbackend,
} from '../../src/core/wire/run-meta.ts'
import { runMetaToJson } from '../../src/core/wire/run-meta-json.ts'
import { runMetaOfJson } from '../../src/core/wire/run-meta-of-json.ts'
import { goldenBytes, goldenFile, goldenNames } from './golden.ts'

const bytesOf = (text: string) => atOnce(runMetaOfJson(text))
const metaOf = (text: string) => decodeRunMeta(bytesOf(text))
const attributeOf = (text: string) => metaOf(`{"attributes":{"a":${text}}}`).attributes?.a
const arrayOf = (text: string) => metaOf(`{"coordinates":[{"values":${text}}]}`).coordinates?.[0]?.values

function refusal(text: string): McbError {
  try {
    bytesOf(text)
  } catch (error) {
    if (error instanceof McbError) return error
    throw error
  }
  throw new Error(`${text} was taken`)
}

const seconds = (text: string) => Number(attributeOf(`{"timestampValue":"${text}"}`)?.timestampValue?.seconds)
const nanos = (text: string) => attributeOf(`{"timestampValue":"${text}"}`)?.timestampValue?.nanos

describe('forms that proto3 JSON takes', () => {
  test('names of fields in camel case and as the schema has them', () => {
    const meta = metaOf(
      '{"sample_stats":[{"name":"s","is_deterministic":true,"undefined_ndim":true}],"data":[{"is_observed":true}]}',
    )
    expect(meta.sampleStats?.[0]).toMatchObject({ name: 's', isDeterministic: true, undefinedNdim: true })
    expect(meta.data?.[0]?.isObserved).toBe(true)
    for (const [snake, camel, value] of [
      ['null_value', 'nullValue', 'null'],
      ['number_value', 'numberValue', '1'],
      ['string_value', 'stringValue', '"a"'],
      ['bool_value', 'boolValue', 'true'],
      ['struct_value', 'structValue', '{}'],
      ['list_value', 'listValue', '[]'],
      ['timestamp_value', 'timestampValue', '"2026-01-01T00:00:00Z"'],
      ['duration_value', 'durationValue', '"1s"'],
      ['ndarray_value', 'ndarrayValue', '{}'],
    ] as const) {
      expect(attributeOf(`{"${snake}":${value}}`)?.kind).toBe(camel)
      expect(attributeOf(`{"${camel}":${value}}`)?.kind).toBe(camel)
    }
  })

  test('int64 as numbers and as strings', () => {
    const shape = arrayOf(
      '{"shape":[1,"2",3.0,4e1,"5e0",-1,"9007199254740993",9223372036854775807,"-9223372036854775808"]}',
    )
    expect(shape?.shape?.map(String)).toEqual([
      '1',
      '2',
      '3',
      '40',
      '5',
      '-1',
      '9007199254740993',
      '9223372036854775807',
      '-9223372036854775808',
    ])
  })

  test('bytes in both alphabets of base64, with and without padding', () => {
    for (const [text, bytes] of [
      ['', []],
      ['-_8=', [0xfb, 0xff]],
      ['+/8=', [0xfb, 0xff]],
      ['-_8', [0xfb, 0xff]],
      ['AA==', [0]],
      ['AA', [0]],
      ['AAEC', [0, 1, 2]],
    ] as const) {
      expect([text, [...(arrayOf(`{"data":"${text}"}`)?.data ?? [])]]).toEqual([text, [...bytes]])
    }
  })

  test('null is the default of a field', () => {
    const all = `{"rid":null,"variables":null,"coordinates":[{"name":null,"values":null}],"attributes":null,
      "sampleStats":[{"shape":null,"isDeterministic":null}],"data":null}`
    expect(equalRunMeta(bytesOf(all), encodeRunMeta({ coordinates: [{}], sampleStats: [{}] }))).toBe(true)
    expect(attributeOf('{"numberValue":null,"stringValue":"a"}')).toMatchObject({ kind: 'stringValue' })
    expect(attributeOf('{"structValue":null}')?.kind).toBeUndefined()
  })

  test('NullValue', () => {
    for (const text of ['null', '"NULL_VALUE"', '0'])
      expect(attributeOf(`{"nullValue":${text}}`)?.kind).toBe('nullValue')
  })

  test('doubles', () => {
    for (const [text, value] of [
      ['"NaN"', Number.NaN],
      ['"-Infinity"', Number.NEGATIVE_INFINITY],
      ['"Infinity"', Number.POSITIVE_INFINITY],
      ['"1.5e3"', 1500],
      ['-0', -0],
      ['1e-400', 0],
    ] as const) {
      expect(attributeOf(`{"numberValue":${text}}`)?.numberValue).toBe(value)
    }
  })

  test('timestamps and durations', () => {
    expect(seconds('1970-01-01T00:00:01Z')).toBe(1)
    expect(seconds('1970-01-01T01:00:00+01:00')).toBe(0)
    expect(seconds('1969-12-31T22:30:00.5-01:30')).toBe(0)
    expect(nanos('1969-12-31T23:59:59.000000001Z')).toBe(1)
    expect(seconds('1969-12-31T23:59:59.1Z')).toBe(-1)
    expect(seconds('0001-01-01T00:00:00Z')).toBe(-62_135_596_800)
    expect(seconds('9999-12-31T23:59:59.999999999Z')).toBe(253_402_300_799)
    expect(seconds('2024-02-29T12:00:00Z')).toBe(Date.UTC(2024, 1, 29, 12) / 1000)
    const duration = (text: string) => attributeOf(`{"durationValue":"${text}"}`)?.durationValue
    expect(duration('-1.5s')).toMatchObject({ nanos: -500_000_000 })
    expect(Number(duration('-1.5s')?.seconds)).toBe(-1)
    expect(duration('-0.000000001s')?.nanos).toBe(-1)
    expect(Number(duration('315576000000s')?.seconds)).toBe(315_576_000_000)
  })

  test('a Struct with all kinds of values', () => {
    const attribute = attributeOf(
      '{"structValue":{"__proto__":null,"n":1.5,"s":"NaN","b":false,"l":[[],{}],"o":{"":0}}}',
    )
    const fields = attribute?.structValue?.fields ?? {}
    expect(Object.keys(fields).sort()).toEqual(['__proto__', 'b', 'l', 'n', 'o', 's'])
    expect(Object.getOwnPropertyDescriptor(fields, '__proto__')?.value).toMatchObject({ kind: 'nullValue' })
    expect(fields.s).toMatchObject({ stringValue: 'NaN' })
    expect(fields.l?.listValue?.values).toMatchObject([{ kind: 'listValue' }, { kind: 'structValue' }])
  })
})

describe('what it does not take', () => {
  test.each([
    ['', 'line 1, column 1: expected a value, and the text ends'],
    ['{"rid":"a"', 'line 1, column 11: expected "," or "}"'],
    ['{"rid":"a",}', 'line 1, column 12: expected a string'],
    ["{'rid':1}", 'line 1, column 2: expected a string'],
    ['{"rid":"a"} {}', 'line 1, column 13: expected the end'],
    ['{"rid":01}', 'line 1, column 9'],
    ['{"rid":1.}', 'expected a digit'],
    ['{"rid":+1}', 'expected a value'],
    ['{"rid":NaN}', 'expected a value'],
    ['{"rid":nul}', 'expected a value'],
    ['{"rid":"\\x"}', 'unknown escape'],
    ['{"rid":"\\u12"}', 'four hexadecimal digits'],
    ['{"rid":"\\ud800"}', 'line 1, column 9: a string holds half a character (the lone surrogate U+D800)'],
    ['{"rid":"\\ud800\\ud800"}', 'lone surrogate'],
    ['{"\\udc00":1}', 'lone surrogate U+DC00'],
    ['{"rid":"a\u0001"}', 'control character U+0001'],
    ['{"rid":"a\n"}', 'control character U+000A'],
    ['{"rid":"a', 'line 1, column 8: a string does not end'],
    ['[]', 'expected RunMeta, found array'],
    ['{\n "rid": 5}', 'line 2, column 9: expected a string, found number'],
    [
      '{"variables":[{"name":"x",\n"shpae":[]}]}',
      'line 2, column 1: Variable has no field "shpae"; it has name, dtype',
    ],
    ['{"toString":1}', 'RunMeta has no field "toString"'],
    ['{"__proto__":1}', 'RunMeta has no field "__proto__"'],
    ['{"rid":"a","rid":"a"}', 'line 1, column 12: "rid" is there twice'],
    ['{"sampleStats":[],"sample_stats":[]}', '"sample_stats" is there twice'],
    ['{"attributes":{"a":{},"\\u0061":{}}}', '"a" is there twice'],
    ['{"attributes":{"a":{"structValue":{"b":1,"b":2}}}}', '"b" is there twice'],
    ['{"attributes":{"a":null}}', 'expected ExtendedValue, found null'],
    ['{"attributes":{"a":{"numberValue":1,"stringValue":"b"}}}', 'line 1, column 37: this is the second kind of one'],
    ['{"attributes":{"a":{"nullValue":null,"boolValue":true}}}', 'second kind'],
    ['{"attributes":{"a":{"nullValue":"null"}}}', 'only value of NullValue'],
    ['{"attributes":{"a":{"nullValue":1}}}', 'only value of NullValue'],
    ['{"attributes":{"a":{"numberValue":1e999}}}', 'beyond the largest double'],
    ['{"attributes":{"a":{"numberValue":"1e999"}}}', 'beyond the largest double'],
    ['{"attributes":{"a":{"numberValue":""}}}', 'expected a number'],
    ['{"attributes":{"a":{"numberValue":" 1"}}}', 'expected a number'],
    ['{"attributes":{"a":{"numberValue":"infinity"}}}', 'expected a number'],
    ['{"attributes":{"a":{"boolValue":"true"}}}', 'expected true or false'],
    ['{"attributes":{"a":{"boolValue":1}}}', 'expected true or false'],
    ['{"attributes":{"a":{"structValue":[]}}}', 'expected an object'],
    ['{"attributes":{"a":{"listValue":{}}}}', 'expected a list'],
    ['{"attributes":{"a":{"structValue":{"b":1e999}}}}', 'beyond the largest double'],
    ['{"variables":[null]}', 'expected Variable, found null'],
    ['{"variables":[{"dims":[null]}]}', 'expected a string'],
    ['{"variables":[{"shape":[null]}]}', 'expected a string'],
    ['{"variables":[{"shape":[1.5]}]}', 'expected an integer of 64 bits'],
    ['{"variables":[{"shape":["0x1"]}]}', 'expected a number'],
    ['{"variables":[{"shape":[9223372036854775808]}]}', 'expected an integer of 64 bits'],
    ['{"variables":{}}', 'expected a list'],
    ['{"coordinates":[{"values":{"data":"A"}}]}', 'base64'],
    ['{"coordinates":[{"values":{"data":"AA="}}]}', 'base64'],
    ['{"coordinates":[{"values":{"data":"A A="}}]}', 'base64'],
    ['{"coordinates":[{"values":{"data":"===="}}]}', 'base64'],
  ])('%s', (text, detail) => {
    const error = refusal(text)
    expect(error.message).toContain(detail)
    expect(error.code).toBe('invalid_json')
    expect(error.message).toMatch(/^line \d+, column \d+: /)
  })

  test.each([
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00',
    '2026-01-01t00:00:00z',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00.1234567890Z',
    '0000-12-31T23:59:59Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '10000-01-01T00:00:00Z',
  ])('the timestamp %s', (text) => {
    expect(refusal(`{"attributes":{"a":{"timestampValue":"${text}"}}}`).message).toContain('expected a timestamp')
  })

  test.each(['1', '1 s', '.5s', '1.s', '+1s', '1.1234567890s', '315576000001s', '-315576000001s', 's', '1e3s', ''])(
    'the duration %s',
    (text) => {
      expect(refusal(`{"attributes":{"a":{"durationValue":"${text}"}}}`).message).toContain('expected a duration')
    },
  )

  test('nesting, in text and in messages', () => {
    const lists = (n: number) => `{"attributes":{"a":{"listValue":${'['.repeat(n)}${']'.repeat(n)}}}}`
    const accepted = (text: string) => acceptRunMeta(bytesOf(text), 'r', DEFAULT_LIMITS)
    expect(refusal(`${'['.repeat(1_000_000)}`).message).toMatch(/^line 1, column 101: it is nested more than 100 deep/)
    expect(refusal(lists(98)).message).toContain('nested')
    // A message too deep for protobuf is no JSON of a RunMeta either, to the level.
    let deepest = 0
    for (let n = 1; n < 98; n++) {
      try {
        accepted(lists(n))
        deepest = n
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_json' })
      }
    }
    expect(deepest).toBeGreaterThan(40)
    const structs = (n: number) => `{"attributes":{"a":{"structValue":${'{"b":'.repeat(n)}1${'}'.repeat(n)}}}}`
    for (let n = 1; n < 98; n++) {
      try {
        accepted(structs(n))
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_json' })
      }
    }
  })

  test('too many fields, before they are built', () => {
    const values = new Array<string>(300_000).fill('0').join()
    expect(refusal(`{"attributes":{"a":{"listValue":[${values}]}}}`).code).toBe('invalid_run_meta')
    expect(refusal(`{"variables":[{"shape":[${values}]}]}`).code).toBe('invalid_run_meta')
  })
})

const text = fc.string({ unit: 'binary', maxLength: 8 })
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'kind', 'nullValue'))
const long = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -1, max: 9 }))
const ndarray = fc.record(
  {
    data: fc.uint8Array({ maxLength: 9 }),
    dtype: text,
    shape: fc.array(long, { maxLength: 3 }),
    strides: fc.array(long, { maxLength: 3 }),
    order: text,
  },
  { requiredKeys: [] },
)
const entries = <T>(value: fc.Arbitrary<T>) =>
  fc
    .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 4 })
    .map((all) => Object.fromEntries(all))

const { value } = fc.letrec<{ value: google.protobuf.Value.$Properties }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant({ nullValue: 0 as const }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((numberValue) => ({ numberValue })),
    text.map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ listValue: { values } })),
    entries(tie('value')).map((fields) => ({ structValue: { fields } })),
  ),
}))
const attribute: fc.Arbitrary<mcbackend.ExtendedValue.$Properties> = fc.oneof(
  value,
  fc.constant({}),
  fc.double().map((numberValue) => ({ numberValue })),
  fc
    .record({ seconds: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), nanos: fc.nat(999_999_999) })
    .map((timestampValue) => ({ timestampValue })),
  fc
    .record({ seconds: fc.nat(315_576_000_000), nanos: fc.nat(999_999_999), sign: fc.constantFrom(1, -1) })
    .map(({ seconds: s, nanos: n, sign }) => ({ durationValue: { seconds: s * sign, nanos: n * sign } })),
  ndarray.map((ndarrayValue) => ({ ndarrayValue })),
)
const variable = fc.record(
  {
    dtype: fc.constantFrom('float64', 'str', 'bool', 'int8'),
    shape: fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 3 }),
    dims: fc.array(text, { maxLength: 2 }),
    isDeterministic: fc.boolean(),
    undefinedNdim: fc.boolean(),
  },
  { requiredKeys: ['dtype'] },
)
const variables = fc
  .uniqueArray(fc.tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }), variable), {
    selector: ([name]) => name,
    maxLength: 3,
  })
  .map((all) => all.map(([name, rest]) => ({ ...rest, name })))
const meta: fc.Arbitrary<mcbackend.RunMeta.$Properties> = fc.record({
  variables,
  sampleStats: variables,
  coordinates: fc.array(fc.record({ name: text, values: ndarray }, { requiredKeys: [] }), { maxLength: 2 }),
  attributes: entries(attribute),
  data: fc.array(
    fc.record(
      { name: text, value: ndarray, dims: fc.array(text, { maxLength: 2 }), isObserved: fc.boolean() },
      { requiredKeys: [] },
    ),
    { maxLength: 2 },
  ),
})

/** The registered run as an answer in JSON has it, registered once more. */
function again(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return acceptRunMeta(bytesOf(jsonText(runMetaToJson(decodeRunMeta(bytes)))), 'r', DEFAULT_LIMITS).bytes
}

test('what an answer says in JSON registers as an equal run', () => {
  fc.assert(
    fc.property(meta, (given) => {
      const { bytes } = acceptRunMeta(encodeRunMeta(given), 'r', DEFAULT_LIMITS)
      expect(equalRunMeta(again(bytes), bytes)).toBe(true)
    }),
    { numRuns: 1000 },
  )
})

/** JSON has one NaN, of a newer schema only what this server knows, and null for a Value without a kind. */
const NOT_SAID = [
  'attributes-nan-negative',
  'attributes-nan-payload',
  'attributes-without-kind',
  'later-schema',
  'unknown-group',
]

/** The canonical JSON of a golden file as it is written there: JSON.parse would take the sign off −0. */
function canonicalText(name: string): string {
  const reader = new JsonReader(goldenFile(`runmeta/${name}.json`))
  for (let more = reader.beginObject(); more; more = reader.moreMembers()) {
    const isCanonical = reader.key() === 'canonical'
    const begin = reader.position
    atOnce(passValue(reader, new Pace(Number.POSITIVE_INFINITY)))
    if (isCanonical) return reader.text.slice(begin, reader.position)
  }
  throw new Error(`${name} has no canonical JSON`)
}

test("JSON of protobuf's own runtime registers as the run that it is of", () => {
  const different = goldenNames('runmeta').filter((name) => {
    const bytes = atOnce(runMetaOfJson(canonicalText(name)))
    return !equalRunMeta(bytes, goldenBytes(`runmeta/${name}`))
  })
  expect(different.sort()).toEqual(NOT_SAID)
})

test('the golden files register as equal runs', () => {
  const different: string[] = []
  for (const name of goldenNames('runmeta')) {
    const bytes = goldenBytes(`runmeta/${name}`)
    const own = decodeRunMeta(bytes)
    const second = atOnce(runMetaOfJson(jsonText(runMetaToJson(own))))
    if (!equalRunMeta(second, bytes)) different.push(name)
  }
  expect(different.sort()).toEqual(NOT_SAID)
})
