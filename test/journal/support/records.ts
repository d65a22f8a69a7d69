/** Records for tests, and what a replay finds of them. */
import type { Bytes } from '../../../src/core/draws/segment.ts'
import type { NewRecord } from '../../../src/journal/arena.ts'
import { partsOf, RECORD_HEAD } from '../../../src/journal/format.ts'
import { Journal, type JournalOptions, type JournalSize } from '../../../src/journal/journal.ts'
import { DamagedJournal, type Found, replay } from '../../../src/journal/replay.ts'
import { firstDamaged } from '../../../src/objects/checksum.ts'
import { type Disk, type DiskFile, readAll } from '../../../src/objects/disk.ts'

export const FOLDER = '/data/journal'

/** A record whose draws differ from those of any other: of two columns, of which the second is absent now and then. */
export function recordOf(chain: number, size = 24, start = 0): NewRecord {
  const draws = new Uint8Array(size)
  // A walk that never repeats soon, and whose bytes are all sorts.
  let word = (chain * 2654435761 + start * 40503 + 1) >>> 0
  for (let at = 0; at < size; at++) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0
    draws[at] = word >>> 24
  }
  const flags = chain % 3 === 0 ? null : new Uint8Array([chain & 1, 1])
  return { chain, start, count: 2, time: 1.7e12 + chain, segments: [draws, flags], size: size + (flags?.length ?? 0) }
}

/** All of a record in one word; `damaged` where its draws do not fit their checksums. */
export type Read = string | 'damaged'

/** The word of a record, for comparisons. */
export function wordOf({ chain, start, count, time, segments }: Omit<NewRecord, 'size'>): Read {
  const draws = segments.map((segment) => (segment === null ? '-' : Buffer.from(segment).toString('base64')))
  return `${chain}:${start}+${count}@${time} ${draws.join(' ')}`
}

export interface Reading {
  readonly records: readonly Read[]
  readonly found: Found
}

/** Replays a journal, and reads each record as it lies on the disk. */
export async function readBack(disk: Disk, folder = FOLDER): Promise<Reading> {
  const found = await replay(disk, folder)
  const records: Read[] = []
  for (const { file, records: heads } of found.segments) {
    for (const head of heads) records.push(await readRecord(file, head))
  }
  return { records, found }
}

/** The same of a journal that may be damaged, with its files closed. */
export async function attempt(disk: Disk): Promise<readonly Read[] | DamagedJournal> {
  try {
    const { records, found } = await readBack(disk)
    for (const { file } of found.segments) await file.close()
    return records
  } catch (error) {
    if (error instanceof DamagedJournal) return error
    throw error
  }
}

interface Lies {
  readonly at: number
  readonly bytes: number
}

/** Reads a record, whose place alone is known. */
export async function readRecord(file: DiskFile, { at, bytes }: Lies): Promise<Read> {
  const whole = new Uint8Array(bytes)
  await readAll(file, whole, at)
  const view = new DataView(whole.buffer)
  const { sums, draws } = partsOf(whole, view.getUint32(28, true))
  if (RECORD_HEAD + sums.length + draws.length !== bytes) throw new Error('a record is as long as its parts')
  if (firstDamaged(draws, sums) !== -1) return 'damaged'
  return wordOf({
    chain: Number(view.getBigUint64(0, true)),
    start: Number(view.getBigUint64(8, true)),
    time: view.getFloat64(16, true),
    count: view.getUint32(24, true),
    segments: unpack(draws),
  })
}

/** The two segments of a record of `recordOf`. */
function unpack(draws: Bytes): (Bytes | null)[] {
  const view = new DataView(draws.buffer, draws.byteOffset)
  let at = 8
  return [0, 4].map((column) => {
    const length = view.getUint32(column, true)
    if (length === 0xffffffff) return null
    at += length
    return draws.slice(at - length, at)
  })
}

export type Options = Partial<JournalOptions> & { readonly disk: Disk; readonly segmentBytes?: number | undefined }

/** A journal of few segments. */
export function smallJournal(segmentBytes: number): JournalSize {
  const records = 128 * 1024
  return { segmentBytes, pressed: { segments: 3, records }, most: { segments: 8, records }, free: 4, rested: 2 }
}

function optionsOf({ segmentBytes, ...options }: Options): Partial<JournalOptions> & { readonly disk: Disk } {
  return segmentBytes === undefined ? options : { size: smallJournal(segmentBytes), ...options }
}

/** A journal that goes on from what a replay has found. Nothing of that is held: its segments are emptied at once. */
export function journalOn(found: Found, options: Options): Journal {
  const journal = new Journal({
    folder: FOLDER,
    state: found.state,
    lost: () => undefined,
    pressed: () => undefined,
    ...optionsOf(options),
  })
  const segments = found.segments.map((segment) => journal.adopt(segment))
  for (const segment of segments) segment.finish()
  return journal
}

/** The same, with all records held. */
export function journalHolding(found: Found, options: Options): Journal {
  const journal = new Journal({
    folder: FOLDER,
    state: found.state,
    lost: () => undefined,
    pressed: () => undefined,
    ...optionsOf(options),
  })
  for (const one of found.segments) {
    const segment = journal.adopt(one)
    for (const _ of one.records) segment.hold()
    segment.finish()
  }
  return journal
}

/** A new journal. */
export async function newJournal(options: Options): Promise<Journal> {
  return journalOn(await replay(options.disk, FOLDER), options)
}
