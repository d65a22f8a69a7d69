/** Arrow's IPC stream, record batch by record batch: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format */

import {
  Batch,
  bool,
  Column,
  type DataType,
  field,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  type Schema,
  Table,
  tableToIPC,
  uint8,
  uint16,
  uint32,
  uint64,
  utf8,
} from '@uwdata/flechette'
import type { Dtype } from '../../draws/dtype.ts'
import type { Bytes } from '../../draws/segment.ts'

/** The end of a stream: a continuation mark, and a message without length. */
export const ARROW_END: Bytes = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0])

const ARROW_TYPES: { readonly [D in Dtype]: DataType } = {
  bool: bool(),
  int8: int8(),
  int16: int16(),
  int32: int32(),
  int64: int64(),
  uint8: uint8(),
  uint16: uint16(),
  uint32: uint32(),
  uint64: uint64(),
  float32: float32(),
  float64: float64(),
  str: utf8(),
}

export function arrowType(dtype: Dtype): DataType {
  return ARROW_TYPES[dtype]
}

/** Values of one column in a record batch, in Arrow's layout. */
export interface ArrowValues {
  readonly type: DataType
  readonly values: Bytes
  /** Ends of strings, with 0 before them. */
  readonly offsets?: Int32Array<ArrayBuffer>
  /** A bit for each value that is there, and the number of those that are not; all are there when absent. */
  readonly validity?: { readonly bits: Bytes; readonly missing: number }
}

/** The message at the head of a stream: names and types. */
export function arrowSchema(fields: Iterable<readonly [name: string, type: DataType]>): Bytes {
  const all = [...fields]
  const schema = schemaOf(all.map(([name, type]) => field(name, type)))
  return messagesOf(
    schema,
    all.map(([, type]) => new Column<unknown>([], type)),
  ).slice(0, -ARROW_END.length)
}

/** The message of a record batch of `length` rows. */
export function arrowBatch(columns: readonly ArrowValues[], length: number): Bytes {
  const children = columns.map(({ type, values, offsets, validity }) => {
    const own = { length, nullCount: validity?.missing ?? 0, validity: validity?.bits ?? NONE, type, values }
    return new Column<unknown>([new Batch<unknown>(offsets === undefined ? own : { ...own, offsets })])
  })
  // A schema without fields takes the place of the real one, which is sent once.
  const messages = messagesOf(schemaOf([]), children)
  const view = new DataView(messages.buffer, messages.byteOffset, messages.byteLength)
  return messages.subarray(8 + view.getInt32(4, true), messages.length - ARROW_END.length)
}

const NONE: Bytes = new Uint8Array()

function schemaOf(fields: Schema['fields']): Schema {
  return { version: 4, endianness: 0, fields, metadata: null }
}

function messagesOf(schema: Schema, columns: Column<unknown>[]): Bytes {
  const bytes = tableToIPC(new Table(schema, columns), { format: 'stream' })
  if (bytes === null) throw new TypeError('an encoder without a sink of its own gives bytes')
  const { buffer, byteOffset, byteLength } = bytes
  return buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(bytes)
}

/** Bits of what holds, the first at the low end of the first byte. */
export function bitsOf(length: number, holds: (index: number) => boolean): Bytes {
  const bits = new Uint8Array((length + 7) >> 3)
  for (let i = 0; i < length; i++) if (holds(i)) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7))
  return bits
}

/** Texts in Arrow's layout. */
export function textValues(texts: readonly string[]): ArrowValues {
  const encoder = new TextEncoder()
  const encoded = texts.map((text) => encoder.encode(text))
  const offsets = new Int32Array(texts.length + 1)
  encoded.forEach((bytes, i) => {
    offsets[i + 1] = (offsets[i] ?? 0) + bytes.length
  })
  const values = new Uint8Array(offsets.at(-1) ?? 0)
  encoded.forEach((bytes, i) => {
    values.set(bytes, offsets[i])
  })
  return { type: arrowType('str'), values, offsets }
}
