/** The shapes of a ragged column as they lie in a message: checked word by word before memory is taken for any of them. */

import type { ColumnSpec } from '../draws/columns.ts'
import { McbError } from '../errors.ts'
import type { Pace, Steps } from '../turn.ts'
import { COLUMN } from './draw-batch-fields.ts'
import { LENGTH_DELIMITED, VARINT, WireReader } from './protobuf.ts'

/** Dimensions of a wrong shape that are told at most. */
const SHOWN_DIMENSIONS = 64

/** A cursor over the words of a Column message, packed and unpacked ones in any mixture. */
class ShapeWords {
  private readonly column: WireReader
  private readonly pace: Pace
  private readonly packed: WireReader

  constructor(column: WireReader, pace: Pace) {
    this.column = column
    this.pace = pace
    this.packed = new WireReader(column.bytes, 0, 0)
  }

  /** The next word, if nothing else comes before it. */
  next(): number | undefined {
    if (this.packed.position < this.packed.end) return this.packed.uint32()
    const { column } = this
    const isWord = column.next() && column.field === COLUMN.shapes && column.type === VARINT
    return isWord ? column.uint32() : undefined
  }

  /** The word behind the fields that come first, of which there may be millions; only where `next` has given none. */
  *find(): Steps<number> {
    for (;;) {
      if (this.pace.isDue(1)) yield
      this.pass()
      const word = this.next()
      if (word !== undefined) return word
    }
  }

  /** Passes over the field whose tag was read last; the words of a packed one come next. */
  private pass(): void {
    const { column, packed } = this
    if (column.field !== COLUMN.shapes || column.type !== LENGTH_DELIMITED) {
      column.skip()
      return
    }
    packed.end = column.length() + column.position
    packed.position = column.position
    column.position = packed.end
  }
}

/**
 * Walks the shapes of `count` draws, of which there are `total` words, and returns the number of their elements.
 *
 * @throws McbError `shape_mismatch`
 */
export function* checkShapes(
  spec: ColumnSpec,
  column: WireReader,
  total: number,
  count: number,
  pace: Pace,
): Steps<number> {
  const words = new ShapeWords(column, pace)
  let left = total
  let elements = 0
  let draws = 0
  for (; draws < count && left > 0; draws++) {
    const ndim = words.next() ?? (yield* words.find())
    left--
    if (ndim > left) break
    left -= ndim
    elements = Math.min(Number.MAX_SAFE_INTEGER, elements + (yield* checkShape(spec, words, ndim, pace)))
    if (pace.isDue(1)) yield
  }
  if (draws === count && left === 0) return elements
  throw new McbError('shape_mismatch', `"${spec.name}": shapes do not describe ${count} draws`, {
    variable: spec.name,
    expected: [count],
    actual: [draws],
  })
}

/** Number of elements of the next draw, which has `ndim` dimensions. */
function* checkShape(spec: ColumnSpec, words: ShapeWords, ndim: number, pace: Pace): Steps<number> {
  const expected = spec.shape ?? undefined
  let fits = expected === undefined || expected.length === ndim
  let elements = 1
  const shown: number[] = []
  for (let axis = 0; axis < ndim && (fits || axis < SHOWN_DIMENSIONS); axis++) {
    const n = words.next() ?? (yield* words.find())
    const wanted = expected?.[axis] ?? -1
    fits &&= wanted === -1 || wanted === n
    elements = Math.min(Number.MAX_SAFE_INTEGER, elements * n)
    if (axis < SHOWN_DIMENSIONS) shown.push(n)
    if (pace.isDue(1)) yield
  }
  if (fits) return elements
  throw new McbError('shape_mismatch', `"${spec.name}": expected shape [${expected}], got [${shown}]`, {
    variable: spec.name,
    expected: expected ?? [],
    actual: shown,
  })
}

/** All words of shapes that were checked. */
export function* readShapes(column: WireReader, total: number, pace: Pace): Steps<Uint32Array> {
  const words = new ShapeWords(column, pace)
  const all = new Uint32Array(total)
  for (let at = 0; at < total; at++) {
    all[at] = words.next() ?? (yield* words.find())
    if (pace.isDue(1)) yield
  }
  return all
}
