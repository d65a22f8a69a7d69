/** The shapes of a ragged column as they lie in a message: checked word by word before memory is taken for any of them. */

import type { ColumnSpec } from '../draws/columns.ts'
import { McbError } from '../errors.ts'
import { STEP_SIZE, type Steps } from '../turn.ts'
import { COLUMN } from './draw-batch-fields.ts'
import { LENGTH_DELIMITED, VARINT, WireReader } from './protobuf.ts'

/** Dimensions of a wrong shape that are told at most. */
const SHOWN_DIMENSIONS = 64

/** A cursor over the words of a Column message, packed and unpacked ones in any mixture. */
class ShapeWords {
  private readonly column: WireReader
  private packed: WireReader | undefined

  constructor(column: WireReader) {
    this.column = column
  }

  next(): number | undefined {
    while (this.packed === undefined || this.packed.position >= this.packed.end) {
      this.packed = undefined
      if (!this.column.next()) return undefined
      const { field, type } = this.column
      if (field === COLUMN.shapes && type === VARINT) return this.column.uint32()
      if (field === COLUMN.shapes && type === LENGTH_DELIMITED) {
        const end = this.column.length() + this.column.position
        this.packed = new WireReader(this.column.bytes, this.column.position, end)
        this.column.position = end
      } else this.column.skip()
    }
    return this.packed.uint32()
  }
}

/**
 * Walks the shapes of `count` draws, of which there are `total` words, and returns the number of their elements.
 *
 * @throws McbError `shape_mismatch`
 */
export function* checkShapes(spec: ColumnSpec, column: WireReader, total: number, count: number): Steps<number> {
  const words = new ShapeWords(column)
  let left = total
  let elements = 0
  let draws = 0
  for (; draws < count && left > 0; draws++) {
    const ndim = words.next() ?? 0
    left--
    if (ndim > left) break
    left -= ndim
    elements = Math.min(Number.MAX_SAFE_INTEGER, elements + (yield* checkShape(spec, words, ndim)))
    if (draws % STEP_SIZE === STEP_SIZE - 1) yield
  }
  if (draws === count && left === 0) return elements
  throw new McbError('shape_mismatch', `"${spec.name}": shapes do not describe ${count} draws`, {
    variable: spec.name,
    expected: [count],
    actual: [draws],
  })
}

/** Number of elements of the next draw, which has `ndim` dimensions. */
function* checkShape(spec: ColumnSpec, words: ShapeWords, ndim: number): Steps<number> {
  const expected = spec.shape ?? undefined
  let fits = expected === undefined || expected.length === ndim
  let elements = 1
  const shown: number[] = []
  for (let axis = 0; axis < ndim && (fits || axis < SHOWN_DIMENSIONS); axis++) {
    const n = words.next() ?? 0
    const wanted = expected?.[axis] ?? -1
    fits &&= wanted === -1 || wanted === n
    elements = Math.min(Number.MAX_SAFE_INTEGER, elements * n)
    if (axis < SHOWN_DIMENSIONS) shown.push(n)
    if (axis % STEP_SIZE === STEP_SIZE - 1) yield
  }
  if (fits) return elements
  throw new McbError('shape_mismatch', `"${spec.name}": expected shape [${expected}], got [${shown}]`, {
    variable: spec.name,
    expected: expected ?? [],
    actual: shown,
  })
}

/** All words of shapes that were checked. */
export function* readShapes(column: WireReader, total: number): Steps<Uint32Array> {
  const words = new ShapeWords(column)
  const all = new Uint32Array(total)
  for (let at = 0; at < total; at++) {
    all[at] = words.next() ?? 0
    if (at % STEP_SIZE === STEP_SIZE - 1) yield
  }
  return all
}
