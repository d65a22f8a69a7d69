/**
 * Files and folders of a disk as the storage needs them, so that tests can put a disk that fails in their place.
 *
 * Errors are those of the platform: an Error with a `code` such as ENOENT, ENOSPC or EIO.
 */

/** Access to a file: `read` alone; `write`, which makes it where it is missing; `durable` the same, and each write waits for the disk. */
export type Access = 'read' | 'write' | 'durable'

export interface DiskFile {
  /** Reads into `bytes` from byte `at` on; resolves to the bytes that came, which are fewer at the end of the file. */
  read(bytes: Uint8Array, at: number): Promise<number>
  /** The same, at once: for a thread that does nothing else, and small reads of what was written lately. */
  readNow(bytes: Uint8Array, at: number): number
  /** Writes pieces one after the other from byte `at` on; resolves to the bytes that were taken, which may be fewer. */
  write(pieces: readonly Uint8Array[], at: number): Promise<number>
  /** Waits until what was written is on the disk. After a failure, what was written since the last success may be lost. */
  sync(): Promise<void>
  /** Cuts the file. */
  truncate(size: number): Promise<void>
  /** Bytes of the file. */
  size(): Promise<number>
  close(): Promise<void>
}

export interface Disk {
  /** @throws an Error with the code ENOENT when a file that is only to be read is missing */
  open(path: string, access: Access): Promise<DiskFile>
  /** Removes a file; one that is missing is no error. */
  remove(path: string): Promise<void>
  /** Names in a folder; none where the folder is missing. */
  list(folder: string): Promise<readonly string[]>
  /** Makes a folder and those above it. */
  makeFolder(folder: string): Promise<void>
  /** Waits until the names in a folder are on the disk. */
  syncFolder(folder: string): Promise<void>
}

/** True for the error of a file or folder that is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** Writes all of the pieces, also where the disk takes them bit by bit. */
export async function writeAll(file: DiskFile, pieces: readonly Uint8Array[], at: number): Promise<void> {
  const size = pieces.reduce((n, piece) => n + piece.length, 0)
  let written = await file.write(pieces, at)
  while (written < size) {
    const more = await file.write(behind(pieces, written), at + written)
    if (more === 0) throw Object.assign(new Error('the disk takes no bytes'), { code: 'EIO' })
    written += more
  }
}

/** The bytes of pieces behind the first `skip`. */
function behind(pieces: readonly Uint8Array[], skip: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let left = skip
  for (const piece of pieces) {
    if (left >= piece.length) left -= piece.length
    else {
      rest.push(piece.subarray(left))
      left = 0
    }
  }
  return rest
}

/** Reads as many bytes as there are for `bytes`; resolves to their number. */
export async function readAll(file: DiskFile, bytes: Uint8Array, at: number): Promise<number> {
  let got = 0
  while (got < bytes.length) {
    const more = await file.read(bytes.subarray(got), at + got)
    if (more === 0) break
    got += more
  }
  return got
}

/** The same, at once. */
export function readAllNow(file: DiskFile, bytes: Uint8Array, at: number): number {
  let got = 0
  while (got < bytes.length) {
    const more = file.readNow(bytes.subarray(got), at + got)
    if (more === 0) break
    got += more
  }
  return got
}
