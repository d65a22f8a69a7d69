/**
 * The bytes of a journal: what a segment, a group and a record begin with. docs/format.md describes each of them.
 *
 * A segment is a file that is written from its beginning to its end, and then used again. A group is what one write brought
 * to the disk; a record is a batch of one chain. All checksums go on from that of the segment's head, of which a part is
 * random: what an earlier use has left is not taken for a part of this one, nor are draws that look like a group. All
 * numbers are little-endian.
 */
import { blocksIn, SUM_BYTES, sumOf } from '../objects/checksum.ts'
import type { Bytes } from '../objects/objects.ts'

export const SEGMENT_HEAD = 64
export const GROUP_HEAD = 32
/** Bytes of a record before its checksums. */
export const RECORD_HEAD = 40

/** The first bytes of a segment: what it is, and in its last letter the version of the format. */
const SEGMENT_MAGIC = new TextEncoder().encode('MCBJRNL1')
/** "MCBG" */
const GROUP_MAGIC = 0x4742434d
/** The first byte of a group. */
export const GROUP_LETTER = GROUP_MAGIC & 0xff

export interface SegmentHead {
  /** Rises from a segment to the next that is begun. */
  readonly sequence: number
  /** Sequence of the oldest segment that held anything when this one was begun. */
  readonly oldest: number
  /** Sequence of the segment before; a lower one than the next lower where writes failed. 0 for the first of all. */
  readonly previous: number
  /** Bytes of that segment that hold groups: what lies behind was never acknowledged. */
  readonly previousEnd: number
  /** 64 random bits. */
  readonly salt: bigint
}

export interface GroupHead {
  /** Place in its segment, from 0. */
  readonly number: number
  /** Bytes of its records. */
  readonly bytes: number
  readonly records: number
}

export interface RecordHead {
  /** Id of the chain, which no other chain ever has. */
  readonly chain: number
  /** First iteration. */
  readonly start: number
  readonly count: number
  /** Milliseconds since 1970. */
  readonly time: number
  /** Bytes of the draws, behind the checksums. */
  readonly size: number
}

const viewOn = (bytes: Uint8Array, at = 0) => new DataView(bytes.buffer, bytes.byteOffset + at)

/** The checksum of a segment's head, which all others of the segment go on from. */
export function seedIn(head: Uint8Array): number {
  return viewOn(head).getUint32(SEGMENT_HEAD - 4, true)
}

export function segmentHeadOf(head: SegmentHead): Bytes {
  const bytes = new Uint8Array(SEGMENT_HEAD)
  bytes.set(SEGMENT_MAGIC)
  const view = viewOn(bytes)
  view.setBigUint64(8, BigInt(head.sequence), true)
  view.setBigUint64(16, BigInt(head.oldest), true)
  view.setBigUint64(24, BigInt(head.previous), true)
  view.setBigUint64(32, BigInt(head.previousEnd), true)
  view.setBigUint64(40, head.salt, true)
  view.setUint32(SEGMENT_HEAD - 4, sumOf(bytes.subarray(0, SEGMENT_HEAD - 4)), true)
  return bytes
}

/** True where a segment begins whose head is of another version of the format. */
export function isOfOtherVersion(bytes: Uint8Array): boolean {
  const version = SEGMENT_MAGIC.length - 1
  return SEGMENT_MAGIC.every((letter, i) => (bytes[i] === letter) === (i !== version))
}

/** The head of a segment; undefined where there is none. */
export function segmentHeadIn(bytes: Uint8Array): SegmentHead | undefined {
  if (bytes.length < SEGMENT_HEAD || SEGMENT_MAGIC.some((letter, i) => bytes[i] !== letter)) return undefined
  const view = viewOn(bytes)
  if (seedIn(bytes) !== sumOf(bytes.subarray(0, SEGMENT_HEAD - 4))) return undefined
  return {
    sequence: Number(view.getBigUint64(8, true)),
    oldest: Number(view.getBigUint64(16, true)),
    previous: Number(view.getBigUint64(24, true)),
    previousEnd: Number(view.getBigUint64(32, true)),
    salt: view.getBigUint64(40, true),
  }
}

export function putGroupHead(bytes: Uint8Array, { number, bytes: size, records }: GroupHead, seed: number): void {
  const view = viewOn(bytes)
  bytes.fill(0, 0, GROUP_HEAD)
  view.setUint32(0, GROUP_MAGIC, true)
  view.setUint32(4, number, true)
  view.setUint32(8, size, true)
  view.setUint32(12, records, true)
  view.setUint32(GROUP_HEAD - 4, sumOf(bytes.subarray(0, GROUP_HEAD - 4), seed), true)
}

/** A group without records: who finds it knows that the one before it was on the disk. */
export function sealOf(number: number, seed: number): Bytes {
  const bytes = new Uint8Array(GROUP_HEAD)
  putGroupHead(bytes, { number, bytes: 0, records: 0 }, seed)
  return bytes
}

/** The head of a group at a byte; undefined where none of this segment begins. */
export function groupHeadIn(bytes: Uint8Array, at: number, seed: number): GroupHead | undefined {
  if (at + GROUP_HEAD > bytes.length) return undefined
  const view = viewOn(bytes, at)
  if (view.getUint32(0, true) !== GROUP_MAGIC) return undefined
  if (view.getUint32(GROUP_HEAD - 4, true) !== sumOf(bytes.subarray(at, at + GROUP_HEAD - 4), seed)) return undefined
  return { number: view.getUint32(4, true), bytes: view.getUint32(8, true), records: view.getUint32(12, true) }
}

/** Writes the head of a record but for its own checksum. */
export function putRecordHead(bytes: Uint8Array, head: RecordHead): void {
  const view = viewOn(bytes)
  view.setBigUint64(0, BigInt(head.chain), true)
  view.setBigUint64(8, BigInt(head.start), true)
  view.setFloat64(16, head.time, true)
  view.setUint32(24, head.count, true)
  view.setUint32(28, head.size, true)
  view.setUint32(32, 0, true)
}

/** Writes the checksum of a whole record, whose head and whose draws' checksums are there. */
export function sealRecord(bytes: Uint8Array, seed: number): void {
  const view = viewOn(bytes)
  view.setUint32(36, recordSum(bytes, drawsAt(view.getUint32(28, true)), seed), true)
}

/** Byte of a record at which its draws begin. */
export function drawsAt(size: number): number {
  return RECORD_HEAD + blocksIn(size) * SUM_BYTES
}

/** The checksum of a record's head and of the checksums behind it. */
function recordSum(bytes: Uint8Array, draws: number, seed: number): number {
  return sumOf(bytes.subarray(RECORD_HEAD, draws), sumOf(bytes.subarray(0, 36), seed))
}

/** Bytes of the draws of a record, as its head says it. */
export function sizeIn(record: Uint8Array): number {
  return viewOn(record).getUint32(28, true)
}

/** The head of the record that `bytes` begin with; undefined where it is not as it was written. */
export function recordHeadIn(bytes: Uint8Array, seed: number): RecordHead | undefined {
  if (bytes.length < RECORD_HEAD) return undefined
  const view = viewOn(bytes)
  const size = sizeIn(bytes)
  const draws = drawsAt(size)
  if (draws > bytes.length || view.getUint32(36, true) !== recordSum(bytes, draws, seed)) return undefined
  return {
    chain: Number(view.getBigUint64(0, true)),
    start: Number(view.getBigUint64(8, true)),
    time: view.getFloat64(16, true),
    count: view.getUint32(24, true),
    size,
  }
}

/** The checksums in a whole record, and its draws. */
export function partsOf(record: Bytes, size: number): { readonly sums: Bytes; readonly draws: Bytes } {
  const draws = record.length - size
  return { sums: record.subarray(RECORD_HEAD, draws), draws: record.subarray(draws) }
}
