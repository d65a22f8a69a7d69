/**
 * Segments: some consecutive draws of one column as storage keeps them.
 *
 * - rigid numbers: the draws one after the other, nothing else; draw i lies at `i * stride`
 * - ragged numbers: u32 W, W shape words (for each draw its number of dimensions, then they), the elements
 * - rigid strings: for each element its u32 byte length, then all their UTF-8
 * - ragged strings: u32 W, W shape words, for each element its u32 byte length, then all their UTF-8
 *
 * Everything is little-endian and in C order. `null` stands for draws that were not sent: they read as the fill value,
 * and take no room however large their shape is.
 */
import { sizeOf } from './ndarray.ts'
import type { ColumnSpec, RigidNumbers } from './schema.ts'
import { fillShape } from './schema.ts'
import { concatBytes, equalBytes } from './wire.ts'

export type Bytes = Uint8Array<ArrayBuffer>
export type Segment = Bytes | null

/** `count` draws from index `start` of one chain. */
export interface Block {
  readonly start: number
  readonly count: number
  readonly data: Segment
}

/** The parts of a segment that is not rigid numbers. */
export interface Parts {
  /** For each draw its number of dimensions, then its dimensions; empty when the shape is fixed. */
  readonly words: Uint32Array
  /** Byte length of each string; empty for numbers. */
  readonly lengths: Uint32Array
  /** Elements of numbers, or UTF-8. */
  readonly payload: Bytes
}

function readWords(bytes: Bytes, offset: number, count: number): Uint32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, count * 4)
  const words = new Uint32Array(count)
  for (let i = 0; i < count; i++) words[i] = view.getUint32(i * 4, true)
  return words
}

/** Number of elements of each draw, in order. */
function elementsOf(spec: ColumnSpec, words: Uint32Array, count: number): number[] {
  if (spec.layout === 'rigid') return new Array<number>(count).fill(spec.elements)
  const elements: number[] = []
  for (let i = 0, at = 0; i < count; i++) {
    const ndim = words[at++] ?? 0
    elements.push(sizeOf(words.subarray(at, at + ndim)))
    at += ndim
  }
  return elements
}

export function unpackSegment(spec: ColumnSpec, bytes: Bytes, count: number): Parts {
  let offset = 0
  let words = new Uint32Array()
  if (spec.layout === 'ragged') {
    const size = readWords(bytes, 0, 1)[0] ?? 0
    words = readWords(bytes, 4, size)
    offset = 4 + size * 4
  }
  if (spec.dtype !== 'str') return { words, lengths: new Uint32Array(), payload: bytes.subarray(offset) }
  let strings = 0
  for (const n of elementsOf(spec, words, count)) strings += n
  const lengths = readWords(bytes, offset, strings)
  return { words, lengths, payload: bytes.subarray(offset + strings * 4) }
}

export function packSegment(spec: ColumnSpec, parts: Parts): Bytes {
  const head = spec.layout === 'ragged' ? 1 + parts.words.length : 0
  const bytes = new Uint8Array((head + parts.lengths.length) * 4 + parts.payload.length)
  const view = new DataView(bytes.buffer)
  let offset = 0
  const put = (word: number) => {
    view.setUint32(offset, word, true)
    offset += 4
  }
  if (spec.layout === 'ragged') {
    put(parts.words.length)
    parts.words.forEach(put)
  }
  parts.lengths.forEach(put)
  bytes.set(parts.payload, offset)
  return bytes
}

/** Joins neighbouring segments of one column into one. */
export function joinSegments(spec: ColumnSpec, blocks: readonly { data: Bytes; count: number }[]): Bytes {
  const [only] = blocks
  if (blocks.length === 1 && only !== undefined) return only.data
  if (spec.kind === 'rigid-numbers') return concatBytes(blocks.map((b) => b.data))
  const parts = blocks.map((b) => unpackSegment(spec, b.data, b.count))
  return packSegment(spec, {
    words: concatWords(parts.map((p) => p.words)),
    lengths: concatWords(parts.map((p) => p.lengths)),
    payload: concatBytes(parts.map((p) => p.payload)),
  })
}

/** The draws `from … to` of a segment of `count` draws; a view where the layout allows it. */
export function sliceSegment(spec: ColumnSpec, bytes: Bytes, count: number, from: number, to: number): Bytes {
  if (from === 0 && to === count) return bytes
  if (spec.kind === 'rigid-numbers') return bytes.subarray(from * spec.stride, to * spec.stride)
  const indices: number[] = []
  for (let i = from; i < to; i++) indices.push(i)
  return pickSegment(spec, bytes, count, indices)
}

/** The draws at `indices`, in that order. */
export function pickSegment(spec: ColumnSpec, bytes: Bytes, count: number, indices: readonly number[]): Bytes {
  if (spec.kind === 'rigid-numbers') return pickRigid(spec, bytes, indices)
  const { words, lengths, payload } = unpackSegment(spec, bytes, count)
  const elements = elementsOf(spec, words, count)
  const itemSize = spec.dtype === 'str' ? 0 : spec.itemSize
  // For each draw: where its shape words, its elements and its payload begin.
  const wordAt = [0]
  const elementAt = [0]
  const payloadAt = [0]
  for (let i = 0, word = 0, element = 0, byte = 0; i < count; i++) {
    if (spec.layout === 'ragged') word += 1 + (words[word] ?? 0)
    const size = elements[i] ?? 0
    if (spec.dtype === 'str') for (let k = 0; k < size; k++) byte += lengths[element + k] ?? 0
    else byte += size * itemSize
    element += size
    wordAt.push(word)
    elementAt.push(element)
    payloadAt.push(byte)
  }
  const cut = <T>(source: { subarray(from: number, to: number): T }, at: readonly number[]) =>
    indices.map((i) => source.subarray(at[i] ?? 0, at[i + 1] ?? 0))
  return packSegment(spec, {
    words: concatWords(cut(words, wordAt)),
    lengths: spec.dtype === 'str' ? concatWords(cut(lengths, elementAt)) : new Uint32Array(),
    payload: concatBytes(cut(payload, payloadAt)),
  })
}

function pickRigid({ stride }: RigidNumbers, bytes: Bytes, indices: readonly number[]): Bytes {
  const picked = new Uint8Array(indices.length * stride)
  indices.forEach((index, i) => {
    picked.set(bytes.subarray(index * stride, (index + 1) * stride), i * stride)
  })
  return picked
}

/** Bytes of `count` draws of the fill value; what a caller must know before it asks for them. */
export function fillSize(spec: ColumnSpec, count: number): number {
  if (spec.kind === 'rigid-numbers') return count * spec.stride
  if (spec.layout === 'rigid') return count * spec.elements * 4
  const shape = fillShape(spec)
  const elements = sizeOf(shape)
  return 4 + count * ((1 + shape.length) * 4 + elements * (spec.dtype === 'str' ? 4 : spec.itemSize))
}

/** `count` draws of the fill value: NaN (0x7FF8000000000000, 0x7FC00000), 0, false or "". */
export function fillSegment(spec: ColumnSpec, count: number): Bytes {
  if (spec.kind === 'rigid-numbers') return fillElements(spec, count * spec.elements)
  if (spec.kind === 'rigid-strings') return new Uint8Array(count * spec.elements * 4)
  const shape = fillShape(spec)
  const elements = sizeOf(shape)
  const words = new Uint32Array(count * (1 + shape.length))
  for (let i = 0; i < count; i++) {
    words[i * (1 + shape.length)] = shape.length
    words.set(shape, i * (1 + shape.length) + 1)
  }
  if (spec.dtype === 'str') {
    return packSegment(spec, { words, lengths: new Uint32Array(count * elements), payload: new Uint8Array() })
  }
  return packSegment(spec, { words, lengths: new Uint32Array(), payload: fillElements(spec, count * elements) })
}

function fillElements(spec: { dtype: string; itemSize: number }, count: number): Bytes {
  const bytes = new Uint8Array(count * spec.itemSize)
  if (spec.dtype === 'float64') new BigUint64Array(bytes.buffer).fill(0x7ff8000000000000n)
  if (spec.dtype === 'float32') new Uint32Array(bytes.buffer).fill(0x7fc00000)
  return bytes
}

/** Whether two segments of `count` draws hold the same bits; an absent one equals its fill. */
export function equalSegments(spec: ColumnSpec, count: number, a: Segment, b: Segment): boolean {
  if (a === null && b === null) return true
  if (a !== null && b !== null) return equalBytes(a, b)
  const present = a ?? b
  if (present === null || present.length !== fillSize(spec, count)) return false
  // In steps, so that a comparison allocates little; whatever is not rigid has small fills.
  const step = spec.kind === 'rigid-numbers' ? Math.max(1, Math.floor(65536 / Math.max(1, spec.itemSize))) : 0
  if (step === 0 || spec.kind !== 'rigid-numbers') return equalBytes(present, fillSegment(spec, count))
  const pattern = fillElements(spec, step)
  for (let at = 0; at < present.length; at += pattern.length) {
    const piece = present.subarray(at, at + pattern.length)
    if (!equalBytes(piece, pattern.subarray(0, piece.length))) return false
  }
  return true
}

function concatWords(parts: readonly Uint32Array[]): Uint32Array {
  let length = 0
  for (const part of parts) length += part.length
  const words = new Uint32Array(length)
  let offset = 0
  for (const part of parts) {
    words.set(part, offset)
    offset += part.length
  }
  return words
}
