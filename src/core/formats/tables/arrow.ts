/** A table of draws as a stream of Arrow record batches. */

import { viewAs } from '../../draws/dtype.ts'
import type { RigidColumn } from '../../draws/elements.ts'
import { type Bytes, unpackSegment } from '../../draws/segment.ts'
import { rowWindows } from '../../selection.ts'
import { turn } from '../../turn.ts'
import { ARROW_END, type ArrowValues, arrowBatch, arrowSchema, arrowType, bitsOf } from './arrow-stream.ts'
import { type DrawTable, ID_COLUMNS, windowBytes } from './table.ts'

/** Columns that a table may have: all of them are in the message at the head, which is made and read as a whole. */
export const MOST_ARROW_COLUMNS = 32_768

const COUNT = arrowType('int64')

export async function* arrowTable({ columns, names, parts }: DrawTable): AsyncGenerator<Bytes> {
  yield arrowSchema(fieldsOf(columns, names()))
  let draw = 0
  for (const { selection, first, step } of parts) {
    const chain = selection.chain + 1
    for await (const { done, count, segments } of rowWindows(selection, drawBytes(columns))) {
      await turn()
      const ids = [
        counts(count, () => chain),
        counts(count, (i) => first + (done + i) * step),
        counts(count, (i) => draw + done + i + 1),
      ]
      const values = columns.flatMap((spec, i) => valuesOf(spec, segments[i] ?? NONE, count))
      yield arrowBatch([...ids, ...values], count)
    }
    draw += selection.slice.count
  }
  yield ARROW_END
}

const NONE: Bytes = new Uint8Array()
/** Bytes of the columns that count, in each row. */
const COUNT_BYTES = ID_COLUMNS.length * 8

/** Bytes of draws in a window, so that there is room for the columns that count: of a single bool they are nearly all. */
function drawBytes(columns: readonly RigidColumn[]): number {
  const row = columns.reduce((n, spec) => n + (spec.kind === 'rigid-numbers' ? spec.stride : 4 * spec.elements), 0)
  return Math.ceil((windowBytes(columns) * Math.max(1, row)) / (Math.max(1, row) + COUNT_BYTES))
}

function* fieldsOf(columns: readonly RigidColumn[], names: Iterable<string>) {
  for (const name of ID_COLUMNS) yield [name, COUNT] as const
  const all = names[Symbol.iterator]()
  for (const { dtype, elements } of columns) {
    for (let i = 0; i < elements; i++) yield [all.next().value ?? '', arrowType(dtype)] as const
  }
}

/** Numbers that count, as int64. */
function counts(length: number, at: (index: number) => number): ArrowValues {
  const words = new Uint32Array(2 * length)
  for (let i = 0; i < length; i++) {
    const value = at(i)
    words[2 * i] = value
    words[2 * i + 1] = value / 2 ** 32
  }
  return { type: COUNT, values: new Uint8Array(words.buffer) }
}

/** The scalars of a column, each as a column. */
function valuesOf(spec: RigidColumn, segment: Bytes, count: number): ArrowValues[] {
  const elements = Array.from({ length: spec.elements }, (_, i) => i)
  if (spec.kind === 'rigid-strings') return textsOf(spec, segment, count)
  const type = arrowType(spec.dtype)
  if (spec.dtype === 'bool') {
    return elements.map((element) => ({
      type,
      values: bitsOf(count, (row) => segment[row * spec.elements + element] === 1),
    }))
  }
  if (spec.elements === 1) return [{ type, values: segment }]
  return apart(segment, spec.itemSize, spec.elements, count).map((values) => ({ type, values }))
}

/** The columns of a table of items that lies row by row. */
function apart(rows: Bytes, itemSize: number, elements: number, count: number): Bytes[] {
  // Words are moved instead of numbers, so that all bits of a NaN stay.
  const bytes = new Uint8Array(elements * count * itemSize)
  if (itemSize < 4) transpose(rows, bytes, itemSize, elements, count)
  else transpose(viewAs('uint32', rows), viewAs('uint32', bytes), itemSize / 4, elements, count)
  return Array.from({ length: elements }, (_, i) => bytes.subarray(i * count * itemSize, (i + 1) * count * itemSize))
}

type Units = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>

/** Row by row, so that what is read lies together. */
function transpose(from: Units, to: Units, size: number, elements: number, count: number): void {
  let source = 0
  for (let row = 0; row < count; row++) {
    for (let element = 0; element < elements; element++) {
      const target = (element * count + row) * size
      to[target] = from[source++] ?? 0
      for (let unit = 1; unit < size; unit++) to[target + unit] = from[source++] ?? 0
    }
  }
}

function textsOf(spec: RigidColumn, segment: Bytes, count: number): ArrowValues[] {
  const { lengths, payload } = unpackSegment(spec, segment, count)
  const begins = new Float64Array(lengths.length + 1)
  for (let i = 0; i < lengths.length; i++) begins[i + 1] = (begins[i] ?? 0) + (lengths[i] ?? 0)
  return Array.from({ length: spec.elements }, (_, element) => {
    const offsets = new Int32Array(count + 1)
    for (let row = 0; row < count; row++) {
      offsets[row + 1] = (offsets[row] ?? 0) + (lengths[row * spec.elements + element] ?? 0)
    }
    if (spec.elements === 1) return { type: arrowType('str'), values: payload, offsets }
    const values = new Uint8Array(offsets[count] ?? 0)
    for (let row = 0; row < count; row++) {
      const at = row * spec.elements + element
      values.set(payload.subarray(begins[at], begins[at + 1]), offsets[row])
    }
    return { type: arrowType('str'), values, offsets }
  })
}
