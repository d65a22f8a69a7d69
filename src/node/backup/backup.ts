/**
 * A backup of a data folder while a server writes to it: what has not changed since the last one is not copied again.
 *
 * The journal is copied first and the index after it: what is folded meanwhile is in the snapshot, and a replay skips what
 * both have. Objects come last, as the snapshot names them. The manifest makes it a copy, and is written when all the rest
 * is on the disk.
 */
import { chmodSync, copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { objectsNamedBy } from './extents.ts'
import { sumOfFile, syncPath, WrittenFiles } from './files.ts'
import { CopiedIndex, namesObjects, snapshot, stampOf } from './index-copy.ts'
import { copyJournal } from './journal-copy.ts'
import {
  BackupError,
  copiesIn,
  filesOf,
  INDEX,
  type Manifest,
  newCopyName,
  readManifest,
  writeManifest,
} from './manifest.ts'
import { copyObject } from './object-copy.ts'

export interface BackupOptions {
  /** Folder of the server's data. */
  readonly data: string
  /** Folder of the backup. */
  readonly target: string
  /** Copies that stay. */
  readonly keep: number
  /** Version of the program, for the manifest. */
  readonly version: string
  readonly progress?: ((sentence: string) => void) | undefined
}

export interface Backup {
  /** Name of the new copy. */
  readonly name: string
  /** Bytes that were copied, and that the backup had already. */
  readonly copied: number
  readonly kept: number
  /** Names of copies that were removed. */
  readonly removed: readonly string[]
  /** A sentence for each object that is damaged in the data. */
  readonly damages: readonly string[]
}

/** @throws BackupError, DamagedJournal */
export async function backUp(options: BackupOptions): Promise<Backup> {
  const index = join(options.data, INDEX)
  requireData(index)
  const { target } = options
  requireTarget(options)
  const lock = lockOf(target)
  try {
    const copies = readCopies(target)
    const [name, before] = copies.at(-1) ?? []
    const named = namedBy(copies.map(([, manifest]) => manifest))
    const folder = name === undefined ? undefined : join(target, name)
    const made = await makeCopy(options, { before, named, folder })
    const removed = prune(target, options.keep)
    return { ...made, removed }
  } finally {
    lock.close()
  }
}

function requireData(index: string): void {
  const size = statSync(index, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new BackupError(`there is no "${index}"; set MCB_DATA_DIR to the folder of the server`)
  // To open an empty one takes away the write-ahead log that may lie beside it, and hold all that there is.
  if (size === 0)
    throw new BackupError(`"${index}" is empty, and was left as it is; what lies beside it may be all that is left`)
}

function requireTarget({ target, data }: BackupOptions): void {
  const found = statSync(target, { throwIfNoEntry: false })
  const advice = 'give a folder, which is used again for the next backup'
  if (found !== undefined && !found.isDirectory())
    throw new BackupError(`"${target}" exists and is a file; a backup is a folder now: ${advice}`)
  if (found === undefined && /\.sqlite$/.test(target))
    throw new BackupError(`"${target}" looks like a file; a backup is a folder now: ${advice}`)
  const place = relative(resolve(data), resolve(target))
  if (place === '' || !(place.startsWith('..') || place.startsWith('/')))
    throw new BackupError(`"${target}" lies in the folder of the data; ${advice}`)
  if (found !== undefined && statSync(join(target, INDEX), { throwIfNoEntry: false }) !== undefined)
    throw new BackupError(`"${target}" is the folder of a server's data; ${advice}`)
  // Not those above it: a disk that is not mounted would be filled on this one.
  if (found === undefined) mkdirSync(target, { mode: 0o700 })
}

/** Ends with the process, however that ends. */
function lockOf(target: string): Database.Database {
  const lock = new Database(join(target, 'backup.lock'), { timeout: 0 })
  try {
    lock.pragma('journal_mode = MEMORY')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      throw new BackupError(`another backup to "${target}" is under way`)
    throw error
  }
}

/** Whole copies, oldest first. Those that were cut off go: their segments and objects are there for the next one. */
function readCopies(target: string): (readonly [name: string, manifest: Manifest])[] {
  const copies: [string, Manifest][] = []
  for (const name of copiesIn(target)) {
    const manifest = readManifest(join(target, name))
    if (manifest === undefined) rmSync(join(target, name), { recursive: true })
    else copies.push([name, manifest])
  }
  return copies
}

/** The bytes of each file that copies name. */
function namedBy(manifests: Iterable<Manifest>): Map<string, number> {
  const named = new Map<string, number>()
  for (const manifest of manifests) {
    for (const [file, size] of filesOf(manifest)) named.set(file, Math.max(size, named.get(file) ?? 0))
  }
  return named
}

interface Before {
  readonly before: Manifest | undefined
  /** Folder of the copy before. */
  readonly folder: string | undefined
  readonly named: ReadonlyMap<string, number>
}

async function makeCopy(options: BackupOptions, earlier: Before): Promise<Omit<Backup, 'removed'>> {
  const name = newCopyName()
  const copy = join(options.target, name)
  mkdirSync(copy, { mode: 0o700 })
  try {
    return { name, ...(await fillCopy(copy, options, earlier)) }
  } catch (error) {
    // Segments and objects stay, for the next one; the index takes room that may be what is lacking.
    rmSync(copy, { recursive: true, force: true })
    throw error
  }
}

async function fillCopy(
  copy: string,
  options: BackupOptions,
  earlier: Before,
): Promise<Omit<Backup, 'removed' | 'name'>> {
  const { data, target, progress = () => {} } = options
  const begun = new Date().toISOString()
  const written = new WrittenFiles()
  const { before, named } = earlier
  progress('the journal')
  const places = { target, named, written }
  const journal = await copyJournal({ ...places, source: join(data, 'journal'), before: before?.journal ?? {} })
  progress('the index')
  const path = join(copy, INDEX)
  const index = copyIndex(join(data, INDEX), path, earlier, journal.ends)
  const objects = await copyObjects(options, path, { ...places, before: before?.objects ?? {} })
  await written.sync()
  chmodSync(path, 0o600)
  syncPath(path)
  const summed = sumOfFile(path, Number.MAX_SAFE_INTEGER)
  const manifest: Manifest = {
    format: 1,
    version: options.version,
    begun,
    ended: new Date().toISOString(),
    index: { size: summed.size, sum: summed.sum, stamp: index.stamp },
    journal: journal.journal,
    objects: objects.entries,
  }
  writeManifest(copy, manifest)
  syncPath(target)
  return {
    copied: journal.copied + objects.copied + (index.isKept ? 0 : summed.size),
    kept: journal.kept + objects.kept + (index.isKept ? summed.size : 0),
    damages: objects.damages,
  }
}

function copyIndex(source: string, path: string, { before, folder }: Before, ends: ReadonlyMap<number, number>) {
  const stamp = stampOf(source)
  if (stamp !== null && folder !== undefined && before?.index.stamp === stamp) {
    linkOrCopy(join(folder, INDEX), path)
    return { stamp, isKept: true }
  }
  snapshot(source, path)
  const index = new CopiedIndex(path)
  try {
    index.removeHidden()
    index.fit(ends)
  } finally {
    index.close()
  }
  return { stamp, isKept: false }
}

/** No copy is ever changed, so that two may be one file. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}

interface CopiedObjects {
  readonly entries: Manifest['objects']
  readonly copied: number
  readonly kept: number
  readonly damages: readonly string[]
}

async function copyObjects(
  { data, progress = () => {} }: BackupOptions,
  path: string,
  places: Omit<Parameters<typeof copyObject>[1], 'source'>,
): Promise<CopiedObjects> {
  const database = new Database(path, { readonly: true })
  const live = new Database(join(data, INDEX), { readonly: true })
  const entries: Manifest['objects'] = {}
  const damages: string[] = []
  const gone = new Set<number>()
  let [copied, kept] = [0, 0]
  try {
    if (!namesObjects(database)) return { entries, copied, kept, damages }
    const isThere = live.prepare<[number]>('SELECT 1 FROM runs WHERE id = ? AND deleted = 0')
    for (const object of objectsNamedBy(database)) {
      const outcome = await copyObject(object, { ...places, source: join(data, 'objects') })
      copied += outcome.copied
      kept += outcome.kept
      progress(`objects: ${mebibytes(copied)} MiB copied, ${mebibytes(kept)} MiB kept`)
      // Objects go before the rows that name them.
      if (outcome.damaged !== undefined && isThere.get(object.run) === undefined) gone.add(object.run)
      else {
        entries[object.key] = outcome.entry
        if (outcome.damaged !== undefined) damages.push(`the object ${object.key} is ${outcome.damaged}`)
      }
    }
  } finally {
    database.close()
    live.close()
  }
  if (gone.size > 0) forgetRuns(path, gone)
  return { entries, copied, kept, damages }
}

/** Removes runs that were deleted while they were copied. */
function forgetRuns(path: string, runs: Iterable<number>): void {
  // The copy before may have the same file.
  copyFileSync(path, `${path}.partial`)
  renameSync(`${path}.partial`, path)
  const index = new CopiedIndex(path)
  try {
    for (const run of runs) index.removeRun(run)
  } finally {
    index.close()
  }
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

/** Removes the oldest copies, and all files that no copy names any more. */
function prune(target: string, keep: number): string[] {
  const names = copiesIn(target)
  const removed = names.slice(0, -keep)
  for (const name of removed) {
    // First what makes it a copy, so that one whose removal is cut off is none.
    rmSync(join(target, name, 'manifest.json'))
    rmSync(join(target, name), { recursive: true })
  }
  const named = namedBy(readCopies(target).map(([, manifest]) => manifest))
  for (const file of filesBelow(target)) if (!named.has(file)) rmSync(join(target, file), { force: true })
  return removed
}

/** Segments and objects that are there. */
function* filesBelow(target: string): Generator<string> {
  for (const folder of ['journal', 'objects']) {
    if (statSync(join(target, folder), { throwIfNoEntry: false }) === undefined) continue
    for (const entry of readdirSync(join(target, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) yield join(relative(target, entry.parentPath), entry.name)
    }
  }
}
