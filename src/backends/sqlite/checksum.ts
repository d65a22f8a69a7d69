/** Checksums of rows: of the data in them, and of what they say about data that lies elsewhere. */
import type { Bytes } from '../../core/draws/segment.ts'
import { BLOCK_BYTES, firstDamaged, SUM_BYTES, sumOf, sumsSize } from '../../objects/checksum.ts'
import { bytesIn, numberIn, type Row } from '../../sql/program.ts'

/** The sums of data that is known to be damaged: they fit no data at all. */
export const DAMAGED_SUMS: Bytes = new Uint8Array(1)

/** Stored bytes that are not what was written. The caller is told of a defect, and the log of this. */
export class DamagedData extends Error {
  override readonly name = 'DamagedData'

  constructor(where: string) {
    super(`${where} is not what was written: its checksum differs. Restore it from a backup`)
  }
}

/** True when data of a chunk row is as it was written: all of it, or the part from byte `begin` on, where a block begins. */
export function isIntact(row: Row, data: Bytes, begin?: number): boolean {
  if (row.sums === null || row.sums === undefined) return true
  const sums = bytesIn(row, 'sums')
  if (begin === undefined ? sums.length !== sumsSize(data.length) : sums.length % SUM_BYTES !== 0) return false
  return firstDamaged(data, sums.subarray(((begin ?? 0) / BLOCK_BYTES) * SUM_BYTES)) < 0
}

/** The checksum of a row of the tail, over its place in the chain as well. */
export function tailSum(start: number, count: number, data: Bytes): number {
  return sumOf(data, sumOf(`${start} ${count}`))
}

/** True when a row of the tail is as it was written. */
export function isTailIntact(row: Row, data: Bytes): boolean {
  if (row.sum === null || row.sum === undefined) return true
  return row.sum === tailSum(numberIn(row, 'start'), numberIn(row, 'count'), data)
}

/** The checksum of a row that says where draws lie: over its numbers, in their order. */
export function rowSum(...numbers: readonly (number | null)[]): number {
  return sumOf(numbers.join(' '))
}
