/** Large batches as several requests. */

import { sliceSegment } from '../core/draws/segment.ts'
import { DEFAULT_LIMITS } from '../core/limits.ts'
import type { ColumnSegment } from '../core/wire/write-batch.ts'

/** Consecutive iterations of a batch, small enough for one request. */
export interface BatchPart {
  readonly start: number
  readonly count: number
  readonly columns: readonly ColumnSegment[]
}

/** True for what may go into one request that aims at `maxBytes` of draws. */
export function fitsRequest({ count, columns }: BatchPart, maxBytes: number): boolean {
  const bytes = columns.reduce((sum, { data }) => sum + data.length, 0)
  return count <= 1 || (bytes <= maxBytes && count <= DEFAULT_LIMITS.batchIterations)
}

/** The first half of a batch of two iterations or more, and the second. */
export function halve(batch: BatchPart): [BatchPart, BatchPart] {
  const { start, count } = batch
  const half = Math.ceil(count / 2)
  return [
    { start, count: half, columns: cut(batch, 0, half) },
    { start: start + half, count: count - half, columns: cut(batch, half, count) },
  ]
}

function cut({ count, columns }: BatchPart, from: number, to: number): ColumnSegment[] {
  return columns.map(({ spec, data }) => ({ spec, data: sliceSegment(spec, data, count, from, to) }))
}
