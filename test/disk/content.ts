/**
 * The bytes of one file twice: as its readers see them, and as they are on the disk; between the two, the changes that no
 * sync has brought there yet.
 *
 * At a power cut each 512 bytes of such a change are there or not, whatever the order in which they were written, and the
 * size is any between the old and the new one.
 */
import type { Random } from './random.ts'

/** Bytes that a disk writes whole or not at all. */
export const SECTOR_BYTES = 512

interface Write {
  readonly order: number
  readonly at: number
  readonly bytes: Uint8Array
}

interface Cut {
  readonly order: number
  readonly size: number
}

type Change = Write | Cut

/** Bytes that grow; what was never written reads as zeros. */
class Bytes {
  private room: Uint8Array
  size: number

  constructor(bytes: Uint8Array) {
    this.room = bytes.slice()
    this.size = bytes.length
  }

  get all(): Uint8Array {
    return this.room.subarray(0, this.size)
  }

  put(at: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.resize(Math.max(this.size, at + bytes.length))
    this.room.set(bytes, at)
  }

  resize(size: number): void {
    if (size > this.room.length) {
      const larger = new Uint8Array(Math.max(size, this.room.length * 2))
      larger.set(this.all)
      this.room = larger
    }
    if (size < this.size) this.room.fill(0, size, this.size)
    this.size = size
  }
}

function apply(to: Bytes, change: Change): void {
  if ('bytes' in change) to.put(change.at, change.bytes)
  else to.resize(change.size)
}

/** The parts of a change that lie outside of a range of bytes; all of a change of the size. */
function without(change: Change, from: number, to: number): Change[] {
  if ('size' in change) return [change]
  const { order, at, bytes } = change
  const end = at + bytes.length
  if (to <= at || end <= from) return [change]
  const parts: Change[] = []
  if (at < from) parts.push({ order, at, bytes: bytes.subarray(0, from - at) })
  if (to < end) parts.push({ order, at: to, bytes: bytes.subarray(to - at) })
  return parts
}

/** Parts of a change that the disk writes whole or not at all. */
function* sectorsOf(at: number, bytes: Uint8Array): Generator<{ at: number; bytes: Uint8Array }> {
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((at + from) % SECTOR_BYTES))
    yield { at: at + from, bytes: bytes.subarray(from, to) }
    from = to
  }
}

export class Content {
  private readonly seen: Bytes
  private readonly stored: Bytes
  private changes: Change[] = []
  private orders = 0

  constructor(bytes: Uint8Array = new Uint8Array()) {
    this.seen = new Bytes(bytes)
    this.stored = new Bytes(bytes)
  }

  /** The bytes as readers see them; a view. */
  get bytes(): Uint8Array {
    return this.seen.all
  }

  get size(): number {
    return this.seen.size
  }

  /** The number of the last change; `sync` takes it. */
  get order(): number {
    return this.orders
  }

  write(at: number, bytes: Uint8Array): void {
    this.change({ order: ++this.orders, at, bytes: bytes.slice() })
  }

  truncate(size: number): void {
    this.change({ order: ++this.orders, size })
  }

  private change(change: Change): void {
    apply(this.seen, change)
    this.changes.push(change)
  }

  /** Writes bytes and brings them to the disk, with all changes of the size. Other writes stay under way. */
  writeThrough(at: number, bytes: Uint8Array): void {
    apply(this.seen, { order: ++this.orders, at, bytes })
    this.settleSizes()
    this.stored.put(at, bytes)
    this.changes = this.changes.flatMap((change) => without(change, at, at + bytes.length))
  }

  private settleSizes(): void {
    for (const cut of this.changes) {
      if (!('size' in cut)) continue
      apply(this.stored, cut)
      this.changes = this.changes.flatMap((change) =>
        change.order < cut.order ? without(change, cut.size, Number.POSITIVE_INFINITY) : [change],
      )
    }
    this.changes = this.changes.filter((change) => 'bytes' in change)
  }

  /** Brings the changes up to one to the disk. */
  sync(order: number): void {
    for (const change of this.changes) if (change.order <= order) apply(this.stored, change)
    this.changes = this.changes.filter((change) => change.order > order)
  }

  /**
   * Gives up the changes behind one that a sync should have brought to the disk: some are there, and no later sync brings the
   * others. Readers see all of them for as long as the memory of the system holds them, and then what is on the disk.
   */
  abandon(random: Random, behind = 0): void {
    const lost = this.changes.filter((change) => change.order > behind)
    this.changes = this.changes.filter((change) => change.order <= behind)
    this.draw(lost, random)
    if (random.chance(0.5)) return
    this.seen.resize(0)
    this.seen.put(0, this.stored.all)
    for (const change of this.changes) apply(this.seen, change)
  }

  /** The file as it is on the disk after a power cut. */
  cut(random: Random): Content {
    this.draw(this.changes, random)
    this.changes = []
    return new Content(this.stored.all)
  }

  /** Turns one bit over, in what is on the disk and in what readers see. */
  flip(bit: number): void {
    for (const bytes of [this.seen.all, this.stored.all]) {
      const at = bit >> 3
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
    }
  }

  /** Draws lots for each sector of changes, and for the size. */
  private draw(changes: readonly Change[], random: Random): void {
    if (changes.length === 0) return
    const before = this.stored.size
    const full = changes.reduce(
      (size, change) => ('bytes' in change ? Math.max(size, change.at + change.bytes.length) : change.size),
      before,
    )
    for (const change of changes) {
      if ('size' in change) {
        if (random.chance(0.5)) apply(this.stored, change)
        continue
      }
      // All, none, and some of them: the first two come seldom by single lots.
      const share = random.pick([0, 0.5, 0.9, 1])
      for (const sector of sectorsOf(change.at, change.bytes)) {
        if (random.chance(share)) this.stored.put(sector.at, sector.bytes)
      }
    }
    if (full <= before) return
    const size = random.pick([full, this.stored.size, random.between(before, full)])
    if (size > before || this.stored.size > before) this.stored.resize(Math.max(size, before))
  }
}
