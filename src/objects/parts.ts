/** Parts of objects that are read together into memory of one piece, and verified as they come. */
import { BLOCK_BYTES, firstDamaged } from './checksum.ts'
import type { Bytes, Objects } from './objects.ts'
import { unwritten } from './warm.ts'

export interface Part {
  readonly key: string
  readonly at: number
  readonly length: number
  /** Checksums of its bytes. */
  readonly sums: Bytes
}

export type PartState = 'intact' | 'damaged' | 'short' | 'missing'

export interface PartsRead {
  /** The bytes of the parts, one after the other. */
  readonly memory: Bytes
  readonly states: readonly PartState[]
}

/** @throws McbError `storage_unavailable` */
export async function readParts(objects: Objects, parts: readonly Part[]): Promise<PartsRead> {
  const memory = unwritten(parts.reduce((n, { length }) => n + length, 0))
  let end = 0
  // All at once: the disk takes several requests at a time.
  const states = await Promise.all(
    parts.map((part) => {
      const bytes = memory.subarray(end, end + part.length)
      end += part.length
      return fill(objects, part, bytes)
    }),
  )
  return { memory, states }
}

async function fill(objects: Objects, { key, at, sums }: Part, bytes: Bytes): Promise<PartState> {
  const verification = new Verification(sums)
  const got = await objects.get(key, at, bytes, (some) => verification.came(some))
  if (got === undefined) return 'missing'
  if (got < bytes.length) return 'short'
  return verification.isIntact(bytes) ? 'intact' : 'damaged'
}

/** Verifies bytes as they come: while they are in the processor's cache it costs half as much. */
class Verification {
  private readonly sums: Bytes
  private verified = 0
  private isDamaged = false

  constructor(sums: Bytes) {
    this.sums = sums
  }

  came(bytes: Bytes): void {
    const blocks = Math.floor(bytes.length / BLOCK_BYTES)
    this.verify(bytes.subarray(0, blocks * BLOCK_BYTES))
    this.verified = blocks
  }

  /** True when all of these bytes, of which some have come before, are as they were written. */
  isIntact(bytes: Bytes): boolean {
    this.verify(bytes)
    return !this.isDamaged
  }

  private verify(bytes: Bytes): void {
    if (firstDamaged(bytes, this.sums, this.verified) >= 0) this.isDamaged = true
  }
}
