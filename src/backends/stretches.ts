/** Stretches that stores give to a read: few and large, however small the batches were. */

import type { ColumnSpec } from '../core/draws/columns.ts'
import { elementsColumn } from '../core/draws/elements.ts'
import { type Block, isSizeless, joinSegments, weightOf } from '../core/draws/segment.ts'
import { subSlice } from '../core/draws/slice.ts'
import { type Taken, takeBlocks, type Wanted } from '../core/draws/take.ts'
import type { Question, ReadCursor, ReadPage, Stretch } from '../core/store.ts'

/** A stretch of this weight, in bytes, is not joined with its neighbours any more. */
const SMALL_BYTES = 64 * 1024

/** The wanted draws of blocks that rise, up to the first hole, as stretches of the column at a position. */
export function stretchesOf(position: number, wanted: Wanted, blocks: readonly Block[]): Stretch[] {
  const { spec, elements } = wanted
  return joinSmall(position, elements === undefined ? spec : elementsColumn(spec, elements), takeBlocks(wanted, blocks))
}

/** Joins neighbouring small draws: those of one-draw batches are handed on in as few pieces as those of large batches. */
function joinSmall(position: number, spec: ColumnSpec, taken: Iterable<Taken>): Stretch[] {
  const joined: Stretch[] = []
  let group: { count: number; data: Uint8Array<ArrayBuffer> }[] = []
  let weight = 0
  const flush = () => {
    if (group.length > 0) {
      const count = group.reduce((n, block) => n + block.count, 0)
      joined.push({ position, count, data: joinSegments(spec, group) })
    }
    group = []
    weight = 0
  }
  for (const { count, data } of taken) {
    if (data === null || weightOf(count, data.length) >= SMALL_BYTES) {
      flush()
      joined.push({ position, count, data })
      continue
    }
    group.push({ count, data })
    weight += weightOf(count, data.length)
    if (weight >= SMALL_BYTES) flush()
  }
  flush()
  return joined
}

export function countOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((n, { count }) => n + count, 0)
}

/** Weight of each draw of a column, in bytes; 0 where it varies. */
export function fixedWeight(spec: ColumnSpec): number {
  if (spec.kind === 'rigid-numbers') return weightOf(1, spec.stride)
  return isSizeless(spec) ? 1 : 0
}

/** Weight, in bytes, of the part of each draw of a column that an answer takes; 0 where it varies. */
export function answeredWeight({ spec, elements }: Wanted): number {
  return fixedWeight(elements === undefined ? spec : elementsColumn(spec, elements))
}

/** The page behind another one whose last column was read up to `done` of `count` draws. */
export function nextCursor(
  { columns }: Question,
  { moment }: ReadCursor,
  position: number,
  done: number,
  count: number,
): Pick<ReadPage, 'next'> {
  if (done < count) return { next: { moment, position, done } }
  return position + 1 < columns.length ? { next: { moment, position: position + 1, done: 0 } } : {}
}

/** Wanted draws of a column from a cursor on. */
export function wantedAt(
  spec: ColumnSpec,
  slice: Wanted['slice'],
  { elements }: Question,
  cursor: ReadCursor,
  position: number,
): Wanted {
  return { spec, slice: position === cursor.position ? subSlice(slice, cursor.done) : slice, elements }
}
