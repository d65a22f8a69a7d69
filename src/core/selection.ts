/** Draws of some columns of one chain at one moment, as a stream of pieces. */

import type { ColumnSpec } from './draws/columns.ts'
import { type Block, type Bytes, fillSegment, isSizeless, pickSegment, sliceSegment } from './draws/segment.ts'
import { type ResolvedSlice, rangeOf, resolveSlice } from './draws/slice.ts'
import type { Ahead, ColumnBlocks, ScanRequest } from './store.ts'

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
