/** Labels and data of metadata, as a tree has them. */
import { describe, expect, test } from 'vitest'
import { encodeNdArray } from '../../../src/core/draws/ndarray.ts'
import { describedOf, Labels } from '../../../src/core/inference/labels.ts'

const NOT_A_TIME = -(2n ** 63n)

function times(dtype: string, ...counts: bigint[]) {
  const array = { dtype: 'int64', shape: [counts.length], data: BigInt64Array.from(counts) } as const
  return { ...encodeNdArray(array), dtype }
}

describe('times', () => {
  test.each([
    ['datetime64[D]', 'days', [19_000n], [19_000n]],
    ['<M8[W]', 'days', [2n, NOT_A_TIME], [14n, NOT_A_TIME]],
    ['datetime64[M]', 'days', [-1n, 1n, 649n], [-31n, 31n, 19_754n]],
    ['datetime64[Y]', 'days', [-1n, 2n], [-365n, 730n]],
    ['datetime64[25s]', 'seconds', [2n], [50n]],
    ['datetime64[ns]', 'nanoseconds', [-1n], [-1n]],
    ['datetime64[ps]', 'nanoseconds', [1500n, -1500n], [1n, -2n]],
  ] as const)('of %s count %s', (dtype, unit, counts, expected) => {
    expect(describedOf(times(dtype, ...counts))).toEqual({
      array: { dtype: 'int64', shape: [counts.length], data: BigInt64Array.from(expected) },
      attributes: { units: `${unit} since 1970-01-01`, calendar: 'proleptic_gregorian' },
    })
  })

  test('beyond the years that readers know are text', () => {
    const described = describedOf(times('datetime64[Y]', 7000n, 0n, 10n ** 12n))
    expect(described?.array).toMatchObject({ dtype: 'str', data: ['8970', '1970', '1000000000000'] })
    expect(described?.attributes).toEqual({})
  })

  test('without a date are durations', () => {
    expect(describedOf(times('timedelta64[ms]', 5n))).toMatchObject({
      array: { data: BigInt64Array.of(5n) },
      attributes: { units: 'milliseconds', dtype: 'timedelta64[ms]' },
    })
  })

  test('of no unit that is known are nothing', () => {
    expect(describedOf(times('datetime64[fortnight]', 5n))).toBeUndefined()
    expect(describedOf(times('datetime64[constructor]', 5n))).toBeUndefined()
  })
})

test('half floats and bytes have a place, complex numbers have none', () => {
  const halves = { dtype: 'float16', shape: [4], data: Uint8Array.of(0x00, 0x3c, 0x00, 0xfc, 0x01, 0x00, 0x00, 0x7e) }
  expect(describedOf(halves)?.array).toEqual({
    dtype: 'float32',
    shape: [4],
    data: Float32Array.of(1, -Infinity, 2 ** -24, NaN),
  })
  const bytes = { dtype: '|S3', shape: [2], data: new TextEncoder().encode('a\0\0é\0') }
  expect(describedOf(bytes)?.array).toMatchObject({ dtype: 'str', data: ['a', 'é'] })
  expect(describedOf({ dtype: 'complex128', shape: [1], data: new Uint8Array(16) })).toBeUndefined()
})

describe('labels', () => {
  const text = (shape: readonly number[], ...data: string[]) => encodeNdArray({ dtype: 'str', shape, data })

  test('of a table are a text each', () => {
    expect(new Labels(text([2, 2], 'a', '1', 'b', '2')).described?.array).toMatchObject({
      shape: [2],
      data: ['a, 1', 'b, 2'],
    })
    const numbers = encodeNdArray({ dtype: 'float64', shape: [2, 2], data: Float64Array.of(1, 0.5, 2, 3) })
    expect(new Labels(numbers).described?.array).toMatchObject({ data: ['1.0, 0.5', '2.0, 3.0'] })
  })

  test('without an axis are one', () => {
    const labels = new Labels(text([], 'a'))
    expect(labels.length).toBe(1)
    expect(labels.described?.array).toMatchObject({ shape: [1], data: ['a'] })
  })

  test('that cannot be read are none, and a length that is made up costs nothing', () => {
    expect(new Labels({ ...text([2], 'a', 'b'), shape: [2 ** 40] }).described).toBeUndefined()
    expect(new Labels({ dtype: 'float64', shape: [2 ** 40, 0], data: new Uint8Array() }).described).toBeUndefined()
    expect(new Labels({}).described).toBeUndefined()
  })
})
