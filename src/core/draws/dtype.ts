/** The dtypes of variables, and the typed arrays that hold them. */

/** Bytes of one element; `str` has none of its own. */
export const ITEM_SIZE = {
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

export type NumericDtype = keyof typeof ITEM_SIZE
export type Dtype = NumericDtype | 'str'

export function isNumericDtype(name: string): name is NumericDtype {
  return Object.hasOwn(ITEM_SIZE, name)
}

export function isDtype(name: string): name is Dtype {
  return name === 'str' || isNumericDtype(name)
}

/** The array that holds the elements of a dtype; a bool is one byte, 0 or 1. */
export interface ArrayOf {
  bool: Uint8Array<ArrayBuffer>
  int8: Int8Array<ArrayBuffer>
  int16: Int16Array<ArrayBuffer>
  int32: Int32Array<ArrayBuffer>
  int64: BigInt64Array<ArrayBuffer>
  uint8: Uint8Array<ArrayBuffer>
  uint16: Uint16Array<ArrayBuffer>
  uint32: Uint32Array<ArrayBuffer>
  uint64: BigUint64Array<ArrayBuffer>
  float32: Float32Array<ArrayBuffer>
  float64: Float64Array<ArrayBuffer>
  str: string[]
}

export type NumericArray = ArrayOf[NumericDtype]

type Constructors = {
  [D in NumericDtype]: {
    new (length: number): ArrayOf[D]
    new (buffer: ArrayBuffer, byteOffset?: number, length?: number): ArrayOf[D]
  }
}

export const TYPED_ARRAYS: Constructors = {
  bool: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
}

/** A typed array on `bytes` where their alignment allows it, else on a copy. */
export function viewAs<D extends NumericDtype>(dtype: D, bytes: Uint8Array<ArrayBuffer>): ArrayOf[D] {
  const size = ITEM_SIZE[dtype]
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice()
  return new TYPED_ARRAYS[dtype](aligned.buffer, aligned.byteOffset, aligned.byteLength / size)
}

/** The bytes of a typed array, as a view. */
export function bytesOf(array: NumericArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
