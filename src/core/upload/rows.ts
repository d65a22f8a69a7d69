/** Rows of draws: from the chunks of a column to the segment of a batch, and back. */

import type { ColumnSpec } from '../draws/columns.ts'
import { bytesOf, ITEM_SIZE } from '../draws/dtype.ts'
import { sizeOf } from '../draws/ndarray.ts'
import type { Bytes } from '../draws/segment.ts'
import { isDrawList } from '../draws/values.ts'
import type { Draws } from '../interfaces.ts'
import type { Elements } from './chunk.ts'
import type { ArrayDocument } from './document.ts'
import { chunksOfBox, copyBox, emptyTarget, overlap } from './grid.ts'

/** Elements of a chunk; undefined for one that is to be taken as fill. */
export type ChunkAt = (chunk: readonly number[]) => Elements

/** Some rows of one chain, in C order: `[count, …shape of a draw]`. */
export function rowsOf(array: ArrayDocument, chain: number, first: number, count: number, chunkAt: ChunkAt): Elements {
  const { chunkShape, shape, type } = array
  const inner = shape.slice(2)
  // The common case: one chunk has all of a row, and all of these rows.
  const k = Math.floor(first / (chunkShape[1] ?? 1))
  const within = first - k * (chunkShape[1] ?? 1)
  const place = Math.floor(chain / (chunkShape[0] ?? 1))
  const isWhole = inner.every((length, axis) => length === chunkShape[axis + 2])
  if (isWhole && within + count <= (chunkShape[1] ?? 1)) {
    const elements = chunkAt([place, k, ...inner.map(() => 0)])
    const size = sizeOf(inner)
    const from = ((chain - place * (chunkShape[0] ?? 1)) * (chunkShape[1] ?? 1) + within) * size
    if (!(elements instanceof Uint8Array)) return elements.slice(from, from + count * size)
    return elements.subarray(from * type.itemSize, (from + count * size) * type.itemSize)
  }
  const boxShape = [1, count, ...inner]
  const boxFrom = [chain, first, ...inner.map(() => 0)]
  const target = emptyTarget(array, boxShape)
  for (const chunk of chunksOfBox(array, boxFrom, boxShape)) {
    copyBox(
      { elements: chunkAt(chunk), shape: chunkShape },
      target,
      overlap(array, chunk, boxFrom, boxShape),
      type.itemSize,
    )
  }
  return target.elements
}

const encoder = new TextEncoder()

/** The segment of a column of fixed shape. */
export function segmentOfElements(elements: Elements): Bytes {
  if (elements instanceof Uint8Array) return elements
  const texts = elements.map((text) => encoder.encode(text))
  const out = new Uint8Array(texts.reduce((size, { length }) => size + length, 4 * texts.length))
  const view = new DataView(out.buffer)
  let at = 4 * texts.length
  for (const [i, text] of texts.entries()) {
    view.setUint32(4 * i, text.length, true)
    out.set(text, at)
    at += text.length
  }
  return out
}

/** Elements of draws that were read. */
export function elementsOfDraws(draws: Draws): Elements {
  if (isDrawList(draws)) return []
  return draws.dtype === 'str' ? draws.data : bytesOf(draws.data)
}

/** Rows of a column that no array has, as they read back. */
export function missingRows(spec: ColumnSpec, count: number): Elements {
  const elements = count * (spec.layout === 'rigid' ? spec.elements : 0)
  if (spec.dtype === 'str') return new Array<string>(elements).fill('')
  const bytes = new Uint8Array(elements * ITEM_SIZE[spec.dtype])
  const view = new DataView(bytes.buffer)
  if (spec.dtype === 'float64') for (let i = 0; i < elements; i++) view.setFloat64(8 * i, Number.NaN, true)
  if (spec.dtype === 'float32') for (let i = 0; i < elements; i++) view.setFloat32(4 * i, Number.NaN, true)
  return bytes
}

export function equalElements(a: Elements, b: Elements): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** True for arrays whose fill value no draw has: floats that are filled up with NaN. */
export function isWitness({ type, fill }: ArrayDocument): boolean {
  if (typeof fill === 'string') return false
  const view = new DataView(fill.buffer, fill.byteOffset, fill.byteLength)
  if (type.dtype === 'float64') return Number.isNaN(view.getFloat64(0, true))
  return type.dtype === 'float32' && Number.isNaN(view.getFloat32(0, true))
}

/** True where a row has nothing but the fill value. */
export function isFillRow({ fill }: ArrayDocument, rows: Elements, row: number, rowElements: number): boolean {
  if (typeof fill === 'string' || !(rows instanceof Uint8Array)) return false
  const size = rowElements * fill.length
  for (let i = 0; i < size; i++) if (rows[row * size + i] !== fill[i % fill.length]) return false
  return true
}
