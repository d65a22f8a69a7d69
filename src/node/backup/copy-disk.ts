/** A copy of a backup as the disk of a data folder, which can be read only. */
import { join } from 'node:path'
import type { Disk, DiskFile } from '../../objects/disk.ts'
import { objectFile } from '../../objects/file-objects.ts'
import { nodeDisk } from '../../objects/node-disk.ts'
import { BackupError, copiesIn, INDEX, type Manifest, objectPath, readManifest } from './manifest.ts'

export interface Copy {
  readonly name: string
  /** Folder of the backup. */
  readonly folder: string
  readonly index: string
  readonly manifest: Manifest
}

/** A copy of a backup, the newest unless another one is named. @throws BackupError */
export function openCopy(folder: string, name?: string): Copy {
  const names = copiesIn(folder)
  if (name !== undefined && !names.includes(name)) {
    const whole = names.filter((one) => isWhole(join(folder, one)))
    throw new BackupError(`"${folder}" has no copy "${name}"; it has ${whole.join(', ') || 'none'}`)
  }
  const wanted = name ?? names.findLast((one) => isWhole(join(folder, one)))
  if (wanted === undefined) throw new BackupError(`there is no whole backup in "${folder}"`)
  const manifest = readManifest(join(folder, wanted))
  if (manifest === undefined) throw new BackupError(`the copy "${wanted}" in "${folder}" was cut off`)
  return { name: wanted, folder, index: join(folder, wanted, INDEX), manifest }
}

/** False for a copy that was cut off. One whose manifest is damaged is whole: it must not be passed over in silence. */
function isWhole(copy: string): boolean {
  try {
    return readManifest(copy) !== undefined
  } catch {
    return true
  }
}

/** True for a folder that holds copies. */
export function isBackup(folder: string): boolean {
  return copiesIn(folder).length > 0
}

/** Files of a copy by their path in the data folder, with those of their bytes that belong to it. */
export function filesOfCopy({
  folder,
  manifest,
}: Copy): Map<string, { readonly path: string; readonly size: number; readonly sum: number }> {
  const files = new Map<string, { readonly path: string; readonly size: number; readonly sum: number }>()
  for (const [name, { file, size, sum }] of Object.entries(manifest.journal)) {
    files.set(`journal/${name}`, { path: join(folder, file), size, sum })
  }
  for (const [key, [size, sum, , variant]] of Object.entries(manifest.objects)) {
    files.set(`objects/${objectFile(key)}`, { path: join(folder, objectPath(key, variant)), size, sum })
  }
  return files
}

export class CopyDisk implements Disk {
  private readonly files: ReturnType<typeof filesOfCopy>
  private readonly folder: string

  /** @param folder stands before the paths of the data folder */
  constructor(copy: Copy, folder: string) {
    this.files = filesOfCopy(copy)
    this.folder = folder
  }

  async open(path: string): Promise<DiskFile> {
    const found = this.files.get(path.slice(this.folder.length + 1))
    if (found === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
    return bounded(await nodeDisk.open(found.path, 'read'), found.size)
  }

  async list(folder: string): Promise<readonly string[]> {
    const prefix = `${folder.slice(this.folder.length + 1)}/`
    const names = [...this.files.keys()].filter((path) => path.startsWith(prefix))
    return [...new Set(names.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))]
  }

  remove(): Promise<void> {
    return Promise.reject(readOnly())
  }

  makeFolder(): Promise<void> {
    return Promise.reject(readOnly())
  }

  syncFolder(): Promise<void> {
    return Promise.reject(readOnly())
  }
}

function readOnly(): Error {
  return Object.assign(new Error('a backup is only read'), { code: 'EROFS' })
}

/** A file without what other copies have behind its end. */
function bounded(file: DiskFile, size: number): DiskFile {
  const part = (bytes: Uint8Array, at: number) => bytes.subarray(0, Math.max(0, Math.min(bytes.length, size - at)))
  return {
    read: async (bytes, at) => (at >= size ? 0 : file.read(part(bytes, at), at)),
    readNow: (bytes, at) => (at >= size ? 0 : file.readNow(part(bytes, at), at)),
    write: () => Promise.reject(readOnly()),
    sync: () => Promise.reject(readOnly()),
    truncate: () => Promise.reject(readOnly()),
    size: async () => Math.min(size, await file.size()),
    close: () => file.close(),
  }
}
