/**
 * Datatypes and dataspaces as HDF5 encodes them.
 *
 * https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html
 */

import { type Dtype, ITEM_SIZE } from '../../draws/dtype.ts'
import type { HeaderBytes } from './header-bytes.ts'

/** Bytes of an element that lies in a heap: its length, the heap's address, and its number there. */
export const REFERENCE_BYTES = 16

/** Version 1 of the encoding in the upper half of the first byte, the class in the lower. */
const INTEGER = 0x10
const FLOAT = 0x11
const TEXT = 0x13
const REFERENCE = 0x17
const VARIABLE_LENGTH = 0x19

/** In UTF-8, padded with NULs; or ended by one, as netCDF looks for in the marks of dimensions. */
const PADDED_UTF8 = 0x11
const ENDED_UTF8 = 0x10

export type Encoded = Uint8Array

const u16 = (value: number): number[] => [value & 255, value >>> 8]
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)]

function integer(size: number, sign: 'signed' | 'unsigned'): Encoded {
  return Uint8Array.of(INTEGER, sign === 'signed' ? 8 : 0, 0, 0, ...u32(size), ...u16(0), ...u16(size * 8))
}

export const INT8 = integer(1, 'signed')
export const INT32 = integer(4, 'signed')
export const INT64 = integer(8, 'signed')
export const UINT64 = integer(8, 'unsigned')
/** Sign at bit 63, exponent of 11 bits from 52, mantissa of 52 with a hidden first bit, bias 1023. */
export const FLOAT64 = Uint8Array.of(FLOAT, 0x20, 63, 0, ...u32(8), ...u16(0), ...u16(64), 52, 11, 0, 52, ...u32(1023))
export const FLOAT32 = Uint8Array.of(FLOAT, 0x20, 31, 0, ...u32(4), ...u16(0), ...u16(32), 23, 8, 0, 23, ...u32(127))

/** Text of a fixed number of bytes. */
export function fixedText(bytes: number): Encoded {
  return Uint8Array.of(TEXT, PADDED_UTF8, 0, 0, ...u32(bytes))
}

/** Text of a fixed number of bytes, of which the last is NUL. */
export function endedText(bytes: number): Encoded {
  return Uint8Array.of(TEXT, ENDED_UTF8, 0, 0, ...u32(bytes))
}

/** Text of any length, in UTF-8. */
export const TEXTS = Uint8Array.of(VARIABLE_LENGTH, 1, 1, 0, ...u32(REFERENCE_BYTES), TEXT, ENDED_UTF8, 0, 0, ...u32(1))
/** Any number of references to objects. */
export const OBJECTS = Uint8Array.of(VARIABLE_LENGTH, 0, 0, 0, ...u32(REFERENCE_BYTES), REFERENCE, 0, 0, 0, ...u32(8))

/** The datatype of elements; a bool is an int8, as NetCDF has none. */
export function typeOf(dtype: Dtype): Encoded {
  switch (dtype) {
    case 'str':
      return TEXTS
    case 'bool':
      return INT8
    case 'float32':
      return FLOAT32
    case 'float64':
      return FLOAT64
    case 'int64':
      return INT64
    default:
      return integer(ITEM_SIZE[dtype], dtype.startsWith('u') ? 'unsigned' : 'signed')
  }
}

/** Bytes of a dataspace of so many axes. */
export function spaceSize(axes: number): number {
  return 4 + 8 * axes
}

/** A dataspace; without axes that of a scalar. */
export function writeSpace(to: HeaderBytes, shape: readonly number[]): void {
  to.u8(2, shape.length, 0, shape.length === 0 ? 0 : 1)
  for (const size of shape) to.u64(size)
}
