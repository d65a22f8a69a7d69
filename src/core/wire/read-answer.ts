/** A DrawBatch of the server as columns: what a client reads. */

import type { ColumnSpec, Schema } from '../draws/columns.ts'
import { sizeOf } from '../draws/ndarray.ts'
import { type Bytes, packSegment } from '../draws/segment.ts'
import { drawsOf } from '../draws/values.ts'
import { McbError } from '../errors.ts'
import { mcbackend } from '../generated/messages.js'
import type { Draws } from '../interfaces.ts'
import { concatBytes } from './protobuf.ts'

export interface DecodedAnswer {
  readonly start: number
  readonly count: number
  readonly step: number
  readonly draws: ReadonlyMap<string, Draws>
  readonly stats: ReadonlyMap<string, Draws>
}

/** @throws McbError `invalid_protobuf` when the answer is not what the schema says */
export function decodeAnswer(bytes: Bytes, schema: Schema): DecodedAnswer {
  const message = mcbackend.DrawBatch.decode(bytes)
  const count = message.count ?? 0
  const convert = (columns: readonly mcbackend.Column.$Properties[], specs: ReadonlyMap<string, ColumnSpec>) => {
    const byName = new Map<string, Draws>()
    for (const column of columns) {
      const spec = specs.get(column.name ?? '')
      if (spec === undefined || column.dtype !== spec.dtype) {
        throw new McbError('invalid_protobuf', `the answer holds a column "${column.name}" of dtype "${column.dtype}"`)
      }
      byName.set(
        spec.name,
        count === 0 ? drawsOf(spec, []) : drawsOf(spec, [{ data: segment(spec, column, count), count }]),
      )
    }
    return byName
  }
  return {
    start: Number(message.start ?? 0),
    count,
    step: Number(message.step ?? 0) || 1,
    draws: convert(message.draws ?? [], schema.draws),
    stats: convert(message.stats ?? [], schema.stats),
  }
}

function segment(spec: ColumnSpec, column: mcbackend.Column.$Properties, count: number): Bytes {
  const data = view(column.data ?? new Uint8Array())
  if (spec.kind === 'rigid-numbers') return data
  const words = new Uint32Array(column.shapes ?? [])
  const elements = spec.layout === 'rigid' ? count * spec.elements : elementsIn(spec, words, count)
  const strings = column.strings ?? []
  const sent = spec.dtype === 'str' ? strings.length : data.length / spec.itemSize
  if (sent !== elements) throw damaged(spec, `${sent} elements instead of ${elements}`)
  if (spec.dtype !== 'str') return packSegment(spec, { words, lengths: new Uint32Array(), payload: data })
  const texts = strings.map((text) => new TextEncoder().encode(text))
  const lengths = new Uint32Array(texts.map((text) => text.length))
  return packSegment(spec, { words, lengths, payload: concatBytes(texts) })
}

/** Elements of all draws, whose shapes the words must describe: an answer may announce more draws than it has bytes. */
function elementsIn(spec: ColumnSpec, words: Uint32Array, count: number): number {
  let elements = 0
  let draws = 0
  let at = 0
  for (; at < words.length && draws < count; draws++) {
    const behind = at + 1 + (words[at] ?? 0)
    elements += sizeOf(words.subarray(at + 1, behind))
    at = behind
  }
  if (draws !== count || at !== words.length) throw damaged(spec, `shapes of ${draws} draws instead of ${count}`)
  return elements
}

function damaged({ name }: ColumnSpec, why: string): McbError {
  return new McbError('invalid_protobuf', `the answer is not whole: "${name}" has ${why}`)
}

/** The generated code types its views as on any buffer; those of a fetched body lie on an ArrayBuffer. */
function view(bytes: Uint8Array): Bytes {
  return bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}
