/** RunMeta at the border: the rid that is filled in, limits, and when two are equal as messages. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import {
  acceptRunMeta,
  decodeRunMeta,
  encodeRunMeta,
  equalRunMeta,
  isChainNumber,
  isRunId,
  type mcbackend,
  parseRunMeta,
} from '../../src/core/wire/run-meta.ts'
import { goldenBytes, goldenNames } from './golden.ts'

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** Pairs of messages as bytes, which a table of fields and tags says more plainly than any builder. */
const EQUAL: readonly (readonly [string, string, string])[] = [
  ['field order', '0a0172 1a030a0161', '1a030a0161 0a0172'],
  ['packed and unpacked numbers', '1a07 0a0161 1a020203', '1a07 0a0161 1802 1803'],
  ['a default that is written', '1a05 0a0161 2800', '1a03 0a0161'],
  ['map order', '2a070a0161 12022001 2a070a0162 12022000', '2a070a0162 12022000 2a070a0161 12022001'],
  ['a map key twice, the last one counts', '2a070a0161 12022001 2a070a0161 12022000', '2a070a0161 12022000'],
  ['an entry without a value and one with an empty value', '2a030a0161', '2a050a0161 1200'],
  ['two members of a oneof, the last one counts', '2a0a0a0161 1205 2001 1a0178', '2a080a0161 1203 1a0178'],
  ['a message in two parts', '220a 1203 0a0131 1203 120169', '2208 1206 0a0131 120169'],
  ['fields of a newer schema in another order', '1a030a0161 7801 800102', '800102 1a030a0161 7801'],
  ['and within a message', '1a08 0a0161 7801 800102', '1a08 800102 0a0161 7801'],
  ['a bool of another byte', '1a05 0a0161 2802', '1a05 0a0161 2801'],
  [
    'Struct order',
    '2a13 0a0161 120e 2a0c 0a05 0a0162 1200 0a03 0a0163',
    '2a13 0a0161 120e 2a0c 0a03 0a0163 0a05 0a0162 1200',
  ],
]

const DIFFERENT: readonly (readonly [string, string, string])[] = [
  ['the order of variables', '1a030a0161 1a030a0162', '1a030a0162 1a030a0161'],
  ['0 and −0', '2a0e0a0161 1209 110000000000000000', '2a0e0a0161 1209 110000000000000080'],
  ['NaN of other bits', '2a0e0a0161 1209 11010000000000f87f', '2a0e0a0161 1209 11000000000000f87f'],
  ['NaN of another sign', '2a0e0a0161 1209 11000000000000f8ff', '2a0e0a0161 1209 11000000000000f87f'],
  ['members of a oneof at their defaults', '2a070a0161 12022000', '2a070a0161 12021a00'],
  ['no kind and a default', '2a050a0161 1200', '2a070a0161 12022000'],
  ['an absent message and an empty one', '22030a0161', '22050a0161 1200'],
  ['integers beyond 2^53', '220d120b 1a09 808080808080801000', '220d120b 1a09 818080808080801000'],
  ['a field of a newer schema', '1a030a0161', '1a030a0161 7801'],
  ['fields of a newer schema', '1a030a0161 7802', '1a030a0161 7801'],
  ['the order of a repeated field of a newer schema', '1a030a0161 7801 7802', '1a030a0161 7802 7801'],
  ['a field of a newer schema within a message', '1a030a0161', '1a050a0161 7801'],
]

describe('equal as messages', () => {
  test.each(EQUAL)('%s', (_what, a, b) => {
    expect(equalRunMeta(bytesOf(a), bytesOf(b))).toBe(true)
    expect(equalRunMeta(bytesOf(b), bytesOf(a))).toBe(true)
  })

  test.each(DIFFERENT)('not: %s', (_what, a, b) => {
    expect(equalRunMeta(bytesOf(a), bytesOf(b))).toBe(false)
    expect(equalRunMeta(bytesOf(b), bytesOf(a))).toBe(false)
    expect(equalRunMeta(bytesOf(a), bytesOf(a))).toBe(true)
  })

  test('attributes in any order', () => {
    const value = fc.oneof(
      fc.double().map((numberValue) => ({ numberValue })),
      fc.string().map((stringValue) => ({ stringValue })),
      fc.boolean().map((boolValue) => ({ boolValue })),
    )
    const attributes = fc.uniqueArray(fc.tuple(fc.string(), value), { selector: ([key]) => key, maxLength: 8 })
    const shuffled = attributes.chain((entries) =>
      fc.tuple(fc.constant(entries), fc.shuffledSubarray(entries, { minLength: entries.length })),
    )
    const encode = (entries: readonly (readonly [string, mcbackend.ExtendedValue.$Properties])[]) =>
      encodeRunMeta({ rid: 'r', attributes: Object.fromEntries(entries) })
    fc.assert(
      fc.property(shuffled, ([entries, others]) => {
        expect(equalRunMeta(encode(entries), encode(others))).toBe(true)
        if (entries.length > 0) expect(equalRunMeta(encode(entries), encode(entries.slice(1)))).toBe(false)
      }),
    )
  })

  test('no two golden messages are equal but those that belong together', () => {
    const names = goldenNames('runmeta')
    const pairs = names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b] as const))
    const equal = pairs.filter(([a, b]) => equalRunMeta(goldenBytes(`runmeta/${a}`), goldenBytes(`runmeta/${b}`)))
    expect(equal).toEqual([['eight-schools', 'eight-schools-reordered']])
  })
})

describe('the rid', () => {
  const variables = '1a0c0a0178 1207 666c6f61743634'

  test.each([
    ['absent', variables],
    ['empty', `0a00 ${variables}`],
    ['empty, and at the end', `${variables} 0a00`],
  ])('is filled in where it is %s', (_what, hex) => {
    const { bytes, meta } = acceptRunMeta(bytesOf(hex), 'run-1', DEFAULT_LIMITS)
    expect(Buffer.from(bytes).toString('hex')).toBe(`0a0572756e2d31${variables}`.replaceAll(' ', ''))
    expect(meta.rid).toBe('run-1')
    expect(decodeRunMeta(bytes).rid).toBe('run-1')
  })

  test('is left where it is, with all other bytes', () => {
    const hex = `7801 ${variables} 0a0572756e2d31 7a0161`
    const { bytes } = acceptRunMeta(bytesOf(hex), 'run-1', DEFAULT_LIMITS)
    expect(Buffer.from(bytes).toString('hex')).toBe(hex.replaceAll(' ', ''))
  })

  test('must be that of the address', () => {
    const bytes = encodeRunMeta({ rid: 'run-1' })
    expect(() => acceptRunMeta(bytes, 'run-2', DEFAULT_LIMITS)).toThrow(
      expect.objectContaining({ code: 'invalid_run_meta' }),
    )
  })

  test('has 1 to 128 characters of some, and is no dots', () => {
    for (const rid of ['a', 'A-Z_a.z~09', '...', '.a', '-', '~', 'x'.repeat(128)]) expect(isRunId(rid), rid).toBe(true)
    for (const rid of ['', '.', '..', 'a/b', 'a b', 'a\n', 'ä', '%41', 'a:b', 'x'.repeat(129)]) {
      expect(isRunId(rid), rid).toBe(false)
    }
    for (const chain of [0, 1, 2 ** 31 - 1]) expect(isChainNumber(chain)).toBe(true)
    for (const chain of [-1, 2 ** 31, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(isChainNumber(chain)).toBe(false)
  })
})

describe('limits', () => {
  const columns = (variables: number, stats: number) =>
    encodeRunMeta({
      rid: 'r',
      variables: Array.from({ length: variables }, (_, i) => ({ name: `v${i}`, dtype: 'int8' })),
      sampleStats: Array.from({ length: stats }, (_, i) => ({ name: `v${i}`, dtype: 'int8' })),
    })

  test('what a message takes grows with its bytes and with its fields', () => {
    const weight = (meta: mcbackend.RunMeta.$Properties) => parseRunMeta(encodeRunMeta(meta), DEFAULT_LIMITS).weight
    const attribute = (length: number) => ({ attributes: { a: { stringValue: 'x'.repeat(length) } } })
    expect(weight(attribute(100_000)) - weight(attribute(1))).toBeGreaterThanOrEqual(99_999)
    const few = parseRunMeta(columns(10, 0), DEFAULT_LIMITS)
    expect(few.weight).toBeGreaterThan(10 * few.bytes.length)
  })

  test('10,000 variables and stats together', () => {
    expect(parseRunMeta(columns(6000, 4000), DEFAULT_LIMITS).schema.columns).toHaveLength(10_000)
    expect(() => parseRunMeta(columns(6000, 4001), DEFAULT_LIMITS)).toThrow(
      expect.objectContaining({ code: 'invalid_run_meta', fields: { limit: 10_000 } }),
    )
  })

  test('2^31 elements of a fixed shape', () => {
    const shaped = (shape: number[]) => encodeRunMeta({ rid: 'r', variables: [{ name: 'x', dtype: 'int8', shape }] })
    const elements = (shape: number[]) => parseRunMeta(shaped(shape), DEFAULT_LIMITS).schema.columns[0]
    expect(elements([2 ** 31])).toMatchObject({ elements: 2 ** 31 })
    expect(elements([2 ** 31, -1])).toMatchObject({ layout: 'ragged' })
    // A dimension of 0 leaves nothing in such an array, however large the others are.
    expect(elements([...new Array(40).fill(2 ** 31), 0])).toMatchObject({ elements: 0, stride: 0 })
    for (const shape of [[2 ** 31 + 1], [2 ** 16, 2 ** 16], [2 ** 31 + 1, 0], [2 ** 31, 2, -1], [2 ** 62]]) {
      expect(() => parseRunMeta(shaped(shape), DEFAULT_LIMITS), String(shape)).toThrow(
        expect.objectContaining({ code: 'invalid_run_meta', fields: { variable: 'x' } }),
      )
    }
  })

  test('what is nested without end is refused as malformed', () => {
    // A Struct in a Struct in a Struct: each level is two messages more.
    let value = new Uint8Array()
    for (let depth = 0; depth < 1000; depth++) {
      const wrap = (tag: number, inner: Uint8Array) => {
        const length = inner.length
        const prefix = length < 128 ? [length] : length < 16384 ? [(length % 128) | 128, length >> 7] : []
        if (prefix.length === 0) throw new Error('too long for this')
        return new Uint8Array([tag, ...prefix, ...inner])
      }
      if (value.length > 16000) break
      value = wrap(0x32, wrap(0x0a, value))
    }
    const inner = new Uint8Array([0x0a, 0x01, 0x61, 0x12, (value.length % 128) | 128, value.length >> 7, ...value])
    const body = new Uint8Array([0x2a, (inner.length % 128) | 128, inner.length >> 7, ...inner])
    expect(() => acceptRunMeta(body, 'r', DEFAULT_LIMITS)).toThrow(
      expect.objectContaining({ code: 'invalid_protobuf' }),
    )
  })
})
