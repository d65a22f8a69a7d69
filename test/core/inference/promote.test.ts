/** The dtype that takes the values of several: NumPy's table, printed by `numpy.promote_types`. */
import { expect, test } from 'vitest'
import { bytesOf, type NumericDtype } from '../../../src/core/draws/dtype.ts'
import { convert, promoted } from '../../../src/core/inference/promote.ts'

const DTYPES: readonly NumericDtype[] = [
  'bool',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float32',
  'float64',
]

/** For each dtype, the one with each of `DTYPES`. */
const TABLE: { readonly [dtype: string]: string } = {
  bool: 'bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64',
  int8: 'int8 int8 int16 int32 int64 int16 int32 int64 float64 float32 float64',
  int16: 'int16 int16 int16 int32 int64 int16 int32 int64 float64 float32 float64',
  int32: 'int32 int32 int32 int32 int64 int32 int32 int64 float64 float64 float64',
  int64: 'int64 int64 int64 int64 int64 int64 int64 int64 float64 float64 float64',
  uint8: 'uint8 int16 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64',
  uint16: 'uint16 int32 int32 int32 int64 uint16 uint16 uint32 uint64 float32 float64',
  uint32: 'uint32 int64 int64 int64 int64 uint32 uint32 uint32 uint64 float64 float64',
  uint64: 'uint64 float64 float64 float64 float64 uint64 uint64 uint64 uint64 float64 float64',
  float32: 'float32 float32 float32 float64 float64 float32 float32 float64 float64 float32 float64',
  float64: 'float64 float64 float64 float64 float64 float64 float64 float64 float64 float64 float64',
}

test.each(DTYPES)('%s with each other', (dtype) => {
  expect(DTYPES.map((other) => promoted([dtype, other])).join(' ')).toBe(TABLE[dtype])
})

test('text takes text alone', () => {
  expect(promoted(['str', 'str', 'str'])).toBe('str')
  expect(promoted(['str', 'bool'])).toBeUndefined()
})

test('values stay what they are', () => {
  const whole = bytesOf(BigInt64Array.of(-1n, 2n ** 53n))
  expect(convert(whole, 'int64', 'float64')).toEqual(Float64Array.of(-1, 2 ** 53))
  expect(convert(Uint8Array.of(255, 1), 'uint8', 'int64')).toEqual(BigInt64Array.of(255n, 1n))
  expect(convert(Uint8Array.of(0, 1), 'bool', 'float32')).toEqual(Float32Array.of(0, 1))
})
