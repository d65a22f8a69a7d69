/** A posted DrawBatch at the border: bytes in, one validated segment a column out. */

import type { ColumnSpec, RigidNumbers, Schema } from '../draws/columns.ts'
import { type Bytes, packSegment, type Segment } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { atOnce, inTurns, STEP_SIZE, type Steps } from '../turn.ts'
import { checkUtf8, LENGTH_DELIMITED, VARINT, WireReader } from './protobuf.ts'
import { checkShapes, readShapes } from './shape-words.ts'

/** A validated batch: iterations `start … start + count`, one segment a column of the schema. */
export interface Batch {
  readonly start: number
  readonly count: number
  /** By column index; null for a sampler stat that was not sent. Rigid numbers are views on the body. */
  readonly segments: readonly Segment[]
  /** Bytes of all segments. */
  readonly size: number
}

/** One Column message as it lies in the body; nothing of it is copied. */
interface RawColumn {
  name: string
  dtype: string
  data: Uint8Array<ArrayBuffer>
  /** Extents of the fields `shapes` and `strings`, so that the second pass reads only these. */
  readonly begin: number
  readonly end: number
  shapeWords: number
  strings: number
  /** Of all strings. */
  stringBytes: number
}

/**
 * Parses and validates the body of an append.
 *
 * @throws McbError `invalid_protobuf`, `invalid_parameter` (a written step), `empty_batch`, `payload_too_large` (too many
 *   iterations), or a 422 that names its variable
 */
export function decodeBatch(body: Uint8Array<ArrayBuffer>, schema: Schema, limits: Limits): Batch {
  return atOnce(decode(body, schema, limits))
}

/** Bodies of this many bytes may take many milliseconds to parse. */
const LARGE_BYTES = 256 * 1024

/**
 * As `decodeBatch` of a body that is judged later: what is wrong with it is thrown by the function that this resolves to, since
 * what it is said to is judged before. A large one is parsed here, with turns of the event loop in between: 64 MiB may hold 32
 * million strings.
 */
export async function prepareBatch(body: Bytes, schema: Schema, limits: Limits): Promise<() => Batch> {
  if (body.length < LARGE_BYTES) return () => decodeBatch(body, schema, limits)
  try {
    const batch = await inTurns(decode(body, schema, limits))
    return () => batch
  } catch (error) {
    return () => {
      throw error
    }
  }
}

function* decode(body: Uint8Array<ArrayBuffer>, schema: Schema, limits: Limits): Steps<Batch> {
  const { start, count, step, columns, refusal } = yield* scan(body, schema)
  if (count > limits.batchIterations) {
    throw new McbError('payload_too_large', `${count} iterations; a batch has at most ${limits.batchIterations}`, {
      limit: limits.batchIterations,
    })
  }
  if (step !== 0) {
    throw new McbError('invalid_parameter', `step ${step} was written; batches hold consecutive iterations`)
  }
  if (count === 0) throw new McbError('empty_batch', 'the batch holds no iteration (count is 0)')
  if (refusal !== undefined) throw refusal
  let size = 0
  const segments: Segment[] = []
  for (const spec of schema.columns) {
    const raw = columns[spec.index]
    if (raw === undefined) {
      if (spec.group === 'draws') {
        throw new McbError('missing_variable', `variable "${spec.name}" is missing from the batch`, {
          variable: spec.name,
        })
      }
      segments.push(null)
      continue
    }
    const segment =
      spec.kind === 'rigid-numbers' ? numbersIn(raw, spec, count) : yield* varyingIn(body, raw, spec, count)
    size += segment.length
    segments.push(segment)
  }
  return { start, count, segments, size }
}

interface Scan {
  start: number
  count: number
  step: number
  columns: (RawColumn | undefined)[]
  /** The first 422; reported only when the whole body is valid protobuf. */
  refusal: McbError | undefined
}

function* scan(body: Uint8Array<ArrayBuffer>, schema: Schema): Steps<Scan> {
  const result: Scan = { start: 0, count: 0, step: 0, columns: [], refusal: undefined }
  const reader = new WireReader(body)
  for (let fields = 1; reader.next(); fields++) {
    if (fields % STEP_SIZE === 0) yield
    const { field, type } = reader
    if ((field !== 3 && field !== 4) || type !== LENGTH_DELIMITED) {
      scanNumber(result, reader)
      continue
    }
    const length = reader.length()
    const raw = newColumn(body, reader.position, reader.position + length)
    const column = new WireReader(body, raw.begin, raw.end)
    while (!scanFields(body, raw, column, STEP_SIZE)) yield
    reader.position += length
    place(result, raw, field, schema)
  }
  return result
}

/** Takes a field that is no column. */
function scanNumber(result: Scan, reader: WireReader): void {
  const { field, type } = reader
  if (type !== VARINT) reader.skip()
  else if (field === 1) result.start = reader.varint()
  else if (field === 2) result.count = reader.uint32()
  else if (field === 5) result.step = reader.varint()
  else reader.skip()
}

/** Puts a column where the schema has it. */
function place(result: Scan, raw: RawColumn, field: 3 | 4, schema: Schema): void {
  const spec = (field === 3 ? schema.draws : schema.stats).get(raw.name)
  if (spec === undefined) result.refusal ??= unknown(raw.name, field)
  else if (result.columns[spec.index] === undefined) result.columns[spec.index] = raw
  else {
    const detail = `"${raw.name}" is in the batch twice`
    result.refusal ??= new McbError('duplicate_variable', detail, { variable: raw.name })
  }
}

function unknown(name: string, field: number): McbError {
  const what = field === 3 ? 'variable' : 'sampler stat'
  return new McbError('unknown_variable', `the run has no ${what} "${name}"`, { variable: name })
}

function newColumn(body: Bytes, begin: number, end: number): RawColumn {
  const data = body.subarray(0, 0)
  return { name: '', dtype: '', data, begin, end, shapeWords: 0, strings: 0, stringBytes: 0 }
}

/** Takes up to `most` fields of a column; true at its end. */
function scanFields(body: Bytes, raw: RawColumn, reader: WireReader, most: number): boolean {
  for (let fields = 0; fields < most; fields++) {
    if (!reader.next()) return true
    if (reader.type === LENGTH_DELIMITED) scanBytes(body, raw, reader)
    else if (reader.field === 4 && reader.type === VARINT) {
      reader.varint()
      raw.shapeWords++
    } else reader.skip()
  }
  return false
}

/** Takes a field of a column that has a length. */
function scanBytes(body: Bytes, raw: RawColumn, reader: WireReader): void {
  const { field } = reader
  if (field === 1) raw.name = reader.string()
  else if (field === 2) raw.dtype = reader.string()
  else if (field === 3) raw.data = reader.view()
  else if (field === 4) raw.shapeWords += reader.packedVarints()
  else if (field === 5) {
    const length = reader.length()
    checkUtf8(body, reader.position, reader.position + length)
    reader.position += length
    raw.strings++
    raw.stringBytes += length
  } else reader.skip()
}

/** @throws McbError when a column has another dtype, or a field that is not its kind's */
function requireKind(raw: RawColumn, spec: ColumnSpec): void {
  const mismatch = (what: string, actual: number) =>
    new McbError('shape_mismatch', `"${spec.name}": ${what}`, { variable: spec.name, expected: [0], actual: [actual] })
  if (raw.dtype !== spec.dtype) {
    throw new McbError('dtype_mismatch', `"${spec.name}": expected dtype ${spec.dtype}, got "${raw.dtype}"`, {
      variable: spec.name,
      expected: spec.dtype,
      actual: raw.dtype,
    })
  }
  if (spec.layout === 'rigid' && raw.shapeWords > 0) {
    throw mismatch('shapes were sent for a fixed shape', raw.shapeWords)
  }
  if (spec.dtype !== 'str' && raw.strings > 0) throw mismatch('strings were sent for numbers', raw.strings)
  if (spec.dtype === 'str' && raw.data.length > 0) throw mismatch('data was sent for strings', raw.data.length)
}

function numbersIn(raw: RawColumn, spec: RigidNumbers, count: number): Bytes {
  requireKind(raw, spec)
  checkCount(spec, [count, ...spec.shape], count * spec.elements, raw.data.length / spec.itemSize)
  checkBools(spec, raw.data)
  return raw.data
}

function* varyingIn(body: Bytes, raw: RawColumn, spec: ColumnSpec, count: number): Steps<Bytes> {
  requireKind(raw, spec)
  const column = () => new WireReader(body, raw.begin, raw.end)
  const ragged = spec.layout === 'ragged'
  const elements = ragged ? yield* checkShapes(spec, column(), raw.shapeWords, count) : count * spec.elements
  const sent = spec.dtype === 'str' ? raw.strings : raw.data.length / spec.itemSize
  checkCount(spec, spec.layout === 'rigid' ? [count, ...spec.shape] : [elements], elements, sent)
  checkBools(spec, raw.data)
  const words = ragged ? yield* readShapes(column(), raw.shapeWords) : new Uint32Array()
  const strings =
    spec.dtype === 'str' ? yield* readStrings(body, raw) : { lengths: new Uint32Array(), payload: raw.data }
  return packSegment(spec, { words, ...strings })
}

/** Compares numbers of elements; `shape` is what the message shows as expected. */
function checkCount(spec: ColumnSpec, shape: readonly number[], expected: number, actual: number): void {
  if (expected === actual) return
  throw new McbError(
    'shape_mismatch',
    `"${spec.name}": expected ${expected} elements (shape [${shape}]), got ${Number(actual.toFixed(3))}`,
    { variable: spec.name, expected: shape, actual: [actual] },
  )
}

function checkBools(spec: ColumnSpec, data: Bytes): void {
  if (spec.dtype !== 'bool') return
  const wrong = data.subarray(boolsIn(data)).find((byte) => byte > 1)
  if (wrong === undefined) return
  throw new McbError('dtype_mismatch', `"${spec.name}": a bool is one byte, 0 or 1, not ${wrong}`, {
    variable: spec.name,
    expected: 'bool',
    actual: 'uint8',
  })
}

/** How many bytes from the beginning on are bools for sure; four at a time where they are aligned. */
function boolsIn(data: Bytes): number {
  const head = Math.min(data.length, (4 - (data.byteOffset % 4)) % 4)
  for (let i = 0; i < head; i++) if ((data[i] ?? 0) > 1) return i
  if (head === data.length) return head
  const words = new Uint32Array(data.buffer, data.byteOffset + head, Math.floor((data.length - head) / 4))
  let i = 0
  while (i < words.length && ((words[i] ?? 0) & 0xfefefefe) === 0) i++
  return head + i * 4
}

function* readStrings(body: Bytes, raw: RawColumn): Steps<{ lengths: Uint32Array; payload: Bytes }> {
  const lengths = new Uint32Array(raw.strings)
  const payload = new Uint8Array(raw.stringBytes)
  const reader = new WireReader(body, raw.begin, raw.end)
  let at = 0
  for (let index = 0; reader.next(); ) {
    if (reader.field !== 5 || reader.type !== LENGTH_DELIMITED) {
      reader.skip()
      continue
    }
    const length = reader.length()
    const from = reader.position
    reader.position += length
    copyBytes(body, from, reader.position, payload, at)
    at += length
    lengths[index++] = length
    if (index % STEP_SIZE === 0) yield
  }
  return { lengths, payload }
}

/** A view costs more than a loop over few bytes, and millions of views more than there is memory. */
function copyBytes(source: Bytes, from: number, to: number, target: Bytes, at: number): void {
  if (to - from > 64) target.set(source.subarray(from, to), at)
  else for (let i = from; i < to; i++) target[at + i - from] = source[i] ?? 0
}
