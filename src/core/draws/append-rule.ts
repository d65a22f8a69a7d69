/** The append table (docs/protocol.md §3): a batch, judged against the length of its chain. */

import { McbError } from '../errors.ts'
import type { Batch } from '../wire/read-batch.ts'
import type { ColumnSpec, Schema } from './columns.ts'
import { type Block, equalSegments, type Segment, sliceSegment } from './segment.ts'

/** Iterations `from … to` that the batch repeats; `hasNew` where others follow. */
export interface Overlap {
  readonly from: number
  readonly to: number
  readonly hasNew: boolean
}

/** @throws McbError `draw_gap` when the batch starts behind the end of the chain */
export function overlapOf(batch: Batch, length: number): Overlap {
  const end = batch.start + batch.count
  if (batch.start > length) {
    const detail = `the batch starts at ${batch.start}, the chain ends at ${length}`
    throw new McbError('draw_gap', detail, { length })
  }
  return { from: batch.start, to: Math.min(end, length), hasNew: end > length }
}

/** @throws McbError `draw_conflict` unless the batch says of a stored block's iterations what is stored */
export function requireSame(spec: ColumnSpec, batch: Batch, stored: Block, length: number): void {
  const end = stored.start + stored.count
  const sent = cut(spec, batch, stored.start, end)
  if (equalSegments(spec, stored.count, stored.data, sent)) return
  const detail = `"${spec.name}" differs from what is stored between iterations ${stored.start} and ${end}`
  throw new McbError('draw_conflict', detail, { length, variable: spec.name })
}

/** The blocks that a batch adds behind iteration `length`, one for each column. */
export function newBlocks(schema: Schema, batch: Batch, length: number): Block[] {
  const end = batch.start + batch.count
  return schema.columns.map((spec) => ({ start: length, count: end - length, data: cut(spec, batch, length, end) }))
}

function cut(spec: ColumnSpec, batch: Batch, from: number, to: number): Segment {
  const data = batch.segments[spec.index] ?? null
  return data === null ? null : sliceSegment(spec, data, batch.count, from - batch.start, to - batch.start)
}

/** The parts of rising blocks that lie in `from … to`, up to the first hole. */
export function clipBlocks(blocks: Iterable<Block>, spec: ColumnSpec, from: number, to: number): Block[] {
  const clipped: Block[] = []
  let at = from
  for (const block of blocks) {
    const end = block.start + block.count
    if (end <= at) continue
    if (block.start > at || at >= to) break
    const until = Math.min(end, to)
    const { start, count, data } = block
    clipped.push({
      start: at,
      count: until - at,
      data: data === null ? null : sliceSegment(spec, data, count, at - start, until - start),
    })
    at = until
  }
  return clipped
}
