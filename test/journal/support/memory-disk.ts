/** A disk in memory whose writes a test may cut short, let fail or hold up. */
import { dirname } from 'node:path'
import type { Access, Disk, DiskFile } from '../../../src/objects/disk.ts'

export interface Write {
  readonly path: string
  readonly at: number
  readonly size: number
}

/** The fate of a write: so many bytes of it reach the disk, and then it fails where there is an error. */
export interface Fate {
  readonly taken?: number
  readonly error?: Error
}

type Call = 'open' | 'read' | 'syncFolder' | 'remove' | 'close'

export function diskError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

export class MemoryDisk implements Disk {
  readonly files: Map<string, Uint8Array>
  readonly writes: Write[] = []
  /** Files that are open, by path; closing one twice is an error. */
  readonly opened = new Map<DiskFile, string>()
  /** Decides on each write; all of it reaches the disk where nothing is returned. */
  onWrite: (write: Write) => Fate | undefined | Promise<Fate | undefined> = () => undefined
  /** Decides on each other call: it fails where an error is returned. */
  onCall: (call: Call, path: string) => Error | undefined = () => undefined

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.files = new Map([...files].map(([path, bytes]) => [path, bytes.slice()]))
  }

  /** The disk as another process finds it. */
  copy(): MemoryDisk {
    return new MemoryDisk(this.files)
  }

  private call(call: Call, path: string): void {
    const error = this.onCall(call, path)
    if (error !== undefined) throw error
  }

  async open(path: string, access: Access): Promise<DiskFile> {
    this.call('open', path)
    if (!this.files.has(path)) {
      if (access === 'read') throw diskError('ENOENT')
      this.files.set(path, new Uint8Array())
    }
    const file = this.fileOf(path, access)
    this.opened.set(file, path)
    return file
  }

  private fileOf(path: string, access: Access): DiskFile {
    const bytes = () => this.files.get(path) ?? new Uint8Array()
    const readNow = (into: Uint8Array, at: number) => {
      this.call('read', path)
      if (!this.opened.has(file)) throw diskError('EBADF')
      const part = bytes().subarray(at, at + into.length)
      into.set(part)
      return part.length
    }
    const file: DiskFile = {
      read: async (into, at) => readNow(into, at),
      readNow,
      write: async (pieces, at) => {
        if (access !== 'durable' || !this.opened.has(file)) throw diskError('EBADF')
        return this.write(path, Buffer.concat(pieces), at)
      },
      sync: async () => undefined,
      truncate: async (size) => this.put(path, bytes().slice(0, size)),
      size: async () => bytes().length,
      close: async () => {
        if (!this.opened.delete(file)) throw new Error(`"${path}" was closed twice`)
        this.call('close', path)
      },
    }
    return file
  }

  private async write(path: string, data: Uint8Array, at: number): Promise<number> {
    const write = { path, at, size: data.length }
    this.writes.push(write)
    const fate = await this.onWrite(write)
    const taken = data.subarray(0, fate?.taken)
    const old = this.files.get(path) ?? new Uint8Array()
    const grown = new Uint8Array(Math.max(old.length, at + taken.length))
    grown.set(old)
    grown.set(taken, at)
    this.put(path, grown)
    if (fate?.error !== undefined) throw fate.error
    return taken.length
  }

  private put(path: string, bytes: Uint8Array): void {
    this.files.set(path, bytes)
  }

  async remove(path: string): Promise<void> {
    this.call('remove', path)
    this.files.delete(path)
  }

  async list(folder: string): Promise<readonly string[]> {
    return [...this.files.keys()]
      .filter((path) => dirname(path) === folder)
      .map((path) => path.slice(folder.length + 1))
  }

  async makeFolder(): Promise<void> {}

  async syncFolder(folder: string): Promise<void> {
    this.call('syncFolder', folder)
  }
}
