/** Measuring columns that vary in size before an answer begins; most of them are read only once for both. */

import type { ColumnSpec } from '../draws/columns.ts'
import { PACE_BYTES, type Piece, pieces, type Selection } from '../selection.ts'
import { Pace, turn } from '../turn.ts'

/** Bytes that are held from the first pass for the answer itself; columns beyond them are read once more. */
const HELD_BYTES = 2 * 1024 * 1024

/** Shows `look` the pieces of all columns that vary in size, and resolves to the pieces of all columns. */
export async function measured(
  selection: Selection,
  look: (spec: ColumnSpec, piece: Piece) => void,
): Promise<AsyncGenerator<Piece>> {
  const { columns } = selection
  const varying = columns.flatMap((spec, i) => (spec.kind === 'rigid-numbers' ? [] : [i]))
  const held: Piece[] = []
  let size = 0
  /** Columns before this position are held as a whole. */
  let heldBefore = columns.length
  const pace = new Pace(PACE_BYTES)
  for await (const piece of pieces(selection, varying)) {
    const spec = columns[piece.position]
    if (spec === undefined) continue
    if (pace.isDue(piece.data.length)) await turn()
    look(spec, piece)
    if (piece.position >= heldBefore) continue
    size += piece.data.length
    if (size <= HELD_BYTES) held.push(piece)
    else heldBefore = piece.position
  }
  while ((held.at(-1)?.position ?? -1) >= heldBefore) held.pop()
  const isHeld = new Set(varying.filter((position) => position < heldBefore))
  const others = columns.map((_, i) => i).filter((position) => !isHeld.has(position))
  return between(held, pieces(selection, others))
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
