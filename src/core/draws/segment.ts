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

import { McbError } from '../errors.ts'
import { concatBytes, equalBytes } from '../wire/protobuf.ts'
import type { ColumnSpec, RigidNumbers, RigidStrings } from './columns.ts'
import { fillShape } from './columns.ts'
import type { ElementRanges, RigidColumn } from './elements.ts'
import { sizeOf } from './ndarray.ts'

export type Bytes = Uint8Array<ArrayBuffer>
export type Segment = Bytes | null

/** `count` draws from index `start` of one chain. */
export interface Block {
  readonly start: number
  readonly count: number
  readonly data: Segment
}

/** The parts of a segment. */
export interface Parts {
  /** Shapes: for each draw its number of dimensions, then its dimensions; empty when the shape is fixed. */
  readonly words: Uint32Array
  /** Byte length of each string; empty for numbers. */
  readonly lengths: Uint32Array
  /** Elements of numbers, or UTF-8. */
  readonly payload: Bytes
}

/** Words at any offset, whose alignment a typed array would not take. */
function readWords(bytes: Bytes, offset: number, count: number): Uint32Array<ArrayBuffer> {
  if (offset + count * 4 > bytes.length) throw new RangeError('a segment is shorter than its words say')
  return new Uint32Array(bytes.slice(offset, offset + count * 4).buffer)
}

/** True where a draw has no element. Any number of such draws has no bytes, so nothing may be held for each of them. */
export function isSizeless(spec: ColumnSpec): boolean {
  return spec.layout === 'rigid' && spec.elements === 0
}

/** The weight of some draws, for bounds on their number and their bytes together: a draw without bytes counts for one. */
export function weightOf(count: number, bytes: number): number {
  return Math.max(count, bytes)
}

/** Number of elements of the draw whose shape words begin at `at`. */
function elementsAt(words: Uint32Array, at: number): number {
  const end = at + 1 + (words[at] ?? 0)
  let elements = 1
  for (let axis = at + 1; axis < end; axis++) {
    const n = words[axis] ?? 0
    if (n === 0) return 0
    elements *= n
  }
  return elements
}

/** Number of elements of all draws together. */
function allElements(spec: ColumnSpec, words: Uint32Array, count: number): number {
  if (spec.layout === 'rigid') return count * spec.elements
  let elements = 0
  for (let i = 0, at = 0; i < count; i++, at += 1 + (words[at] ?? 0)) elements += elementsAt(words, at)
  return elements
}

/** The parts of a segment of rigid numbers, which is nothing but its payload. */
export function numberParts(payload: Bytes): Parts {
  return { words: NONE, lengths: NONE, payload }
}

const NONE = new Uint32Array()

export function unpackSegment(spec: ColumnSpec, bytes: Bytes, count: number): Parts {
  if (spec.kind === 'rigid-numbers') return numberParts(bytes)
  let offset = 0
  let words = new Uint32Array()
  if (spec.layout === 'ragged') {
    const size = readWords(bytes, 0, 1)[0] ?? 0
    words = readWords(bytes, 4, size)
    offset = 4 + size * 4
  }
  if (spec.dtype !== 'str') return { words, lengths: new Uint32Array(), payload: bytes.subarray(offset) }
  const strings = allElements(spec, words, count)
  const lengths = readWords(bytes, offset, strings)
  return { words, lengths, payload: bytes.subarray(offset + strings * 4) }
}

export function packSegment(spec: ColumnSpec, parts: Parts): Bytes {
  const head = spec.layout === 'ragged' ? 1 + parts.words.length : 0
  const words = head + parts.lengths.length
  const bytes = new Uint8Array(words * 4 + parts.payload.length)
  const view = new Uint32Array(bytes.buffer, 0, words)
  if (spec.layout === 'ragged') {
    view[0] = parts.words.length
    view.set(parts.words, 1)
  }
  view.set(parts.lengths, head)
  bytes.set(parts.payload, words * 4)
  return bytes
}

/** Joins neighbouring segments of one column into one. */
export function joinSegments(spec: ColumnSpec, blocks: readonly { data: Bytes; count: number }[]): Bytes {
  const [only] = blocks
  if (blocks.length === 1 && only !== undefined) return only.data
  if (spec.kind === 'rigid-numbers') return concatBytes(blocks.map((b) => b.data))
  return joinParts(
    spec,
    blocks.map((b) => unpackSegment(spec, b.data, b.count)),
  )
}

function joinParts(spec: ColumnSpec, parts: readonly Parts[]): Bytes {
  return packSegment(spec, {
    words: concatWords(parts.map((p) => p.words)),
    lengths: concatWords(parts.map((p) => p.lengths)),
    payload: concatBytes(parts.map((p) => p.payload)),
  })
}

/** The beginning of a draw in the parts of a segment: its first shape word, element and byte of payload. */
interface Mark {
  readonly word: number
  readonly element: number
  readonly byte: number
}

const BEGIN: Mark = { word: 0, element: 0, byte: 0 }

/** The place `draws` draws behind another one. */
function placeBehind(spec: ColumnSpec, { words, lengths }: Parts, place: Mark, draws: number): Mark {
  let { word, element, byte } = place
  const first = element
  if (spec.layout === 'rigid') element += draws * spec.elements
  else {
    for (let i = 0; i < draws; i++) {
      element += elementsAt(words, word)
      word += 1 + (words[word] ?? 0)
    }
  }
  if (spec.dtype !== 'str') byte += (element - first) * spec.itemSize
  else for (let i = first; i < element; i++) byte += lengths[i] ?? 0
  return { word, element, byte }
}

/** The draws between two places, as views. */
function partsBetween({ words, lengths, payload }: Parts, from: Mark, to: Mark): Parts {
  return {
    words: words.subarray(from.word, to.word),
    lengths: lengths.subarray(from.element, to.element),
    payload: payload.subarray(from.byte, to.byte),
  }
}

/** The draws `from … to` of a segment of `count` draws; a view where the layout allows it. */
export function sliceSegment(spec: ColumnSpec, bytes: Bytes, count: number, from: number, to: number): Bytes {
  if (from === 0 && to === count) return bytes
  if (spec.kind === 'rigid-numbers') return bytes.subarray(from * spec.stride, to * spec.stride)
  if (isSizeless(spec)) return bytes
  const parts = unpackSegment(spec, bytes, count)
  const begin = placeBehind(spec, parts, BEGIN, from)
  return packSegment(spec, partsBetween(parts, begin, placeBehind(spec, parts, begin, to - from)))
}

/** Cuts a segment that is not rigid numbers into parts of at most `most` bytes, or of one draw, in one walk. */
export function* cutSegment(
  spec: ColumnSpec,
  bytes: Bytes,
  count: number,
  most: number,
): Generator<{ readonly count: number; readonly data: Bytes }> {
  const parts = unpackSegment(spec, bytes, count)
  const sizeOf = (from: Mark, to: Mark) =>
    (spec.layout === 'ragged' ? 4 * (1 + to.word - from.word) : 0) +
    (spec.dtype === 'str' ? 4 * (to.element - from.element) : 0) +
    to.byte -
    from.byte
  let begin = BEGIN
  let end = BEGIN
  let taken = 0
  for (let i = 0; i < count; i++) {
    const behind = placeBehind(spec, parts, end, 1)
    if (taken > 0 && sizeOf(begin, behind) > most) {
      yield { count: taken, data: packSegment(spec, partsBetween(parts, begin, end)) }
      begin = end
      taken = 0
    }
    end = behind
    taken++
  }
  yield { count: taken, data: packSegment(spec, partsBetween(parts, begin, end)) }
}

/** Every `step`-th draw from `first` on, `count` of them; a negative step walks backwards. */
export interface Stride {
  readonly first: number
  readonly step: number
  readonly count: number
}

/** Some draws of a segment of `total` draws, in the order of the stride. */
export function pickSegment(spec: ColumnSpec, bytes: Bytes, total: number, stride: Stride): Bytes {
  if (spec.kind === 'rigid-numbers') return pickRigid(spec, bytes, stride)
  if (isSizeless(spec)) return bytes
  const parts = unpackSegment(spec, bytes, total)
  const picked: Parts[] = []
  // In rising order, so that the walk over the draws is one.
  const forwards = Math.abs(stride.step)
  let place = placeBehind(
    spec,
    parts,
    BEGIN,
    stride.step > 0 ? stride.first : stride.first - (stride.count - 1) * forwards,
  )
  for (let i = 0; i < stride.count; i++) {
    const behind = placeBehind(spec, parts, place, 1)
    picked.push(partsBetween(parts, place, behind))
    if (i + 1 < stride.count) place = placeBehind(spec, parts, behind, forwards - 1)
  }
  if (stride.step < 0) picked.reverse()
  return joinParts(spec, picked)
}

function pickRigid({ stride: width }: RigidNumbers, bytes: Bytes, { first, step, count }: Stride): Bytes {
  const picked = new Uint8Array(count * width)
  if (width === 0) return picked
  for (let i = 0; i < count; i++) {
    const at = (first + i * step) * width
    picked.set(bytes.subarray(at, at + width), i * width)
  }
  return picked
}

/** Draws of one column, which know how many they are. */
export interface Picked {
  readonly count: number
  readonly data: Bytes
}

/** Bytes of the strings that are picked of one draw at most, as many as a body may bring: one may be asked for very often. */
const PICKED_BYTES = 64 * 1024 * 1024

/**
 * Some elements of some draws of a segment of `total` draws, in the order of the stride: of so many draws as give about
 * `most` bytes, and of one at least, since an element that is asked for often makes much of little.
 *
 * @throws McbError `payload_too_large` when strings of one draw are asked for so often that they have more than 64 MiB
 */
export function pickElements(
  spec: RigidColumn,
  bytes: Bytes,
  total: number,
  stride: Stride,
  elements: ElementRanges,
  most: number,
): Picked {
  if (spec.kind === 'rigid-strings') return pickStrings(spec, unpackSegment(spec, bytes, total), stride, elements, most)
  const { itemSize } = spec
  const each = elements.count * itemSize
  const count = Math.min(stride.count, Math.max(1, Math.floor(most / each)))
  const picked = new Uint8Array(count * each)
  let to = 0
  for (let i = 0; i < count; i++) {
    const draw = (stride.first + i * stride.step) * spec.stride
    for (const [from, end] of elements.ranges) {
      picked.set(bytes.subarray(draw + from * itemSize, draw + end * itemSize), to)
      to += (end - from) * itemSize
    }
  }
  return { count, data: picked }
}

function pickStrings(
  spec: RigidStrings,
  parts: Parts,
  stride: Stride,
  { ranges, count }: ElementRanges,
  most: number,
): Picked {
  const { lengths, payload } = parts
  const ends = new Float64Array(lengths.length)
  for (let i = 0, end = 0; i < lengths.length; i++) {
    end += lengths[i] ?? 0
    ends[i] = end
  }
  const begin = (element: number) => (element === 0 ? 0 : (ends[element - 1] ?? 0))
  const firstOf = (draw: number) => (stride.first + draw * stride.step) * spec.elements
  let draws = 0
  let text = 0
  for (; draws < stride.count; draws++) {
    const first = firstOf(draws)
    const own = ranges.reduce((n, [from, end]) => n + begin(first + end) - begin(first + from), 0)
    if (own > PICKED_BYTES) throw tooOften(spec, own)
    if (draws > 0 && (draws + 1) * count * 4 + text + own > most) break
    text += own
  }
  const picked = { words: NO_WORDS, lengths: new Uint32Array(draws * count), payload: new Uint8Array(text) }
  for (let draw = 0, to = 0, at = 0; draw < draws; draw++) {
    const first = firstOf(draw)
    for (const [from, end] of ranges) {
      const own = payload.subarray(begin(first + from), begin(first + end))
      picked.lengths.set(lengths.subarray(first + from, first + end), to)
      picked.payload.set(own, at)
      to += end - from
      at += own.length
    }
  }
  return { count: draws, data: packSegment(spec, picked) }
}

function tooOften({ name }: RigidStrings, bytes: number): McbError {
  return new McbError(
    'payload_too_large',
    `elements of one draw of "${name}" would have ${bytes} bytes, the limit is ${PICKED_BYTES}; name each of them once`,
    { limit: PICKED_BYTES },
  )
}

const NO_WORDS = new Uint32Array()

/** Bytes of `count` draws of the fill value; a caller must know them before it asks for the draws. */
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

/** `count` elements of the fill value. */
export function fillElements(spec: { dtype: string; itemSize: number }, count: number): Bytes {
  const bytes = new Uint8Array(count * spec.itemSize)
  if (spec.dtype === 'float64') new BigUint64Array(bytes.buffer).fill(0x7ff8000000000000n)
  if (spec.dtype === 'float32') new Uint32Array(bytes.buffer).fill(0x7fc00000)
  return bytes
}

/** True where two segments of `count` draws hold the same bits; an absent one equals its fill. */
export function equalSegments(spec: ColumnSpec, count: number, a: Segment, b: Segment): boolean {
  if (a === null && b === null) return true
  if (a !== null && b !== null) return equalBytes(a, b)
  const present = a ?? b
  if (present === null || present.length !== fillSize(spec, count)) return false
  // In steps, so that a comparison allocates little. Only rigid numbers have large fills.
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
