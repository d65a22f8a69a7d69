/** A selection as an encoded DrawBatch, made while it is read. */

import { type Bytes, type Parts, unpackSegment } from '../draws/segment.ts'
import type { Limits } from '../limits.ts'
import type { Piece, Selection } from '../selection.ts'
import { turn } from '../turn.ts'
import {
  addParts,
  batchHead,
  bodySize,
  type ColumnSize,
  columnHead,
  shapesField,
  stringFields,
} from '../wire/write-columns.ts'
import { type Answer, requireAnswerFits, requireSelectionFits } from './answer.ts'
import { type Hold, measured } from './measure.ts'

const NO_SIZE: ColumnSize = { data: 0, shapes: 0, strings: 0 }

/** Bytes of each column, as far as the schema tells. */
function sizesOf({ columns, slice }: Selection): ColumnSize[] {
  return columns.map((spec) => ({
    data: spec.kind === 'rigid-numbers' ? spec.stride * slice.count : 0,
    shapes: 0,
    strings: 0,
  }))
}

/**
 * The DrawBatch of a selection. Nothing but a page of draws is in memory, and what is held of columns that vary in size.
 *
 * @throws McbError `payload_too_large` when the answer would exceed the limit
 */
export async function protobufAnswer(selection: Selection, limits: Limits, hold: Hold): Promise<Answer> {
  requireSelectionFits(selection, limits)
  const sizes = sizesOf(selection)
  const read = await measured(selection, hold, (spec, { position, data, count }) => {
    const size = sizes[position]
    if (size !== undefined) addParts(size, spec, unpackSegment(spec, data, count))
  })
  const { head, heads, length } = frameOf(selection, sizes)
  requireAnswerFits(length, limits)
  return { length, body: protobufBody(selection, read, head, heads) }
}

/**
 * Bytes of the DrawBatch of a selection; undefined where only its draws tell them.
 *
 * @throws McbError `payload_too_large` when the answer would surely exceed the limit
 */
export function protobufLength(selection: Selection, limits: Limits): number | undefined {
  requireSelectionFits(selection, limits)
  const isKnown = selection.slice.count === 0 || selection.columns.every((spec) => spec.kind === 'rigid-numbers')
  if (!isKnown) return undefined
  const { length } = frameOf(selection, sizesOf(selection))
  requireAnswerFits(length, limits)
  return length
}

/** Parts of the answer around the draws, and the bytes of all together. */
function frameOf(selection: Selection, sizes: readonly ColumnSize[]) {
  const { first, count, step } = selection.slice
  const head = batchHead(first, count, step)
  const heads = selection.columns.map((spec, i) => columnHead(spec, sizes[i] ?? NO_SIZE))
  let length = head.length
  heads.forEach((h, i) => {
    length += h.length + bodySize(sizes[i] ?? NO_SIZE)
  })
  return { head, heads, length }
}

async function* protobufBody(
  selection: Selection,
  read: AsyncGenerator<Piece>,
  head: Bytes,
  heads: readonly Bytes[],
): AsyncGenerator<Bytes> {
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
  for await (const piece of read) {
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
