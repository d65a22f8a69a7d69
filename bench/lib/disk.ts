/** Bytes that a process has written to its disk, by the kernel's count (`/proc/PID/io`). */
import { readFileSync } from 'node:fs'

/** Milliseconds between two looks. */
const LOOK_MS = 20

/** Bytes that a process, all its threads, has written; those that were taken back before they reached the disk do not count. */
export function writtenBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8')
  const count = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1])
  return count('write_bytes') - count('cancelled_write_bytes')
}

/**
 * Resolves to true when a process has written nothing for `quietMs`; to false after `mostMs`, when it still writes.
 */
export async function atRest(pid: number, quietMs: number, mostMs = 30_000): Promise<boolean> {
  const begun = performance.now()
  let written = writtenBytes(pid)
  let since = begun
  while (performance.now() - since < quietMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    const now = writtenBytes(pid)
    if (now !== written) since = performance.now()
    written = now
    if (performance.now() - begun > mostMs) return false
  }
  return true
}
