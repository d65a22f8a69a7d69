/** Segments of a journal: files that are written one after the other, and again when nothing of them is needed any more. */
import type { DiskFile } from '../objects/disk.ts'
import { WarmReads } from '../objects/warm.ts'

/** Bytes after which the next segment is begun. */
export const SEGMENT_BYTES = 32 * 1024 * 1024
/** Records after which it is begun as well: each that is needed takes memory, however small it is. */
export const SEGMENT_RECORDS = 64 * 1024
const SUFFIX = '.journal'

/** The name of a segment's file. */
export function segmentName(slot: number): string {
  return `${String(slot).padStart(5, '0')}${SUFFIX}`
}

/** The slot of a file with such a name; undefined for others. */
export function slotIn(name: string): number | undefined {
  const digits = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : ''
  return /^\d{5,}$/.test(digits) ? Number(digits) : undefined
}

export interface SegmentFile {
  readonly slot: number
  readonly sequence: number
  /** Checksum that those of its records go on from. */
  readonly seed: number
  readonly file: DiskFile
  /** Bytes that hold groups which are on the disk. */
  readonly end: number
}

/** A segment that holds records which are needed. */
export class Segment implements SegmentFile {
  readonly slot: number
  readonly sequence: number
  /** Checksum that those of its records go on from. */
  readonly seed: number
  readonly file: DiskFile
  /** Reads of single records: they were written lately, or read by the replay. */
  readonly reads = new WarmReads()
  /** Bytes that hold groups which are on the disk. */
  end: number
  /** Records and readers that need it. */
  users = 0
  /** True while it may still be written to. */
  private isOpen = true
  private readonly whenFree: () => void

  constructor({ slot, sequence, seed, file, end }: SegmentFile, whenFree: () => void) {
    this.slot = slot
    this.sequence = sequence
    this.seed = seed
    this.file = file
    this.end = end
    this.whenFree = whenFree
  }

  /** True when nobody needs it. */
  get isFree(): boolean {
    return this.users === 0 && !this.isOpen
  }

  /** Keeps what it holds until `release`. */
  hold(): void {
    this.users++
  }

  release(): void {
    this.users--
    if (this.isFree) this.whenFree()
  }

  /** Nothing is written to it any more. */
  finish(): void {
    this.isOpen = false
    if (this.isFree) this.whenFree()
  }
}

/** A record of a journal: where it lies, from its head on. */
export interface Place {
  readonly segment: Segment
  readonly at: number
  readonly bytes: number
}
