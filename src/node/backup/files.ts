/** Files of a backup: read in pieces and summed, written behind what they have, and brought to the disk together. */
import { closeSync, fsync, fsyncSync, openSync, readSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { sumOf } from '../../objects/checksum.ts'

/** Bytes that are read at a time: whole blocks of checksums. */
export const PIECE_BYTES = 1024 * 1024
/** Files that are open until they are on the disk. */
const OPEN_FILES = 64

const syncFile = promisify(fsync)

/** Reads as many bytes as there are for `bytes`; gives their number. */
export function readAllSync(fd: number, bytes: Uint8Array, at: number): number {
  let got = 0
  while (got < bytes.length) {
    const more = readSync(fd, bytes, got, bytes.length - got, at + got)
    if (more === 0) break
    got += more
  }
  return got
}

/** Writes all of some bytes, also where the disk takes them bit by bit. */
export function writeAllSync(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
}

/** The pieces of a part of a file, one after the other, fewer where it ends before; the memory of each is used again. */
export function* piecesOf(fd: number, from: number, to: number): Generator<Uint8Array<ArrayBuffer>> {
  const memory = new Uint8Array(Math.min(PIECE_BYTES, to - from))
  for (let at = from; at < to; ) {
    const piece = memory.subarray(0, Math.min(memory.length, to - at))
    const got = readAllSync(fd, piece, at)
    if (got === 0) return
    yield piece.subarray(0, got)
    at += got
  }
}

/** The bytes of a file up to `size`, and their checksum. */
export function sumOfFile(path: string, size: number): { readonly size: number; readonly sum: number } {
  const fd = openSync(path, 'r')
  try {
    let [bytes, sum] = [0, 0]
    for (const piece of piecesOf(fd, 0, size)) {
      bytes += piece.length
      sum = sumOf(piece, sum)
    }
    return { size: bytes, sum }
  } finally {
    closeSync(fd)
  }
}

/** Waits until a file, or the names in a folder, are on the disk. */
export function syncPath(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Writes a file that is there whole or not at all. */
export function writeWhole(path: string, text: string): void {
  const partial = `${path}.partial`
  writeFileSync(partial, text, { mode: 0o600 })
  syncPath(partial)
  renameSync(partial, path)
  syncPath(dirname(path))
}

/** Files that were written, which go to the disk many at a time: each by itself would wait for it once. */
export class WrittenFiles {
  private readonly files: number[] = []
  private readonly folders = new Set<string>()

  /** Takes an open file over, which lies in `folder`. */
  async add(fd: number, folder: string): Promise<void> {
    this.files.push(fd)
    this.folders.add(folder)
    if (this.files.length >= OPEN_FILES) await this.sync()
  }

  async sync(): Promise<void> {
    const files = this.files.splice(0)
    try {
      await Promise.all(files.map((fd) => syncFile(fd)))
    } finally {
      for (const fd of files) closeSync(fd)
    }
    for (const folder of this.folders) {
      syncPath(folder)
      syncPath(dirname(folder))
    }
    this.folders.clear()
  }
}
