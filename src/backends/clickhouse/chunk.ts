/** Rows of the table `chunks`: from the segments of a batch, and back to blocks. */

import type { ColumnSpec } from '../../core/draws/columns.ts'
import { ITEM_SIZE, type NumericDtype } from '../../core/draws/dtype.ts'
import { sizeOf } from '../../core/draws/ndarray.ts'
import {
  type Block,
  type Bytes,
  type Parts,
  packSegment,
  sliceSegment,
  unpackSegment,
  weightOf,
} from '../../core/draws/segment.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import { type Append, Winners } from './chains.ts'
import { RowReader, RowWriter } from './row-binary.ts'

/** The columns of elements, in the order of the table; named as the dtypes. */
const NUMBERS: readonly NumericDtype[] = [
  'float64',
  'float32',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint64',
  'uint32',
  'uint16',
  'uint8',
  'bool',
]

export const INSERT_CHUNKS = `INSERT INTO chunks (tenant, kind, rid, registration, name, chain, start, count, head, attempt,
written, bytes, warmup, absent, shapes, sizes, ${NUMBERS.join(', ')}, str) FORMAT RowBinary`

export const KIND = { append: 0, draws: 1, stats: 2 } as const

/** Fields that all rows of one attempt have in common. */
export interface Attempt {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
  readonly chain: number
  readonly head: number
  readonly attempt: bigint
  readonly written: number
}

/** Weight of the elements of one row at most, in bytes, unless one draw has more. */
const CHUNK_BYTES = 1024 * 1024

const encoder = new TextEncoder()

/** Names as RowBinary has them, which are the same in every batch. */
const encodedNames = new WeakMap<ColumnSpec, Bytes>()

function nameOf(spec: ColumnSpec): Bytes {
  const known = encodedNames.get(spec)
  if (known !== undefined) return known
  const writer = new RowWriter()
  writer.string(spec.name)
  const encoded = concatBytes(writer.finish())
  encodedNames.set(spec, encoded)
  return encoded
}

const EMPTY_NAME = new Uint8Array(1)
/** Columns of elements. */
const ELEMENTS = NUMBERS.length + 1

/** The rows of one attempt. Their common fields are encoded once. */
export class ChunkWriter {
  private readonly rows = new RowWriter()
  private readonly tenant: Bytes
  private readonly run: Bytes
  private readonly attempt: Bytes
  private readonly chain: number
  private readonly head: number

  constructor(of: Attempt) {
    this.tenant = encoder.encode(of.tenant)
    const run = new RowWriter()
    run.string(of.rid)
    run.string(of.registration)
    this.run = concatBytes(run.finish())
    const attempt = new RowWriter()
    attempt.int64(of.head)
    attempt.uint64(of.attempt)
    attempt.int64(of.written)
    this.attempt = concatBytes(attempt.finish())
    this.chain = of.chain
    this.head = of.head
  }

  private key(kind: number, name: Bytes, start: number, count: number, bytes: number): void {
    const { rows } = this
    rows.blob(this.tenant)
    rows.uint8(kind)
    rows.bytes(this.run)
    rows.bytes(name)
    rows.uint32(this.chain)
    rows.int64(start)
    rows.uint32(count)
    rows.bytes(this.attempt)
    rows.int64(bytes)
  }

  /** The row that says that the attempt appends `count` iterations. */
  append(count: number): void {
    this.key(KIND.append, EMPTY_NAME, this.head, count, 0)
    // No warmup, present, of no shape, and without elements.
    this.rows.zeros(4 + ELEMENTS)
  }

  /** The rows of one column. `flips` are the iterations at which warmup begins or ends, the first of them begins it. */
  column(spec: ColumnSpec, block: Block, flips: readonly number[]): void {
    const weight = weightOf(block.count, block.data?.length ?? 0)
    const each = weight <= CHUNK_BYTES ? block.count : Math.max(1, Math.floor((CHUNK_BYTES * block.count) / weight))
    for (let from = 0; from < block.count; from += each) {
      const to = Math.min(block.count, from + each)
      const data = block.data === null ? null : sliceSegment(spec, block.data, block.count, from, to)
      this.chunk(spec, { start: block.start + from, count: to - from, data }, flips)
    }
  }

  private chunk(spec: ColumnSpec, block: Block, flips: readonly number[]): void {
    const { rows } = this
    const { start, count, data } = block
    this.key(KIND[spec.group], nameOf(spec), start, count, data?.length ?? 0)
    const own = clipFlips(flips, block)
    rows.varint(own.length)
    for (const flip of own) rows.int64(flip)
    rows.uint8(data === null ? 1 : 0)
    if (data === null) rows.zeros(2 + ELEMENTS)
    else if (spec.dtype === 'str') this.strings(unpackSegment(spec, data, count))
    else if (spec.kind === 'rigid-numbers') this.numbers(spec.dtype, NO_WORDS, data)
    else {
      const { words, payload } = unpackSegment(spec, data, count)
      this.numbers(spec.dtype, words, payload)
    }
  }

  private numbers(dtype: NumericDtype, words: Uint32Array, payload: Bytes): void {
    const { rows } = this
    this.shapes(words)
    const before = NUMBERS.indexOf(dtype)
    rows.zeros(before)
    rows.varint(payload.length / ITEM_SIZE[dtype])
    rows.bytes(payload)
    rows.zeros(ELEMENTS - before - 1)
  }

  private strings({ words, lengths, payload }: Parts): void {
    const { rows } = this
    this.shapes(words)
    rows.zeros(NUMBERS.length)
    rows.varint(lengths.length)
    let at = 0
    for (const length of lengths) {
      rows.blob(payload.subarray(at, at + length))
      at += length
    }
  }

  private shapes(words: Uint32Array): void {
    if (words.length === 0) this.rows.zeros(2)
    else {
      this.words(words)
      this.words(sizesOf(words))
    }
  }

  private words(words: Uint32Array): void {
    this.rows.varint(words.length)
    for (const word of words) this.rows.uint32(word)
  }

  /** The rows in pieces, and their bytes. */
  finish(): { readonly rows: readonly Bytes[]; readonly size: number } {
    const rows = this.rows.finish()
    return { rows, size: this.rows.size }
  }
}

const NO_WORDS = new Uint32Array()
const NO_BYTES: Bytes = new Uint8Array()

/** Elements of each draw, from the shape words. */
function sizesOf(words: Uint32Array): Uint32Array {
  const sizes: number[] = []
  for (let at = 0; at < words.length; at += 1 + (words[at] ?? 0)) {
    sizes.push(sizeOf(words.subarray(at + 1, at + 1 + (words[at] ?? 0))))
  }
  return new Uint32Array(sizes)
}

/** The flips that matter in a block: of those before it only whether it begins within warmup. */
function clipFlips(flips: readonly number[], { start, count }: Block): number[] {
  const before = flips.filter((flip) => flip <= start).length
  const within = flips.filter((flip) => flip > start && flip < start + count)
  return before % 2 === 1 ? [start, ...within] : within
}

/** Columns of elements that a read selects. */
interface Elements {
  readonly numbers: readonly NumericDtype[]
  readonly strings: boolean
}

/** The columns of elements that hold columns of these dtypes. */
function elementsOf(specs: readonly ColumnSpec[]): Elements {
  const dtypes = new Set<string>(specs.map((spec) => spec.dtype))
  return { numbers: NUMBERS.filter((dtype) => dtypes.has(dtype)), strings: dtypes.has('str') }
}

/** First column of a row that names a generation which was deleted. */
const DELETED = -1

/**
 * Columns that a read selects, of appends and of the columns' rows, in the order in which `readChunks` takes them.
 *
 * @param picked expression for the elements of the one column, where not all are wanted
 */
export function chunkColumns(specs: readonly ColumnSpec[], picked?: string): string {
  const { numbers, strings } = elementsOf(specs)
  const all = strings ? [...numbers, 'str'] : numbers
  const elements = picked === undefined ? all : [picked]
  return `toInt8(kind), start, head, attempt, _block_number, toUnixTimestamp64Milli(written), name, count, absent, shapes, ${elements.join(', ')}`
}

/** The generations of a rid that were deleted, as rows between those of `chunkColumns` of rigid columns. */
export function deletionColumns(specs: readonly ColumnSpec[]): string {
  // An empty array has the type of the array that it is united with.
  const none = elementsOf(specs).numbers.map(() => '[]')
  return `toInt8(${DELETED}), toInt64(generation), toInt64(0), toUInt64(0), toUInt64(0), toInt64(0), '', toUInt32(0), false, [], ${none.join(', ')}`
}

/** Rows of a read. */
export interface Chunks {
  /** The blocks that hold, by column and in no order: those of an attempt that became an append (chains.ts). */
  readonly blocks: ReadonlyMap<string, Block[]>
  /** The appends that hold, in no order. */
  readonly appends: readonly Append[]
  /** The last generation that was deleted, where that was asked for; 0 when none was. */
  readonly deleted: number
}

/** A row of a column, which holds if its attempt became an append. */
interface ColumnRow {
  readonly name: string
  readonly head: number
  readonly attempt: bigint
  readonly block: Block
}

export function readChunks(bytes: Bytes, specs: readonly ColumnSpec[]): Chunks {
  const byName = new Map(specs.map((spec) => [spec.name, spec]))
  const selected = elementsOf(specs)
  const reader = new RowReader(bytes)
  const appends = new Winners<number, Append>()
  let deleted = 0
  const rows: ColumnRow[] = []
  while (reader.more()) {
    const kind = reader.int8()
    const start = reader.int64()
    const head = reader.int64()
    const attempt = reader.uint64()
    const position = reader.uint64()
    const written = reader.int64()
    const name = reader.string()
    const spec = kind === KIND.append ? undefined : byName.get(name)
    const count = reader.uint32()
    const absent = reader.uint8() === 1
    const parts = readParts(reader, selected, spec)
    if (kind === KIND.append) appends.add(start, { start, count, attempt, written, position })
    if (kind === DELETED) deleted = Math.max(deleted, start)
    if (spec === undefined) continue
    const data = absent ? null : segmentOf(spec, parts)
    rows.push({ name, head, attempt, block: { start, count, data } })
  }
  return { blocks: heldBlocks(rows, appends, specs), appends: appends.all(), deleted }
}

/** Shapes and elements of one row: those of the column that `spec` describes, without elements where it is undefined. */
function readParts(reader: RowReader, { numbers, strings }: Elements, spec: ColumnSpec | undefined): Parts {
  const words = wordsOf(reader.array(4))
  let payload = NO_BYTES
  let lengths: Uint32Array = NO_WORDS
  for (const dtype of numbers) {
    const elements = reader.array(ITEM_SIZE[dtype])
    if (dtype === spec?.dtype) payload = elements
  }
  if (strings) {
    const texts = reader.strings()
    if (spec?.dtype === 'str') ({ lengths, payload } = texts)
  }
  return { words, lengths, payload }
}

function segmentOf(spec: ColumnSpec, parts: Parts): Bytes {
  return spec.kind === 'rigid-numbers' ? parts.payload : packSegment(spec, parts)
}

function heldBlocks(
  rows: readonly ColumnRow[],
  appends: Winners<number, Append>,
  specs: readonly ColumnSpec[],
): Map<string, Block[]> {
  const blocks = new Map<string, Block[]>(specs.map((spec) => [spec.name, []]))
  for (const { name, head, attempt, block } of rows) {
    if (appends.get(head)?.attempt === attempt) blocks.get(name)?.push(block)
  }
  return blocks
}

function wordsOf(bytes: Bytes): Uint32Array {
  return new Uint32Array(bytes.slice().buffer)
}
