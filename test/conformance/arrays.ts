/** Arrays for tests: made from numbers or from a seed, joined to columns, and compared bit by bit. */
import { expect } from 'vitest'
import { type NdArray, numericArray } from '../../src/core/draws/ndarray.ts'
import type { Draws } from '../../src/core/interfaces.ts'

/** Bytes of one element, as docs/protocol.md §1 has them; written down here and not taken from the code under test. */
export const ITEM_BYTES = {
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
} as const

export type Numeric = keyof typeof ITEM_BYTES
export type AnyDtype = Numeric | 'str'
export const NUMERIC: readonly Numeric[] = [
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

export function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1)
}

/** Little-endian bytes of an element. */
function put(view: DataView, at: number, dtype: Numeric, value: number | bigint): void {
  if (dtype === 'int64') view.setBigInt64(at, BigInt(value), true)
  else if (dtype === 'uint64') view.setBigUint64(at, BigInt(value), true)
  else if (dtype === 'float64') view.setFloat64(at, Number(value), true)
  else if (dtype === 'float32') view.setFloat32(at, Number(value), true)
  else if (ITEM_BYTES[dtype] === 4) view.setUint32(at, Number(value), true)
  else if (ITEM_BYTES[dtype] === 2) view.setUint16(at, Number(value), true)
  else view.setUint8(at, Number(value))
}

export function numbers(dtype: Numeric, shape: readonly number[], values: readonly (number | bigint)[]): NdArray {
  const size = ITEM_BYTES[dtype]
  const view = new DataView(new ArrayBuffer(values.length * size))
  values.forEach((value, i) => {
    put(view, i * size, dtype, value)
  })
  return numericArray(dtype, shape, new Uint8Array(view.buffer))
}

/** float64, the dtype of most tests. */
export function floats(shape: readonly number[], values: readonly number[]): NdArray {
  return numbers('float64', shape, values)
}

export function texts(shape: readonly number[], values: readonly string[]): NdArray {
  return { dtype: 'str', shape, data: [...values] }
}

/** Bits as they are, for values that no number can express. */
export function fromBits(dtype: Numeric, shape: readonly number[], bits: readonly bigint[]): NdArray {
  const size = ITEM_BYTES[dtype]
  const bytes = new Uint8Array(bits.length * size)
  bits.forEach((word, i) => {
    for (let k = 0; k < size; k++) bytes[i * size + k] = Number((word >> BigInt(8 * k)) & 0xffn)
  })
  return numericArray(dtype, shape, bytes)
}

/** A generator of 32-bit words (mulberry32), so that what was written can be computed again. */
export function randomWords(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return (word ^ (word >>> 14)) >>> 0
  }
}

const WORDS = [
  '',
  'a',
  'mu',
  'μ',
  '😀',
  '\u0000',
  '\ufeffx',
  'two words',
  'e\u0301',
  '\u{10ffff}',
  'line\nline',
  'é'.repeat(90),
]

/** Names of kinds of values that a client lacks: `nul`, `int64`, `nan-payload` (conformance/drivers/README.md). */
export type Lacks = Pick<ReadonlySet<string>, 'has'>
export const NOTHING: Lacks = new Set()

/** Any bits that the dtype has, but for those that are lacked: floats include NaN payloads, infinities and subnormals. */
export function randomArray(
  word: () => number,
  dtype: AnyDtype,
  shape: readonly number[],
  lacks: Lacks = NOTHING,
): NdArray {
  const count = product(shape)
  if (dtype === 'str')
    return texts(
      shape,
      Array.from({ length: count }, () => WORDS[word() % WORDS.length] ?? '').map((text) =>
        lacks.has('nul') ? text.replaceAll('\u0000', '0') : text,
      ),
    )
  const bytes = new Uint8Array(count * ITEM_BYTES[dtype])
  for (let i = 0; i < bytes.length; i++) bytes[i] = dtype === 'bool' ? word() & 1 : word()
  withoutLacked(bytes, dtype, lacks)
  return numericArray(dtype, shape, bytes)
}

/** Puts values that a client has in the place of those that it lacks. */
function withoutLacked(bytes: Uint8Array<ArrayBuffer>, dtype: Numeric, lacks: Lacks): void {
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < bytes.length; at += ITEM_BYTES[dtype]) {
    // The integers that are left have 53 bits.
    if (lacks.has('int64') && (dtype === 'int64' || dtype === 'uint64')) bytes.fill(0, at + 6, at + 8)
    if (!lacks.has('nan-payload')) continue
    if (dtype === 'float64' && Number.isNaN(view.getFloat64(at, true))) view.setBigUint64(at, 0x7ff8000000000000n, true)
    if (dtype === 'float32' && Number.isNaN(view.getFloat32(at, true))) view.setUint32(at, 0x7fc00000, true)
  }
}

function bytesIn(array: NdArray): Uint8Array {
  if (array.dtype === 'str') throw new TypeError('strings have no bytes')
  return new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength)
}

/** Columns by name, whatever their layouts. */
export function named(...columns: readonly (readonly [string, Draws])[]): Map<string, Draws> {
  return new Map(columns)
}

/** Draws of one shape, one behind the other: an array of shape `[draws, ...shape]`. */
export function stack(dtype: AnyDtype, shape: readonly number[], draws: readonly NdArray[]): NdArray {
  const whole = [draws.length, ...shape]
  if (dtype === 'str') {
    return texts(
      whole,
      draws.flatMap((draw) => (draw.dtype === 'str' ? draw.data : [])),
    )
  }
  const bytes = new Uint8Array(product(whole) * ITEM_BYTES[dtype])
  let offset = 0
  for (const draw of draws) {
    bytes.set(bytesIn(draw), offset)
    offset += bytesIn(draw).length
  }
  return numericArray(dtype, whole, bytes)
}

/** Index of the first byte or string that differs; -1 when none does. */
function firstDifference(a: ArrayLike<unknown>, b: ArrayLike<unknown>): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i
  return -1
}

/** One array is the other: dtype, shape, and every bit. */
export function expectSameArray(actual: NdArray | undefined, expected: NdArray): void {
  expect({ dtype: actual?.dtype, shape: actual && [...actual.shape] }).toEqual({
    dtype: expected.dtype,
    shape: [...expected.shape],
  })
  if (actual === undefined) return
  const difference =
    actual.dtype === 'str' || expected.dtype === 'str'
      ? firstDifference(actual.data, expected.data)
      : firstDifference(bytesIn(actual), bytesIn(expected))
  expect(difference, `first difference of a ${expected.dtype} array of shape [${expected.shape}]`).toBe(-1)
}

/** Draws are the other ones: an array where the shape is fixed, else a list, and every bit. */
export function expectSameDraws(actual: Draws, expected: Draws): void {
  if (isList(expected)) {
    expect(isList(actual), 'a list of draws').toBe(true)
    if (!isList(actual)) return
    expect(actual.length).toBe(expected.length)
    expected.forEach((draw, i) => {
      expectSameArray(actual[i], draw)
    })
    return
  }
  expect(isList(actual), 'one array of all draws').toBe(false)
  if (!isList(actual)) expectSameArray(actual, expected)
}

export function isList(draws: Draws): draws is readonly NdArray[] {
  return Array.isArray(draws)
}
