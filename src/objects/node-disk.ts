/** The disk of Node: https://nodejs.org/api/fs.html */
import {
  close,
  constants,
  fdatasync,
  fstat,
  fsync,
  ftruncate,
  open,
  promises,
  read,
  readSync,
  rm,
  writev,
} from 'node:fs'
import { promisify } from 'node:util'
import { type Access, type Disk, type DiskFile, isMissing } from './disk.ts'

const { O_CREAT, O_DSYNC, O_RDONLY, O_RDWR } = constants
/** With O_DSYNC a write and its wait for the disk are one task of the thread pool instead of two. */
const FLAGS: Readonly<Record<Access, number>> = {
  read: O_RDONLY,
  write: O_RDWR | O_CREAT,
  durable: O_RDWR | O_CREAT | O_DSYNC,
}
/** Pieces that one call of the system takes. https://man7.org/linux/man-pages/man2/writev.2.html */
const MOST_PIECES = 1024

const openFile = promisify(open)
const closeFile = promisify(close)
const syncData = promisify(fdatasync)
const syncAll = promisify(fsync)
const cut = promisify(ftruncate)
const removeFile = promisify(rm)
const stat = promisify(fstat)

class NodeFile implements DiskFile {
  private readonly fd: number

  constructor(fd: number) {
    this.fd = fd
  }

  // Not promisify: these two are on the way of every draw, and a promise of an object costs more than one of a number.
  read(bytes: Uint8Array, at: number): Promise<number> {
    return new Promise((resolve, reject) =>
      read(this.fd, bytes, 0, bytes.length, at, (error, got) => (error ? reject(error) : resolve(got))),
    )
  }

  readNow(bytes: Uint8Array, at: number): number {
    return readSync(this.fd, bytes, 0, bytes.length, at)
  }

  write(pieces: readonly Uint8Array[], at: number): Promise<number> {
    const some = pieces.length > MOST_PIECES ? pieces.slice(0, MOST_PIECES) : pieces
    return new Promise((resolve, reject) =>
      writev(this.fd, some, at, (error, taken) => (error ? reject(error) : resolve(taken))),
    )
  }

  sync(): Promise<void> {
    return syncData(this.fd)
  }

  truncate(size: number): Promise<void> {
    return cut(this.fd, size)
  }

  async size(): Promise<number> {
    const { size } = await stat(this.fd)
    return size
  }

  close(): Promise<void> {
    return closeFile(this.fd)
  }
}

export const nodeDisk: Disk = {
  async open(path, access) {
    return new NodeFile(await openFile(path, FLAGS[access], 0o600))
  },

  remove(path) {
    return removeFile(path, { force: true })
  },

  async list(folder) {
    try {
      return await promises.readdir(folder)
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  },

  async makeFolder(folder) {
    await promises.mkdir(folder, { recursive: true })
  },

  async syncFolder(folder) {
    const fd = await openFile(folder, O_RDONLY)
    try {
      await syncAll(fd)
    } finally {
      await closeFile(fd)
    }
  },
}
