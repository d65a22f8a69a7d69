/** A group of records that gathers in memory while the one before it is written. */
import type { Segment as DrawSegment } from '../core/draws/segment.ts'
import { blocksIn, putSums, SUM_BYTES } from '../objects/checksum.ts'
import type { Bytes } from '../objects/objects.ts'
import { GROUP_HEAD, putGroupHead, putRecordHead, RECORD_HEAD, type RecordHead, sealRecord } from './format.ts'
import type { Place, Segment } from './segment.ts'

/** Bytes of a group at most; a record is smaller. */
export const GROUP_BYTES = 4 * 1024 * 1024

/** Batch of one chain on its way to the disk. */
export interface NewRecord extends Omit<RecordHead, 'size'> {
  /** Draws of each column; null where they were not sent. */
  readonly segments: readonly DrawSegment[]
  /** Bytes of them. */
  readonly size: number
}

/** Settles an append. */
export interface Settle {
  resolve(place: Place): void
  reject(error: unknown): void
}

interface Waiting extends Settle {
  /** Byte of the group at which the record begins. */
  readonly at: number
  readonly bytes: number
}

/** Bytes of the record of a batch. */
export function sizeOfRecord({ segments, size }: NewRecord): number {
  const draws = segments.length * 4 + size
  return RECORD_HEAD + blocksIn(draws) * SUM_BYTES + draws
}

export class Arena {
  /** Not zeroed: the system gives pages only as they are written, and what is written covers all that is sent. */
  private readonly memory: Bytes = Buffer.allocUnsafeSlow(GROUP_BYTES)
  private used = GROUP_HEAD
  private waiting: Waiting[] = []

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  get records(): number {
    return this.waiting.length
  }

  /** Bytes of the group so far. */
  get bytes(): number {
    return this.used
  }

  hasRoomFor(bytes: number): boolean {
    return this.used + bytes <= GROUP_BYTES
  }

  /** Copies the draws: their memory is the caller's again. */
  add(record: NewRecord, bytes: number, settle: Settle): void {
    const at = this.used
    const whole = this.memory.subarray(at, at + bytes)
    const draws = record.segments.length * 4 + record.size
    const packed = whole.subarray(bytes - draws)
    packInto(packed, record.segments)
    putRecordHead(whole, { ...record, size: draws })
    putSums(whole.subarray(RECORD_HEAD, bytes - draws), packed)
    this.used += bytes
    this.waiting.push({ at, bytes, resolve: settle.resolve, reject: settle.reject })
  }

  /** The group with its checksums, for a segment. */
  seal(number: number, seed: number): Bytes {
    for (const { at, bytes } of this.waiting) sealRecord(this.memory.subarray(at, at + bytes), seed)
    putGroupHead(this.memory, { number, bytes: this.used - GROUP_HEAD, records: this.waiting.length }, seed)
    return this.memory.subarray(0, this.used)
  }

  /** Tells all appends where their records lie, and is empty again. */
  resolve(segment: Segment, begin: number): void {
    for (const { at, bytes, resolve } of this.clear()) {
      segment.hold()
      resolve({ segment, at: begin + at, bytes })
    }
  }

  reject(error: unknown): void {
    for (const { reject } of this.clear()) reject(error)
  }

  private clear(): Waiting[] {
    const { waiting } = this
    this.waiting = []
    this.used = GROUP_HEAD
    return waiting
  }
}

const ABSENT = 0xffffffff

/** For each column its u32 byte length (2^32 - 1: absent), then all segments: as a row of the tail in SQLite. */
function packInto(bytes: Bytes, segments: readonly DrawSegment[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, segments.length * 4)
  let offset = segments.length * 4
  for (let column = 0; column < segments.length; column++) {
    const segment = segments[column] ?? null
    view.setUint32(column * 4, segment === null ? ABSENT : segment.length, true)
    if (segment === null) continue
    bytes.set(segment, offset)
    offset += segment.length
  }
}
