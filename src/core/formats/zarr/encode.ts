/** Bytes of chunks: the rows that there are, and fill behind them. */

import type { NumericDtype } from '../../draws/dtype.ts'
import type { Bytes } from '../../draws/segment.ts'
import type { StringPiece } from '../../inference/values.ts'
import type { ChunkSizes } from './chunks.ts'
import { gzipWithFill } from './gzip-fill.ts'

type Pieces<T> = AsyncIterable<T> | Iterable<T>

/** A chunk of numbers in one piece; it may be a view on memory of others. */
export async function wholeChunk(
  dtype: NumericDtype,
  { length, fill }: ChunkSizes,
  rows: Pieces<Bytes>,
): Promise<Bytes> {
  let bytes: Bytes | undefined
  let end = 0
  for await (const piece of rows) {
    if (piece.length === length) return piece
    bytes ??= new Uint8Array(length)
    bytes.set(piece, end)
    end += piece.length
  }
  bytes ??= new Uint8Array(length)
  setFill(bytes, length - fill, dtype)
  return bytes
}

/** A chunk of numbers piece by piece, without a copy of them. */
export async function* numberChunk(
  dtype: NumericDtype,
  { fill }: ChunkSizes,
  rows: Pieces<Bytes>,
): AsyncGenerator<Bytes> {
  yield* rows
  if (fill === 0) return
  const bytes = new Uint8Array(fill)
  setFill(bytes, 0, dtype)
  yield bytes
}

/** A chunk of numbers of which much is fill, as gzip. */
export async function gzippedChunk(
  dtype: NumericDtype,
  { length, fill }: ChunkSizes,
  rows: Pieces<Bytes>,
): Promise<Bytes> {
  const there = await wholeChunk(dtype, { length: length - fill, fill: 0 }, rows)
  const pattern = fillPattern(dtype)
  return gzipWithFill(there, pattern, fill / pattern.length)
}

/** The bytes that fill is made of. */
function fillPattern(dtype: NumericDtype): Bytes {
  if (dtype === 'float64') return NAN_64
  if (dtype === 'float32') return NAN_32
  return ZERO
}

const NAN_64 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf8, 0x7f)
const NAN_32 = Uint8Array.of(0, 0, 0xc0, 0x7f)
/** Any integer's zero is this byte, as often as it has bytes. */
const ZERO = Uint8Array.of(0)

function setFill(bytes: Bytes, begin: number, dtype: NumericDtype): void {
  const pattern = fillPattern(dtype)
  if (pattern === ZERO || begin >= bytes.length) return
  bytes.set(pattern, begin)
  for (let end = begin + pattern.length; end < bytes.length; end += end - begin) bytes.copyWithin(end, begin, end)
}

/** A chunk of strings, piece by piece: their number, and of each its length before its bytes. Those that are missing are empty. */
export async function* stringChunk(elements: number, rows: Pieces<StringPiece>): AsyncGenerator<Bytes> {
  yield word(elements)
  let done = 0
  for await (const part of rows) {
    done += part.lengths.length
    yield interleaved(part)
  }
  for (let left = elements - done; left > 0; left -= EMPTY_STRINGS) {
    yield new Uint8Array(4 * Math.min(left, EMPTY_STRINGS))
  }
}

export interface Measured {
  readonly length: number
  /** The chunk itself, if it is small. */
  readonly whole?: Bytes
}

/** Length of a chunk of strings, in bytes, which is told before it is sent: there are readers that go by it. */
export async function measured(pieces: AsyncIterable<Bytes>, most: number): Promise<Measured> {
  const kept: Bytes[] = []
  let length = 0
  for await (const piece of pieces) {
    length += piece.length
    if (length <= most) kept.push(piece)
    else kept.length = 0
  }
  if (length > most) return { length }
  const whole = new Uint8Array(length)
  let end = 0
  for (const piece of kept) {
    whole.set(piece, end)
    end += piece.length
  }
  return { length, whole }
}

/** Empty strings of a piece. */
const EMPTY_STRINGS = 64 * 1024

function word(value: number): Bytes {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

function interleaved({ lengths, payload }: StringPiece): Bytes {
  const bytes = new Uint8Array(lengths.length * 4 + payload.length)
  const view = new DataView(bytes.buffer)
  let to = 0
  let from = 0
  for (const length of lengths) {
    view.setUint32(to, length, true)
    bytes.set(payload.subarray(from, from + length), to + 4)
    to += 4 + length
    from += length
  }
  return bytes
}
