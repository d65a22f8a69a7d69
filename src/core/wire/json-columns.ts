/** A column of a posted JSON batch: nested lists in, the fields of a Column out, without a list in between. */

import type { ColumnSpec } from '../draws/columns.ts'
import { ITEM_SIZE, type NumericDtype } from '../draws/dtype.ts'
import { McbError } from '../errors.ts'
import { atOnce, Pace, type Steps } from '../turn.ts'
import { ByteSink, type Take } from './byte-sink.ts'
import { COLUMN } from './draw-batch-fields.ts'
import { floatOf, namedFloat, wholeOf, wholeOfText } from './json-numbers.ts'
import { type JsonKind, type JsonReader, passValue } from './json-reader.ts'

/** The draws of one column, as the fields of its message. */
export interface JsonColumn {
  count: number
  readonly data: ByteSink
  readonly shapes: ByteSink
  readonly strings: ByteSink
}

/** A column that does not fit its spec. The error is made only when it is told: its place costs a walk over the text. */
export class ColumnRefusal extends Error {
  /** Elements of its list, which are draws if anything; 1 where it has none. */
  count = 1
  readonly toError: (reader: JsonReader) => McbError

  constructor(toError: (reader: JsonReader) => McbError) {
    super('a column was refused')
    this.toError = toError
  }
}

/** Reads the draws of a column. @throws ColumnRefusal */
export function* readColumn(reader: JsonReader, spec: ColumnSpec, take: Take, pace: Pace): Steps<JsonColumn> {
  const column: JsonColumn = {
    count: 0,
    data: new ByteSink(take),
    shapes: new ByteSink(take),
    strings: new ByteSink(take),
  }
  const kind = reader.kind()
  if (kind !== 'array') throw mistyped(spec, 'a list with an element for each draw', kind, reader.position)
  const walk = new DrawWalk(reader, spec, column, pace)
  if (!reader.beginList()) return column
  do {
    const begin = reader.position
    if (!walk.scalar()) yield* walk.draw()
    column.count++
    if (pace.isDue(reader.position - begin)) yield
  } while (reader.moreItems())
  return column
}

/** Goes through the nested lists of draws, one level a dimension, and keeps their elements. */
class DrawWalk {
  private readonly reader: JsonReader
  private readonly spec: ColumnSpec
  private readonly column: JsonColumn
  private readonly pace: Pace
  private readonly put: (kind: JsonKind) => void
  /** Dimensions that a draw has; undefined where their number varies. */
  private readonly rank: number | undefined
  /** Items of the lists at each level of the present draw, as the first that ended has them. */
  private lengths: number[] = []
  /** Items of the lists that are open. */
  private open: number[] = []
  /** Level of the elements in the present draw; undefined before the first. */
  private level: number | undefined
  private begin = 0

  constructor(reader: JsonReader, spec: ColumnSpec, column: JsonColumn, pace: Pace) {
    this.reader = reader
    this.spec = spec
    this.column = column
    this.pace = pace
    this.put = putter(reader, spec, column)
    this.rank = spec.shape?.length
  }

  /** Takes a draw of a rigid scalar, which most columns are; false for any other. */
  scalar(): boolean {
    if (this.rank !== 0) return false
    const kind = this.reader.kind()
    if (kind === 'array') return false
    this.put(kind)
    return true
  }

  *draw(): Steps<void> {
    const { reader } = this
    this.lengths = []
    this.level = undefined
    this.begin = reader.position
    for (let from = reader.position; ; from = reader.position) {
      if (!this.enter()) this.leave()
      if (this.open.length === 0) break
      if (this.pace.isDue(reader.position - from)) yield
    }
    if (this.spec.layout === 'ragged') this.putShape()
  }

  /** Enters a list with items; false when a value was passed whole. */
  private enter(): boolean {
    const { reader, open, rank, level, lengths } = this
    const depth = open.length
    const kind = reader.kind()
    if (kind === 'array') {
      if (depth === rank) throw this.misshapen()
      if (level !== undefined && depth >= level) throw this.irregular()
      if (reader.beginList()) return open.push(1) > 0
      this.close(depth, 0)
      return false
    }
    if (rank !== undefined && depth !== rank) throw this.misshapen()
    if ((level ?? depth) !== depth || lengths[depth] !== undefined) throw this.irregular()
    this.level = depth
    this.put(kind)
    return false
  }

  /** Goes to the next item, out of the lists that end before it. */
  private leave(): void {
    const { reader, open } = this
    for (let items = open.at(-1); items !== undefined; items = open.at(-1)) {
      if (reader.moreItems()) {
        open[open.length - 1] = items + 1
        return
      }
      open.pop()
      this.close(open.length, items)
    }
  }

  private close(level: number, items: number): void {
    const { spec, lengths } = this
    const known = lengths[level]
    if (known !== undefined && known !== items) throw this.irregular()
    lengths[level] = items
    const expected = spec.shape?.[level] ?? -1
    if (expected !== -1 && expected !== items) throw this.misshapen()
  }

  /** The shape of the draw; below an empty list a dimension is as registered, or 0 where it varies. */
  private putShape(): void {
    const { spec, lengths, column } = this
    const shape = spec.shape?.map((n, axis) => lengths[axis] ?? Math.max(0, n)) ?? lengths
    column.shapes.varint(shape.length)
    for (const n of shape) column.shapes.varint(n)
  }

  /** A draw of another shape than the registered one. */
  private misshapen(): ColumnRefusal {
    const { spec, begin, column } = this
    const draw = column.count
    return new ColumnRefusal((reader) => {
      const actual: number[] = []
      reader.position = begin
      atOnce(passValue(reader, new Pace(Number.POSITIVE_INFINITY), actual))
      const expected = spec.shape ?? []
      return mismatch(reader, spec, `expected shape [${expected}], draw ${draw} has [${actual}]`, begin, [
        expected,
        actual,
      ])
    })
  }

  /** A draw whose lists are no array. */
  private irregular(): ColumnRefusal {
    const { spec, column, reader, lengths, open } = this
    const at = reader.position
    const what = `draw ${column.count} is no array: lists at one depth differ in length, or in what they hold`
    const actual = open.map((n, level) => lengths[level] ?? n)
    return new ColumnRefusal((told) => mismatch(told, spec, what, at, [spec.shape ?? [], actual]))
  }
}

function mismatch(
  reader: JsonReader,
  { name: variable }: ColumnSpec,
  what: string,
  at: number,
  [expected, actual]: readonly [readonly number[], readonly number[]],
): McbError {
  const detail = `"${variable}": ${what} (${reader.place(at)})`
  return new McbError('shape_mismatch', detail, { variable, expected, actual })
}

/** Characters of an element that an error shows. */
const SHOWN = 40

/** Refuses the value at a place, which is of a kind or in a range that the column has not. */
function mistyped({ name: variable, dtype }: ColumnSpec, expected: string, kind: JsonKind, at: number): ColumnRefusal {
  return new ColumnRefusal((reader) => {
    const found = `${kind}${valueAt(reader, kind, at)}`
    const detail = `"${variable}": expected ${expected}, found ${found} (${reader.place(at)})`
    return new McbError('dtype_mismatch', detail, { variable, expected: dtype, actual: kind })
  })
}

/** A number, string or bool as an error shows it, behind its kind. */
function valueAt(reader: JsonReader, kind: JsonKind, at: number): string {
  if (kind === 'object' || kind === 'array' || kind === 'null') return ''
  reader.position = at
  reader.passScalar(kind)
  return ` ${reader.text.slice(at, Math.min(reader.position, at + SHOWN)).toWellFormed()}`
}

/** A function that takes an element, whose kind it is told. */
function putter(reader: JsonReader, spec: ColumnSpec, { data, strings }: JsonColumn): (kind: JsonKind) => void {
  if (spec.dtype === 'str') {
    return (kind) => {
      if (kind !== 'string') throw mistyped(spec, 'a string', kind, reader.position)
      strings.text(COLUMN.strings, reader.string())
    }
  }
  const { parse, write, words } = ELEMENTS[spec.dtype]
  const size = ITEM_SIZE[spec.dtype]
  return (kind) => {
    const at = reader.position
    const value = parse(reader, kind)
    if (value === undefined) throw mistyped(spec, words, kind, at)
    const { view, offset } = data.room(size)
    write(view, offset, value)
  }
}

interface ElementRule {
  /** The value of an element; undefined for one that the dtype does not take. */
  readonly parse: (reader: JsonReader, kind: JsonKind) => number | bigint | undefined
  readonly write: (view: DataView, offset: number, value: number | bigint) => void
  /** The values that the dtype takes. */
  readonly words: string
}

type Write<V> = (view: DataView, offset: number, value: V) => void

/** The largest integer that may stand without quotes: up to it a double holds each, whoever reads or writes them. */
const SAFE = 2 ** 53

/** An integer from `least` to `most`. */
function wholeIn(reader: JsonReader, kind: JsonKind, least: bigint, most: bigint): number | bigint | undefined {
  let value: number | bigint | undefined
  if (kind === 'number') {
    value = wholeOf(reader.number())
    if (value === undefined || value > SAFE || value < -SAFE) return undefined
  } else if (kind === 'string') value = wholeOfText(reader.string())
  return value === undefined || value < least || value > most ? undefined : value
}

function small(bits: number, isSigned: boolean, write: Write<number>): ElementRule {
  const { least, most, words } = range(bits, isSigned)
  return {
    parse: (reader, kind) => wholeIn(reader, kind, least, most),
    write: (view, offset, value) => write(view, offset, Number(value)),
    words,
  }
}

function large(isSigned: boolean, write: Write<bigint>): ElementRule {
  const { least, most, words } = range(64, isSigned)
  return {
    parse: (reader, kind) => wholeIn(reader, kind, least, most),
    write: (view, offset, value) => write(view, offset, BigInt(value)),
    words: `${words}, beyond 2^53 as a decimal string`,
  }
}

function range(bits: number, isSigned: boolean) {
  const power = isSigned ? bits - 1 : bits
  const least = isSigned ? -(2n ** BigInt(power)) : 0n
  return {
    least,
    most: 2n ** BigInt(power) - 1n,
    words: `an integer from ${isSigned ? `−2^${power}` : 0} to 2^${power} − 1`,
  }
}

function float(fits: (value: number) => boolean, write: Write<number>): ElementRule {
  return {
    parse: (reader, kind) => {
      if (kind === 'string') return namedFloat(reader.string())
      if (kind !== 'number') return undefined
      const value = floatOf(reader.number())
      return value !== undefined && fits(value) ? value : undefined
    },
    write: (view, offset, value) => write(view, offset, Number(value)),
    words: 'a number in its range, "NaN", "Infinity" or "-Infinity"',
  }
}

const ELEMENTS: { readonly [D in NumericDtype]: ElementRule } = {
  bool: {
    parse: (reader, kind) => (kind === 'boolean' ? Number(reader.boolean()) : undefined),
    write: (view, offset, value) => view.setUint8(offset, Number(value)),
    words: 'true or false',
  },
  int8: small(8, true, (view, offset, value) => view.setInt8(offset, value)),
  int16: small(16, true, (view, offset, value) => view.setInt16(offset, value, true)),
  int32: small(32, true, (view, offset, value) => view.setInt32(offset, value, true)),
  int64: large(true, (view, offset, value) => view.setBigInt64(offset, value, true)),
  uint8: small(8, false, (view, offset, value) => view.setUint8(offset, value)),
  uint16: small(16, false, (view, offset, value) => view.setUint16(offset, value, true)),
  uint32: small(32, false, (view, offset, value) => view.setUint32(offset, value, true)),
  uint64: large(false, (view, offset, value) => view.setBigUint64(offset, value, true)),
  float32: float(
    (value) => Number.isFinite(Math.fround(value)),
    (view, offset, value) => view.setFloat32(offset, value, true),
  ),
  float64: float(
    () => true,
    (view, offset, value) => view.setFloat64(offset, value, true),
  ),
}
