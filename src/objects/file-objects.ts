/**
 * Objects as files of a folder, which grow at their end. Those of one owner lie in one of 256 folders, so that none has very
 * many names; `KEY` is `OWNER.NUMBER`, two whole numbers.
 */
import { dirname } from 'node:path'
import { type Access, type Disk, type DiskFile, isMissing, writeAll } from './disk.ts'
import type { Bytes, Came, Objects, StoredObject } from './objects.ts'
import { unavailable } from './unavailable.ts'
import { WarmReads } from './warm.ts'

/** Files that are kept open. */
const OPEN_FILES = 64
/** Milliseconds after which a file that nobody uses is closed: until then its disk is not given back when it is removed. */
const REST_MS = 5_000
/** Puts that wait for the disk at a time: the others leave the threads of the pool to reads and to the journal. */
const PUTS = 2
const FOLDERS = 256

/** Reading makes no file where there is none. */
type Use = Exclude<Access, 'durable'>

interface OpenFile {
  readonly access: Use
  readonly opening: Promise<DiskFile>
  readonly reads: WarmReads
  file: DiskFile | undefined
  users: number
  usedAt: number
  isGone: boolean
}

/** The folder of an object's file among the others. */
function shardOf(key: string): string {
  return (Number(key.slice(0, key.indexOf('.'))) % FOLDERS).toString(16).padStart(2, '0')
}

/** The file of an object, in the folder of all objects. */
export function objectFile(key: string): string {
  return `${shardOf(key)}/${key}`
}

export class FileObjects implements Objects {
  private readonly disk: Disk
  private readonly folder: string
  private readonly files = new Map<string, OpenFile>()
  private readonly made = new Set<string>()
  private puts = 0
  private readonly turns: (() => void)[] = []
  private readonly sweeper: NodeJS.Timeout

  constructor(disk: Disk, folder: string) {
    this.disk = disk
    this.folder = folder
    this.sweeper = setInterval(() => this.closeIdle(REST_MS), REST_MS / 2).unref()
  }

  async put(key: string, at: number, pieces: readonly Uint8Array[]): Promise<void> {
    if (this.puts >= PUTS) await new Promise<void>((resolve) => this.turns.push(resolve))
    else this.puts++
    try {
      await this.use(key, 'write', async (file) => {
        await writeAll(file, pieces, at)
        await file.sync()
      })
    } catch (error) {
      throw unavailable(error)
    } finally {
      const next = this.turns.shift()
      if (next === undefined) this.puts--
      else next()
    }
  }

  async get(key: string, at: number, into: Bytes, came?: Came): Promise<number | undefined> {
    try {
      return await this.use(key, 'read', (file, { reads }) => reads.read(file, at, into, came))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw unavailable(error)
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const folders = new Set<string>()
    try {
      for (const key of keys) {
        this.forget(key)
        await this.disk.remove(this.pathOf(key))
        folders.add(this.folderOf(key))
      }
      for (const folder of folders) await this.syncNames(folder)
    } catch (error) {
      throw unavailable(error)
    }
  }

  private async syncNames(folder: string): Promise<void> {
    try {
      await this.disk.syncFolder(folder)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  async *list(prefix = ''): AsyncGenerator<StoredObject> {
    for (const folder of await this.disk.list(this.folder)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue
      for (const key of await this.disk.list(`${this.folder}/${folder}`)) {
        const size = key.startsWith(prefix) && /^\d+\.\d+$/.test(key) ? await this.sizeOf(key) : undefined
        if (size !== undefined) yield { key, size }
      }
    }
  }

  close(): void {
    clearInterval(this.sweeper)
    this.closeIdle(0)
  }

  /** Bytes of an object; undefined when there is none. */
  async sizeOf(key: string): Promise<number | undefined> {
    try {
      const file = await this.disk.open(this.pathOf(key), 'read')
      try {
        return await file.size()
      } finally {
        await file.close()
      }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw unavailable(error)
    }
  }

  /** Cuts an object, of which nothing is put meanwhile. */
  async truncate(key: string, size: number): Promise<void> {
    try {
      await this.use(key, 'write', async (file) => {
        await file.truncate(size)
        await file.sync()
      })
    } catch (error) {
      throw unavailable(error)
    }
  }

  private folderOf(key: string): string {
    return `${this.folder}/${shardOf(key)}`
  }

  private pathOf(key: string): string {
    return `${this.folderOf(key)}/${key}`
  }

  private async use<T>(key: string, access: Use, work: (file: DiskFile, open: OpenFile) => Promise<T>): Promise<T> {
    let open = this.files.get(key)
    if (open === undefined || (access === 'write' && open.access === 'read')) {
      this.forget(key)
      open = {
        access,
        opening: this.openFile(key, access),
        reads: new WarmReads(),
        file: undefined,
        users: 0,
        usedAt: 0,
        isGone: false,
      }
      this.files.set(key, open)
    }
    open.users++
    try {
      open.file = await open.opening
      return await work(open.file, open)
    } catch (error) {
      if ((open.file === undefined || access === 'write') && this.files.get(key) === open) this.forget(key)
      throw error
    } finally {
      open.users--
      open.usedAt = Date.now()
      if (open.isGone && open.users === 0) void open.file?.close().catch(() => undefined)
      if (this.files.size > OPEN_FILES) this.closeOldest()
    }
  }

  private async openFile(key: string, access: Use): Promise<DiskFile> {
    if (access === 'read') return this.disk.open(this.pathOf(key), 'read')
    const folder = this.folderOf(key)
    if (!this.made.has(folder)) {
      await this.disk.makeFolder(folder)
      await this.disk.syncFolder(this.folder)
      await this.disk.syncFolder(dirname(this.folder))
      this.made.add(folder)
    }
    const file = await this.disk.open(this.pathOf(key), 'write')
    // Also where the file was there: the process that made it may have ended before its name was on the disk.
    await this.disk.syncFolder(folder)
    return file
  }

  /** The file is closed when its last user is done. */
  private forget(key: string): void {
    const open = this.files.get(key)
    if (open === undefined) return
    this.files.delete(key)
    open.isGone = true
    if (open.users === 0) void open.file?.close().catch(() => undefined)
  }

  private closeOldest(): void {
    let oldest: [string, OpenFile] | undefined
    for (const entry of this.files) {
      if (entry[1].users === 0 && (oldest === undefined || entry[1].usedAt < oldest[1].usedAt)) oldest = entry
    }
    if (oldest !== undefined) this.forget(oldest[0])
  }

  private closeIdle(restMs: number): void {
    const before = Date.now() - restMs
    for (const [key, { users, usedAt }] of this.files) if (users === 0 && usedAt <= before) this.forget(key)
  }
}
