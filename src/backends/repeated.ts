/** Iterations that a batch repeats: how a store reads them, and compares them with what it holds. */

import { requireSame } from '../core/draws/append-rule.ts'
import type { Schema } from '../core/draws/columns.ts'
import type { Block } from '../core/draws/segment.ts'
import type { Question, ReadCursor, ReadPage } from '../core/store.ts'
import type { Batch } from '../core/wire/read-batch.ts'

/** Every column of the iterations that a batch repeats, which end before `to`. */
export function repeatedIn(schema: Schema, batch: Batch, to: number): Question {
  return { columns: schema.columns.map((_, index) => index), slice: { start: batch.start, stop: to } }
}

/**
 * Compares a batch with a page of the iterations that it repeats.
 *
 * @throws McbError `draw_conflict` where they differ
 */
export function requireSamePage(schema: Schema, batch: Batch, page: ReadPage, cursor: ReadCursor): void {
  for (const block of blocksIn(page, cursor, batch.start)) {
    const spec = schema.columns[block.position]
    if (spec !== undefined) requireSame(spec, batch, block, cursor.moment.length)
  }
}

/** Blocks of a page of a slice without gaps, with the positions of their columns. */
function* blocksIn(
  { stretches }: ReadPage,
  cursor: ReadCursor,
  from: number,
): Generator<Block & { readonly position: number }> {
  let position = cursor.position
  let start = from + cursor.done
  for (const stretch of stretches) {
    if (stretch.position !== position) start = from
    position = stretch.position
    yield { ...stretch, start }
    start += stretch.count
  }
}
