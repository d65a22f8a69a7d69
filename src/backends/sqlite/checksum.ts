/**
 * Checksums of data in the database, so that bits which a disk or a memory has flipped are found and never served.
 *
 * A chunk has a CRC-32 (that of zlib, little-endian) for each 16 KiB of its data, so that a small read verifies what it
 * touches and nothing else; a row of the tail has one. Rows of databases from before have none, and are taken as they are.
 */
import { crc32 } from 'node:zlib'
import type { Bytes } from '../../core/draws/segment.ts'
import { bytesIn, numberIn, type Row } from '../../sql/program.ts'

/** Bytes that one checksum of a chunk covers. */
export const BLOCK_BYTES = 16 * 1024
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

/** True when data of a chunk row is as it was written: all of it, or the part from byte `begin` on, where a block begins. */
export function isIntact(row: Row, data: Bytes, begin?: number): boolean {
  if (row.sums === null || row.sums === undefined) return true
  const sums = bytesIn(row, 'sums')
  if (begin === undefined ? sums.length !== sumsSize(data.length) : sums.length % SUM_BYTES !== 0) return false
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  let at = ((begin ?? 0) / BLOCK_BYTES) * SUM_BYTES
  for (let block = 0; block * BLOCK_BYTES < data.length; block++, at += SUM_BYTES) {
    if (at >= sums.length || view.getUint32(at, true) !== sumAt(data, block)) return false
  }
  return true
}

/** The checksum of a row of the tail, over its place in the chain as well. */
export function tailSum(start: number, count: number, data: Bytes): number {
  return crc32(data, crc32(`${start} ${count}`))
}

/** True when a row of the tail is as it was written. */
export function isTailIntact(row: Row, data: Bytes): boolean {
  if (row.sum === null || row.sum === undefined) return true
  return row.sum === tailSum(numberIn(row, 'start'), numberIn(row, 'count'), data)
}
