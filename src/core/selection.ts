/** Draws of some columns of one chain at one moment, as a stream of pieces. */

import type { ColumnSpec } from './draws/columns.ts'
import { type Bytes, fillSegment, joinSegments } from './draws/segment.ts'
import { type ResolvedSlice, subSlice } from './draws/slice.ts'
import type { Stretch } from './store.ts'

/** Draws of some columns of one chain at one moment. */
export interface Selection {
  readonly chain: number
  /** Columns as the answer has them: a column of vectors when elements are read. */
  readonly columns: readonly ColumnSpec[]
  readonly slice: ResolvedSlice
  /** Draws of some of the columns, at rising positions, over this slice or a part of it. */
  readonly read: (positions: readonly number[], slice: ResolvedSlice) => AsyncIterable<Stretch>
}

/** Consecutive draws of the answer, in the answer's order. */
export interface Piece {
  /** Position in the columns of the selection. */
  readonly position: number
  readonly count: number
  /** A segment in the layout of the column's kind. */
  readonly data: Bytes
}

/** Bytes of a step, about, in which absent draws become fill. */
const FILL_STEP = 256 * 1024
/** Bytes that are gone through between two turns of the event loop. */
export const PACE_BYTES = 1024 * 1024

/** The draws of some columns of the selection, by default of all, column by column and in the order of the slice. */
export async function* pieces(
  { columns, slice: whole, read }: Selection,
  positions: readonly number[] = columns.map((_, i) => i),
  slice: ResolvedSlice = whole,
): AsyncGenerator<Piece> {
  if (slice.count === 0 || positions.length === 0) return
  for await (const { position, count, data } of read(positions, slice)) {
    const spec = columns[position]
    if (spec === undefined) continue
    if (data === null) yield* fills(spec, position, count)
    else yield { position, count, data }
  }
}

function* fills(spec: ColumnSpec, position: number, count: number): Generator<Piece> {
  const stride = spec.kind === 'rigid-numbers' ? spec.stride : spec.layout === 'rigid' ? spec.elements * 4 : 64
  const each = Math.max(1, Math.floor(FILL_STEP / Math.max(1, stride)))
  for (let done = 0; done < count; done += each) {
    const n = Math.min(each, count - done)
    yield { position, count: n, data: fillSegment(spec, n) }
  }
}

/** Consecutive draws of all columns of a selection together. */
export interface RowWindow {
  /** Draws of the selection before these. */
  readonly done: number
  readonly count: number
  /** A segment for each column. */
  readonly segments: readonly Bytes[]
}

/** Bytes that a draw of varying size is taken to have, until some were seen. */
const UNKNOWN_DRAW = 64

/**
 * The draws of a selection row by row, for formats that write all columns of a draw together: windows of about `most` bytes,
 * and never of more than twice as many, unless one draw has them.
 */
export async function* rowWindows(selection: Selection, most: number): AsyncGenerator<RowWindow> {
  let each = Math.max(1, leastRow(selection.columns))
  for (let done = 0; done < selection.slice.count; ) {
    const count = Math.min(Math.max(1, Math.floor(most / each)), selection.slice.count - done)
    const { segments, bytes } = await readWindow(selection, subSlice(selection.slice, done, count), 2 * most)
    if (segments === undefined) {
      // Draws are larger here than they were before: fewer of them.
      each = Math.max(2 * each, most / Math.max(1, count >> 1))
      continue
    }
    yield { done, count, segments }
    done += count
    each = Math.max(1, leastRow(selection.columns), bytes / count)
  }
}

function leastRow(columns: readonly ColumnSpec[]): number {
  return columns.reduce((n, spec) => n + (spec.kind === 'rigid-numbers' ? spec.stride : UNKNOWN_DRAW), 0)
}

/** The segments of some draws; undefined when several have more than `most` bytes. */
async function readWindow(
  selection: Selection,
  slice: ResolvedSlice,
  most: number,
): Promise<{ readonly segments?: readonly Bytes[]; readonly bytes: number }> {
  const columns: Piece[][] = selection.columns.map(() => [])
  let bytes = 0
  for await (const piece of pieces(selection, undefined, slice)) {
    bytes += piece.data.length
    if (bytes > most && slice.count > 1) return { bytes }
    columns[piece.position]?.push(piece)
  }
  const segments = selection.columns.map((spec, i) => joinSegments(spec, columns[i] ?? []))
  return { segments, bytes }
}

/** The pieces of several chains, one chain after the other. */
export async function* piecesOfChains(
  selections: readonly Selection[],
): AsyncGenerator<Piece & { readonly chain: number }> {
  for (const selection of selections) {
    for await (const piece of pieces(selection)) yield { ...piece, chain: selection.chain }
  }
}
