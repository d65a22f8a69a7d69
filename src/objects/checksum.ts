/**
 * Checksums of bytes on a disk, so that bits which a disk or a memory has flipped are found and never served.
 *
 * Each block of 16 KiB has a CRC-32 (that of zlib, little-endian), so that a small read verifies what it touches and nothing
 * else.
 */
import { crc32 } from 'node:zlib'

type Bytes = Uint8Array<ArrayBuffer>

/** Bytes that one checksum covers. */
export const BLOCK_BYTES = 16 * 1024
/** Bytes of one checksum. */
export const SUM_BYTES = 4

/** Blocks of so many bytes. */
export function blocksIn(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES)
}

/** Bytes of the checksums of so many bytes of data. */
export function sumsSize(bytes: number): number {
  return blocksIn(bytes) * SUM_BYTES
}

/** The checksums of data. */
export function sumsOf(data: Uint8Array): Bytes {
  const sums = new Uint8Array(sumsSize(data.length))
  putSums(sums, data)
  return sums
}

/** Writes the checksums of data to the beginning of `sums`. */
export function putSums(sums: Uint8Array, data: Uint8Array): void {
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  for (let block = 0; block < blocksIn(data.length); block++)
    view.setUint32(block * SUM_BYTES, sumAt(data, block), true)
}

function sumAt(data: Uint8Array, block: number): number {
  return crc32(data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
}

/** Position of the first block of `data`, from some block on, that its checksums do not fit; -1 when all fit. */
export function firstDamaged(data: Uint8Array, sums: Uint8Array, from = 0): number {
  const blocks = blocksIn(data.length)
  if (sums.length < blocks * SUM_BYTES) return Math.floor(sums.length / SUM_BYTES)
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  for (let block = from; block < blocks; block++) {
    if (view.getUint32(block * SUM_BYTES, true) !== sumAt(data, block)) return block
  }
  return -1
}

/** The checksum of some bytes, going on from another one. */
export function sumOf(data: Uint8Array | string, before = 0): number {
  return crc32(data, before)
}
