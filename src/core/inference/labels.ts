/** Labels and data of a run's metadata as a tree has them: numbers, text, and times as integers with a unit (CF conventions). */

import { decodeNdArray, type LabelArray, type NdArray, type NdArrayMessage, sizeOf } from '../draws/ndarray.ts'
import { timeText } from '../draws/times.ts'
import { isMcbError } from '../errors.ts'
import type { Attributes } from './tree.ts'

/** Values with the attributes by which readers understand them. */
export interface Described {
  readonly array: NdArray
  readonly attributes: Attributes
}

const NO_ATTRIBUTES: Attributes = {}
const DATETIME = /^(?:datetime64|<M8)\[(.+)\]$/
const TIMEDELTA = /^(?:timedelta64|<m8)\[(.+)\]$/
const BYTES = /^\|?S(\d+)$/

/** The array; undefined where its dtype has no place in a tree, or its bytes are not of that dtype and shape. */
export function describedOf(message: NdArrayMessage): Described | undefined {
  const dtype = message.dtype ?? ''
  const unit = (DATETIME.exec(dtype) ?? TIMEDELTA.exec(dtype))?.[1]
  try {
    if (unit !== undefined) {
      const array = decodeNdArray({ ...message, dtype: 'int64' })
      return array.dtype === 'int64' ? times(array.shape, array.data, unit, DATETIME.test(dtype)) : undefined
    }
    const array = dtype === 'float16' ? halfFloats(message) : (fixedBytes(message) ?? decodeNdArray(message))
    return { array, attributes: NO_ATTRIBUTES }
  } catch (error) {
    if (isMcbError(error, 'invalid_run_meta')) return undefined
    throw error
  }
}

/** A unit of CF, by NumPy's: how many of it there are in one, or for finer ones, how many of these are one of it. */
interface Unit {
  readonly name: string
  readonly each?: bigint
  readonly parts?: bigint
}

const UNITS: ReadonlyMap<string, Unit> = new Map<string, Unit>([
  ['W', { name: 'days', each: 7n }],
  ['D', { name: 'days' }],
  ['h', { name: 'hours' }],
  ['m', { name: 'minutes' }],
  ['s', { name: 'seconds' }],
  ['ms', { name: 'milliseconds' }],
  ['us', { name: 'microseconds' }],
  ['ns', { name: 'nanoseconds' }],
  ['ps', { name: 'nanoseconds', parts: 1000n }],
  ['fs', { name: 'nanoseconds', parts: 1_000_000n }],
  ['as', { name: 'nanoseconds', parts: 1_000_000_000n }],
])
/** Nanoseconds of CF's units. */
const NANOSECONDS: ReadonlyMap<string, bigint> = new Map([
  ['days', 86_400_000_000_000n],
  ['hours', 3_600_000_000_000n],
  ['minutes', 60_000_000_000n],
  ['seconds', 1_000_000_000n],
  ['milliseconds', 1_000_000n],
  ['microseconds', 1000n],
  ['nanoseconds', 1n],
])
const NOT_A_TIME = -(2n ** 63n)

function times(
  shape: readonly number[],
  counts: BigInt64Array<ArrayBuffer>,
  unit: string,
  isDate: boolean,
): Described | undefined {
  const converted = isDate ? (inMonths(counts, unit) ?? inUnits(counts, unit)) : inUnits(counts, unit)
  if (converted === undefined) return undefined
  const { name, values } = converted
  const length = NANOSECONDS.get(name) ?? 1n
  // Readers hold times in 64 bits of nanoseconds, and refuse a file with others.
  if (!values.every((value) => value === NOT_A_TIME || BigInt.asIntN(64, value * length) === value * length)) {
    const data = Array.from(counts, (count) => (isDate ? timeText(count, unit) : String(count)))
    return { array: { dtype: 'str', shape, data }, attributes: NO_ATTRIBUTES }
  }
  const array = { dtype: 'int64', shape, data: BigInt64Array.from(values) } as const
  if (isDate) return { array, attributes: { units: `${name} since 1970-01-01`, calendar: 'proleptic_gregorian' } }
  return { array, attributes: { units: name, dtype: `timedelta64[${RESOLUTIONS.get(name) ?? 's'}]` } }
}

/** Resolutions of NumPy in which xarray holds durations, where they are not seconds. */
const RESOLUTIONS: ReadonlyMap<string, string> = new Map([
  ['milliseconds', 'ms'],
  ['microseconds', 'us'],
  ['nanoseconds', 'ns'],
])

function inUnits(counts: BigInt64Array, dtypeUnit: string): { name: string; values: readonly bigint[] } | undefined {
  const [, digits = '', own = ''] = /^(\d{0,9})([A-Za-z]+)$/.exec(dtypeUnit) ?? []
  const unit = UNITS.get(own)
  if (unit === undefined) return undefined
  const { name, each = 1n, parts } = unit
  const factor = BigInt(digits === '' ? 1 : digits) * each
  const convert = (count: bigint) => (parts === undefined ? count * factor : floored(count * factor, parts))
  return { name, values: Array.from(counts, (count) => (count === NOT_A_TIME ? count : convert(count))) }
}

function floored(count: bigint, part: bigint): bigint {
  return (count - (((count % part) + part) % part)) / part
}

const DAY_MS = 86_400_000
/** A time that has no room in 64 bits. */
const BEYOND = 2n ** 100n

/** Years and months as days; undefined for another unit. */
function inMonths(counts: BigInt64Array, unit: string): { name: string; values: readonly bigint[] } | undefined {
  const [, digits = '', own] = /^(\d{0,9})([YM])$/.exec(unit) ?? []
  if (own === undefined) return undefined
  const months = BigInt(digits === '' ? 1 : digits) * (own === 'Y' ? 12n : 1n)
  const days = Array.from(counts, (count) => {
    const milliseconds = Date.UTC(1970, Number(count * months))
    if (count === NOT_A_TIME) return count
    return Number.isNaN(milliseconds) ? BEYOND : BigInt(milliseconds / DAY_MS)
  })
  return { name: 'days', values: days }
}

/** Half floats as float32, which has a place for each of them. */
function halfFloats(message: NdArrayMessage): NdArray {
  const halves = decodeNdArray({ ...message, dtype: 'uint16' })
  const data = Float32Array.from(halves.dtype === 'uint16' ? halves.data : [], halfFloat)
  return { dtype: 'float32', shape: halves.shape, data }
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** Strings of bytes of one width, as text; undefined for another dtype. */
function fixedBytes(message: NdArrayMessage): NdArray | undefined {
  const width = Number(BYTES.exec(message.dtype ?? '')?.[1])
  const shape = (message.shape ?? []).map(Number)
  const bytes = message.data ?? new Uint8Array()
  const count = sizeOf(shape)
  if (Number.isNaN(width) || width === 0 || bytes.length !== width * count) return undefined
  const decoder = new TextDecoder('utf-8')
  const textAt = (i: number) => {
    const own = bytes.subarray(i * width, (i + 1) * width)
    return decoder.decode(own.subarray(0, own.findLastIndex((byte) => byte !== 0) + 1))
  }
  return { dtype: 'str', shape, data: Array.from({ length: count }, (_, i) => textAt(i)) }
}

/** Labels of an axis, which are decoded when they are asked for first. */
export class Labels {
  /** Labels that there are. */
  readonly length: number
  private readonly message: NdArrayMessage
  private found: Described | undefined
  private isRead = false

  constructor(message: NdArrayMessage) {
    const [length = 1] = (message.shape ?? []).map(Number)
    this.message = message
    this.length = length
  }

  /** The labels, on one axis; undefined where they cannot be read, so that they are counted from 0. */
  get described(): Described | undefined {
    if (!this.isRead) {
      this.isRead = true
      this.found = this.read()
    }
    return this.found
  }

  private read(): Described | undefined {
    // Each label takes a byte at least: a length beyond that is made up.
    if (this.length > (this.message.data?.length ?? 0)) return undefined
    const described = describedOf(this.message)
    if (described === undefined || described.array.shape.length === 1) return described
    return { array: joined(described.array, this.length), attributes: NO_ATTRIBUTES }
  }
}

/** McBackend stores tuples as the rows of a table: one text each. */
function joined(array: NdArray, count: number): NdArray {
  if (array.shape.length === 0) return { ...array, shape: [1] }
  const texts = textsOf(array)
  const each = texts.length / Math.max(1, count)
  const data = Array.from({ length: count }, (_, i) => texts.slice(i * each, (i + 1) * each).join(', '))
  return { dtype: 'str', shape: [count], data }
}

/** Elements as Python writes them. */
function textsOf(array: LabelArray): readonly string[] {
  if (array.dtype === 'str') return array.data
  const isFloat = array.dtype === 'float32' || array.dtype === 'float64'
  const elements: ArrayLike<number | bigint> = array.data
  return Array.from(elements, (value) => {
    if (array.dtype === 'bool') return value === 0 ? 'False' : 'True'
    return isFloat && Number.isInteger(value) ? `${value}.0` : String(value)
  })
}
