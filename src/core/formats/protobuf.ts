/** A selection as an encoded DrawBatch, made while it is read. */

import type { ColumnSpec } from '../draws/columns.ts'
import { type Bytes, type Parts, unpackSegment } from '../draws/segment.ts'
import type { ResolvedSlice } from '../draws/slice.ts'
import type { Limits } from '../limits.ts'
import { PACE_BYTES, pieces, type Selection } from '../selection.ts'
import { Pace, turn } from '../turn.ts'
import { shapesField, stringFields } from '../wire/column-fields.ts'
import { fieldHead, varintSize } from '../wire/protobuf.ts'
import { type Answer, requireAnswerFits, requireSelectionFits } from './answer.ts'

/** Byte lengths of what a column's message holds; known in advance for rigid numbers, else from a first pass. */
interface ColumnSize {
  data: number
  shapes: number
  strings: number
}

const NO_SIZE: ColumnSize = { data: 0, shapes: 0, strings: 0 }

async function measure(selection: Selection): Promise<ColumnSize[]> {
  const sizes = selection.columns.map((spec) => ({
    data: spec.kind === 'rigid-numbers' ? spec.stride * selection.slice.count : 0,
    shapes: 0,
    strings: 0,
  }))
  const varying = selection.columns.filter((spec) => spec.kind !== 'rigid-numbers')
  const positions = selection.columns.flatMap((spec, i) => (spec.kind === 'rigid-numbers' ? [] : [i]))
  const pace = new Pace(PACE_BYTES)
  for await (const piece of pieces(selection, varying)) {
    const spec = varying[piece.position]
    const size = sizes[positions[piece.position] ?? -1]
    if (spec === undefined || size === undefined) continue
    if (pace.isDue(piece.data.length)) await turn()
    const { words, lengths, payload } = unpackSegment(spec, piece.data, piece.count)
    for (const word of words) size.shapes += varintSize(word)
    for (const length of lengths) size.strings += 1 + varintSize(length) + length
    if (spec.dtype !== 'str') size.data += payload.length
  }
  return sizes
}

/**
 * The DrawBatch of a selection. Nothing but a page of draws is held in memory.
 *
 * @throws McbError `payload_too_large` when the answer would exceed the limit
 */
export async function protobufAnswer(selection: Selection, limits: Limits): Promise<Answer> {
  requireSelectionFits(selection, limits)
  const sizes = await measure(selection)
  const head = batchHead(selection.slice)
  const heads = selection.columns.map((spec, i) => columnHead(spec, sizes[i]))
  let length = head.length
  heads.forEach((h, i) => {
    length += h.length + bodySize(sizes[i])
  })
  requireAnswerFits(length, limits)
  return { length, body: protobufBody(selection, head, heads) }
}

function batchHead(slice: ResolvedSlice): Bytes {
  const zigzag = slice.step >= 0n ? slice.step * 2n : -slice.step * 2n - 1n
  const bytes: number[] = []
  const put = (field: number, value: bigint) => {
    bytes.push(field * 8)
    let rest = value
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    bytes.push(Number(rest))
  }
  if (slice.first > 0) put(1, BigInt(slice.first))
  if (slice.count > 0) put(2, BigInt(slice.count))
  put(5, zigzag)
  return new Uint8Array(bytes)
}

/** Bytes of a Column behind its head: the data or the strings, and the field of the shapes. */
function bodySize({ data, shapes, strings }: ColumnSize = NO_SIZE): number {
  return data + strings + shapesSize(shapes)
}

function shapesSize(shapes: number): number {
  return shapes > 0 ? fieldHead(4, shapes).length + shapes : 0
}

/** Everything of a Column up to its data: for ragged numbers the shapes come behind, as fields may in any order. */
function columnHead(spec: ColumnSpec, size: ColumnSize = NO_SIZE): Bytes {
  const encoder = new TextEncoder()
  const name = encoder.encode(spec.name)
  const dtype = encoder.encode(spec.dtype)
  const inner: Bytes[] = [fieldHead(1, name.length), name, fieldHead(2, dtype.length), dtype]
  if (size.data > 0) inner.push(fieldHead(3, size.data))
  const innerLength = inner.reduce((n, b) => n + b.length, 0)
  const total = innerLength + bodySize(size)
  return joined([fieldHead(spec.group === 'draws' ? 3 : 4, total), ...inner])
}

function joined(parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

async function* protobufBody(selection: Selection, head: Bytes, heads: readonly Bytes[]): AsyncGenerator<Bytes> {
  yield head
  let open = -1
  let words: Uint32Array[] = []
  const openUpTo = function* (position: number): Generator<Bytes> {
    while (open < position) {
      if (words.length > 0) yield shapesField(words)
      words = []
      open++
      const next = heads[open]
      if (next !== undefined) yield next
    }
  }
  for await (const piece of pieces(selection)) {
    const spec = selection.columns[piece.position]
    if (spec === undefined) continue
    yield* openUpTo(piece.position)
    if (spec.kind === 'rigid-numbers') {
      if (piece.data.length > 0) yield piece.data
      continue
    }
    const parts = unpackSegment(spec, piece.data, piece.count)
    if (parts.words.length > 0) words.push(parts.words)
    if (spec.dtype === 'str') yield* stringPieces(parts)
    else if (parts.payload.length > 0) yield parts.payload
  }
  yield* openUpTo(heads.length)
}

/** Strings that are written at once: one draw may have millions. */
const STRINGS_STEP = 16 * 1024

async function* stringPieces({ words, lengths, payload }: Parts): AsyncGenerator<Bytes> {
  let from = 0
  for (let at = 0; at < lengths.length; at += STRINGS_STEP) {
    const some = lengths.subarray(at, at + STRINGS_STEP)
    let to = from
    for (const length of some) to += length
    if (at > 0) await turn()
    yield stringFields({ words, lengths: some, payload: payload.subarray(from, to) })
    from = to
  }
}
