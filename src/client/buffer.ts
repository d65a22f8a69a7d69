/** Appended draws, column by column in arrays that grow: a draw costs neither an object nor an encoding. */

import type { ColumnSpec, RigidNumbers, Schema } from '../core/draws/columns.ts'
import { bytesOf, type NumericArray, TYPED_ARRAYS, viewAs } from '../core/draws/dtype.ts'
import type { NdArray } from '../core/draws/ndarray.ts'
import { type Bytes, fillSegment, fillSize, isSizeless, joinSegments, weightOf } from '../core/draws/segment.ts'
import { arrayOf, drawAt, drawsOf, segmentOf } from '../core/draws/values.ts'
import { McbError } from '../core/errors.ts'
import type { Value, Values } from '../core/interfaces.ts'
import type { ColumnSegment } from '../core/wire/write-batch.ts'

interface BufferColumn {
  readonly spec: ColumnSpec
  readonly name: string
  /** Draws that it holds; a sampler stat that is missing from the last ones has fewer than the buffer. */
  rows: number
  /** Appends a draw and gives its bytes. @throws McbError when it does not fit, having changed nothing */
  put(value: Value): number
  /** Forgets the last draw. */
  pop(): void
  clear(): void
  /** All draws in the segment layout; may be a view, good until the column changes. */
  segment(): Bytes
}

/** First capacity of a column, in bytes; it doubles when it is full. */
const FIRST_BYTES = 4096

type SmallNumbers = Exclude<NumericArray, BigInt64Array | BigUint64Array>

/** Draws of a fixed number of bytes. */
class FixedColumn implements BufferColumn {
  readonly spec: RigidNumbers
  readonly name: string
  rows = 0
  private capacity = 0
  private bytes: Bytes = new Uint8Array()
  /** The elements, where a draw is one number and no bigint or bool: most are, so they have a fast way. */
  private numbers: SmallNumbers | undefined
  private readonly isFloat: boolean
  private readonly arrayType: (typeof TYPED_ARRAYS)[RigidNumbers['dtype']]

  constructor(spec: RigidNumbers) {
    this.spec = spec
    this.name = spec.name
    this.isFloat = spec.dtype.startsWith('float')
    this.arrayType = TYPED_ARRAYS[spec.dtype]
  }

  put(value: Value): number {
    const { rows, numbers } = this
    if (rows < this.capacity && numbers !== undefined && typeof value === 'number') {
      numbers[rows] = value
      if (this.isFloat || numbers[rows] === value) {
        this.rows = rows + 1
        return this.spec.stride
      }
    }
    return this.putBytes(this.bytesFor(value))
  }

  private putBytes(draw: Bytes): number {
    if (this.rows === this.capacity) this.grow()
    this.bytes.set(draw, this.rows * this.spec.stride)
    this.rows++
    return this.spec.stride
  }

  private bytesFor(value: Value): Bytes {
    const { spec } = this
    const isBare = value instanceof this.arrayType && value.length === spec.elements
    const bytes = isBare ? bytesOf(value) : oneSegment(spec, arrayOf(spec, value))
    if (spec.dtype === 'bool' && bytes.some((byte) => byte > 1)) {
      const detail = `"${spec.name}": a bool is 0 or 1, not ${bytes.find((byte) => byte > 1)}`
      throw new McbError('dtype_mismatch', detail, { variable: spec.name, expected: 'bool', actual: 'uint8' })
    }
    return bytes
  }

  private grow(): void {
    const { spec } = this
    const least = Math.max(1, Math.floor(FIRST_BYTES / Math.max(1, spec.stride)))
    this.capacity = Math.max(least, this.capacity * 2)
    const bytes = new Uint8Array(this.capacity * spec.stride)
    bytes.set(this.bytes)
    this.bytes = bytes
    if (spec.shape.length > 0 || spec.dtype === 'bool') return
    const view: NumericArray = viewAs(spec.dtype, bytes)
    if (!(view instanceof BigInt64Array || view instanceof BigUint64Array)) this.numbers = view
  }

  pop(): void {
    this.rows--
  }

  clear(): void {
    this.rows = 0
  }

  segment(): Bytes {
    return this.bytes.subarray(0, this.rows * this.spec.stride)
  }
}

/** Draws that are no string each: they are judged, and only their number is kept. */
class EmptyColumn implements BufferColumn {
  readonly spec: ColumnSpec
  readonly name: string
  rows = 0

  constructor(spec: ColumnSpec) {
    this.spec = spec
    this.name = spec.name
  }

  put(value: Value): number {
    oneSegment(this.spec, arrayOf(this.spec, value))
    this.rows++
    return 0
  }

  pop(): void {
    this.rows--
  }

  clear(): void {
    this.rows = 0
  }

  segment(): Bytes {
    return new Uint8Array()
  }
}

/** Draws whose bytes differ: varying shapes, and strings. */
class VaryingColumn implements BufferColumn {
  readonly spec: ColumnSpec
  readonly name: string
  private segments: { data: Bytes; count: number }[] = []

  constructor(spec: ColumnSpec) {
    this.spec = spec
    this.name = spec.name
  }

  get rows(): number {
    return this.segments.length
  }

  put(value: Value): number {
    const data = oneSegment(this.spec, arrayOf(this.spec, value))
    this.segments.push({ data, count: 1 })
    return data.length
  }

  pop(): void {
    this.segments.pop()
  }

  clear(): void {
    this.segments = []
  }

  segment(): Bytes {
    return joinSegments(this.spec, this.segments)
  }
}

/** @throws McbError `dtype_mismatch`, `shape_mismatch` */
function oneSegment(spec: ColumnSpec, array: NdArray): Bytes {
  return segmentOf(spec, spec.layout === 'ragged' ? [array] : { ...array, shape: [1, ...array.shape] }, 1)
}

/** A sampler stat that may be missing from some draws: these read as its fill value, and are sent as such. */
interface StatColumn {
  readonly column: BufferColumn
  /** The fill value of a draw; undefined when it is too large to be written for draws without the stat. */
  readonly fill: NdArray | undefined
}

/** Bytes up to which a fill value is written. */
const LARGEST_FILL = 4096

export class DrawBuffer {
  /** Draws, and their bytes; a draw without any counts for one. */
  count = 0
  bytes = 0
  private readonly draws: readonly BufferColumn[]
  private readonly stats: readonly StatColumn[]

  constructor(schema: Schema) {
    this.draws = [...schema.draws.values()].map(newColumn)
    this.stats = [...schema.stats.values()].map((spec) => ({
      column: newColumn(spec),
      fill: fillSize(spec, 1) > LARGEST_FILL ? undefined : fillOf(spec),
    }))
  }

  /**
   * Takes a copy of one draw. False, and nothing is changed, when the draw must go into another buffer: large sampler
   * stats are in all draws of a buffer or in none.
   *
   * @throws McbError when the draw does not fit the schema; nothing is changed
   */
  put(draw: Values, stats: Values): boolean {
    let bytes = 0
    try {
      bytes = this.putDraws(draw)
      const more = this.putStats(stats)
      if (more === undefined) {
        this.rollBack()
        return false
      }
      bytes += more
    } catch (error) {
      this.rollBack()
      throw error
    }
    this.bytes += weightOf(1, bytes)
    this.count++
    return true
  }

  /** The columns for encoding, as views that are good until the buffer changes. */
  segments(): ColumnSegment[] {
    for (const stat of this.stats) if (stat.column.rows > 0) fillUp(stat, this.count)
    const columns = [...this.draws, ...this.stats.map(({ column }) => column).filter(({ rows }) => rows > 0)]
    return columns.map((column) => ({ spec: column.spec, data: column.segment() }))
  }

  /** Empties the buffer, whose memory stays. */
  clear(): void {
    for (const column of this.draws) column.clear()
    for (const { column } of this.stats) column.clear()
    this.count = 0
    this.bytes = 0
  }

  private putDraws(values: Values): number {
    let bytes = 0
    for (const column of this.draws) {
      const value = ownValue(values, column.name)
      if (value === undefined) {
        const detail = `variable "${column.name}" is missing from the draw`
        throw new McbError('missing_variable', detail, { variable: column.name })
      }
      bytes += column.put(value)
    }
    if (sizeOf(values) !== this.draws.length) requireKnown(values, this.draws)
    return bytes
  }

  /** Puts a draw's stats and gives their bytes; undefined when another buffer is needed. */
  private putStats(values: Values): number | undefined {
    let bytes = 0
    let found = 0
    for (const stat of this.stats) {
      const { column } = stat
      const value = ownValue(values, column.name)
      const isGap = column.rows < this.count
      if (stat.fill === undefined && this.count > 0 && (value === undefined) !== isGap) return undefined
      if (value === undefined) continue
      if (isGap) fillUp(stat, this.count)
      bytes += column.put(value)
      found++
    }
    if (sizeOf(values) !== found) {
      requireKnown(
        values,
        this.stats.map(({ column }) => column),
      )
    }
    return bytes
  }

  private rollBack(): void {
    for (const column of this.draws) if (column.rows > this.count) column.pop()
    for (const { column } of this.stats) if (column.rows > this.count) column.pop()
  }
}

function newColumn(spec: ColumnSpec): BufferColumn {
  if (spec.kind === 'rigid-numbers') return new FixedColumn(spec)
  return isSizeless(spec) ? new EmptyColumn(spec) : new VaryingColumn(spec)
}

function fillOf(spec: ColumnSpec): NdArray {
  return drawAt(spec, drawsOf(spec, [{ data: fillSegment(spec, 1), count: 1 }]), 0)
}

function fillUp({ column, fill }: StatColumn, count: number): void {
  if (fill !== undefined) while (column.rows < count) column.put(fill)
}

function isMap(values: Values): values is ReadonlyMap<string, Value> {
  return values instanceof Map
}

/** A value by its name, among own properties only: a variable may be named `constructor`. */
function ownValue(values: Values, name: string): Value | undefined {
  if (isMap(values)) return values.get(name)
  return Object.hasOwn(values, name) ? values[name] : undefined
}

function sizeOf(values: Values): number {
  return isMap(values) ? values.size : Object.keys(values).length
}

/** @throws McbError `unknown_variable` when a name is none of the columns */
function requireKnown(values: Values, columns: readonly BufferColumn[]): void {
  for (const name of isMap(values) ? values.keys() : Object.keys(values)) {
    if (columns.every((column) => column.name !== name)) {
      throw new McbError('unknown_variable', `the run has no variable or stat "${name}"`, { variable: name })
    }
  }
}
