/** A read of one chain as a stream: what was resolved, and the bytes of the answer in protobuf or JSON. */

import type { ColumnSpec } from './draws/columns.ts'
import {
  type Block,
  type Bytes,
  fillSegment,
  isSizeless,
  type Parts,
  pickSegment,
  sliceSegment,
  unpackSegment,
} from './draws/segment.ts'
import { type ResolvedSlice, rangeOf, resolveSlice } from './draws/slice.ts'
import { McbError } from './errors.ts'
import type { Limits } from './limits.ts'
import type { Ahead, ColumnBlocks, ScanRequest } from './store.ts'
import { Pace, turn } from './turn.ts'
import { shapesField, stringFields } from './wire/column-fields.ts'
import { fieldHead, varintSize } from './wire/protobuf.ts'

/** Blocks of the columns of a selection, column by column; each column rising and without a hole. */
export type ScanColumns = (columns: readonly number[], from: number, to: number) => AsyncIterable<ColumnBlocks>

/** Draws of some columns of one chain at one moment. */
export interface Selection {
  readonly columns: readonly ColumnSpec[]
  readonly slice: ResolvedSlice
  readonly scan: ScanColumns
}

/** Consecutive draws of the answer, in the answer's order. */
export interface Piece {
  readonly position: number
  readonly count: number
  /** A segment in the layout of the column's kind. */
  readonly data: Bytes
}

/** Absent draws become fill in steps of about this many bytes. */
const FILL_STEP = 256 * 1024
/** Bytes that are gone through between two turns of the event loop. */
export const PACE_BYTES = 1024 * 1024

/** The draws of the selection, column by column, in the order of the slice. */
export async function* pieces(selection: Selection, columns = selection.columns): AsyncGenerator<Piece> {
  const { slice } = selection
  if (slice.count === 0 || columns.length === 0) return
  const { from, to } = rangeOf(slice)
  const indices = columns.map((spec) => spec.index)
  // A reversed slice walks its pages backwards in windows, so that memory stays bounded.
  if (slice.step < 0n) {
    for (const [position, spec] of columns.entries()) yield* reversed(selection, spec, position)
    return
  }
  for await (const part of selection.scan(indices, from, to)) {
    const spec = columns[part.position]
    if (spec === undefined) continue
    for (const block of part.blocks) yield* pick(spec, part.position, block, slice)
  }
}

/** What `pieces` scans first when the chain has this length; undefined when that is nothing, or not the whole slice. */
export function firstScan({ columns, slice }: Ahead, length: number): ScanRequest | undefined {
  const resolved = resolveSlice(slice, length)
  if (resolved.count === 0 || columns.length === 0 || resolved.step < 0n) return undefined
  return { columns, ...rangeOf(resolved) }
}

/** Draws of a window of a reversed slice: few enough to hold them, whatever their size was found to be. */
const WINDOW_BYTES = 1024 * 1024
const WINDOW_DRAWS = 4096

async function* reversed(selection: Selection, spec: ColumnSpec, position: number): AsyncGenerator<Piece> {
  const { from, to } = rangeOf(selection.slice)
  const draws = isSizeless(spec)
    ? WINDOW_BYTES
    : spec.kind === 'rigid-numbers'
      ? Math.max(1, Math.floor(WINDOW_BYTES / spec.stride))
      : WINDOW_DRAWS
  for (let end = to; end > from; end -= draws) {
    const window: Piece[] = []
    for await (const part of selection.scan([spec.index], Math.max(from, end - draws), end)) {
      for (const block of part.blocks) window.unshift(...[...pick(spec, position, block, selection.slice)].reverse())
    }
    yield* window
  }
}

/** What a slice takes from one block. */
function* pick(spec: ColumnSpec, position: number, block: Block, slice: ResolvedSlice): Generator<Piece> {
  const { first, count } = within(block, slice)
  if (count === 0) return
  if (block.data === null) {
    yield* fills(spec, position, count)
    return
  }
  const step = Number(slice.step)
  const offset = first - block.start
  const data =
    step === 1 || count === 1
      ? sliceSegment(spec, block.data, block.count, offset, offset + count)
      : pickSegment(spec, block.data, block.count, { first: offset, step, count })
  yield { position, count, data }
}

function* fills(spec: ColumnSpec, position: number, count: number): Generator<Piece> {
  const stride = spec.kind === 'rigid-numbers' ? spec.stride : spec.layout === 'rigid' ? spec.elements * 4 : 64
  const each = Math.max(1, Math.floor(FILL_STEP / Math.max(1, stride)))
  for (let done = 0; done < count; done += each) {
    const n = Math.min(each, count - done)
    yield { position, count: n, data: fillSegment(spec, n) }
  }
}

/** The draws of a slice that lie in a block: the first in the order of the slice, and how many. */
function within(block: Block, slice: ResolvedSlice): { first: number; count: number } {
  const step = slice.count === 1 ? 1 : Number(slice.step)
  const low = block.start
  const high = block.start + block.count - 1
  // i-th draw of the slice: first + i * step. Which i fall into low … high?
  const [enter, leave] =
    step > 0
      ? [Math.ceil((low - slice.first) / step), Math.floor((high - slice.first) / step)]
      : [Math.ceil((slice.first - high) / -step), Math.floor((slice.first - low) / -step)]
  const i = Math.max(0, enter)
  const j = Math.min(slice.count - 1, leave)
  return i > j ? { first: 0, count: 0 } : { first: slice.first + i * step, count: j - i + 1 }
}

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

export interface Answer {
  /** Exact number of bytes that `body` will give, where it is known in advance. */
  readonly length?: number
  readonly body: AsyncGenerator<Bytes>
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

/** Judges what is known before a draw is read: the least bytes that the draws can have. */
export function requireSelectionFits({ columns, slice }: Selection, limits: Limits): void {
  const sizes = columns.map(leastBytes)
  requireAnswerFits(sizes.reduce((a, b) => a + b, 0) * slice.count, limits)
}

/** Numbers have a size; a string takes two bytes, even an empty one, and a word of a shape takes one. */
function leastBytes(spec: ColumnSpec): number {
  if (spec.kind === 'rigid-numbers') return spec.stride
  if (spec.kind === 'rigid-strings') return spec.elements * 2
  return 1 + (spec.shape?.length ?? 0)
}

export function requireAnswerFits(bytes: number, limits: Limits): void {
  if (bytes <= limits.answerBytes) return
  throw new McbError(
    'payload_too_large',
    `the answer would have ${bytes} bytes, the limit is ${limits.answerBytes}; narrow the slice or name fewer variables`,
    { limit: limits.answerBytes },
  )
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
