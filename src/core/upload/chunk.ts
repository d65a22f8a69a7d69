/** Chunks: the elements of one, from the bytes that a writer sends, and back. */
import { sizeOf } from '../draws/ndarray.ts'
import type { Bytes } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import { bloscSize, readBlosc, writeBlosc } from './blosc.ts'
import type { Wrapping } from './codec-chain.ts'
import type { ArrayDocument } from './document.ts'
import { readZstd, writeZstd, zstdSize } from './zstd/zstd.ts'

/** Elements in C order: numbers little-endian, one behind the other, or texts. */
export type Elements = Bytes | readonly string[]

/** Bytes of the texts of a chunk at most, however few it has. */
const TEXTS_BYTES = 64 * 1024 * 1024

/**
 * Elements of a chunk; no more memory is taken than its array's declaration says.
 *
 * @param path the chunk's, for messages
 * @throws McbError `invalid_parameter`, `dtype_mismatch`
 */
export function decodeChunk(path: string, array: ArrayDocument, bytes: Bytes): Elements {
  const { type, codecs, chunkShape } = array
  const count = sizeOf(chunkShape)
  try {
    if (type.form === 'utf8') return readTexts(unwrapTexts(codecs.wrappings, bytes), count)
    const content = unwrap(codecs.wrappings, bytes, count * type.itemSize)
    if (codecs.isBigEndian) reverseItems(content, type.form === 'utf32' ? 4 : type.itemSize)
    if (type.form === 'utf32') return readUtf32(content, type.itemSize, count)
    if (type.dtype === 'bool') requireBools(content)
    return content
  } catch (error) {
    if (error instanceof McbError) throw error
    const why = error instanceof Error ? error.message : 'it cannot be read'
    throw new McbError('invalid_parameter', `${path} is no chunk of its array: ${why}`, {}, { cause: error })
  }
}

/** Bytes of a chunk with these elements, as its array's codecs have them, without compression. */
export function encodeChunk({ type, codecs }: ArrayDocument, elements: Elements): Bytes {
  let bytes: Bytes
  if (elements instanceof Uint8Array) bytes = elements.slice()
  else bytes = type.form === 'utf32' ? writeUtf32(elements, type.itemSize) : writeTexts(elements)
  if (codecs.isBigEndian) reverseItems(bytes, type.form === 'utf32' ? 4 : type.itemSize)
  for (const wrapping of codecs.wrappings) {
    bytes = wrapping === 'blosc' ? writeBlosc(bytes, type.itemSize) : writeZstd(bytes)
  }
  return bytes
}

/** Elements of a chunk that was never written. */
export function fillChunk({ type, fill, chunkShape }: ArrayDocument): Elements {
  const count = sizeOf(chunkShape)
  if (typeof fill === 'string') return new Array<string>(count).fill(fill)
  const bytes = new Uint8Array(count * type.itemSize)
  if (fill.some((byte) => byte !== 0)) for (let at = 0; at < bytes.length; at += fill.length) bytes.set(fill, at)
  return bytes
}

function unwrap(wrappings: readonly Wrapping[], bytes: Bytes, size: number): Bytes {
  let content = bytes
  for (let i = wrappings.length - 1; i >= 0; i--) {
    // Only the innermost one has a size that is known before.
    const inner = i === 0 ? size : sizeWithin(wrappings[i], content, size + 1024)
    content = wrappings[i] === 'blosc' ? readBlosc(content, inner) : readZstd(content, inner)
  }
  if (content.length !== size) throw new Error(`it has ${content.length} bytes, and should have ${size}`)
  return content === bytes ? content.slice() : content
}

function unwrapTexts(wrappings: readonly Wrapping[], bytes: Bytes): Bytes {
  let content = bytes
  for (const wrapping of wrappings.toReversed()) {
    const size = sizeWithin(wrapping, content, TEXTS_BYTES)
    content = wrapping === 'blosc' ? readBlosc(content, size) : readZstd(content, size)
  }
  return content
}

/** Bytes that a wrapping announces, within a bound. */
function sizeWithin(wrapping: Wrapping | undefined, content: Bytes, most: number): number {
  const size = wrapping === 'blosc' ? bloscSize(content) : zstdSize(content)
  if (size > most) throw new Error(`it announces ${size} bytes, and may have ${most}`)
  return size
}

function reverseItems(bytes: Bytes, itemSize: number): void {
  for (let at = 0; at < bytes.length; at += itemSize) bytes.subarray(at, at + itemSize).reverse()
}

function requireBools(bytes: Bytes): void {
  for (const byte of bytes) {
    if (byte > 1) throw new McbError('invalid_parameter', `a bool is 0 or 1, and a chunk has ${byte}`)
  }
}

/** Texts as `vlen-utf8` has them: their number, then each one's length and UTF-8. */
function readTexts(bytes: Bytes, count: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4 || view.getUint32(0, true) !== count) throw new Error(`it does not have ${count} texts`)
  if (bytes.length < 4 + 4 * count) throw new Error('it is too short')
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const texts: string[] = []
  let at = 4
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw new Error('it is too short')
    const end = at + 4 + view.getUint32(at, true)
    if (end > bytes.length) throw new Error('it is too short')
    texts.push(decoder.decode(bytes.subarray(at + 4, end)))
    at = end
  }
  return texts
}

function writeTexts(texts: readonly string[]): Bytes {
  const encoder = new TextEncoder()
  const parts = texts.map((text) => encoder.encode(text))
  const out = new Uint8Array(parts.reduce((size, part) => size + 4 + part.length, 4))
  const view = new DataView(out.buffer)
  view.setUint32(0, texts.length, true)
  let at = 4
  for (const part of parts) {
    view.setUint32(at, part.length, true)
    out.set(part, at + 4)
    at += 4 + part.length
  }
  return out
}

/** Texts of a fixed width in UTF-32, padded with NULs. */
function readUtf32(bytes: Bytes, width: number, count: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const texts: string[] = []
  for (let i = 0; i < count; i++) {
    const points: number[] = []
    for (let at = i * width; at < (i + 1) * width; at += 4) points.push(view.getUint32(at, true))
    while (points.at(-1) === 0) points.pop()
    if (points.some((point) => point > 0x10ffff || (point >= 0xd800 && point < 0xe000))) {
      throw new Error('a text has what is no code point')
    }
    texts.push(points.map((point) => String.fromCodePoint(point)).join(''))
  }
  return texts
}

function writeUtf32(texts: readonly string[], width: number): Bytes {
  const out = new Uint8Array(texts.length * width)
  const view = new DataView(out.buffer)
  texts.forEach((text, i) => {
    Array.from(text).forEach((character, k) => {
      view.setUint32(i * width + 4 * k, character.codePointAt(0) ?? 0, true)
    })
  })
  return out
}
