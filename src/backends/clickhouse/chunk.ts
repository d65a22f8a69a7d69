/** Rows of the table `chunks`: from the segments of a batch, and back to blocks. */
import { ITEM_SIZE, type NumericDtype } from '../../core/dtype.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { ColumnSpec } from '../../core/schema.ts'
import { type Block, type Bytes, packSegment, sliceSegment, unpackSegment } from '../../core/segment.ts'
import { RowReader, type RowWriter } from './row-binary.ts'

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

/** What all rows of one attempt have in common. */
export interface Attempt {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
  readonly chain: number
  readonly head: number
  readonly attempt: bigint
  readonly written: number
}

/** Bytes of the elements of one row at most, unless one draw has more. */
const CHUNK_BYTES = 1024 * 1024

function writeKey(writer: RowWriter, of: Attempt, kind: number, name: string, start: number, count: number): void {
  writer.string(of.tenant)
  writer.uint8(kind)
  writer.string(of.rid)
  writer.string(of.registration)
  writer.string(name)
  writer.uint32(of.chain)
  writer.int64(start)
  writer.uint32(count)
  writer.int64(of.head)
  writer.uint64(of.attempt)
  writer.int64(of.written)
}

/** The row that says that an attempt appends `count` iterations. */
export function writeAppend(writer: RowWriter, of: Attempt, count: number): void {
  writeKey(writer, of, KIND.append, '', of.head, count)
  writer.uint64(0n)
  // No warmup, present, and no element in any of the arrays.
  for (let i = 0; i < 4 + NUMBERS.length + 1; i++) writer.uint8(0)
}

/** The rows of one column. `flips` are the iterations at which warmup begins or ends, the first of them begins it. */
export function writeColumn(
  writer: RowWriter,
  of: Attempt,
  spec: ColumnSpec,
  block: Block,
  flips: readonly number[],
): void {
  const size = block.data?.length ?? 0
  const each = size <= CHUNK_BYTES ? block.count : Math.max(1, Math.floor((CHUNK_BYTES * block.count) / size))
  for (let from = 0; from < block.count; from += each) {
    const to = Math.min(block.count, from + each)
    const data = block.data === null ? null : sliceSegment(spec, block.data, block.count, from, to)
    writeChunk(writer, of, spec, { start: block.start + from, count: to - from, data }, flips)
  }
}

function writeChunk(writer: RowWriter, of: Attempt, spec: ColumnSpec, block: Block, flips: readonly number[]): void {
  writeKey(writer, of, KIND[spec.group], spec.name, block.start, block.count)
  writer.uint64(BigInt(block.data?.length ?? 0))
  const own = clipFlips(flips, block)
  writer.varint(own.length)
  for (const flip of own) writer.int64(flip)
  writer.uint8(block.data === null ? 1 : 0)
  const { words, lengths, payload } =
    block.data === null
      ? { words: new Uint32Array(), lengths: new Uint32Array(), payload: new Uint8Array() }
      : unpackSegment(spec, block.data, block.count)
  writeWords(writer, words)
  writeWords(writer, sizesOf(words))
  for (const dtype of NUMBERS) {
    writer.varint(dtype === spec.dtype ? payload.length / ITEM_SIZE[dtype] : 0)
    if (dtype === spec.dtype) writer.bytes(payload)
  }
  writer.varint(lengths.length)
  let at = 0
  for (const length of lengths) {
    writer.blob(payload.subarray(at, at + length))
    at += length
  }
}

function writeWords(writer: RowWriter, words: Uint32Array): void {
  writer.varint(words.length)
  for (const word of words) writer.uint32(word)
}

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

/** Columns of elements that hold columns of these dtypes. */
function elementsOf(specs: readonly ColumnSpec[]): { readonly numbers: NumericDtype[]; readonly strings: boolean } {
  const dtypes = new Set<string>(specs.map((spec) => spec.dtype))
  return { numbers: NUMBERS.filter((dtype) => dtypes.has(dtype)), strings: dtypes.has('str') }
}

/** What a scan selects of appends and of the columns' rows, in the order in which `readChunks` takes it. */
export function chunkColumns(specs: readonly ColumnSpec[]): string {
  const { numbers, strings } = elementsOf(specs)
  const elements = strings ? [...numbers, 'str'] : numbers
  return ['kind', 'start', 'head', 'attempt', '_block_number', 'name', 'count', 'absent', 'shapes', ...elements].join(
    ', ',
  )
}

/** The blocks that hold, by column and in no order: those of an attempt that became an append (chains.ts). */
export function readChunks(bytes: Bytes, specs: readonly ColumnSpec[]): Map<string, Block[]> {
  const byName = new Map(specs.map((spec) => [spec.name, spec]))
  const { numbers, strings } = elementsOf(specs)
  const reader = new RowReader(bytes)
  const appends = new Winners()
  const rows: { readonly name: string; readonly head: number; readonly attempt: bigint; readonly block: Block }[] = []
  while (reader.more()) {
    const isAppend = reader.uint8() === KIND.append
    const start = reader.int64()
    const head = reader.int64()
    const attempt = reader.uint64()
    const position = reader.uint64()
    const name = reader.string()
    const spec = isAppend ? undefined : byName.get(name)
    const count = reader.uint32()
    const absent = reader.uint8() === 1
    const words = wordsOf(reader.array(4))
    let payload: Bytes = new Uint8Array()
    let lengths = new Uint32Array()
    for (const dtype of numbers) {
      const elements = reader.array(ITEM_SIZE[dtype])
      if (dtype === spec?.dtype) payload = elements
    }
    if (strings) {
      const texts = reader.strings()
      if (spec?.dtype === 'str') ({ lengths, payload } = { ...texts, lengths: new Uint32Array(texts.lengths) })
    }
    if (isAppend) appends.add(start, attempt, position)
    if (spec === undefined) continue
    const data = absent
      ? null
      : spec.kind === 'rigid-numbers'
        ? payload
        : packSegment(spec, { words, lengths, payload })
    rows.push({ name, head, attempt, block: { start, count, data } })
  }
  const blocks = new Map<string, Block[]>(specs.map((spec) => [spec.name, []]))
  for (const { name, head, attempt, block } of rows) {
    if (appends.get(head) === attempt) blocks.get(name)?.push(block)
  }
  return blocks
}

/** Of the attempts at each index the one that the server took first; rows of one block are told apart by their attempt. */
class Winners {
  private readonly first = new Map<number, { readonly attempt: bigint; readonly position: bigint }>()

  add(index: number, attempt: bigint, position: bigint): void {
    const known = this.first.get(index)
    const isFirst =
      known === undefined || position < known.position || (position === known.position && attempt < known.attempt)
    if (isFirst) this.first.set(index, { attempt, position })
  }

  get(index: number): bigint | undefined {
    return this.first.get(index)?.attempt
  }
}

function wordsOf(bytes: Bytes): Uint32Array {
  return new Uint32Array(bytes.slice().buffer)
}
