/** Parts of objects that are read together into memory of one piece, and verified as they come. */
import { BLOCK_BYTES, firstDamaged } from './checksum.ts'
import type { Bytes, Objects, Together } from './objects.ts'
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

/** A part, and the memory that its bytes come to. */
interface Wanted {
  readonly part: Part
  readonly bytes: Bytes
  state: PartState
}

/** @throws McbError `storage_unavailable` */
export async function readParts(objects: Objects, parts: readonly Part[]): Promise<PartsRead> {
  const memory = unwritten(parts.reduce((n, { length }) => n + length, 0))
  let end = 0
  const wanted = parts.map((part): Wanted => {
    const bytes = memory.subarray(end, end + part.length)
    end += part.length
    return { part, bytes, state: 'missing' }
  })
  const { together } = objects
  // All at once: a disk takes several requests at a time.
  if (together === undefined) await Promise.all(wanted.map((one) => fill(objects, one)))
  else await abreast(joined(wanted, together), together.atOnce, (some) => fillTogether(objects, some))
  return { memory, states: wanted.map(({ state }) => state) }
}

async function fill(objects: Objects, wanted: Wanted): Promise<void> {
  const { part, bytes } = wanted
  const verification = new Verification(part.sums)
  const got = await objects.get(part.key, part.at, bytes, (some) => verification.came(some))
  if (got === undefined) wanted.state = 'missing'
  else if (got < bytes.length) wanted.state = 'short'
  else wanted.state = verification.isIntact(bytes) ? 'intact' : 'damaged'
}

/** Parts that are read in one: they are of one object, and lie close together in it, by their place. */
function joined(wanted: readonly Wanted[], { gap, most }: Together): Wanted[][] {
  const groups: Wanted[][] = []
  for (const ofKey of Map.groupBy(wanted, ({ part }) => part.key).values()) {
    let begin = 0
    let end = Number.NEGATIVE_INFINITY
    for (const one of ofKey.sort((a, b) => a.part.at - b.part.at)) {
      const { at, length } = one.part
      const fits = at - end <= gap && Math.max(end, at + length) - begin <= most
      if (fits) groups.at(-1)?.push(one)
      else {
        groups.push([one])
        begin = at
      }
      end = fits ? Math.max(end, at + length) : at + length
    }
  }
  return groups
}

async function fillTogether(objects: Objects, group: readonly Wanted[]): Promise<void> {
  const [first] = group
  if (first === undefined) return
  if (group.length === 1) return fill(objects, first)
  const begin = first.part.at
  const size = Math.max(...group.map(({ part }) => part.at + part.length)) - begin
  const bytes = unwritten(size)
  const got = await objects.get(first.part.key, begin, bytes)
  for (const one of group) {
    const at = one.part.at - begin
    if (got === undefined) one.state = 'missing'
    else if (got < at + one.part.length) one.state = 'short'
    else {
      one.bytes.set(bytes.subarray(at, at + one.part.length))
      one.state = new Verification(one.part.sums).isIntact(one.bytes) ? 'intact' : 'damaged'
    }
  }
}

/** Does work for each of some, `most` at a time. */
async function abreast<T>(all: readonly T[], most: number, work: (one: T) => Promise<void>): Promise<void> {
  const left = all.values()
  const lane = async () => {
    for (const one of left) await work(one)
  }
  await Promise.all(Array.from({ length: Math.min(most, all.length) }, lane))
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
