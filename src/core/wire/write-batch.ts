/** The wire form of a DrawBatch from segments, as clients post it. */

import type { ColumnSpec, Schema } from '../draws/columns.ts'
import { type Bytes, type Parts, unpackSegment } from '../draws/segment.ts'
import { segmentOf } from '../draws/values.ts'
import { McbError } from '../errors.ts'
import type { DrawBatch } from '../interfaces.ts'
import { concatBytes } from './protobuf.ts'
import { addParts, batchHead, columnHead, packedWords, shapesHead, stringFields } from './write-columns.ts'

/** One column of a batch; `data` in the segment layout of its kind. */
export interface ColumnSegment {
  readonly spec: ColumnSpec
  readonly data: Bytes
}

/** Encodes `count` iterations from `start`. Columns that are left out are absent in the batch. */
export function encodeSegments(start: number, count: number, columns: readonly ColumnSegment[]): Bytes {
  return concatBytes([
    batchHead(start, count),
    ...columns.flatMap(({ spec, data }) => columnFields(spec, unpackSegment(spec, data, count))),
  ])
}

/** Encodes a batch as users write it. @throws McbError when it does not fit the schema */
export function encodeBatch(batch: DrawBatch, start: number, schema: Schema): Bytes {
  return encodeSegments(start, batch.count, batchSegments(batch, schema))
}

/** The columns of a batch as users write it. @throws McbError when one does not fit the schema */
export function batchSegments(batch: DrawBatch, schema: Schema): ColumnSegment[] {
  const columns: ColumnSegment[] = []
  for (const [group, given] of [
    [schema.draws, batch.draws],
    [schema.stats, batch.stats ?? new Map()],
  ] as const) {
    for (const [name, draws] of given) {
      const spec = group.get(name)
      if (spec === undefined) {
        throw new McbError('unknown_variable', `the run has no variable or stat "${name}"`, { variable: name })
      }
      columns.push({ spec, data: segmentOf(spec, draws, batch.count) })
    }
  }
  return columns
}

function columnFields(spec: ColumnSpec, parts: Parts): Bytes[] {
  const size = { data: 0, shapes: 0, strings: 0 }
  addParts(size, spec, parts)
  const fields = [columnHead(spec, size)]
  if (size.data > 0) fields.push(parts.payload)
  if (size.shapes > 0) fields.push(shapesHead(size.shapes), packedWords(parts.words))
  if (size.strings > 0) fields.push(stringFields(parts))
  return fields
}
