/** Attributes of groups and variables in the forms that NetCDF has for them. */

import { bytesOf } from '../../draws/dtype.ts'
import type { NdArray } from '../../draws/ndarray.ts'
import type { Attributes, AttributeValue } from '../../inference/tree.ts'
import { type Reference, writeReference } from './heaps.ts'
import { MESSAGE_BYTES, type ObjectHeaders } from './messages.ts'
import { type Encoded, FLOAT64, fixedText, INT64, REFERENCE_BYTES, TEXTS, typeOf, UINT64 } from './types.ts'

/** An attribute whose data are known. */
export interface PreparedAttribute {
  readonly name: string
  readonly type: Encoded
  readonly shape: readonly number[]
  /** Bytes, or texts that a heap holds. */
  readonly data: Uint8Array | readonly Uint8Array[]
}

/** Bytes of a name at most; what has a longer one is left out. */
const NAME_BYTES = 4096
/** Bytes that lie beside the name in a message; what is larger lies in a heap, or becomes text. */
const DIRECT_BYTES = MESSAGE_BYTES - NAME_BYTES - 256

const encoder = new TextEncoder()

/** Names by which readers know how variables hang together. */
const RESERVED: ReadonlySet<string> = new Set([
  'CLASS',
  'NAME',
  'REFERENCE_LIST',
  'DIMENSION_LIST',
  '_Netcdf4Dimid',
  '_Netcdf4Coordinates',
  '_NCProperties',
  '_nc3_strict',
])

export function prepared(attributes: Attributes): PreparedAttribute[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    const isName = name !== '' && !RESERVED.has(name) && encoder.encode(name).length <= NAME_BYTES
    return isName ? [prepare(name, value)] : []
  })
}

function prepare(name: string, value: AttributeValue): PreparedAttribute {
  if (typeof value === 'string') return text(name, value)
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    return { name, type: FLOAT64, shape: [], data: bytesOf(Float64Array.of(value)) }
  }
  if (typeof value === 'number' || typeof value === 'bigint') return integer(name, BigInt(value))
  return isArray(value) ? array(name, value) : texts(name, value)
}

function isArray(value: readonly string[] | NdArray): value is NdArray {
  return 'dtype' in value
}

/** A text; nothing becomes one NUL, since no type has no bytes. */
function text(name: string, value: string): PreparedAttribute {
  const bytes = encoder.encode(value === '' ? '\0' : value)
  if (bytes.length > DIRECT_BYTES) return { name, type: TEXTS, shape: [], data: [bytes] }
  return { name, type: fixedText(bytes.length), shape: [], data: bytes }
}

function texts(name: string, values: readonly string[]): PreparedAttribute {
  if (values.length * REFERENCE_BYTES > DIRECT_BYTES) return text(name, JSON.stringify(values))
  const data = values.map((value) => encoder.encode(value === '' ? '\0' : value))
  return { name, type: TEXTS, shape: [values.length], data }
}

function integer(name: string, value: bigint): PreparedAttribute {
  if (BigInt.asIntN(64, value) === value) {
    return { name, type: INT64, shape: [], data: bytesOf(BigInt64Array.of(value)) }
  }
  if (BigInt.asUintN(64, value) === value) {
    return { name, type: UINT64, shape: [], data: bytesOf(BigUint64Array.of(value)) }
  }
  return text(name, String(value))
}

/** Numbers as they are; very many as text, as all that NetCDF's attributes have no place for. */
function array(name: string, value: NdArray): PreparedAttribute {
  if (value.dtype === 'str') return texts(name, value.data)
  if (value.data.byteLength > DIRECT_BYTES) return text(name, `[${value.data.join(', ')}]`)
  return { name, type: typeOf(value.dtype), shape: [value.data.length], data: bytesOf(value.data) }
}

/** The texts of attributes that lie in a heap. */
export function heapTexts(attributes: readonly PreparedAttribute[]): readonly Uint8Array[] {
  return attributes.flatMap(({ data }) => (data instanceof Uint8Array ? [] : data))
}

/** Writes attributes; `places` gives those of their texts in the heap, in the order of `heapTexts`. */
export function writeAttributes(
  headers: ObjectHeaders,
  attributes: readonly PreparedAttribute[],
  places: Iterator<Reference>,
): void {
  for (const { name, type, shape, data } of attributes) {
    headers.attribute(name, type, shape, () => {
      if (data instanceof Uint8Array) return headers.to.raw(data)
      for (let i = 0; i < data.length; i++) {
        const { value, done } = places.next()
        if (done !== true) writeReference(headers.to, value)
      }
    })
  }
}
