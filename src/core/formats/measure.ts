/** Measuring columns that vary in size before an answer begins; as far as there is room, they are read only once for both. */

import type { ColumnSpec } from '../draws/columns.ts'
import { subSlice } from '../draws/slice.ts'
import { PACE_BYTES, type Piece, pieces, type Selection } from '../selection.ts'
import { Pace, turn } from '../turn.ts'

/** Asks for so many bytes more, to be held until the answer has ended; false when there is no room for them. */
export type Hold = (bytes: number) => boolean

/**
 * Shows `look` the pieces of all columns that vary in size, and resolves to the pieces of all columns. Those that `hold` has
 * room for are kept from the first pass; behind the first one without room, all are read once more.
 */
export async function measured(
  selection: Selection,
  hold: Hold,
  look: (spec: ColumnSpec, piece: Piece) => void,
): Promise<AsyncGenerator<Piece>> {
  const { columns } = selection
  const held: Piece[] = []
  let isFull = false
  const pace = new Pace(PACE_BYTES)
  const varying = positionsOf(columns, (spec) => spec.kind !== 'rigid-numbers')
  for await (const piece of pieces(selection, varying)) {
    const spec = columns[piece.position]
    if (spec === undefined) continue
    if (pace.isDue(piece.data.length)) await turn()
    look(spec, piece)
    isFull ||= !hold(piece.data.length)
    if (!isFull) held.push(piece)
  }
  if (isFull) return upTo(selection, held)
  return between(held, pieces(selection, positionsOf(columns, isRigid)))
}

const isRigid = ({ kind }: ColumnSpec) => kind === 'rigid-numbers'

function positionsOf(
  columns: readonly ColumnSpec[],
  isWanted: (spec: ColumnSpec, position: number) => boolean,
): number[] {
  return columns.flatMap((spec, position) => (isWanted(spec, position) ? [position] : []))
}

/** Pieces of which the first that vary in size are held; the column of the last one is read on from there. */
async function* upTo(selection: Selection, held: Piece[]): AsyncGenerator<Piece> {
  const { columns, slice } = selection
  const last = held.at(-1)?.position ?? -1
  const done = held.reduce((n, { position, count }) => (position === last ? n + count : n), 0)
  const before = positionsOf(columns, (spec, position) => position < last && isRigid(spec))
  yield* between(held, pieces(selection, before))
  if (last >= 0 && done < slice.count) yield* pieces(selection, [last], subSlice(slice, done))
  const behind = positionsOf(columns, (_, position) => position > last)
  yield* pieces(selection, behind)
}

/** Pieces that are held among those that are read, by position; each is given away when its turn has come. */
async function* between(held: Piece[], read: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
  for await (const piece of read) {
    for (let first = held[0]; first !== undefined && first.position < piece.position; first = held[0]) {
      yield first
      held.shift()
    }
    yield piece
  }
  for (let piece = held.shift(); piece !== undefined; piece = held.shift()) yield piece
}
