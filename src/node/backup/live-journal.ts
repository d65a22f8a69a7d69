/**
 * Reads a journal that a server may be writing to: all that was on the disk before, and perhaps more.
 *
 * Groups are written while a segment is read, so what is torn at its end is read again until it is whole or stays as it is.
 * Only a segment that stays as it is can be damaged. Segments are written again when nothing of them is needed; then
 * everything is read from the beginning.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SEGMENT_HEAD, segmentHeadIn } from '../../journal/format.ts'
import { type Groups, readGroups } from '../../journal/groups.ts'
import { DamagedJournal, type NeededSegment, neededSegments } from '../../journal/replay.ts'
import { segmentName } from '../../journal/segment.ts'
import { type Disk, type DiskFile, isMissing, readAll } from '../../objects/disk.ts'
import type { Bytes } from '../../objects/objects.ts'

/** Milliseconds between two looks at what was not whole: a group takes a few to be written. */
const PAUSE_MS = 40
/** Looks without change after which it is what it is. */
const LOOKS = 5
/** Times that a journal, or its end, is read at most. */
const ATTEMPTS = 100
/** Bytes before a byte that is not as it was written in which its group began. */
const MOST_BYTES = 4 * 1024 * 1024

export interface ReadSegment {
  /** Name of its file. */
  readonly name: string
  readonly sequence: number
  readonly salt: bigint
  /** Its bytes, up to the end of the last group; their memory is used again. */
  readonly bytes: Bytes
  readonly groups: Groups
}

/** Takes segments, oldest first. */
export type TakeSegment = (segment: ReadSegment) => void

/**
 * @param begin gives who takes the segments; again where all are read once more
 * @throws DamagedJournal
 */
export async function readJournal(disk: Disk, folder: string, begin: () => TakeSegment): Promise<void> {
  let failure: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      if (await readOnce(disk, folder, begin())) return
      failure = undefined
    } catch (error) {
      // A file was used again while it was read, or removed: what is there then is read.
      const isRepeated = failure instanceof Error && error instanceof Error && failure.message === error.message
      if (!(error instanceof DamagedJournal || isMissing(error)) || isRepeated) throw error
      failure = error
    }
    await sleep(PAUSE_MS)
  }
  throw new Error(`the journal in "${folder}" changes faster than it can be read`)
}

/** False where a segment was written again meanwhile, or where the last write that was read has failed. */
async function readOnce(disk: Disk, folder: string, take: TakeSegment): Promise<boolean> {
  const needed = await neededSegments(disk, folder)
  let end = 0
  for (const segment of needed) {
    const read = await readSegment(disk, folder, segment)
    end = read.groups.end
    take(read)
  }
  for (const segment of needed) if (!(await isAsItWas(disk, folder, segment))) return false
  const newest = needed.at(-1)?.head.sequence
  const behind = (await neededSegments(disk, folder)).find(({ head }) => head.previous === newest)
  return behind === undefined || newest === undefined || behind.head.previousEnd >= end
}

async function isAsItWas(disk: Disk, folder: string, { slot, head }: NeededSegment): Promise<boolean> {
  const file = await disk.open(`${folder}/${segmentName(slot)}`, 'read')
  try {
    const bytes = new Uint8Array(SEGMENT_HEAD)
    await readAll(file, bytes, 0)
    return segmentHeadIn(bytes)?.salt === head.salt
  } finally {
    await file.close()
  }
}

async function readSegment(disk: Disk, folder: string, needed: NeededSegment): Promise<ReadSegment> {
  const { slot, head, end } = needed
  const name = segmentName(slot)
  const file = await disk.open(`${folder}/${name}`, 'read')
  try {
    const bytes: Bytes = new Uint8Array(end ?? (await file.size()))
    const got = await readAll(file, bytes, 0)
    const damaged = (at: number) => damagedAt(folder, name, at)
    if (end !== undefined && got < end) throw damaged(got)
    const groups =
      end === undefined ? await readToEnd(file, bytes.subarray(0, got), damaged) : readGroups(bytes, true, damaged)
    const { sequence, salt } = head
    return { name, sequence, salt, bytes: bytes.subarray(0, groups.end), groups }
  } finally {
    await file.close()
  }
}

/** The groups of the newest segment, whose last write may be under way. */
async function readToEnd(file: DiskFile, bytes: Bytes, damagedAt: (byte: number) => Error): Promise<Groups> {
  let [byte, looks] = [-1, 0]
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = groupsOrDamage(bytes, damagedAt)
    await sleep(PAUSE_MS)
    const changed = await readAgain(file, bytes, found)
    if (!('byte' in found)) {
      if (!changed) return found
      continue
    }
    looks = found.byte === byte ? looks + 1 : 0
    byte = found.byte
    if (looks >= LOOKS) break
  }
  throw damagedAt(byte)
}

function groupsOrDamage(bytes: Bytes, damagedAt: (byte: number) => Error): Groups | { readonly byte: number } {
  let byte = 0
  try {
    return readGroups(bytes, false, (at) => {
      byte = at
      return damagedAt(at)
    })
  } catch (error) {
    if (error instanceof Error && error.message === damagedAt(byte).message) return { byte }
    throw error
  }
}

/** Reads once more what was written last, or what was not whole; true where it is something else now. */
async function readAgain(file: DiskFile, bytes: Bytes, found: Groups | { readonly byte: number }): Promise<boolean> {
  const [from, to] = 'byte' in found ? [found.byte - MOST_BYTES, bytes.length] : [found.lastWrite, found.end]
  const part = bytes.subarray(Math.max(0, from), to)
  const now = new Uint8Array(part.length)
  await readAll(file, now, part.byteOffset - bytes.byteOffset)
  if (Buffer.compare(part, now) === 0) return false
  part.set(now)
  return true
}

function damagedAt(folder: string, name: string, at: number): DamagedJournal {
  return new DamagedJournal(
    `the journal "${folder}/${name}" is damaged: what is at byte ${at} differs from what was written`,
  )
}
