/** The one writer of DrawBatch: the heads and fields of which whole messages and streamed answers are made. */

import type { ColumnSpec } from '../draws/columns.ts'
import type { Bytes, Parts } from '../draws/segment.ts'
import { BATCH, COLUMN } from './draw-batch-fields.ts'
import { concatBytes, headSize, LENGTH_DELIMITED, VARINT, varintSize, writeHead, writeVarint } from './protobuf.ts'

const encoder = new TextEncoder()

/** Bytes of the fields of a Column behind its dtype: the elements, the words of packed shapes, all fields of strings. */
export interface ColumnSize {
  data: number
  shapes: number
  strings: number
}

/** Adds the bytes of these draws to a column's size. */
export function addParts(size: ColumnSize, { dtype }: ColumnSpec, { words, lengths, payload }: Parts): void {
  for (const word of words) size.shapes += varintSize(word)
  for (const length of lengths) size.strings += 1 + varintSize(length) + length
  if (dtype !== 'str') size.data += payload.length
}

/** Fields of a DrawBatch before its columns. `step` stands in answers only. */
export function batchHead(start: number | bigint, count: number, step?: bigint): Bytes {
  const fields = [varintField(BATCH.start, BigInt(start)), varintField(BATCH.count, BigInt(count))]
  if (step !== undefined) fields.push(varintField(BATCH.step, step >= 0n ? step * 2n : -step * 2n - 1n))
  return concatBytes(fields)
}

/** A varint of up to 64 bits; nothing for 0, which is what an absent field is. */
function varintField(field: number, value: bigint): Bytes {
  if (value === 0n) return new Uint8Array()
  const bytes = [field * 8 + VARINT]
  let rest = value
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return new Uint8Array(bytes)
}

/** Everything of a Column up to the bytes of its data; shapes or strings come behind these. */
export function columnHead(spec: ColumnSpec, size: ColumnSize): Bytes {
  const name = encoder.encode(spec.name)
  const dtype = encoder.encode(spec.dtype)
  const dataHead = size.data > 0 ? headSize(COLUMN.data, size.data) : 0
  const inner = fieldSize(COLUMN.name, name) + fieldSize(COLUMN.dtype, dtype) + dataHead
  const length = inner + bodySize(size)
  const bytes = new Uint8Array(headSize(BATCH[spec.group], length) + inner)
  let offset = writeHead(bytes, 0, BATCH[spec.group], length)
  offset = writeField(bytes, offset, COLUMN.name, name)
  offset = writeField(bytes, offset, COLUMN.dtype, dtype)
  if (size.data > 0) writeHead(bytes, offset, COLUMN.data, size.data)
  return bytes
}

function fieldSize(field: number, value: Bytes): number {
  return headSize(field, value.length) + value.length
}

function writeField(target: Bytes, offset: number, field: number, value: Bytes): number {
  const at = writeHead(target, offset, field, value.length)
  target.set(value, at)
  return at + value.length
}

/** Bytes of a Column behind its head. */
export function bodySize({ data, shapes, strings }: ColumnSize): number {
  return data + strings + (shapes > 0 ? headSize(COLUMN.shapes, shapes) + shapes : 0)
}

/** Everything of the packed field `shapes` before its words, which have `size` bytes. */
export function shapesHead(size: number): Bytes {
  const bytes = new Uint8Array(headSize(COLUMN.shapes, size))
  writeHead(bytes, 0, COLUMN.shapes, size)
  return bytes
}

/** Words of shapes as the packed field has them. */
export function packedWords(words: Uint32Array): Bytes {
  let size = 0
  for (const word of words) size += varintSize(word)
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const word of words) offset = writeVarint(bytes, offset, word)
  return bytes
}

/** The repeated field `strings`, as one piece of bytes however many strings there are. */
export function stringFields({ lengths, payload }: Parts): Bytes {
  let size = 0
  for (const length of lengths) size += 1 + varintSize(length) + length
  const bytes = new Uint8Array(size)
  let offset = 0
  let from = 0
  for (const length of lengths) {
    bytes[offset++] = COLUMN.strings * 8 + LENGTH_DELIMITED
    offset = writeVarint(bytes, offset, length)
    bytes.set(payload.subarray(from, from + length), offset)
    from += length
    offset += length
  }
  return bytes
}
