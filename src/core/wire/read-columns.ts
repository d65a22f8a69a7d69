/** The one reader of DrawBatch: it finds the columns in the message, and then reads each by its spec. */

import type { ColumnSpec, RigidNumbers, Schema } from '../draws/columns.ts'
import type { Bytes, Parts } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import { type Pace, STEP_SIZE, type Steps } from '../turn.ts'
import { BATCH, COLUMN } from './draw-batch-fields.ts'
import { checkUtf8, LENGTH_DELIMITED, VARINT, WireReader } from './protobuf.ts'
import { checkShapes, readShapes } from './shape-words.ts'

/** The columns that a message may have, by name. */
export type KnownColumns = Pick<Schema, 'draws' | 'stats'>

/** A DrawBatch whose columns are found, and not read yet. */
export interface RawBatch {
  start: number
  count: number
  /** The step in zigzag form, as it lies in the message; 0 where none was written. */
  step: number
  /** Columns by index. */
  columns: (RawColumn | undefined)[]
  /** The first 422; reported only when the whole body is valid protobuf. */
  refusal: McbError | undefined
}

/** One Column message as it lies in the body; nothing of it is copied. */
export interface RawColumn {
  name: string
  dtype: string
  data: Bytes
  /** Extents of the message, so that a second pass reads only its shapes and strings. */
  readonly begin: number
  readonly end: number
  shapeWords: number
  strings: number
  /** Bytes of all strings. */
  stringBytes: number
}

/** Finds the columns of a message. @throws McbError `invalid_protobuf` */
export function* scanBatch(body: Bytes, known: KnownColumns, pace: Pace): Steps<RawBatch> {
  const batch: RawBatch = { start: 0, count: 0, step: 0, columns: [], refusal: undefined }
  const reader = new WireReader(body)
  while (reader.next()) {
    if (pace.isDue(1)) yield
    const { field, type } = reader
    if ((field !== BATCH.draws && field !== BATCH.stats) || type !== LENGTH_DELIMITED) {
      scanNumber(batch, reader)
      continue
    }
    const length = reader.length()
    const raw = newColumn(body, reader.position, reader.position + length)
    const scan = { raw, reader: new WireReader(body, raw.begin, raw.end), packedEnd: raw.begin }
    while (!scanFields(scan, pace)) yield
    reader.position += length
    place(batch, raw, known, field === BATCH.draws ? 'draws' : 'stats')
  }
  return batch
}

/** Takes a field of a batch that is no column. */
function scanNumber(batch: RawBatch, reader: WireReader): void {
  const { field, type } = reader
  if (type !== VARINT) reader.skip()
  else if (field === BATCH.start) batch.start = reader.varint()
  else if (field === BATCH.count) batch.count = reader.uint32()
  else if (field === BATCH.step) batch.step = reader.varint()
  else reader.skip()
}

function place(batch: RawBatch, raw: RawColumn, known: KnownColumns, group: 'draws' | 'stats'): void {
  const { name } = raw
  const spec = known[group].get(name)
  if (spec === undefined) {
    const what = group === 'draws' ? 'variable' : 'sampler stat'
    batch.refusal ??= new McbError('unknown_variable', `the run has no ${what} "${name}"`, { variable: name })
  } else if (batch.columns[spec.index] === undefined) batch.columns[spec.index] = raw
  else batch.refusal ??= new McbError('duplicate_variable', `"${name}" is in the batch twice`, { variable: name })
}

function newColumn(body: Bytes, begin: number, end: number): RawColumn {
  const data = body.subarray(0, 0)
  return { name: '', dtype: '', data, begin, end, shapeWords: 0, strings: 0, stringBytes: 0 }
}

/** A column of which a part is scanned. */
interface Scan {
  readonly raw: RawColumn
  readonly reader: WireReader
  /** End of the packed field in which the reader stands; it stands in none where that is not behind it. */
  packedEnd: number
}

/** Takes fields of a column until a turn is due; true at its end. */
function scanFields(scan: Scan, pace: Pace): boolean {
  const { raw, reader } = scan
  for (;;) {
    if (reader.position < scan.packedEnd) {
      const from = reader.position
      raw.shapeWords += reader.countVarints(scan.packedEnd, STEP_SIZE)
      if (pace.isDue(reader.position - from)) return false
      continue
    }
    if (!reader.next()) return true
    if (reader.type === LENGTH_DELIMITED) scanBytes(scan)
    else if (reader.type === VARINT && reader.field === COLUMN.shapes) {
      reader.varint()
      raw.shapeWords++
    } else reader.skip()
    if (pace.isDue(1)) return false
  }
}

/** Takes a field of a column that has a length. */
function scanBytes(scan: Scan): void {
  const { raw, reader } = scan
  switch (reader.field) {
    case COLUMN.name:
      raw.name = reader.string()
      return
    case COLUMN.dtype:
      raw.dtype = reader.string()
      return
    case COLUMN.data:
      raw.data = reader.view()
      return
    case COLUMN.shapes:
      scan.packedEnd = reader.length() + reader.position
      return
    case COLUMN.strings: {
      const length = reader.length()
      checkUtf8(reader.bytes, reader.position, reader.position + length)
      reader.position += length
      raw.strings++
      raw.stringBytes += length
      return
    }
    default:
      reader.skip()
  }
}

/** The draws of a rigid column of numbers, as a view on the body. @throws McbError that names the column, 422 */
export function numbersIn(raw: RawColumn, spec: RigidNumbers, count: number): Bytes {
  requireKind(raw, spec)
  checkCount(spec, [count, ...spec.shape], count * spec.elements, raw.data.length / spec.itemSize)
  checkBools(spec, raw.data)
  return raw.data
}

/** The parts of any other column; numbers are a view on the body. @throws McbError that names the column, 422 */
export function* partsIn(body: Bytes, raw: RawColumn, spec: ColumnSpec, count: number, pace: Pace): Steps<Parts> {
  requireKind(raw, spec)
  const column = () => new WireReader(body, raw.begin, raw.end)
  const ragged = spec.layout === 'ragged'
  const elements = ragged ? yield* checkShapes(spec, column(), raw.shapeWords, count, pace) : count * spec.elements
  checkCount(spec, spec.layout === 'rigid' ? [count, ...spec.shape] : [elements], elements, elementsSent(raw, spec))
  checkBools(spec, raw.data)
  const words = ragged ? yield* readShapes(column(), raw.shapeWords, pace) : new Uint32Array()
  const strings =
    spec.dtype === 'str' ? yield* readStrings(body, raw, pace) : { lengths: new Uint32Array(), payload: raw.data }
  return { words, ...strings }
}

/** Elements that a column holds; not a whole number where its data is cut. */
export function elementsSent(raw: RawColumn, spec: ColumnSpec): number {
  return spec.dtype === 'str' ? raw.strings : raw.data.length / spec.itemSize
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

/** Compares numbers of elements; `shape` is the expected one in the message. */
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

/** Number of leading bytes that are bools for sure; four at a time where they are aligned. */
function boolsIn(data: Bytes): number {
  const head = Math.min(data.length, (4 - (data.byteOffset % 4)) % 4)
  for (let i = 0; i < head; i++) if ((data[i] ?? 0) > 1) return i
  if (head === data.length) return head
  const words = new Uint32Array(data.buffer, data.byteOffset + head, Math.floor((data.length - head) / 4))
  let i = 0
  while (i < words.length && ((words[i] ?? 0) & 0xfefefefe) === 0) i++
  return head + i * 4
}

function* readStrings(body: Bytes, raw: RawColumn, pace: Pace): Steps<{ lengths: Uint32Array; payload: Bytes }> {
  const lengths = new Uint32Array(raw.strings)
  const payload = new Uint8Array(raw.stringBytes)
  const reader = new WireReader(body, raw.begin, raw.end)
  let at = 0
  for (let index = 0; reader.next(); ) {
    if (pace.isDue(1)) yield
    if (reader.field !== COLUMN.strings || reader.type !== LENGTH_DELIMITED) {
      reader.skip()
      continue
    }
    const length = reader.length()
    const from = reader.position
    reader.position += length
    copyBytes(body, from, reader.position, payload, at)
    at += length
    lengths[index++] = length
  }
  return { lengths, payload }
}

/** A view costs more than a loop over few bytes, and millions of views more than there is memory. */
function copyBytes(source: Bytes, from: number, to: number, target: Bytes, at: number): void {
  if (to - from > 64) target.set(source.subarray(from, to), at)
  else for (let i = from; i < to; i++) target[at + i - from] = source[i] ?? 0
}
