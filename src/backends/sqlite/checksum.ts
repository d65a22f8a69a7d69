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

/** The checksum of a text that belongs to the row with an id. */
export function textSum(id: number, text: string): number {
  return sumOf(`${id} ${text}`)
}

/** A prime: an id of which one bit is another leaves another rest. */
const ID_MODULUS = 1_048_573
/** Factor of the rest of an id, above the 32 bits of the sum. */
const ID_UNIT = 2 ** 32

/** The sum of a row with this id. The id is counted apart, since a row that is inserted gets one that no program knows. */
export function withId(sum: number, id: number): number {
  return sum + ID_UNIT * (id % ID_MODULUS)
}

/** The same in SQL, for the sum that is its parameter and the id in this column. */
export function withIdSql(column: string): string {
  return `? + ${ID_UNIT} * (${column} % ${ID_MODULUS})`
}

/** Numbers that the checksum of a chain's row is over. */
export interface ChainNumbers {
  readonly runId: number
  readonly number: number
  readonly length: number
  readonly folded: number
  readonly tailRows: number
  readonly object: number
  readonly objectEnd: number
}

/** The checksum of a chain's row without its id. Hiding a chain, which makes its number negative, leaves it as it is. */
export function chainSum({ runId, number, length, folded, tailRows, object, objectEnd }: ChainNumbers): number {
  return rowSum(runId, number < 0 ? -1 - number : number, length, folded, tailRows, object, objectEnd)
}

/** The run that a part of metadata belongs to. */
export interface MetaOwner {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
}

/** The checksum of a part of a run's metadata without the run's id. */
export function metaSum({ tenant, rid, registration }: MetaOwner, part: number, data: Bytes): number {
  return sumOf(data, sumOf(JSON.stringify([tenant, rid, registration, part])))
}
