/**
 * Reads of bytes that the system most likely has in memory: at once, as long as they are as quick as that.
 *
 * A read that goes through the pool of threads takes ten times as long as the copy of some KiB, and leaves the bytes in
 * another processor's cache, where verifying them costs more than copying. One that turns out to wait for the disk holds up
 * everybody; so the next ones of its file go through the pool for a while.
 */
import { type DiskFile, readAll, readAllNow } from './disk.ts'
import type { Bytes } from './objects.ts'

/** Bytes that are read at once at most. */
const AT_ONCE_BYTES = 1024 * 1024
/** A read was slow when it took more than this: milliseconds, and milliseconds for each byte. */
const SLOW_MS = 1
const SLOW_MS_A_BYTE = 2e-6
/** Milliseconds for which a file's reads go through the pool after a slow one. */
const COLD_MS = 2_000

/** Memory that nobody has written yet: the read does. */
export function unwritten(bytes: number): Bytes {
  const { buffer } = Buffer.allocUnsafeSlow(bytes)
  return new Uint8Array(buffer)
}

/** The reads of a file. */
export class WarmReads {
  private coldUntil = 0

  /** Reads so many bytes, or those that there are. */
  async read(file: DiskFile, at: number, length: number): Promise<Bytes> {
    const bytes = unwritten(length)
    const begun = performance.now()
    if (length > AT_ONCE_BYTES || begun < this.coldUntil) return bytes.subarray(0, await readAll(file, bytes, at))
    const got = readAllNow(file, bytes, at)
    const took = performance.now() - begun
    if (took > SLOW_MS + length * SLOW_MS_A_BYTE) this.coldUntil = begun + took + COLD_MS
    return bytes.subarray(0, got)
  }
}
