/** The JSON form of a read, for people and plain scripts (the contract, section 2). */
import { type Answer, type Piece, pieces, requireAnswerFits, type Selection } from './answer.ts'
import type { Limits } from './limits.ts'
import type { NdArray } from './ndarray.ts'
import { sizeOf } from './ndarray.ts'
import type { ColumnSpec } from './schema.ts'
import { drawsOf, isDrawList } from './values.ts'

const encoder = new TextEncoder()
const SAFE = BigInt(Number.MAX_SAFE_INTEGER) + 1n

/** @throws McbError `payload_too_large` by the size that the protobuf answer would have */
export async function jsonAnswer(selection: Selection, limits: Limits): Promise<Answer> {
  const rigid = selection.columns.reduce((n, c) => n + (c.kind === 'rigid-numbers' ? c.stride : 0), 0)
  requireAnswerFits(rigid * selection.slice.count, limits)
  return { body: bytesOf(textOf(selection)) }
}

async function* bytesOf(texts: AsyncGenerator<string>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const text of texts) yield encoder.encode(text)
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
    yield `${text}${isFirst ? '' : ','}${pieceText(spec, piece)}`
    isFirst = false
  }
  yield openUpTo(columns.length)
}

function pieceText(spec: ColumnSpec, piece: Piece): string {
  const draws = drawsOf(spec, [piece])
  if (isDrawList(draws)) return draws.map((draw) => nested(draw, draw.shape, 0)).join()
  const shape = draws.shape.slice(1)
  const size = sizeOf(shape)
  const texts: string[] = []
  for (let i = 0; i < piece.count; i++) texts.push(nested(draws, shape, i * size))
  return texts.join()
}

/** The elements from `offset` on as nested arrays of a shape. */
function nested(array: NdArray, shape: readonly number[], offset: number): string {
  const [length, ...rest] = shape
  if (length === undefined) return element(array, offset)
  const size = sizeOf(rest)
  const texts: string[] = []
  for (let i = 0; i < length; i++) texts.push(nested(array, rest, offset + i * size))
  return `[${texts.join()}]`
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
