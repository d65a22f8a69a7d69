/**
 * The replay of a journal when a server starts: its records, or a sentence that says what of it is damaged.
 *
 * A write that was cut off was never acknowledged, and the journal ends before it (groups.ts). Everything else that is not as
 * it was written is damage, and so is a segment that is missing.
 */
import { dirname } from 'node:path'
import { type Disk, type DiskFile, readAll, writeAll } from '../objects/disk.ts'
import type { Bytes } from '../objects/objects.ts'
import { wrongBit } from './flipped.ts'
import {
  GROUP_HEAD,
  isOfOtherVersion,
  SEGMENT_HEAD,
  type SegmentHead,
  sealOf,
  seedIn,
  segmentHeadIn,
} from './format.ts'
import { type FoundRecord, type Groups, readGroups } from './groups.ts'
import type { JournalState } from './journal.ts'
import { type SegmentFile, segmentName, slotIn } from './segment.ts'

export type { FoundRecord } from './groups.ts'

/** A segment that is needed. */
export interface FoundSegment extends SegmentFile {
  readonly records: readonly FoundRecord[]
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

interface ReadSegment extends Candidate, Groups {
  readonly file: DiskFile
}

/**
 * Finds the records of a journal that nobody else writes to. All that it finds is on the disk when it resolves.
 *
 * @throws DamagedJournal
 */
export async function replay(disk: Disk, folder: string): Promise<Found> {
  await disk.makeFolder(folder)
  await disk.syncFolder(dirname(folder))
  const slots = await slotsIn(disk, folder)
  const candidates = await candidatesIn(disk, folder, slots)
  const chain = chainOf(folder, candidates)
  const read = await readSegments(disk, folder, chain)
  const newest = read.at(-1)
  const held = new Set(chain.map(({ slot }) => slot))
  try {
    const end = newest === undefined ? 0 : await settle(disk, folder, newest)
    return {
      segments: read.map(({ slot, head: { sequence }, seed, file, records, ...groups }) => ({
        slot,
        sequence,
        seed,
        file,
        end: sequence === newest?.head.sequence ? end : groups.end,
        records,
      })),
      state: {
        sequence: candidates.reduce((most, { head }) => Math.max(most, head.sequence), 0) + 1,
        previous: { previous: newest?.head.sequence ?? 0, previousEnd: end },
        free: slots.filter((slot) => !held.has(slot)),
        slot: slots.reduce((most, slot) => Math.max(most, slot), 0) + 1,
      },
    }
  } catch (error) {
    await closeAll(read)
    throw error
  }
}

/**
 * Reads a journal and changes nothing, for those who verify a folder or a copy of it.
 *
 * @throws DamagedJournal
 */
export async function verifyJournal(disk: Disk, folder: string): Promise<readonly FoundSegment[]> {
  const candidates = await candidatesIn(disk, folder, await slotsIn(disk, folder))
  const read = await readSegments(disk, folder, chainOf(folder, candidates))
  return read.map(({ slot, head: { sequence }, seed, file, end, records }) => ({
    slot,
    sequence,
    seed,
    file,
    end,
    records,
  }))
}

/**
 * The segments that are needed now, oldest first, of a journal that another process may be writing to.
 *
 * @throws DamagedJournal
 */
export async function neededSegments(disk: Disk, folder: string): Promise<readonly NeededSegment[]> {
  return chainOf(folder, await candidatesIn(disk, folder, await slotsIn(disk, folder)))
}

async function slotsIn(disk: Disk, folder: string): Promise<number[]> {
  return (await disk.list(folder)).flatMap((name) => slotIn(name) ?? [])
}

async function candidatesIn(disk: Disk, folder: string, slots: readonly number[]): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  for (const slot of slots) {
    const head = await headOf(disk, folder, slot)
    if (head !== undefined) candidates.push({ slot, head })
  }
  return candidates
}

async function headOf(disk: Disk, folder: string, slot: number): Promise<SegmentHead | undefined> {
  const file = await disk.open(`${folder}/${segmentName(slot)}`, 'read')
  try {
    const bytes = new Uint8Array(SEGMENT_HEAD)
    if ((await readAll(file, bytes, 0)) < SEGMENT_HEAD) return undefined
    const head = segmentHeadIn(bytes)
    // One that was cut off at its beginning never held what was acknowledged.
    if (head === undefined && wrongBit(bytes, () => segmentHeadIn(bytes) !== undefined) !== undefined) {
      throw damaged(folder, slot, 'its head is not what was written')
    }
    if (isOfOtherVersion(bytes)) {
      throw new DamagedJournal(
        `the journal "${folder}/${segmentName(slot)}" was written by a version of the server that knows another format; start that one`,
      )
    }
    return head
  } finally {
    await file.close()
  }
}

export interface NeededSegment extends Candidate {
  /** Its end as the segment behind it says; undefined for the newest. */
  readonly end: number | undefined
}

/** The segments that are needed, oldest first. */
function chainOf(folder: string, candidates: readonly Candidate[]): NeededSegment[] {
  const bySequence = new Map(candidates.map((candidate) => [candidate.head.sequence, candidate]))
  let next = candidates.reduce<Candidate | undefined>(
    (newest, c) => (newest === undefined || c.head.sequence > newest.head.sequence ? c : newest),
    undefined,
  )
  const oldest = next?.head.oldest ?? 0
  const chain: NeededSegment[] = []
  let end: number | undefined
  while (next !== undefined) {
    chain.unshift({ ...next, end })
    const { previous, previousEnd }: SegmentHead = next.head
    if (previous < oldest || previous === 0) break
    const before = bySequence.get(previous)
    if (before === undefined) {
      throw new DamagedJournal(
        `the journal in "${folder}" is not whole: its segment ${previous}, which held draws that were acknowledged, is missing. Restore the folder from a backup`,
      )
    }
    next = before
    end = previousEnd
  }
  return chain
}

async function readSegments(disk: Disk, folder: string, chain: readonly NeededSegment[]): Promise<ReadSegment[]> {
  const segments: ReadSegment[] = []
  let memory: Bytes = new Uint8Array()
  try {
    for (const needed of chain) {
      const { slot, end } = needed
      const file = await disk.open(`${folder}/${segmentName(slot)}`, 'read')
      segments.push({ ...needed, seed: 0, file, records: [], count: 0, end: 0, lastWrite: 0, isSealed: false })
      const size = end ?? (await file.size())
      if (memory.length < size) memory = resized(memory, size)
      const bytes = memory.subarray(0, size)
      if ((await readAll(file, bytes, 0)) < size) throw damaged(folder, slot, 'a part of it is missing')
      const groups = readGroups(bytes, end !== undefined, (at) =>
        damaged(folder, slot, `what is at byte ${at} differs from what was written`),
      )
      segments[segments.length - 1] = { ...needed, ...groups, file }
    }
    return segments
  } catch (error) {
    await closeAll(segments)
    throw error
  } finally {
    resized(memory, 0)
  }
}

/** Memory of another size, whose content is lost. The old one is given back at once: a segment is large. */
function resized(memory: Bytes, size: number): Bytes {
  memory.buffer.transfer(0)
  return new Uint8Array(size)
}

async function closeAll(segments: readonly ReadSegment[]): Promise<void> {
  for (const { file } of segments) await file.close().catch(() => undefined)
}

/**
 * Brings the last write to the disk. A server that was killed, or whose disk has failed, has left it in the memory of the
 * system, where a power cut would take it after it was found here. Then a seal says that it was whole.
 *
 * @returns the end of the segment
 */
async function settle(disk: Disk, folder: string, newest: ReadSegment): Promise<number> {
  const { slot, lastWrite, end, count, isSealed } = newest
  const file = await disk.open(`${folder}/${segmentName(slot)}`, 'durable')
  try {
    const head = new Uint8Array(SEGMENT_HEAD)
    await readAll(file, head, 0)
    const bytes = new Uint8Array(end - lastWrite)
    if ((await readAll(file, bytes, lastWrite)) < bytes.length) throw damaged(folder, slot, 'a part of it is missing')
    await writeAll(file, [bytes], lastWrite)
    if (isSealed) return end
    // A full disk must not keep a server from reading what it has: nothing needs the seal.
    const seal = writeAll(file, [sealOf(count, seedIn(head))], end)
    return await seal.then(
      () => end + GROUP_HEAD,
      () => end,
    )
  } finally {
    await file.close()
  }
}

function damaged(folder: string, slot: number, what: string): DamagedJournal {
  return new DamagedJournal(
    `the journal "${folder}/${segmentName(slot)}" is damaged: ${what}, and it may hold draws that were acknowledged. Restore the folder from a backup`,
  )
}
