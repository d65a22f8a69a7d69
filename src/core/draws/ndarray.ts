/** Arrays with a shape, and their npproto wire form (docs/protocol.md §1). */

import { McbError } from '../errors.ts'
import { type ArrayOf, bytesOf, type Dtype, isNumericDtype, type NumericDtype, viewAs } from './dtype.ts'

/** An array in C order: `data.length` is the product of `shape`; `[]` is a scalar. */
export interface NdArrayOf<D extends Dtype> {
  readonly dtype: D
  readonly shape: readonly number[]
  readonly data: ArrayOf[D]
}

export type NdArray = { [D in Dtype]: NdArrayOf<D> }[Dtype]

/** `datetime64[*]` arrays travel as int64: `unit` is what stands between the brackets. */
export type LabelArray = NdArray & { readonly unit?: string }

/** An int64 as protobufjs gives it: a Long, which `Number` and `String` understand. */
export type Int64 = number | { readonly low: number; readonly high: number }

/** The wire form, as the generated message has it. */
export interface NdArrayMessage {
  data?: Uint8Array | null
  dtype?: string | null
  shape?: readonly Int64[] | null
  strides?: readonly Int64[] | null
  order?: string | null
}

/** The wire form, as this project writes it. */
export interface EncodedNdArray {
  data: Uint8Array<ArrayBuffer>
  dtype: string
  shape: number[]
  strides: number[]
  order: 'C'
}

/** Number of elements; 0 as soon as one dimension is, however large the others are. */
export function sizeOf(shape: ArrayLike<number>): number {
  let size = 1
  for (let axis = 0; axis < shape.length; axis++) {
    const n = shape[axis] ?? 0
    if (n === 0) return 0
    size *= n
  }
  return size
}

function numeric<D extends NumericDtype>(
  dtype: D,
  shape: readonly number[],
  bytes: Uint8Array<ArrayBuffer>,
): NdArrayOf<D> {
  return { dtype, shape, data: viewAs(dtype, bytes) }
}

/** An array of numbers of a dtype known only when running. */
export function numericArray(dtype: NumericDtype, shape: readonly number[], bytes: Uint8Array<ArrayBuffer>): NdArray {
  switch (dtype) {
    case 'bool':
      return numeric(dtype, shape, bytes)
    case 'int8':
      return numeric(dtype, shape, bytes)
    case 'int16':
      return numeric(dtype, shape, bytes)
    case 'int32':
      return numeric(dtype, shape, bytes)
    case 'int64':
      return numeric(dtype, shape, bytes)
    case 'uint8':
      return numeric(dtype, shape, bytes)
    case 'uint16':
      return numeric(dtype, shape, bytes)
    case 'uint32':
      return numeric(dtype, shape, bytes)
    case 'uint64':
      return numeric(dtype, shape, bytes)
    case 'float32':
      return numeric(dtype, shape, bytes)
    case 'float64':
      return numeric(dtype, shape, bytes)
  }
}

/** Fixed-width, little-endian UTF-32, padded with NULs, as NumPy's `<U…` stores strings. */
function decodeUtf32(bytes: Uint8Array, width: number, count: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const strings: string[] = []
  for (let i = 0; i < count; i++) {
    let text = ''
    let length = width
    while (length > 0 && view.getUint32((i * width + length - 1) * 4, true) === 0) length--
    for (let k = 0; k < length; k++) {
      const point = view.getUint32((i * width + k) * 4, true)
      if (point > 0x10ffff) throw new McbError('invalid_run_meta', `U+${point.toString(16)} is no code point`)
      text += String.fromCodePoint(point)
    }
    strings.push(text)
  }
  return strings
}

function encodeUtf32(strings: readonly string[]): { bytes: Uint8Array<ArrayBuffer>; width: number } {
  const points = strings.map((text) => Array.from(text, (char) => char.codePointAt(0) ?? 0))
  const width = points.reduce((most, p) => Math.max(most, p.length), 1)
  const view = new DataView(new ArrayBuffer(strings.length * width * 4))
  points.forEach((p, i) => {
    p.forEach((point, k) => {
      view.setUint32((i * width + k) * 4, point, true)
    })
  })
  return { bytes: new Uint8Array(view.buffer), width }
}

/**
 * Reads an npproto array by its `shape` alone: McBackend's writer puts memory strides and "F" beside C-ordered bytes.
 *
 * @throws McbError `invalid_run_meta` when dtype, shape and number of bytes do not fit together
 */
export function decodeNdArray(message: NdArrayMessage): LabelArray {
  const shape = (message.shape ?? []).map(Number)
  const dtype = message.dtype ?? ''
  const bytes = new Uint8Array(message.data ?? new Uint8Array())
  const count = sizeOf(shape)
  const fail = (why: string) => new McbError('invalid_run_meta', `array of dtype "${dtype}", shape [${shape}]: ${why}`)
  const unicode = /^<?U(\d+)$/.exec(dtype)
  if (unicode) {
    const width = Number(unicode[1])
    // Strings without width take no byte, so a shape could announce any number of them.
    if (bytes.length !== count * width * 4 || (width === 0 && count > 0)) throw fail(`${bytes.length} bytes`)
    return { dtype: 'str', shape, data: decodeUtf32(bytes, width, count) }
  }
  const unit = /^(?:datetime64|<M8)\[(.+)\]$/.exec(dtype)?.[1]
  const name = unit === undefined ? dtype : 'int64'
  if (!isNumericDtype(name)) throw fail('this dtype is not known')
  const array = numericArrayChecked(name, shape, bytes, count)
  if (array === undefined) throw fail(`${bytes.length} bytes`)
  return unit === undefined ? array : { ...array, unit }
}

function numericArrayChecked(
  dtype: NumericDtype,
  shape: readonly number[],
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
): NdArray | undefined {
  if (count === 0 && bytes.length === 0) return numericArray(dtype, shape, bytes)
  const size = bytes.length / count
  const array = Number.isInteger(size) ? numericArray(dtype, shape, bytes) : undefined
  return array !== undefined && array.data.length === count ? array : undefined
}

/** The npproto form of an array: C strides in bytes, and order "C". */
export function encodeNdArray(array: LabelArray): EncodedNdArray {
  const text = array.dtype === 'str' ? encodeUtf32(array.data) : undefined
  const bytes = text !== undefined ? text.bytes : array.dtype === 'str' ? new Uint8Array() : bytesOf(array.data)
  const item = text !== undefined ? text.width * 4 : array.dtype === 'str' ? 0 : array.data.BYTES_PER_ELEMENT
  const strides: number[] = []
  let stride = item
  for (let axis = array.shape.length - 1; axis >= 0; axis--) {
    strides.unshift(stride)
    stride *= array.shape[axis] ?? 1
  }
  const dtype =
    text !== undefined ? `<U${text.width}` : array.unit === undefined ? array.dtype : `datetime64[${array.unit}]`
  return { data: bytes, dtype, shape: [...array.shape], strides, order: 'C' }
}
