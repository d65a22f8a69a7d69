/** A selection as an encoded DrawBatch, made while it is read. */

import { type Bytes, type Parts, unpackSegment } from '../draws/segment.ts'
import { lastUse } from '../free.ts'
import type { Limits } from '../limits.ts'
import { type Piece, pieces, type Selection } from '../selection.ts'
import { turn } from '../turn.ts'
import {
  addParts,
  batchHead,
  bodySize,
  type ColumnSize,
  columnHead,
  packedWords,
  shapesHead,
  stringFields,
} from '../wire/write-columns.ts'
import { type Answer, requireAnswerFits, requireSelectionFits } from './answer.ts'
import { heldBytes, measured, type Room } from './measure.ts'

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
 * The DrawBatch of a selection. Nothing but a page of draws is in memory, and what there is room for of columns that vary in
 * size.
 *
 * @throws McbError `payload_too_large` when the answer would exceed the limit
 */
export async function protobufAnswer(selection: Selection, limits: Limits, room: Room): Promise<Answer> {
  requireSelectionFits(selection, limits)
  const sizes = sizesOf(selection)
  let least = sizes.reduce((n, size) => n + bytesOf(size), 0)
  const read = await measured(selection, room, (spec, { position, data, count }) => {
    const size = sizes[position]
    if (size === undefined) return
    const before = bytesOf(size)
    addParts(size, spec, unpackSegment(spec, data, count))
    least += bytesOf(size) - before
    // At once: the rest of it may be very long.
    requireAnswerFits(least, limits)
  })
  const { head, heads, length } = frameOf(selection, sizes)
  requireAnswerFits(length, limits)
  return { length, body: protobufBody({ selection, read, sizes, heads, room }, head) }
}

const bytesOf = ({ data, shapes, strings }: ColumnSize) => data + shapes + strings

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

/** The parts of a body, and the memory that it may take for them. */
interface BodyParts {
  readonly selection: Selection
  readonly read: AsyncGenerator<Piece>
  readonly sizes: readonly ColumnSize[]
  readonly heads: readonly Bytes[]
  readonly room: Room
}

async function* protobufBody(parts: BodyParts, head: Bytes): AsyncGenerator<Bytes> {
  const { selection, read, heads } = parts
  yield head
  let open = -1
  let shapes = new Shapes(parts, open)
  const openUpTo = async function* (position: number): AsyncGenerator<Bytes> {
    while (open < position) {
      yield* shapes.field()
      open++
      shapes = new Shapes(parts, open)
      const next = heads[open]
      if (next !== undefined) yield next
    }
  }
  for await (const piece of read) {
    const spec = selection.columns[piece.position]
    if (spec === undefined) continue
    yield* openUpTo(piece.position)
    if (spec.kind === 'rigid-numbers') {
      if (piece.data.length > 0) yield lastUse(piece.data)
      continue
    }
    const unpacked = unpackSegment(spec, piece.data, piece.count)
    await shapes.add(unpacked.words)
    if (spec.dtype === 'str') yield* stringPieces(unpacked)
    else if (unpacked.payload.length > 0) yield unpacked.payload
  }
  yield* openUpTo(heads.length)
}

/** Words that are packed at once: one shape may have millions. */
const WORDS_STEP = 64 * 1024

async function* packed(words: Uint32Array): AsyncGenerator<Bytes> {
  for (let at = 0; at < words.length; at += WORDS_STEP) {
    if (at > 0) await turn()
    yield packedWords(words.subarray(at, at + WORDS_STEP))
  }
}

/** The field `shapes` of a column, which stands behind its data: held until then, or read once more without room for it. */
class Shapes {
  private readonly parts: BodyParts
  private readonly position: number
  private held: Bytes[] = []
  private hasRoom = true

  constructor(parts: BodyParts, position: number) {
    this.parts = parts
    this.position = position
  }

  async add(words: Uint32Array): Promise<void> {
    for await (const bytes of packed(words)) {
      if (!this.hasRoom) return
      this.hasRoom = this.parts.room.take(heldBytes(bytes))
      if (this.hasRoom) this.held.push(bytes)
      else this.drop()
    }
  }

  async *field(): AsyncGenerator<Bytes> {
    const size = this.parts.sizes[this.position]?.shapes ?? 0
    if (size === 0) return
    yield shapesHead(size)
    if (this.hasRoom) {
      yield* this.held
      this.drop()
      return
    }
    const { selection } = this.parts
    for await (const { position, data, count } of pieces(selection, [this.position])) {
      const spec = selection.columns[position]
      if (spec !== undefined) yield* packed(unpackSegment(spec, data, count).words)
    }
  }

  private drop(): void {
    for (const bytes of this.held) this.parts.room.give(heldBytes(bytes))
    this.held = []
  }
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
