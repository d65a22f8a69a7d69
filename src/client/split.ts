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

/** Halves a batch until its parts have at most `maxBytes`, or are one iteration. */
export function* splitBatch(batch: BatchPart, maxBytes: number): Generator<BatchPart> {
  const { start, count, columns } = batch
  const bytes = columns.reduce((sum, { data }) => sum + data.length, 0)
  if (count <= 1 || (bytes <= maxBytes && count <= DEFAULT_LIMITS.batchIterations)) {
    yield batch
    return
  }
  const half = Math.ceil(count / 2)
  yield* splitBatch({ start, count: half, columns: cut(batch, 0, half) }, maxBytes)
  yield* splitBatch({ start: start + half, count: count - half, columns: cut(batch, half, count) }, maxBytes)
}

function cut({ count, columns }: BatchPart, from: number, to: number): ColumnSegment[] {
  return columns.map(({ spec, data }) => ({ spec, data: sliceSegment(spec, data, count, from, to) }))
}
