/** Conversions between stored segments and the arrays of users. */

import { McbError } from '../errors.ts'
import type { Draws, Value } from '../interfaces.ts'
import { concatBytes, decodeUtf8 } from '../wire/protobuf.ts'
import type { ColumnSpec } from './columns.ts'
import { fitsShape } from './columns.ts'
import { bytesOf, type NumericDtype, viewAs } from './dtype.ts'
import type { ElementRanges, RigidColumn } from './elements.ts'
import { type NdArray, numericArray, sizeOf } from './ndarray.ts'
import { type Bytes, joinSegments, type Parts, packSegment, unpackSegment } from './segment.ts'

const encoder = new TextEncoder()

/** The draws of some neighbouring segments of one column. */
export function drawsOf(spec: ColumnSpec, blocks: readonly { data: Bytes; count: number }[]): Draws {
  const count = blocks.reduce((n, b) => n + b.count, 0)
  if (count === 0) return emptyDraws(spec)
  return valuesOf(spec, unpackSegment(spec, joinSegments(spec, blocks), count), count)
}

/** The draws that the parts of a segment hold. */
export function valuesOf(spec: ColumnSpec, parts: Parts, count: number): Draws {
  if (spec.kind === 'rigid-numbers') return numericArray(spec.dtype, [count, ...spec.shape], parts.payload)
  if (spec.kind === 'rigid-strings') return { dtype: 'str', shape: [count, ...spec.shape], data: textsOf(parts) }
  return raggedDraws(spec, parts, count)
}

function emptyDraws(spec: ColumnSpec): Draws {
  if (spec.layout === 'ragged') return []
  if (spec.dtype === 'str') return { dtype: 'str', shape: [0, ...spec.shape], data: [] }
  return numericArray(spec.dtype, [0, ...spec.shape], new Uint8Array())
}

function raggedDraws(spec: ColumnSpec, { words, lengths, payload }: Parts, count: number): NdArray[] {
  const draws: NdArray[] = []
  const texts = spec.dtype === 'str' ? textsOf({ words, lengths, payload }) : []
  let word = 0
  let element = 0
  for (let i = 0; i < count; i++) {
    const ndim = words[word] ?? 0
    const shape = [...words.subarray(word + 1, word + 1 + ndim)]
    const size = sizeOf(shape)
    if (spec.dtype === 'str') draws.push({ dtype: 'str', shape, data: texts.slice(element, element + size) })
    else {
      const bytes = payload.slice(element * spec.itemSize, (element + size) * spec.itemSize)
      draws.push(numericArray(spec.dtype, shape, bytes))
    }
    word += 1 + ndim
    element += size
  }
  return draws
}

function textsOf({ lengths, payload }: Parts): string[] {
  const texts: string[] = []
  let offset = 0
  for (const length of lengths) {
    texts.push(decodeUtf8(payload, offset, offset + length))
    offset += length
  }
  return texts
}

/** One draw out of the draws of a column: an array of the shape of that draw. */
export function drawAt(spec: ColumnSpec, draws: Draws, index: number): NdArray {
  if (isDrawList(draws)) {
    const draw = draws[index]
    if (draw === undefined) throw new RangeError(`there is no draw ${index}`)
    return draw
  }
  const shape = draws.shape.slice(1)
  const size = sizeOf(shape)
  if (draws.dtype === 'str') return { dtype: 'str', shape, data: draws.data.slice(index * size, (index + 1) * size) }
  const bytes = bytesOf(draws.data)
  const width = draws.data.BYTES_PER_ELEMENT * size
  if (spec.dtype === 'str') throw new TypeError(`"${spec.name}" holds strings`)
  return numericArray(spec.dtype, shape, bytes.slice(index * width, (index + 1) * width))
}

/** Some elements of each draw of a rigid column: a vector of them a draw. */
export function selectElements(spec: RigidColumn, draws: NdArray, { ranges, count }: ElementRanges): NdArray {
  const [length = 0] = draws.shape
  const shape = [length, count]
  const places = function* () {
    for (let i = 0; i < length; i++) {
      for (const [from, to] of ranges) yield [i * spec.elements + from, i * spec.elements + to] as const
    }
  }
  if (draws.dtype === 'str') {
    return { dtype: 'str', shape, data: [...places()].flatMap(([from, to]) => draws.data.slice(from, to)) }
  }
  const width = draws.data.BYTES_PER_ELEMENT
  const bytes = bytesOf(draws.data)
  const picked = new Uint8Array(length * count * width)
  let at = 0
  for (const [from, to] of places()) {
    picked.set(bytes.subarray(from * width, to * width), at)
    at += (to - from) * width
  }
  return numericArray(draws.dtype, shape, picked)
}

export function isDrawList(draws: Draws): draws is readonly NdArray[] {
  return Array.isArray(draws)
}

/** The segment of draws that a user hands over. @throws McbError `dtype_mismatch`, `shape_mismatch` */
export function segmentOf(spec: ColumnSpec, draws: Draws, count: number): Bytes {
  if (spec.layout === 'ragged') {
    const list = isDrawList(draws) ? draws : Array.from({ length: count }, (_, i) => drawAt(spec, draws, i))
    requireCount(spec, [count], list.length)
    return packRagged(spec, list)
  }
  if (isDrawList(draws)) throw mismatch(spec, `expected one array of shape [${count},${spec.shape}], got a list`)
  requireDtype(spec, draws.dtype)
  const shape = [count, ...spec.shape]
  if (!fitsShape(shape, draws.shape))
    throw mismatch(spec, `expected shape [${shape}], got [${draws.shape}]`, shape, draws.shape)
  requireCount(spec, shape, draws.data.length)
  if (draws.dtype === 'str') return packTexts(spec, new Uint32Array(), draws.data)
  return bytesOf(draws.data)
}

function packRagged(spec: ColumnSpec, list: readonly NdArray[]): Bytes {
  for (const array of list) {
    requireDtype(spec, array.dtype)
    if (!fitsShape(spec.shape, array.shape)) {
      throw mismatch(spec, `expected shape [${spec.shape}], got [${array.shape}]`, spec.shape ?? [], array.shape)
    }
    if (array.data.length !== sizeOf(array.shape)) {
      throw mismatch(spec, `shape [${array.shape}] with ${array.data.length} elements`, array.shape, [
        array.data.length,
      ])
    }
  }
  // Not pushed as arguments: one draw may have more elements than a stack holds.
  const words = new Uint32Array(list.flatMap(({ shape }) => [shape.length, ...shape]))
  if (spec.dtype === 'str') {
    return packTexts(
      spec,
      words,
      list.flatMap((array) => (array.dtype === 'str' ? array.data : [])),
    )
  }
  const payload = concatBytes(list.flatMap((array) => (array.dtype === 'str' ? [] : [bytesOf(array.data)])))
  return packSegment(spec, { words, lengths: new Uint32Array(), payload })
}

function packTexts(spec: ColumnSpec, words: Uint32Array, texts: readonly string[]): Bytes {
  const encoded = texts.map((text) => {
    // An encoder would put U+FFFD in its place, and a reader would get another text than was written.
    if (!text.isWellFormed()) throw halfCharacter(spec)
    return encoder.encode(text)
  })
  const lengths = new Uint32Array(encoded.map((bytes) => bytes.length))
  return packSegment(spec, { words, lengths, payload: concatBytes(encoded) })
}

function halfCharacter(spec: ColumnSpec): McbError {
  const detail = `"${spec.name}": a text holds half a character (a lone surrogate), which UTF-8 cannot; make it with toWellFormed()`
  return new McbError('dtype_mismatch', detail, { variable: spec.name, expected: 'str', actual: 'string' })
}

function requireDtype(spec: ColumnSpec, dtype: string): void {
  if (dtype === spec.dtype) return
  throw new McbError('dtype_mismatch', `"${spec.name}": expected dtype ${spec.dtype}, got ${dtype}`, {
    variable: spec.name,
    expected: spec.dtype,
    actual: dtype,
  })
}

function requireCount(spec: ColumnSpec, shape: readonly number[], actual: number): void {
  const expected = sizeOf(shape)
  if (expected !== actual) throw mismatch(spec, `expected ${expected} elements, got ${actual}`, shape, [actual])
}

function mismatch(
  spec: ColumnSpec,
  what: string,
  expected: readonly number[] = [],
  actual: readonly number[] = [],
): McbError {
  return new McbError('shape_mismatch', `"${spec.name}": ${what}`, { variable: spec.name, expected, actual })
}

const ARRAY_DTYPES: readonly (readonly [abstract new (...args: never) => unknown, string])[] = [
  [Int8Array, 'int8'],
  [Int16Array, 'int16'],
  [Int32Array, 'int32'],
  [BigInt64Array, 'int64'],
  [Uint8Array, 'uint8'],
  [Uint16Array, 'uint16'],
  [Uint32Array, 'uint32'],
  [BigUint64Array, 'uint64'],
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
]

/** The array that a value of one draw stands for. A Uint8Array may hold bools; a number may be of any numeric dtype. */
export function arrayOf(spec: ColumnSpec, value: Value): NdArray {
  if (typeof value === 'object' && 'dtype' in value) return value
  const shape = typeof value === 'object' ? flatShape(spec, value.length) : []
  if (spec.dtype === 'str') return { dtype: 'str', shape, data: stringsOf(spec, value) }
  return numericArray(spec.dtype, shape, numbersOf(spec, spec.dtype, value))
}

type FlatValue = Exclude<Value, NdArray>

function stringsOf(spec: ColumnSpec, value: FlatValue): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value
  throw mismatchedValue(spec, value)
}

function numbersOf(spec: ColumnSpec, expected: NumericDtype, value: FlatValue): Bytes {
  if (typeof value === 'string' || Array.isArray(value)) throw mismatchedValue(spec, value)
  if (typeof value !== 'object') return scalarBytes(spec, expected, value)
  const dtype = ARRAY_DTYPES.find(([type]) => value instanceof type)?.[1]
  if (dtype !== expected && !(expected === 'bool' && dtype === 'uint8')) throw mismatchedValue(spec, value, dtype)
  return bytesOf(value)
}

/** The shape that a bare array of one draw has: the registered one, or one axis where that varies. */
function flatShape(spec: ColumnSpec, length: number): readonly number[] {
  return spec.layout === 'rigid' ? spec.shape : [length]
}

function scalarBytes(spec: ColumnSpec, dtype: NumericDtype, value: number | bigint | boolean): Bytes {
  const isBig = dtype === 'int64' || dtype === 'uint64'
  if ((dtype === 'bool') !== (typeof value === 'boolean') || (typeof value === 'bigint' && !isBig)) {
    throw mismatchedValue(spec, value)
  }
  const isFloat = dtype === 'float32' || dtype === 'float64'
  if (typeof value === 'number' && !isFloat && !Number.isInteger(value)) throw mismatchedValue(spec, value)
  const array = viewAs(dtype, new Uint8Array(8))
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) array[0] = BigInt(value)
  else array[0] = Number(value)
  // An integer beyond the dtype's range wraps around.
  if (!isFloat && array[0] !== undefined && BigInt(array[0]) !== BigInt(value)) throw mismatchedValue(spec, value)
  return bytesOf(array).slice(0, array.BYTES_PER_ELEMENT)
}

function mismatchedValue(spec: ColumnSpec, value: Value, dtype?: string): McbError {
  const actual = dtype ?? (Array.isArray(value) ? 'str' : typeof value)
  const detail = `"${spec.name}": expected ${spec.dtype}, got ${typeof value === 'object' ? actual : String(value)}`
  return new McbError('dtype_mismatch', detail, { variable: spec.name, expected: spec.dtype, actual })
}
