/** The rows of a selection for a table: windows of some rows, or where one row is large, its columns one after the other. */

import { type Bytes, joinSegments } from '../../draws/segment.ts'
import { subSlice } from '../../draws/slice.ts'
import { type Piece, pieces, type Selection } from '../../selection.ts'

/** Consecutive rows, with a segment for each column. */
interface Window {
  readonly kind: 'window'
  readonly count: number
  readonly segments: readonly Bytes[]
}

/** One row, whose columns come one after the other. */
interface LargeRow {
  readonly kind: 'large row'
  readonly pieces: AsyncGenerator<Piece>
}

/** Bytes that a column is taken to have where only its draws tell. */
const UNKNOWN_BYTES = 64

/** Rows in their order, in windows of `most` bytes at most. */
export async function* tableRows(selection: Selection, most: number): AsyncGenerator<Window | LargeRow> {
  const { columns, slice } = selection
  const least = columns.reduce((n, spec) => n + (spec.kind === 'rigid-numbers' ? spec.stride : UNKNOWN_BYTES), 1)
  let each = least
  for (let done = 0; done < slice.count; ) {
    const count = Math.min(Math.max(1, Math.floor(most / each)), slice.count - done)
    const part = subSlice(slice, done, count)
    const read = least > most ? undefined : await readWindow(selection, part, most)
    if (read === undefined && count > 1) {
      // Rows are larger here than they were before: fewer of them.
      each = Math.max(2 * each, most / (count >> 1))
      continue
    }
    if (read === undefined) yield { kind: 'large row', pieces: pieces(selection, undefined, part) }
    else {
      yield { kind: 'window', count, segments: read.segments }
      each = Math.max(least, (1.25 * read.bytes) / count)
    }
    done += count
  }
}

/** The segments of some rows; undefined when they have more than `most` bytes. */
async function readWindow(selection: Selection, slice: Selection['slice'], most: number) {
  const columns: Piece[][] = selection.columns.map(() => [])
  let bytes = 0
  for await (const piece of pieces(selection, undefined, slice)) {
    bytes += piece.data.length
    if (bytes > most) return undefined
    columns[piece.position]?.push(piece)
  }
  return { segments: selection.columns.map((spec, i) => joinSegments(spec, columns[i] ?? [])), bytes }
}
