/**
 * Blosc 1 frames with zstd inside, or stored: read, and written without compression.
 *
 * https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
 */
import type { Bytes } from '../draws/segment.ts'
import { readZstd } from './zstd/zstd.ts'

const HEAD_BYTES = 16
const SHUFFLED = 1
const STORED = 2
const BITS_SHUFFLED = 4
const UNSPLIT = 16
const ZSTD = 4
/** Names of the compressors by the number in the flags. */
const COMPRESSORS = ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd']
/** Elements of a block from which on, and bytes of an element up to which, each byte of the elements is compressed apart. */
const SPLIT_ELEMENTS = 128
const SPLIT_BYTES = 16

/** Bytes that a frame has inside. @throws Error when it is none */
export function bloscSize(frame: Uint8Array): number {
  if (frame.length < HEAD_BYTES) throw new Error('a Blosc frame has a head of 16 bytes')
  return viewOf(frame).getUint32(4, true)
}

/**
 * The content of a frame.
 *
 * @throws Error when it is not a frame of exactly so many bytes, or of a kind that is not known here
 */
export function readBlosc(frame: Uint8Array, size: number): Bytes {
  const told = bloscSize(frame)
  if (told !== size) throw new Error(`the Blosc frame announces ${told} bytes, not ${size}`)
  const flags = frame[2] ?? 0
  if ((flags & STORED) !== 0) {
    if (frame.length < HEAD_BYTES + size) throw new Error('the Blosc frame is too short')
    return new Uint8Array(frame.subarray(HEAD_BYTES, HEAD_BYTES + size))
  }
  const compressor = flags >> 5
  if (compressor !== ZSTD) {
    throw new Error(`Blosc's compressor "${COMPRESSORS[compressor] ?? compressor}" is not known here; take zstd`)
  }
  if ((flags & BITS_SHUFFLED) !== 0) throw new Error('Blosc\'s "bitshuffle" is not known here; take "shuffle"')
  return readBlocks(frame, size, flags)
}

function readBlocks(frame: Uint8Array, size: number, flags: number): Bytes {
  const view = viewOf(frame)
  const typeSize = Math.max(1, frame[3] ?? 1)
  const blockSize = view.getUint32(8, true)
  const blocks = blockSize === 0 ? 0 : Math.ceil(size / blockSize)
  if (size > 0 && (blocks === 0 || HEAD_BYTES + 4 * blocks > frame.length))
    throw new Error('the Blosc frame is too short')
  const out = new Uint8Array(size)
  for (let i = 0; i < blocks; i++) {
    const from = i * blockSize
    const length = Math.min(blockSize, size - from)
    const canSplit = typeSize <= SPLIT_BYTES && blockSize / typeSize >= SPLIT_ELEMENTS && length === blockSize
    const parts = (flags & UNSPLIT) === 0 && canSplit ? typeSize : 1
    const target = out.subarray(from, from + length)
    const isShuffled = (flags & SHUFFLED) !== 0 && typeSize > 1
    const block = isShuffled ? new Uint8Array(length) : target
    readParts(frame, view.getUint32(HEAD_BYTES + 4 * i, true), block, parts)
    if (isShuffled) unshuffle(block, target, typeSize)
  }
  return out
}

function readParts(frame: Uint8Array, start: number, block: Uint8Array, parts: number): void {
  const view = viewOf(frame)
  const size = Math.floor(block.length / parts)
  if (size * parts !== block.length) throw new Error('a block of the Blosc frame has no whole parts')
  let at = start
  for (let part = 0; part < parts; part++) {
    if (at < HEAD_BYTES || at + 4 > frame.length) throw new Error('a block of the Blosc frame lies outside of it')
    const length = view.getUint32(at, true)
    at += 4
    if (length > frame.length - at) throw new Error('a block of the Blosc frame lies outside of it')
    const bytes = frame.subarray(at, at + length)
    block.set(length === size ? bytes : readZstd(bytes, size), part * size)
    at += length
  }
}

function unshuffle(block: Uint8Array, target: Uint8Array, typeSize: number): void {
  const count = Math.floor(block.length / typeSize)
  for (let byte = 0; byte < typeSize; byte++) {
    let from = byte * count
    for (let at = byte; at < count * typeSize; at += typeSize) target[at] = block[from++] ?? 0
  }
  target.set(block.subarray(count * typeSize), count * typeSize)
}

/** A frame that stores its content as it is. */
export function writeBlosc(content: Uint8Array, typeSize: number): Bytes {
  const out = new Uint8Array(HEAD_BYTES + content.length)
  const view = new DataView(out.buffer)
  out.set([2, 1, STORED, Math.min(255, Math.max(1, typeSize))])
  view.setUint32(4, content.length, true)
  view.setUint32(8, content.length, true)
  view.setUint32(12, out.length, true)
  out.set(content, HEAD_BYTES)
  return out
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
