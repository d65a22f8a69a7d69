/** The JSON form of a read, for people and plain scripts (docs/protocol.md §2). */

import type { ColumnSpec } from '../draws/columns.ts'
import { type NdArray, numericArray, sizeOf } from '../draws/ndarray.ts'
import { unpackSegment } from '../draws/segment.ts'
import type { Limits } from '../limits.ts'
import { PACE_BYTES, type Piece, pieces, type Selection } from '../selection.ts'
import { Pace, turn } from '../turn.ts'
import { decodeUtf8 } from '../wire/protobuf.ts'
import { type Answer, requireAnswerFits, requireSelectionFits } from './answer.ts'

const encoder = new TextEncoder()
const SAFE = BigInt(Number.MAX_SAFE_INTEGER) + 1n
/** Characters that are gathered before they are sent. */
const TEXT_STEP = 64 * 1024

/** @throws McbError `payload_too_large` when the answer would surely exceed the limit */
export async function jsonAnswer(selection: Selection, limits: Limits): Promise<Answer> {
  requireSelectionFits(selection, limits)
  requireAnswerFits(await leastSize(selection), limits)
  return { body: bytesOf(textOf(selection)) }
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

/** A lower bound of the bytes of the answer, which is near where most of it is lists. */
async function leastSize(selection: Selection): Promise<number> {
  let size = 0
  const varying: ColumnSpec[] = []
  for (const spec of selection.columns) {
    if (spec.layout === 'rigid') size += selection.slice.count * leastDraw(spec.dtype, spec.shape)
    if (spec.kind !== 'rigid-numbers') varying.push(spec)
  }
  const pace = new Pace(PACE_BYTES)
  for await (const piece of pieces(selection, varying)) {
    const spec = varying[piece.position]
    if (spec === undefined) continue
    if (pace.isDue(piece.data.length)) await turn()
    const { words, payload } = unpackSegment(spec, piece.data, piece.count)
    if (spec.dtype === 'str') size += payload.length
    for (let at = 0; at < words.length; at += 1 + (words[at] ?? 0)) size += leastDraw(spec.dtype, shapeAt(words, at))
  }
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

/** Everybody else has a turn behind each piece: the text of one answer may take seconds. */
async function* bytesOf(texts: AsyncGenerator<string>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
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

async function* textOf(selection: Selection): AsyncGenerator<string> {
  const { first, count, step } = selection.slice
  yield `{"start":${first},"count":${count},"step":${integer(step)}`
  for (const group of ['draws', 'stats'] as const) {
    yield `,"${group}":{`
    yield* columnsText(
      selection,
      selection.columns.filter((spec) => spec.group === group),
    )
    yield '}'
  }
  yield '}'
}

async function* columnsText(selection: Selection, columns: readonly ColumnSpec[]): AsyncGenerator<string> {
  let open = -1
  let isFirst = true
  const openUpTo = (position: number): string => {
    let text = ''
    for (; open < position; isFirst = true) {
      text += open >= 0 ? ']' : ''
      open++
      const spec = columns[open]
      if (spec !== undefined) text += `${open > 0 ? ',' : ''}${JSON.stringify(spec.name)}:[`
    }
    return text
  }
  for await (const piece of pieces(selection, columns)) {
    const spec = columns[piece.position]
    if (spec === undefined || piece.count === 0) continue
    const text = openUpTo(piece.position)
    yield `${text}${isFirst ? '' : ','}`
    yield* pieceText(spec, piece)
    isFirst = false
  }
  yield openUpTo(columns.length)
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
  return () => element(array, index++)
}

function element(array: NdArray, index: number): string {
  const value = array.data[index]
  if (value === undefined) return 'null'
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return integer(value)
  if (array.dtype === 'bool') return value === 0 ? 'false' : 'true'
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value)
  return `"${value}"`
}

/** Beyond what a double holds exactly, a decimal string. */
function integer(value: bigint): string {
  return value > SAFE || value < -SAFE ? `"${value}"` : String(value)
}
