/** Measuring columns that vary in size before an answer begins; as far as there is room, they are read only once for both. */

import type { ColumnSpec } from '../draws/columns.ts'
import type { Bytes } from '../draws/segment.ts'
import { subSlice } from '../draws/slice.ts'
import { PACE_BYTES, type Piece, pieces, type Selection } from '../selection.ts'
import { Pace, turn } from '../turn.ts'

/** Memory for draws that one answer holds until they are sent. */
export interface Room {
  /**
   * Takes so many bytes; false when there are not as many.
   *
   * @throws McbError when the answer has ended, as nobody waits for it
   */
  take(bytes: number): boolean
  give(bytes: number): void
}

/** Bytes that a piece takes beside its data: draws without bytes may come in very many. */
const PIECE_BYTES = 256

/** Bytes that are taken for some data that is held as a piece of its own. */
export function heldBytes(data: Bytes): number {
  return data.length + PIECE_BYTES
}

/**
 * Shows `look` the pieces of all columns that vary in size, and resolves to the pieces of all columns. As many of the first
 * as there is room for are held, and the rest of them is read a second time.
 */
export async function measured(
  selection: Selection,
  room: Room,
  look: (spec: ColumnSpec, piece: Piece) => void,
): Promise<AsyncGenerator<Piece>> {
  const { columns } = selection
  const held: Piece[] = []
  let isFull = false
  const pace = new Pace(PACE_BYTES)
  const varying = positionsOf(columns, (spec) => !isRigid(spec))
  for await (const piece of pieces(selection, varying)) {
    const spec = columns[piece.position]
    if (spec === undefined) continue
    if (pace.isDue(piece.data.length)) await turn()
    look(spec, piece)
    // A room without space is asked for none, and still tells that the answer has ended.
    if (room.take(isFull ? 0 : heldBytes(piece.data)) && !isFull) held.push(piece)
    else isFull = true
  }
  if (isFull) return readOn(selection, held, room)
  return between(held, room, pieces(selection, positionsOf(columns, isRigid)))
}

const isRigid = ({ kind }: ColumnSpec) => kind === 'rigid-numbers'

function positionsOf(
  columns: readonly ColumnSpec[],
  isWanted: (spec: ColumnSpec, position: number) => boolean,
): number[] {
  return columns.flatMap((spec, position) => (isWanted(spec, position) ? [position] : []))
}

/** The pieces of all columns, when those held end within a column or behind it: what comes then is read from the storage. */
async function* readOn(selection: Selection, held: Piece[], room: Room): AsyncGenerator<Piece> {
  const { columns, slice } = selection
  const last = held.at(-1)?.position ?? -1
  const done = held.reduce((n, { position, count }) => (position === last ? n + count : n), 0)
  const before = positionsOf(columns, (spec, position) => position < last && isRigid(spec))
  yield* between(held, room, pieces(selection, before))
  if (last >= 0 && done < slice.count) yield* pieces(selection, [last], subSlice(slice, done))
  yield* pieces(
    selection,
    positionsOf(columns, (_, position) => position > last),
  )
}

/** Pieces that are held among those that are read, by position; each is given away when its turn has come. */
async function* between(held: Piece[], room: Room, read: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
  const giveAway = function* (end: number): Generator<Piece> {
    for (let first = held[0]; first !== undefined && first.position < end; first = held[0]) {
      yield first
      room.give(heldBytes(first.data))
      held.shift()
    }
  }
  for await (const piece of read) {
    yield* giveAway(piece.position)
    yield piece
  }
  yield* giveAway(Number.POSITIVE_INFINITY)
}
