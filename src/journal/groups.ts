/**
 * Reads the groups of a segment, and tells a write that was cut off from damage.
 *
 * A group that is not whole was never acknowledged when nothing lies behind it, and the segment ends before it. It was on the
 * disk, and is damaged, when another group follows, since that one was begun later; when the next segment says so; and when
 * one bit alone is wrong.
 */
import type { Bytes } from '../objects/objects.ts'
import { flip, isUnwritten, type WrongBlock, wrongBit, wrongBlocks, wrongByte } from './flipped.ts'
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
  seedIn,
  sizeIn,
} from './format.ts'

/** A record as it lies in a segment. */
export interface FoundRecord extends RecordHead {
  readonly at: number
  readonly bytes: number
}

export interface Groups {
  readonly seed: number
  /** Records, whose draws are verified once more where they are read. */
  readonly records: readonly FoundRecord[]
  readonly count: number
  /** Byte behind the last one. */
  readonly end: number
  /** Byte from which on the last write has written: the first one writes the segment's head as well. */
  readonly lastWrite: number
  /** True when the last one is a seal. */
  readonly isSealed: boolean
}

/**
 * The groups in the bytes of a segment, which end where the next segment says it, or with the file.
 *
 * @param damagedAt gives the error to be thrown for a byte at which something else was written than what is there
 */
export function readGroups(bytes: Bytes, isEndKnown: boolean, damagedAt: (byte: number) => Error): Groups {
  const seed = seedIn(bytes)
  const records: FoundRecord[] = []
  let [at, count, lastWrite, isSealed] = [SEGMENT_HEAD, 0, 0, false]
  for (; at < bytes.length; count++) {
    const group = readGroup(bytes, at, count, seed)
    if (!group?.isWhole && !isEndKnown && !wasWhole(bytes, at, count, seed)) break
    if (group === undefined || group.wrongAt !== undefined) throw damagedAt(group?.wrongAt ?? at)
    for (const record of group.records) records.push(record)
    isSealed = group.records.length === 0
    lastWrite = count === 0 ? 0 : at
    at += GROUP_HEAD + group.bytes
  }
  return { seed, records, count, end: at, lastWrite, isSealed }
}

interface Group {
  /** Bytes of its records. */
  readonly bytes: number
  /** Those before the first whose head is wrong. */
  readonly records: readonly FoundRecord[]
  /** Byte of a record whose head is not what was written. */
  readonly wrongAt: number | undefined
  readonly wrong: readonly WrongBlock[]
  readonly isWhole: boolean
}

function readGroup(bytes: Bytes, at: number, number: number, seed: number): Group | undefined {
  const head = groupHeadIn(bytes, at, seed)
  if (head === undefined || head.number !== number) return undefined
  const from = at + GROUP_HEAD
  const end = Math.min(from + head.bytes, bytes.length)
  const records: FoundRecord[] = []
  const wrong: WrongBlock[] = []
  let next = from
  while (next < end) {
    const whole = bytes.subarray(next, end)
    const record = recordHeadIn(whole, seed)
    if (record === undefined || drawsAt(record.size) + record.size > whole.length) break
    const size = drawsAt(record.size) + record.size
    const { sums, draws } = partsOf(whole.subarray(0, size), record.size)
    wrong.push(...wrongBlocks(draws, sums, next + size - record.size))
    records.push({ ...record, at: next, bytes: size })
    next += size
  }
  const hasAll = next === from + head.bytes && records.length === head.records
  const wrongAt = hasAll ? undefined : next
  return { bytes: head.bytes, records, wrongAt, wrong, isWhole: hasAll && wrong.length === 0 }
}

/** True where a group that is not whole was on the disk once. */
function wasWhole(bytes: Bytes, at: number, number: number, seed: number): boolean {
  return isFollowed(bytes, at, number, seed) || isFlipped(bytes, at, number, seed)
}

/** True where a later group of the same segment lies behind a byte. */
function isFollowed(bytes: Bytes, from: number, number: number, seed: number): boolean {
  for (let at = bytes.indexOf(GROUP_LETTER, from + 1); at >= 0; at = bytes.indexOf(GROUP_LETTER, at + 1)) {
    const next = groupHeadIn(bytes, at, seed)
    if (next !== undefined && next.number > number) return true
  }
  return false
}

/** True where a group would be whole but for one bit. */
function isFlipped(bytes: Bytes, at: number, number: number, seed: number): boolean {
  const group = readGroup(bytes, at, number, seed)
  const isWholeBut = (head: Bytes, passes: () => boolean) => {
    const bit = wrongBit(head, passes)
    if (bit === undefined) return false
    flip(head, bit)
    const isWhole = readGroup(bytes, at, number, seed)?.isWhole === true
    flip(head, bit)
    return isWhole
  }
  if (group === undefined) {
    const head = bytes.subarray(at, at + GROUP_HEAD)
    return isWholeBut(head, () => groupHeadIn(bytes, at, seed)?.number === number)
  }
  if (group.wrongAt === undefined) {
    const [block, ...others] = group.wrong
    const byte = block === undefined || others.length > 0 ? undefined : wrongByte(block)
    return byte !== undefined && !isUnwritten(bytes, byte, at)
  }
  const record = bytes.subarray(group.wrongAt, at + GROUP_HEAD + group.bytes)
  if (record.length < RECORD_HEAD) return false
  // The bit may be one of those that say how long the head is.
  const head = record.subarray(0, Math.max(RECORD_HEAD, Math.min(drawsAt(sizeIn(record)), drawsAt(record.length))))
  return isWholeBut(head, () => recordHeadIn(record, seed) !== undefined)
}
