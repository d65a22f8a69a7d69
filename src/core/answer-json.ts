/** The JSON form of a read, for people and plain scripts (the contract, section 2). */
import { type Answer, type Piece, pieces, requireAnswerFits, requireSelectionFits, type Selection } from './answer.ts'
import type { Limits } from './limits.ts'
import { type NdArray, sizeOf } from './ndarray.ts'
import type { ColumnSpec } from './schema.ts'
import { unpackSegment } from './segment.ts'
import { drawsOf, isDrawList } from './values.ts'

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

/** Bytes of what varies in size, and two for each element or empty list: arrays of no element may have any number. */
async function leastSize(selection: Selection): Promise<number> {
  let size = 0
  const varying: ColumnSpec[] = []
  for (const spec of selection.columns) {
    if (spec.layout === 'rigid') size += 2 * selection.slice.count * sizeOf(axesOf(spec.shape))
    if (spec.kind !== 'rigid-numbers') varying.push(spec)
  }
  for await (const piece of pieces(selection, varying)) {
    const spec = varying[piece.position]
    if (spec === undefined) continue
    const { words, payload } = unpackSegment(spec, piece.data, piece.count)
    size += payload.length
    for (let at = 0; at < words.length; at += 1 + (words[at] ?? 0)) {
      size += 2 * sizeOf(axesOf([...words.subarray(at + 1, at + 1 + (words[at] ?? 0))]))
    }
  }
  return size
}

async function* bytesOf(texts: AsyncGenerator<string>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let gathered = ''
  for await (const text of texts) {
    gathered += text
    if (gathered.length < TEXT_STEP) continue
    yield encoder.encode(gathered)
    gathered = ''
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

function* pieceText(spec: ColumnSpec, piece: Piece): Generator<string> {
  const draws = drawsOf(spec, [piece])
  if (!isDrawList(draws)) yield* rowsText(draws, draws.shape)
  else {
    for (const [i, draw] of draws.entries()) {
      if (i > 0) yield ','
      yield* rowsText(draw, [1, ...draw.shape])
    }
  }
}

/**
 * The rows of an array, its first axis, as nested lists with commas between them. A walk over the elements and not a
 * descent over the axes, of which there may be more than a stack holds.
 */
function* rowsText(array: NdArray, shape: readonly number[]): Generator<string> {
  const axes = axesOf(shape)
  const leaves = sizeOf(axes)
  const place = new Array<number>(axes.length).fill(0)
  let text = '['.repeat(axes.length - 1)
  for (let i = 0; i < leaves; i++) {
    text += axes.length < shape.length ? '[]' : element(array, i)
    let closed = 0
    for (let axis = axes.length - 1; axis > 0; axis--) {
      const next = (place[axis] ?? 0) + 1
      place[axis] = next === axes[axis] ? 0 : next
      if (next !== axes[axis]) break
      closed++
    }
    text += ']'.repeat(closed)
    if (i + 1 < leaves) text += `,${'['.repeat(closed)}`
    if (text.length < TEXT_STEP) continue
    yield text
    text = ''
  }
  yield text
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
