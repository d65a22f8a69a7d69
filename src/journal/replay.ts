/**
 * What a journal holds when a server starts: its records, or a sentence that says what of it is damaged.
 *
 * A write that was cut off leaves a last group that is not whole; it was never acknowledged, and the journal ends before it.
 * Everything else that is not as it was written is damage: a group with another one behind it, since that was begun when the
 * first was on the disk; a last group in which one bit alone is wrong; a segment that is missing.
 */
import { type Disk, type DiskFile, readAll } from '../objects/disk.ts'
import type { Bytes } from '../objects/objects.ts'
import { GROUP_BYTES } from './arena.ts'
import { isOneBitOff, wrongBlocks } from './flipped.ts'
import {
  drawsAt,
  GROUP_HEAD,
  GROUP_LETTER,
  groupHeadIn,
  partsOf,
  RECORD_HEAD,
  type RecordHead,
  recordHeadIn,
  SEGMENT_HEAD,
  type SegmentHead,
  seedOf,
  segmentHeadIn,
  sizeIn,
} from './format.ts'
import type { JournalState } from './journal.ts'
import { segmentName, slotIn } from './segment.ts'

/** A segment that is needed. */
export interface FoundSegment {
  readonly slot: number
  readonly sequence: number
  readonly file: DiskFile
  readonly end: number
  readonly records: readonly FoundRecord[]
}

export interface FoundRecord extends RecordHead {
  readonly at: number
  readonly bytes: number
}

export interface Found {
  /** Oldest first. */
  readonly segments: readonly FoundSegment[]
  readonly state: JournalState
}

/** A journal that cannot be trusted: draws that were acknowledged may be missing. */
export class DamagedJournal extends Error {
  override readonly name = 'DamagedJournal'
}

interface Candidate {
  readonly slot: number
  readonly head: SegmentHead
}

/** @throws DamagedJournal */
export async function replay(disk: Disk, folder: string): Promise<Found> {
  await disk.makeFolder(folder)
  const slots = (await disk.list(folder)).flatMap((name) => slotIn(name) ?? [])
  const candidates: Candidate[] = []
  for (const slot of slots) {
    const head = await headOf(disk, folder, slot)
    if (head !== undefined) candidates.push({ slot, head })
  }
  const chain = chainOf(folder, candidates)
  const newest = chain.at(-1)
  const segments: FoundSegment[] = []
  for (const needed of chain) segments.push(await readSegment(disk, folder, needed))
  const last = segments.at(-1)
  const held = new Set(chain.map(({ slot }) => slot))
  const sequences = candidates.map(({ head }) => head.sequence)
  return {
    segments,
    state: {
      sequence: Math.max(0, ...sequences) + 1,
      previous: { previous: newest?.head.sequence ?? 0, previousEnd: last?.end ?? 0 },
      free: slots.filter((slot) => !held.has(slot)),
      slot: Math.max(0, ...slots) + 1,
    },
  }
}

async function headOf(disk: Disk, folder: string, slot: number): Promise<SegmentHead | undefined> {
  const file = await disk.open(`${folder}/${segmentName(slot)}`, 'read')
  try {
    const bytes = new Uint8Array(SEGMENT_HEAD)
    if ((await readAll(file, bytes, 0)) < SEGMENT_HEAD) return undefined
    const head = segmentHeadIn(bytes)
    // One that was cut off at its beginning never held what was acknowledged.
    if (head === undefined && isOneBitOff(bytes, bytes.length, (flipped) => segmentHeadIn(flipped) !== undefined)) {
      throw damaged(folder, slot, 'its head is not what was written')
    }
    return head
  } finally {
    await file.close()
  }
}

interface Needed extends Candidate {
  /** Its end as the segment behind it says; undefined for the newest. */
  readonly end: number | undefined
}

/** The segments that are needed, oldest first. */
function chainOf(folder: string, candidates: readonly Candidate[]): Needed[] {
  const bySequence = new Map(candidates.map((candidate) => [candidate.head.sequence, candidate]))
  let next = candidates.reduce<Candidate | undefined>(
    (newest, c) => (newest === undefined || c.head.sequence > newest.head.sequence ? c : newest),
    undefined,
  )
  const oldest = next?.head.oldest ?? 0
  const chain: Needed[] = []
  let end: number | undefined
  while (next !== undefined) {
    chain.unshift({ ...next, end })
    const { previous, previousEnd }: SegmentHead = next.head
    if (previous < oldest || previous === 0) break
    const before = bySequence.get(previous)
    if (before === undefined) {
      throw new DamagedJournal(
        `the journal in "${folder}" is not whole: its segment ${previous}, which held draws that were acknowledged, is missing`,
      )
    }
    next = before
    end = previousEnd
  }
  return chain
}

async function readSegment(disk: Disk, folder: string, { slot, head, end: knownEnd }: Needed): Promise<FoundSegment> {
  const file = await disk.open(`${folder}/${segmentName(slot)}`, 'read')
  const bytes: Bytes = new Uint8Array(Math.min(await file.size(), knownEnd ?? Number.POSITIVE_INFINITY))
  if ((await readAll(file, bytes, 0)) < (knownEnd ?? bytes.length))
    throw damaged(folder, slot, 'a part of it is missing')
  const seed = seedOf(head.sequence)
  const records: FoundRecord[] = []
  let at = SEGMENT_HEAD
  for (let number = 0; at < bytes.length; number++) {
    const group = readGroup(bytes, at, number, seed)
    // A group was on the disk before anything was written behind it.
    const wasWhole = group?.isWhole || group?.isFlipped || knownEnd !== undefined || isFollowed(bytes, at, number, seed)
    if (!wasWhole && (group !== undefined || !isHeadFlipped(bytes, at, number, seed))) break
    if (group?.records === undefined) throw damaged(folder, slot, `what is at byte ${at} differs from what was written`)
    records.push(...group.records)
    at += GROUP_HEAD + group.bytes
  }
  return { slot, sequence: head.sequence, file, end: at, records }
}

interface ReadGroup {
  /** Bytes of its records. */
  readonly bytes: number
  /** Records, whose draws are verified once more where they are read; absent when the head of one is wrong. */
  readonly records: readonly FoundRecord[] | undefined
  readonly isWhole: boolean
  /** True when one bit alone is wrong. */
  readonly isFlipped: boolean
}

function readGroup(bytes: Bytes, at: number, number: number, seed: number): ReadGroup | undefined {
  const head = groupHeadIn(bytes, at, seed)
  if (head === undefined || head.number !== number) return undefined
  const end = at + GROUP_HEAD + head.bytes
  const records: FoundRecord[] = []
  let [wrong, flipped] = [0, 0]
  for (let from = at + GROUP_HEAD; from < Math.min(end, bytes.length); ) {
    const whole = bytes.subarray(from, Math.min(end, bytes.length))
    const record = recordHeadIn(whole, seed)
    if (record === undefined || drawsAt(record.size) + record.size > whole.length) {
      const isFlipped = wrong === 0 && isRecordFlipped(whole, seed)
      return { bytes: head.bytes, records: undefined, isWhole: false, isFlipped }
    }
    const size = drawsAt(record.size) + record.size
    const { sums, draws } = partsOf(whole.subarray(0, size), record.size)
    const blocks = wrongBlocks(draws, sums)
    wrong += blocks.wrong
    flipped += blocks.flipped
    records.push({ ...record, at: from, bytes: size })
    from += size
  }
  if (records.length !== head.records)
    return { bytes: head.bytes, records: undefined, isWhole: false, isFlipped: false }
  return { bytes: head.bytes, records, isWhole: wrong === 0, isFlipped: wrong === 1 && flipped === 1 }
}

/** Bytes in which the head and the checksums of a record lie. */
const HEAD_ROOM = drawsAt(GROUP_BYTES)

function isRecordFlipped(whole: Bytes, seed: number): boolean {
  const room = whole.subarray(0, HEAD_ROOM)
  const head = room.length < RECORD_HEAD ? room.length : Math.min(room.length, drawsAt(sizeIn(room)))
  return isOneBitOff(room, head, (flipped) => recordHeadIn(flipped, seed) !== undefined)
}

/** True where a later group of the same segment lies behind a byte. */
function isFollowed(bytes: Bytes, from: number, number: number, seed: number): boolean {
  for (let at = bytes.indexOf(GROUP_LETTER, from + 1); at >= 0; at = bytes.indexOf(GROUP_LETTER, at + 1)) {
    const next = groupHeadIn(bytes, at, seed)
    if (next !== undefined && next.number > number) return true
  }
  return false
}

/** True where a group would begin but for one bit. */
function isHeadFlipped(bytes: Bytes, at: number, number: number, seed: number): boolean {
  const head = bytes.subarray(at, at + GROUP_HEAD)
  return isOneBitOff(head, head.length, (flipped) => groupHeadIn(flipped, 0, seed)?.number === number)
}

function damaged(folder: string, slot: number, what: string): DamagedJournal {
  return new DamagedJournal(
    `the journal "${folder}/${segmentName(slot)}" is damaged: ${what}, and it may hold draws that were acknowledged. Restore the folder from a backup`,
  )
}
