/** Chunks that come again: compared with the draws that they have become. */
import { McbError } from '../../core/errors.ts'
import { type Elements, fillChunk } from '../../core/upload/chunk.ts'
import type { ArrayDocument } from '../../core/upload/document.ts'
import { copyBox, emptyTarget } from '../../core/upload/grid.ts'
import { equalElements } from '../../core/upload/rows.ts'
import type { Growth, Place, SentChunk } from './growth.ts'

/**
 * True where nothing of a chunk is left to store, since all of its rows are there.
 *
 * @throws McbError `draw_conflict` where it differs from them
 */
export async function isStoredEqual(growth: Growth, place: Place, sent: SentChunk): Promise<boolean> {
  const { draws } = growth
  const { part, spec } = place
  const { node, chunk, elements, path } = sent
  const { array } = node
  const [across = 1, length = 1] = array.chunkShape
  const chain = (chunk[0] ?? 0) * across
  const first = (chunk[1] ?? 0) * length
  const places = Array.from({ length: across }, (_, i) => chain + i)
  if (!growth.isDone && places.every((other) => growth.rowsDone(part, other) <= first)) return false
  const stored = await growth.storedChunk(node, place, chunk)
  const given = elements ?? fillChunk(array)
  let isWhole = true
  for (const [i, other] of places.filter((chain) => chain < draws.numbers.length).entries()) {
    const total = Math.min(length, draws.layout.rows[part] - first)
    const count = growth.isDone ? total : Math.min(total, growth.rowsDone(part, other) - first)
    if (count < total) isWhole = false
    if (isEqualAt(array, chunk, { place: i, count }, given, stored)) continue
    const number = draws.numbers[other] ?? 0
    const detail = `${path} differs from the draws of chain ${number} that are stored; a new run needs an id of its own`
    throw new McbError('draw_conflict', detail, { length: growth.lengthOf(other), variable: spec.name })
  }
  return isWhole
}

/** True where some rows of one chain are the same in two chunks. */
function isEqualAt(
  array: ArrayDocument,
  chunk: readonly number[],
  rows: { readonly place: number; readonly count: number },
  a: Elements,
  b: Elements,
): boolean {
  if (rows.count <= 0) return true
  const inner = array.chunkShape.slice(2)
  const zeros = inner.map(() => 0)
  const valid = inner.map((size, axis) => Math.min(size, (array.shape[axis + 2] ?? 0) - (chunk[axis + 2] ?? 0) * size))
  const box = { from: [rows.place, 0, ...zeros], to: [0, 0, ...zeros], shape: [1, rows.count, ...valid] }
  const [x, y] = [a, b].map((elements) => {
    const target = emptyTarget(array, box.shape)
    copyBox({ elements, shape: array.chunkShape }, target, box, array.type.itemSize)
    return target.elements
  })
  return equalElements(x ?? [], y ?? [])
}
