/**
 * Reads of bytes that the system most likely has in memory: at once, as long as they are as quick as that.
 *
 * A read that goes through the pool of threads takes ten times as long as the copy of some KiB, and leaves the bytes in
 * another processor's cache, where verifying them costs more than copying. One that turns out to wait for the disk holds up
 * everybody; so the next ones of its file go through the pool for a while.
 */
import { type DiskFile, readAll, readAllNow } from './disk.ts'
import type { Bytes, Came } from './objects.ts'

/** Bytes of one read: most of them are in the processor's cache when they are verified. */
const STEP_BYTES = 512 * 1024
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

  /** Fills memory, as far as there are bytes for it; resolves to their number. */
  async read(file: DiskFile, at: number, into: Bytes, came?: Came): Promise<number> {
    let got = 0
    while (got < into.length) {
      const step = into.subarray(got, got + STEP_BYTES)
      const isCold = performance.now() < this.coldUntil
      const more = isCold ? await readAll(file, step, at + got) : this.now(file, step, at + got)
      got += more
      came?.(into.subarray(0, got))
      if (more < step.length) break
    }
    return got
  }

  private now(file: DiskFile, bytes: Bytes, at: number): number {
    const begun = performance.now()
    const got = readAllNow(file, bytes, at)
    const took = performance.now() - begun
    if (took > SLOW_MS + bytes.length * SLOW_MS_A_BYTE) this.coldUntil = begun + took + COLD_MS
    return got
  }
}
