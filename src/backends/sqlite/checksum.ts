/**
 * Checksums of what lies in the database, so that bits which a disk or a memory has flipped are found and never served.
 *
 * A chunk has a CRC-32 (that of zlib, little-endian) for each 16 KiB of its data, so that a small read verifies what it
 * touches and nothing else; a row of the tail has one. Rows of databases from before have none, and are taken as they are.
 */
import { crc32 } from 'node:zlib'
import type { Bytes } from '../../core/draws/segment.ts'
import { bytesIn, numberIn, type Row } from '../../sql/program.ts'

const BLOCK_BYTES = 16 * 1024
const SUM_BYTES = 4

/** Bytes of the checksums of so many bytes of data. */
export function sumsSize(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * SUM_BYTES
}

/** The sums of data that is known to be damaged: they fit no data at all. */
export const DAMAGED_SUMS: Bytes = new Uint8Array(1)

/** Stored bytes that are not what was written. The caller is told of a defect, and the log of this. */
export class DamagedData extends Error {
  override readonly name = 'DamagedData'

  constructor(where: string) {
    super(`${where} is not what was written: its checksum differs. Restore the database from a backup`)
  }
}

/** The checksums of a chunk's data. */
export function sumsOf(data: Bytes): Bytes {
  const sums = new Uint8Array(sumsSize(data.length))
  const view = new DataView(sums.buffer)
  for (let at = 0; at < sums.length; at += SUM_BYTES) view.setUint32(at, sumAt(data, at / SUM_BYTES), true)
  return sums
}

function sumAt(data: Bytes, block: number): number {
  return crc32(data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
}

/** Whether the bytes `from … to` of the data of a chunk row are what was written. */
export function isIntact(row: Row, data: Bytes, from = 0, to = data.length): boolean {
  if (row.sums === null || row.sums === undefined) return true
  const sums = bytesIn(row, 'sums')
  if (sums.length !== sumsSize(data.length)) return false
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  for (let block = Math.floor(from / BLOCK_BYTES); block * BLOCK_BYTES < to; block++) {
    if (view.getUint32(block * SUM_BYTES, true) !== sumAt(data, block)) return false
  }
  return true
}

/** The checksum of a row of the tail, over its place in the chain as well. */
export function tailSum(start: number, count: number, data: Bytes): number {
  return crc32(data, crc32(`${start} ${count}`))
}

/** Whether a row of the tail is what was written. */
export function isTailIntact(row: Row, data: Bytes): boolean {
  if (row.sum === null || row.sum === undefined) return true
  return row.sum === tailSum(numberIn(row, 'start'), numberIn(row, 'count'), data)
}
