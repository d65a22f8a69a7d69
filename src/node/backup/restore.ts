/** Restores a copy of a backup into an empty folder, for a server to start on. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sumOf } from '../../objects/checksum.ts'
import { filesOfCopy, openCopy } from './copy-disk.ts'
import { piecesOf, syncPath, WrittenFiles, writeAllSync } from './files.ts'
import { BackupError, INDEX } from './manifest.ts'

export interface RestoreOptions {
  /** Folder of the backup. */
  readonly backup: string
  /** Name of a copy; the newest where there is none. */
  readonly name: string | undefined
  /** Folder that is filled. */
  readonly target: string
  readonly progress?: ((sentence: string) => void) | undefined
}

export interface Restored {
  readonly name: string
  readonly bytes: number
}

/**
 * Copies all files, and compares each with its checksum. The index takes its name last: until then no server begins
 * anything in the folder.
 *
 * @throws BackupError
 */
export async function restore({ backup, name, target, progress = () => {} }: RestoreOptions): Promise<Restored> {
  const copy = openCopy(backup, name)
  const files = filesOfCopy(copy)
  const { size, sum } = copy.manifest.index
  begin(target)
  const written = new WrittenFiles()
  let bytes = 0
  for (const [path, file] of [...files, [`${INDEX}.partial`, { path: copy.index, size, sum }] as const]) {
    await copyFile(file, join(target, path), written)
    bytes += file.size
    progress(`${(bytes / 2 ** 20).toFixed(1)} MiB`)
  }
  await written.sync()
  renameSync(join(target, `${INDEX}.partial`), join(target, INDEX))
  syncPath(target)
  return { name: copy.name, bytes }
}

/** @throws BackupError where the folder has something in it */
export function requireEmpty(target: string): void {
  const found = statSync(target, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isDirectory()) throw new BackupError(`"${target}" is a file; give a folder that is empty or missing`)
  if (readdirSync(target).length > 0)
    throw new BackupError(`"${target}" is not empty; move away what is in it, or give another folder`)
}

function begin(target: string): void {
  requireEmpty(target)
  mkdirSync(target, { recursive: true, mode: 0o700 })
  const marker = `A backup is restored here since ${new Date().toISOString()}. While this file is here, no server begins an empty database.\n`
  writeFileSync(join(target, 'mcbackend.created'), marker)
}

interface Source {
  readonly path: string
  readonly size: number
  readonly sum: number
}

async function copyFile({ path, size, sum }: Source, target: string, written: WrittenFiles): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new BackupError(`"${path}" is missing in the backup`)
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
  const from = openSync(path, 'r')
  const { O_CREAT, O_EXCL, O_WRONLY } = constants
  const to = openSync(target, O_WRONLY | O_CREAT | O_EXCL, 0o600)
  let [done, found] = [0, 0]
  try {
    for (const piece of piecesOf(from, 0, size)) {
      writeAllSync(to, piece, done)
      done += piece.length
      found = sumOf(piece, found)
    }
  } finally {
    closeSync(from)
    await written.add(to, dirname(target))
  }
  if (done !== size || found !== sum)
    throw new BackupError(
      `"${path}" in the backup is not what was copied: its checksum differs. Try an older copy with --at`,
    )
}
