/** Element types of arrays that are written, and the values that stand for what was never written. */
import { type Dtype, ITEM_SIZE, isNumericDtype, type NumericDtype } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../json.ts'

export interface ElementType {
  /** Dtype of the elements as they are kept. */
  readonly dtype: Dtype
  /** Form of the elements in a chunk. */
  readonly form: 'numbers' | 'utf8' | 'utf32'
  /** Bytes of an element in a chunk; 0 where they differ. */
  readonly itemSize: number
  /** Unit of a time, as NumPy names it. */
  readonly unit?: string
  /** Type of a duration, which has no place among draws or coordinates. */
  readonly isDuration?: true
}

const TEXT_BYTES = 65_536
const UNITS = ['D', 'h', 'm', 's', 'ms', 'us', 'ns']

/** @throws McbError `unsupported_dtype` */
export function parseElementType(path: string, value: JsonValue | undefined): ElementType {
  if (typeof value === 'string') {
    if (isNumericDtype(value)) return { dtype: value, form: 'numbers', itemSize: ITEM_SIZE[value] }
    if (value === 'string') return { dtype: 'str', form: 'utf8', itemSize: 0 }
  }
  const named = isObject(value) ? namedType(value) : undefined
  if (named !== undefined) return named
  const name = typeof value === 'string' ? value : isObject(value) ? String(value.name) : typeof value
  const detail = `${path}: elements of type "${name}" have no place; write bools, integers, floats or strings`
  throw new McbError('unsupported_dtype', detail, { variable: variableOf(path) })
}

function namedType(value: JsonObject): ElementType | undefined {
  const configuration = value.configuration
  if (!isObject(configuration)) return undefined
  const length = configuration.length_bytes
  if (value.name === 'fixed_length_utf32') {
    const fits = typeof length === 'number' && length > 0 && length <= TEXT_BYTES && length % 4 === 0
    return fits ? { dtype: 'str', form: 'utf32', itemSize: length } : undefined
  }
  const unit = configuration.unit
  if (typeof unit !== 'string' || !UNITS.includes(unit) || configuration.scale_factor !== 1) return undefined
  if (value.name === 'numpy.datetime64') return { dtype: 'int64', form: 'numbers', itemSize: 8, unit }
  if (value.name === 'numpy.timedelta64') return { dtype: 'int64', form: 'numbers', itemSize: 8, isDuration: true }
  return undefined
}

/** Name of the array that a document's path tells. */
export function variableOf(path: string): string {
  return path.split('/').at(-2) ?? ''
}

/**
 * Bytes of the fill value, as they stand in a chunk, little-endian; a text for strings.
 *
 * @throws McbError `invalid_run_meta`
 */
export function parseFill(path: string, type: ElementType, value: JsonValue): Bytes | string {
  if (type.dtype === 'str') {
    if (value === null) return ''
    if (typeof value === 'string') return value
    throw wrongFill(path)
  }
  const view = new DataView(new ArrayBuffer(type.itemSize))
  const bytes = new Uint8Array(view.buffer)
  // A time that is not there, which the type's own fill value is.
  if (type.unit !== undefined && value === 'NaT') view.setBigInt64(0, -(2n ** 63n), true)
  else if (typeof value === 'string' && /^0x[0-9a-f]+$/i.test(value)) setHex(path, bytes, value.slice(2))
  else if (value !== null) setNumber(path, view, numericOf(type), value)
  return bytes
}

function numericOf({ dtype }: ElementType): NumericDtype {
  return dtype === 'str' ? 'uint8' : dtype
}

function wrongFill(path: string): McbError {
  return new McbError('invalid_run_meta', `${path}: its fill_value is none of its data_type`)
}

/** Bits of a float in hexadecimal digits, the highest first. */
function setHex(path: string, bytes: Bytes, digits: string): void {
  if (digits.length !== bytes.length * 2) throw wrongFill(path)
  for (let i = 0; i < bytes.length; i++)
    bytes[bytes.length - 1 - i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
}

const SPECIAL: Readonly<Record<string, number>> = { NaN: Number.NaN, Infinity: Infinity, '-Infinity': -Infinity }

function setNumber(path: string, view: DataView, dtype: NumericDtype, value: JsonValue): void {
  if (dtype === 'bool') {
    if (typeof value !== 'boolean') throw wrongFill(path)
    view.setUint8(0, value ? 1 : 0)
  } else if (dtype === 'float32') view.setFloat32(0, floatOf(path, value), true)
  else if (dtype === 'float64') view.setFloat64(0, floatOf(path, value), true)
  else if (typeof value === 'bigint') setInteger(path, view, dtype, value)
  else if (typeof value === 'number' && Number.isInteger(value)) setInteger(path, view, dtype, BigInt(value))
  else throw wrongFill(path)
}

function floatOf(path: string, value: JsonValue): number {
  const number = typeof value === 'string' ? SPECIAL[value] : typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number') throw wrongFill(path)
  return number
}

function setInteger(path: string, view: DataView, dtype: NumericDtype, value: bigint): void {
  const bits = view.byteLength * 8
  const signed = !dtype.startsWith('u')
  const fits = signed ? BigInt.asIntN(bits, value) === value : BigInt.asUintN(bits, value) === value
  if (!fits) throw wrongFill(path)
  const pattern = BigInt.asUintN(bits, value)
  for (let i = 0; i < view.byteLength; i++) view.setUint8(i, Number((pattern >> BigInt(8 * i)) & 255n))
}
