/** The JSON form of a read, for people and plain scripts (docs/protocol.md §2). */

import type { ColumnSpec } from '../draws/columns.ts'
import { type NdArray, numericArray, sizeOf } from '../draws/ndarray.ts'
import { unpackSegment } from '../draws/segment.ts'
import type { Limits } from '../limits.ts'
import type { Piece, Selection } from '../selection.ts'
import { turn } from '../turn.ts'
import { decodeUtf8 } from '../wire/protobuf.ts'
import { type Answer, requireAnswerFits, requireSelectionFits } from './answer.ts'
import { measured, type Room } from './measure.ts'

const encoder = new TextEncoder()
const SAFE = BigInt(Number.MAX_SAFE_INTEGER) + 1n
/** Characters that are gathered before they are sent. */
const TEXT_STEP = 64 * 1024

/**
 * Judges a selection before a draw is read, and returns the least bytes of its columns of fixed shape.
 *
 * @throws McbError `payload_too_large`
 */
export function requireJsonFits(selection: Selection, limits: Limits): number {
  requireSelectionFits(selection, limits)
  const size = leastRigid(selection)
  requireAnswerFits(size, limits)
  return size
}

/** @throws McbError `payload_too_large` when the answer would surely exceed the limit */
export async function jsonAnswer(selection: Selection, limits: Limits, room: Room): Promise<Answer> {
  let size = requireJsonFits(selection, limits)
  const read = await measured(selection, room, (spec, piece) => {
    size += leastVarying(spec, piece)
    // At once: the rest of it may be very long.
    requireAnswerFits(size, limits)
  })
  return { body: encodedTexts(textOf(selection, read)) }
}

/** The axes that nested lists have: up to the first of length 0, whose place an empty list takes. */
function axesOf(shape: readonly number[]): readonly number[] {
  const empty = shape.indexOf(0)
  return empty < 0 ? shape : shape.slice(0, empty)
}

/**
 * The least number of bytes that an array takes as nested lists, with the comma behind it: brackets, commas, and of each leaf
 * two quotes, an empty list, or one digit. Arrays of no element may have any number of leaves, and any number of axes one element.
 */
function leastText(dtype: ColumnSpec['dtype'], axes: readonly number[], isEmpty: boolean): number {
  const leaf = isEmpty || dtype === 'str' ? 2 : 1
  let lists = axes.length > 0 ? 1 : 0
  let within = 1
  for (const n of axes.slice(0, -1)) {
    within *= n
    lists += within
  }
  return sizeOf(axes) * (leaf + 1) + 2 * lists
}

/** A lower bound of the bytes of columns of fixed shape, which is near where most of them is lists. */
function leastRigid({ columns, slice }: Selection): number {
  let size = 0
  for (const spec of columns) if (spec.layout === 'rigid') size += slice.count * leastDraw(spec.dtype, spec.shape)
  return size
}

/** A lower bound of the bytes of a piece whose draws vary in size. */
function leastVarying(spec: ColumnSpec, { data, count }: Piece): number {
  const { words, payload } = unpackSegment(spec, data, count)
  let size = spec.dtype === 'str' ? payload.length : 0
  for (let at = 0; at < words.length; at += 1 + (words[at] ?? 0)) size += leastDraw(spec.dtype, shapeAt(words, at))
  return size
}

function leastDraw(dtype: ColumnSpec['dtype'], shape: readonly number[]): number {
  const axes = axesOf(shape)
  return leastText(dtype, axes, axes.length < shape.length)
}

/** The shape whose words begin at `at`. */
function shapeAt(words: Uint32Array, at: number): readonly number[] {
  return Array.from(words.subarray(at + 1, at + 1 + (words[at] ?? 0)))
}

/** The texts as bytes, with a turn for others behind each piece: the text of one answer may take seconds. */
export async function* encodedTexts(texts: AsyncGenerator<string>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let gathered = ''
  for await (const text of texts) {
    gathered += text
    if (gathered.length < TEXT_STEP) continue
    yield encoder.encode(gathered)
    gathered = ''
    await turn()
  }
  yield encoder.encode(gathered)
}

/** The text of a selection: variables come before stats in it, as their objects do here. */
async function* textOf({ slice, columns }: Selection, read: AsyncGenerator<Piece>): AsyncGenerator<string> {
  yield `{"start":${slice.first},"count":${slice.count},"step":${integer(slice.step)}`
  const opened = new OpenColumns(columns)
  for await (const piece of read) {
    const spec = columns[piece.position]
    if (spec === undefined || piece.count === 0) continue
    yield opened.upTo(piece.position)
    yield* pieceText(spec, piece)
  }
  yield `${opened.upTo(columns.length)}}`
}

/** Text between the two objects, of which the one without columns is there as well. */
const ENTER = {
  none: { draws: ',"draws":{', stats: ',"draws":{},"stats":{', end: ',"draws":{},"stats":{}' },
  draws: { draws: '', stats: '},"stats":{', end: '},"stats":{}' },
  stats: { draws: '', stats: '', end: '}' },
} as const

/** The names and brackets around the draws of columns. */
class OpenColumns {
  private readonly columns: readonly ColumnSpec[]
  private group: keyof typeof ENTER = 'none'
  private open = -1

  constructor(columns: readonly ColumnSpec[]) {
    this.columns = columns
  }

  /** Text before a piece: closes the columns before its position and opens its own; when that is open already, a separator. */
  upTo(position: number): string {
    if (position === this.open) return ','
    let text = ''
    while (this.open < position) {
      if (this.open >= 0) text += ']'
      const spec = this.columns[++this.open]
      if (spec === undefined) return text + ENTER[this.group].end
      text += spec.group === this.group ? ',' : ENTER[this.group][spec.group]
      this.group = spec.group
      text += `${JSON.stringify(spec.name)}:[`
    }
    return text
  }
}

/** The text of the next element. */
type Leaves = () => string

function* pieceText(spec: ColumnSpec, { data, count }: Piece): Generator<string> {
  if (spec.kind === 'rigid-numbers') {
    yield* rowsText(numberLeaves(numericArray(spec.dtype, [], data)), [count, ...spec.shape])
    return
  }
  const { words, lengths, payload } = unpackSegment(spec, data, count)
  const leaves =
    spec.dtype === 'str' ? stringLeaves(lengths, payload) : numberLeaves(numericArray(spec.dtype, [], payload))
  if (spec.layout === 'rigid') {
    yield* rowsText(leaves, [count, ...spec.shape])
    return
  }
  let isFirst = true
  for (let at = 0; at < words.length; at += 1 + (words[at] ?? 0)) {
    if (!isFirst) yield ','
    isFirst = false
    yield* rowsText(leaves, [1, ...shapeAt(words, at)])
  }
}

/**
 * The rows of an array, its first axis, as nested lists with commas between them. A walk over the elements and not a
 * descent over the axes, of which there may be more than a stack holds.
 */
function* rowsText(leaves: Leaves, shape: readonly number[]): Generator<string> {
  const axes = axesOf(shape)
  const total = sizeOf(axes)
  const leaf = axes.length < shape.length ? () => '[]' : leaves
  const place = new Array<number>(axes.length).fill(0)
  let text = '['.repeat(axes.length - 1)
  for (let i = 0; i < total; i++) {
    text += leaf()
    let closed = 0
    for (let axis = axes.length - 1; axis > 0; axis--) {
      const next = (place[axis] ?? 0) + 1
      place[axis] = next === axes[axis] ? 0 : next
      if (next !== axes[axis]) break
      closed++
    }
    text += ']'.repeat(closed)
    if (i + 1 < total) text += `,${'['.repeat(closed)}`
    if (text.length < TEXT_STEP) continue
    yield text
    text = ''
  }
  yield text
}

function stringLeaves(lengths: Uint32Array, payload: Uint8Array<ArrayBuffer>): Leaves {
  let index = 0
  let at = 0
  return () => {
    const end = at + (lengths[index++] ?? 0)
    const text = decodeUtf8(payload, at, end)
    at = end
    return JSON.stringify(text)
  }
}

function numberLeaves(array: NdArray): Leaves {
  let index = 0
  return () => elementText(array, index++)
}

/** An element in JSON: NaN and infinities are strings, and so are integers that a double does not hold exactly. */
export function elementText(array: NdArray, index: number): string {
  const value = array.data[index]
  if (value === undefined) return 'null'
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return integer(value)
  if (array.dtype === 'bool') return value === 0 ? 'false' : 'true'
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value)
  return `"${value}"`
}

/** An integer in JSON: a decimal string when a double does not hold it exactly. */
function integer(value: bigint): string {
  return value > SAFE || value < -SAFE ? `"${value}"` : String(value)
}
