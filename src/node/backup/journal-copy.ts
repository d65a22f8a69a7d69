/**
 * Copies the journal into a backup: only what it does not have. A segment grows at its end; its sequence and the random part
 * of its head tell it from all others.
 */
import { constants, mkdirSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { sumOf } from '../../objects/checksum.ts'
import { nodeDisk } from '../../objects/node-disk.ts'
import { type WrittenFiles, writeAllSync } from './files.ts'
import { type ReadSegment, readJournal } from './live-journal.ts'
import type { Manifest } from './manifest.ts'

type SegmentEntry = Manifest['journal'][string]

export interface JournalCopyOptions {
  /** Folder of the journal that is copied. */
  readonly source: string
  /** Folder of the backup. */
  readonly target: string
  /** Segments of the copy before. */
  readonly before: Manifest['journal']
  /** Bytes of each file that copies name: none of these is ever written. */
  readonly named: ReadonlyMap<string, number>
  readonly written: WrittenFiles
}

export interface CopiedJournal {
  readonly journal: Manifest['journal']
  /** For each chain of which the journal has draws, the iterations up to the last one. */
  readonly ends: ReadonlyMap<number, number>
  readonly copied: number
  readonly kept: number
}

/** @throws DamagedJournal */
export async function copyJournal(options: JournalCopyOptions): Promise<CopiedJournal> {
  const { source, target, written } = options
  let result = { journal: new Map<string, SegmentEntry>(), ends: new Map<number, number>(), copied: 0, kept: 0 }
  mkdirSync(join(target, 'journal'), { recursive: true, mode: 0o700 })
  const files: number[] = []
  await readJournal(nodeDisk, source, () => {
    result = { journal: new Map(), ends: new Map(), copied: 0, kept: 0 }
    return (segment) => {
      const { entry, kept } = placeOf(segment, options)
      const { bytes, name, groups } = segment
      if (kept < bytes.length) {
        const { O_CREAT, O_RDWR, O_TRUNC } = constants
        const fd = openSync(join(target, entry.file), O_RDWR | O_CREAT | (kept === 0 ? O_TRUNC : 0), 0o600)
        files.push(fd)
        writeAllSync(fd, bytes.subarray(kept), kept)
      }
      result.journal.set(name, entry)
      result.copied += bytes.length - kept
      result.kept += kept
      for (const { chain, start, count } of groups.records) result.ends.set(chain, start + count)
    }
  })
  for (const fd of files) await written.add(fd, join(target, 'journal'))
  return { ...result, journal: Object.fromEntries(result.journal) }
}

/** The file of a segment in the backup, and the bytes that it has already. */
function placeOf({ sequence, salt, bytes }: ReadSegment, { target, before, named }: JournalCopyOptions) {
  const own = `journal/${sequence}-${salt.toString(16).padStart(16, '0')}`
  const known = Object.values(before).find(({ file }) => file === own || file.startsWith(`${own}.`))
  const sum = sumOf(bytes)
  if (known !== undefined && known.size <= bytes.length && (named.get(known.file) ?? 0) <= known.size) {
    const there = statSync(join(target, known.file), { throwIfNoEntry: false })?.size ?? 0
    const isSame = there >= known.size && sumOf(bytes.subarray(0, known.size)) === known.sum
    if (isSame) return { entry: { file: known.file, size: bytes.length, sum }, kept: known.size }
  }
  let file = own
  for (let variant = 1; named.has(file); variant++) file = `${own}.v${variant}`
  return { entry: { file, size: bytes.length, sum }, kept: 0 }
}
