/** Cells of rows as CSV: neighbours of one kind are written together, straight from the bytes of a segment. */

import { type NumericArray, type NumericDtype, viewAs } from '../../draws/dtype.ts'
import type { RigidColumn } from '../../draws/elements.ts'
import { type Bytes, unpackSegment } from '../../draws/segment.ts'
import type { CsvSink } from './csv-sink.ts'
import { writeFloat32, writeFloat64, writeInteger, writeText } from './decimal.ts'

/** Some columns of a table next to each other, bound to the rows of a window. */
export interface Cells {
  /** Writes the cells of a row, each behind a comma; gives chunks that are full where it may write very many. */
  write(sink: CsvSink, row: number): Generator<Bytes> | undefined
}

/** Elements that are written between two looks at chunks that are full. */
const MOST_ELEMENTS = 4096
const COMMA = 44

/** Cells of all columns over a window of `count` rows. */
export function cellsOf(columns: readonly RigidColumn[], segments: readonly Bytes[], count: number): readonly Cells[] {
  const cells: Cells[] = []
  columns.forEach((spec, position) => {
    if (spec.elements > 0) addCells(cells, spec, segments[position] ?? NONE, count)
  })
  return cells
}

const NONE: Bytes = new Uint8Array()

function addCells(cells: Cells[], spec: RigidColumn, segment: Bytes, count: number): void {
  const { elements: width } = spec
  if (spec.kind === 'rigid-strings') {
    cells.push(new Texts(spec, segment, count))
    return
  }
  const put = spec.dtype === 'float64' ? viewAs(spec.dtype, segment) : putOf(spec.dtype, segment)
  for (let from = 0; from < width; from += MOST_ELEMENTS) {
    const to = Math.min(from + MOST_ELEMENTS, width)
    if (typeof put === 'function') cells.push(new Values(put, width, from, to))
    else doublesAt(cells).add({ array: put, width, from, to })
  }
}

/** The doubles at the end, which take more columns while they are few. */
function doublesAt(cells: Cells[]): Doubles {
  const last = cells.at(-1)
  if (last instanceof Doubles && last.elements < MOST_ELEMENTS) return last
  const doubles = new Doubles()
  cells.push(doubles)
  return doubles
}

/** Some elements of each row of a column of doubles. */
interface Stretch {
  readonly array: Float64Array
  readonly width: number
  readonly from: number
  readonly to: number
}

/** Doubles of several columns: by far the most frequent kind, so that their loop knows no other. */
class Doubles implements Cells {
  private readonly stretches: Stretch[] = []
  elements = 0

  add(stretch: Stretch): void {
    this.stretches.push(stretch)
    this.elements += stretch.to - stretch.from
  }

  write(sink: CsvSink, row: number): undefined {
    let { out, at } = sink
    const { most } = sink
    for (const { array, width, from, to } of this.stretches) {
      const first = row * width
      for (let i = first + from; i < first + to; i++) {
        if (at > most) {
          sink.at = at
          sink.cut()
          out = sink.out
          at = 0
        }
        out[at++] = COMMA
        at = writeFloat64(out, at, array[i] ?? 0)
      }
    }
    sink.at = at
  }
}

/** Writes the element with this index among those of all rows, and returns the place behind it. */
type Put = (out: Bytes, at: number, index: number) => number

/** Some elements of each row of a column of numbers or bools. */
class Values implements Cells {
  private readonly put: Put
  private readonly width: number
  private readonly from: number
  private readonly to: number

  constructor(put: Put, width: number, from: number, to: number) {
    this.put = put
    this.width = width
    this.from = from
    this.to = to
  }

  write(sink: CsvSink, row: number): undefined {
    const { put, width, from, to } = this
    const first = row * width
    for (let i = first + from; i < first + to; i++) {
      if (sink.at > sink.most) sink.cut()
      sink.out[sink.at++] = COMMA
      sink.at = put(sink.out, sink.at, i)
    }
  }
}

function putOf(dtype: NumericDtype, segment: Bytes): Put {
  if (dtype === 'bool') return (out, at, i) => writeText(out, at, segment[i] === 0 ? 'FALSE' : 'TRUE')
  if (dtype === 'float32') {
    const array = viewAs(dtype, segment)
    return (out, at, i) => writeFloat32(out, at, array[i] ?? 0)
  }
  const array: NumericArray = viewAs(dtype, segment)
  return (out, at, i) => {
    const value = array[i] ?? 0
    if (typeof value === 'number') return writeInteger(out, at, value)
    const near = Number(value)
    return Number.isSafeInteger(near) ? writeInteger(out, at, near) : writeText(out, at, String(value))
  }
}

/** Strings are always in quotes: one that looks like a number stays a string for those who look at quotes. */
class Texts implements Cells {
  private readonly width: number
  private readonly payload: Bytes
  /** Ends of the strings in the payload. */
  private readonly ends: Float64Array

  constructor(spec: RigidColumn, segment: Bytes, count: number) {
    const { lengths, payload } = unpackSegment(spec, segment, count)
    this.width = spec.elements
    this.payload = payload
    this.ends = new Float64Array(lengths.length)
    let end = 0
    for (let i = 0; i < lengths.length; i++) this.ends[i] = end += lengths[i] ?? 0
  }

  *write(sink: CsvSink, row: number): Generator<Bytes> {
    const first = row * this.width
    for (let i = first; i < first + this.width; i++) {
      yield* sink.quoted(this.payload.subarray(i === 0 ? 0 : this.ends[i - 1], this.ends[i]))
      if (i % MOST_ELEMENTS === 0) yield* sink.full()
    }
  }
}
