/** A network that turns protobuf bodies of requests into JSON, so that a client in front of it writes as a plain script does. */
import type { Fetch } from '../../src/client/index.ts'
import type { ColumnSpec, Schema } from '../../src/core/draws/columns.ts'
import { numericArray } from '../../src/core/draws/ndarray.ts'
import { fillSegment, unpackSegment } from '../../src/core/draws/segment.ts'
import { isMcbError } from '../../src/core/errors.ts'
import { jsonAnswer } from '../../src/core/formats/json.ts'
import { jsonText } from '../../src/core/json.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { type Batch, decodeBatch } from '../../src/core/wire/read-batch.ts'
import { decodeRunMeta, type mcbackend, parseRunMeta } from '../../src/core/wire/run-meta.ts'
import { runMetaToJson } from '../../src/core/wire/run-meta-json.ts'

type Bytes = Uint8Array<ArrayBuffer>

export interface JsonNetwork {
  readonly fetch: Fetch
  /** Bodies that went as JSON, and reasons why others did not. */
  readonly sent: { json: number; readonly protobuf: string[] }
}

export function jsonNetwork(fetch: Fetch): JsonNetwork {
  const sent: JsonNetwork['sent'] = { json: 0, protobuf: [] }
  const schemas = new Map<string, Schema>()
  /** The schema of the run that is written to; undefined where it is gone. */
  const schemaOf = async (request: Request): Promise<Schema | undefined> => {
    const registration = request.headers.get('Mcb-Registration') ?? ''
    const url = request.url.replace(/\/chains\/.*$/, '')
    const known = schemas.get(registration)
    if (known !== undefined) return known
    const answer = await fetch(new Request(url))
    if (!answer.ok) return undefined
    const { schema } = parseRunMeta(new Uint8Array(await answer.arrayBuffer()), DEFAULT_LIMITS)
    schemas.set(answer.headers.get('Mcb-Registration') ?? '', schema)
    return schema
  }
  return {
    sent,
    fetch: async (request) => {
      const bytes = new Uint8Array(await request.clone().arrayBuffer())
      if (request.headers.get('Content-Type') !== 'application/x-protobuf' || bytes.length === 0) return fetch(request)
      const isBatch = new URL(request.url).pathname.endsWith('/draws')
      const text = isBatch ? await batchText(bytes, await schemaOf(request)) : metaText(bytes)
      if (typeof text !== 'string') {
        sent.protobuf.push(text.why)
        return fetch(request)
      }
      sent.json++
      const headers = new Headers(request.headers)
      headers.set('Content-Type', 'application/json')
      const { url, method, signal } = request
      return fetch(new Request(url, { method, headers, signal, body: new TextEncoder().encode(text) }))
    },
  }
}

interface NotSaid {
  readonly why: string
}

function metaText(bytes: Bytes): string | NotSaid {
  const meta = decodeRunMeta(bytes)
  const attributes: readonly mcbackend.ExtendedValue.$Properties[] = Object.values(meta.attributes ?? {})
  // JSON has one NaN, and a newer schema's fields have no name here.
  const hasNaN = attributes.some(({ numberValue }) => Number.isNaN(numberValue))
  if (hasNaN) return { why: 'a NaN may have bits of its own' }
  try {
    return jsonText(runMetaToJson(meta))
  } catch (error) {
    if (isMcbError(error)) return { why: 'metadata that has no JSON is refused' }
    throw error
  }
}

async function batchText(bytes: Bytes, schema: Schema | undefined): Promise<string | NotSaid> {
  if (schema === undefined) return { why: 'its run is gone' }
  let batch: Batch
  try {
    batch = decodeBatch(bytes, schema, DEFAULT_LIMITS)
  } catch (error) {
    if (isMcbError(error)) return { why: `it is refused: ${error.code}` }
    throw error
  }
  const columns = schema.columns.filter((spec) => batch.segments[spec.index] !== null)
  const why = columns.map((spec) => whyNotSaid(spec, batch)).find((reason) => reason !== undefined)
  if (why !== undefined) return { why }
  const { body } = await jsonAnswer(
    {
      chain: 0,
      columns,
      slice: { first: batch.start, step: 1n, count: batch.count },
      read: async function* (positions) {
        for (const position of positions)
          yield { position, count: batch.count, data: segmentOf(columns[position], batch) }
      },
    },
    DEFAULT_LIMITS,
    { take: () => true, give: () => {} },
  )
  let text = ''
  const decoder = new TextDecoder()
  for await (const piece of body) text += decoder.decode(piece, { stream: true })
  return Buffer.byteLength(text) > DEFAULT_LIMITS.jsonBytes ? { why: 'it has more than 8 MiB' } : text
}

function segmentOf(spec: ColumnSpec | undefined, { segments, count }: Batch): Bytes {
  if (spec === undefined) throw new Error('there is no such column')
  return segments[spec.index] ?? fillSegment(spec, count)
}

function whyNotSaid(spec: ColumnSpec, batch: Batch): string | undefined {
  const { words, payload } = unpackSegment(spec, segmentOf(spec, batch), batch.count)
  for (let at = 0; at < words.length; at += 1 + (words[at] ?? 0)) {
    if (!isShown(spec, words.subarray(at + 1, at + 1 + (words[at] ?? 0)))) return 'a shape below an empty list'
  }
  if (spec.layout === 'rigid' && spec.shape.length > 90) return 'it has more than 90 dimensions'
  return hasOtherNaN(spec, payload) ? 'a NaN has bits of its own' : undefined
}

/** True where nested lists show the shape: lengths below an empty one are then those that a reader takes there. */
function isShown({ shape }: ColumnSpec, words: Uint32Array): boolean {
  if (words.length > 90) return false
  const empty = words.indexOf(0)
  if (empty < 0) return true
  return words.subarray(empty + 1).every((n, i) => n === Math.max(0, shape?.[empty + 1 + i] ?? -1) && shape !== null)
}

function hasOtherNaN(spec: ColumnSpec, payload: Bytes): boolean {
  if (spec.dtype !== 'float64' && spec.dtype !== 'float32') return false
  const { data } = numericArray(spec.dtype, [], payload)
  const bits =
    spec.dtype === 'float64' ? numericArray('uint64', [], payload).data : numericArray('uint32', [], payload).data
  const one = spec.dtype === 'float64' ? 0x7ff8000000000000n : 0x7fc00000
  return Array.from(data, Number).some((value, i) => Number.isNaN(value) && bits[i] !== one)
}
