/** The wire form of a DrawBatch from segments: what a client posts. */

import type { ColumnSpec, Schema } from '../draws/columns.ts'
import { type Bytes, unpackSegment } from '../draws/segment.ts'
import { segmentOf } from '../draws/values.ts'
import { McbError } from '../errors.ts'
import type { DrawBatch } from '../interfaces.ts'
import { shapesField, stringFields } from './column-fields.ts'
import { concatBytes, fieldHead, varintSize, writeVarint } from './protobuf.ts'

const encoder = new TextEncoder()

/** One column of a batch; `data` in the segment layout of its kind. */
export interface ColumnSegment {
  readonly spec: ColumnSpec
  readonly data: Bytes
}

/** Encodes `count` iterations from `start`. Columns that are left out are absent in the batch. */
export function encodeSegments(start: number, count: number, columns: readonly ColumnSegment[]): Bytes {
  const parts: Bytes[] = [varintField(1, start), varintField(2, count)]
  for (const { spec, data } of columns) {
    const body = columnParts(spec, data, count)
    const length = body.reduce((n, part) => n + part.length, 0)
    parts.push(fieldHead(spec.group === 'draws' ? 3 : 4, length), ...body)
  }
  return concatBytes(parts)
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

function columnParts(spec: ColumnSpec, data: Bytes, count: number): Bytes[] {
  const name = encoder.encode(spec.name)
  const dtype = encoder.encode(spec.dtype)
  const parts: Bytes[] = [fieldHead(1, name.length), name, fieldHead(2, dtype.length), dtype]
  if (spec.kind === 'rigid-numbers') {
    if (data.length > 0) parts.push(fieldHead(3, data.length), data)
    return parts
  }
  const { words, lengths, payload } = unpackSegment(spec, data, count)
  if (spec.dtype !== 'str' && payload.length > 0) parts.push(fieldHead(3, payload.length), payload)
  if (words.length > 0) parts.push(shapesField([words]))
  if (spec.dtype === 'str' && lengths.length > 0) parts.push(stringFields({ words, lengths, payload }))
  return parts
}

function varintField(field: number, value: number): Bytes {
  const bytes = new Uint8Array(1 + varintSize(value))
  bytes[0] = field * 8
  writeVarint(bytes, 1, value)
  return bytes
}
