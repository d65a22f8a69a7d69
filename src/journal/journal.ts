/**
 * The journal: small batches are durable when their group is on the disk, all that wait sharing one write.
 *
 * A group gathers while the one before it is written. Segments that nothing needs any more are written again: to overwrite a
 * file waits for its data alone, to extend one for the file system's own journal as well.
 *
 * When a write fails, nobody knows what of it is on the disk. So its segment is left, and the next one says in its head
 * where the good part of the segment before ended.
 */
import { randomBytes } from 'node:crypto'
import { McbError } from '../core/errors.ts'
import { type Disk, writeAll } from '../objects/disk.ts'
import { Arena, GROUP_BYTES, type NewRecord, type Settle, sizeOfRecord } from './arena.ts'
import { SEGMENT_HEAD, type SegmentHead, sealOf, seedIn, segmentHeadOf } from './format.ts'
import { type Place, SEGMENT_BYTES, SEGMENT_RECORDS, Segment, type SegmentFile, segmentName } from './segment.ts'

/** Bytes of a batch's draws from which on it does not belong into a journal. */
const JOURNAL_BYTES = 256 * 1024
/** Segments, and records that they hold. */
interface Extent {
  readonly segments: number
  readonly records: number
}

export interface JournalSize {
  /** Bytes of a segment. */
  readonly segmentBytes: number
  /** In use, from which on the oldest is to be emptied: a burst is folded when it is over. */
  readonly pressed: Extent
  /** In use at most: appends wait for the oldest to be emptied. */
  readonly most: Extent
  /** Segments that are kept to be written again, and after a rest. */
  readonly free: number
  readonly rested: number
}

const SIZE: JournalSize = {
  segmentBytes: SEGMENT_BYTES,
  pressed: { segments: 16, records: 192 * 1024 },
  most: { segments: 24, records: 512 * 1024 },
  free: 16,
  rested: 4,
}
/** Milliseconds without an append after which the disk of others is given back. */
const REST_MS = 60_000
/** Milliseconds that an append waits for that. */
const ROOM_MS = 20_000
/** Milliseconds between two looks at a journal that others write to, after a write that failed. */
const UNSURE_MS = 5
/** Milliseconds without an append after which a last group says that all before it were on the disk. */
const IDLE_MS = 250

export interface JournalOptions {
  readonly disk: Disk
  readonly folder: string
  /** State that a replay has found. */
  readonly state: JournalState
  /** Called before appends are rejected, since those behind them fail as well. */
  readonly lost: () => void
  /** Called when segments are to be emptied: each holds records until they are released. */
  readonly pressed: (oldest: Segment) => void
  /** Called with the seconds that a group has waited for the disk. */
  readonly timed?: ((seconds: number) => void) | undefined
  /** Another size, for tests. */
  readonly size?: JournalSize | undefined
}

/** Segments of a journal as it is found. */
export interface JournalState {
  /** Sequence of the next segment. */
  readonly sequence: number
  /** The last one: its sequence, and where its good part ended. 0 for both where there is none. */
  readonly previous: Pick<SegmentHead, 'previous' | 'previousEnd'>
  /** Slots of files that nothing needs. */
  readonly free: readonly number[]
  /** Slot that no file has had yet. */
  readonly slot: number
}

interface Queued {
  readonly record: NewRecord
  readonly bytes: number
  readonly settle: Settle
}

/** The segment that groups go to. */
interface Current {
  readonly segment: Segment
  /** Its head, which the first write brings along. */
  readonly head: Uint8Array
  /** Sequence of the oldest segment that the head names as needed. */
  readonly oldest: number
  groups: number
  records: number
  /** Byte at which the next write begins; 0 before the first, which writes the head as well. */
  position: number
}

export class Journal {
  private readonly options: JournalOptions
  private readonly size: JournalSize
  private current: Current | undefined
  /** Segments that hold records, oldest first, with the present one. */
  private readonly used: Segment[] = []
  /** Segments before those, which a replay would still look for: the newest head names them. */
  private emptied: Segment[] = []
  private readonly free: number[]
  /** Slots whose files were removed, and removals on their way, one after the other. */
  private readonly removed: number[] = []
  private removing: Promise<void> = Promise.resolve()
  private slot: number
  private sequence: number
  private previous: JournalState['previous']
  private arena = new Arena()
  private spare = new Arena()
  private queue: Queued[] = []
  private running: Promise<void> | undefined
  private room: PromiseWithResolvers<void> | undefined
  private idle: NodeJS.Timeout | undefined
  private isSealed = true
  /** True after a write that failed: a replay might find what was refused, until another segment has begun. */
  private isUnsure = false
  private isClosed = false

  constructor(options: JournalOptions) {
    this.options = options
    this.size = options.size ?? SIZE
    this.free = [...options.state.free]
    this.slot = options.state.slot
    this.sequence = options.state.sequence
    this.previous = options.state.previous
  }

  /** Takes over a segment that a replay has found; the oldest first. Its records are held, and then it is finished. */
  adopt(found: SegmentFile): Segment {
    const segment = new Segment(found, this.whenFree)
    this.used.push(segment)
    return segment
  }

  /** True while appends are on their way to the disk. */
  get isBusy(): boolean {
    return this.running !== undefined
  }

  /** True where a batch fits. */
  static takes(record: NewRecord): boolean {
    return record.size < JOURNAL_BYTES && sizeOfRecord(record) <= GROUP_BYTES / 4
  }

  /**
   * Resolves when the batch is on the disk. Its draws are copied before this returns, or before it resolves where many wait.
   *
   * @throws McbError `storage_unavailable`
   */
  append(record: NewRecord): Promise<Place> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) {
        this.options.lost()
        throw new McbError('storage_unavailable', 'the journal is closed', { retryAfter: 5 })
      }
      const queued = { record, bytes: sizeOfRecord(record), settle: { resolve, reject } }
      if (this.queue.length > 0 || !this.arena.hasRoomFor(queued.bytes)) this.queue.push(queued)
      else this.arena.add(record, queued.bytes, queued.settle)
      // Appends of one turn of the event loop go together.
      this.running ??= this.run(nextTurn())
    })
  }

  /**
   * Resolves when no replay finds what was refused: draws that go elsewhere may take its place.
   *
   * @throws McbError `storage_unavailable`
   */
  async makeSure(): Promise<void> {
    // Others may write for ever, and the first of them that succeeds is enough.
    while (this.isUnsure && this.running !== undefined) await pause(UNSURE_MS)
    if (!this.isUnsure) return
    if (!this.isClosed) {
      this.running = this.run(this.beginAnother())
      await this.running
    }
    if (this.isUnsure) throw unavailable(new Error('no segment of the journal could be begun'))
  }

  /** Waits for all appends, and says in the journal that they are on the disk. There are no appends after it. */
  async close(): Promise<void> {
    this.isClosed = true
    await this.running
    this.sayIdle()
    await this.running
    clearTimeout(this.idle)
    await this.removing
    // A segment that is released later finds itself gone, and closes nothing.
    for (const { file } of this.used.splice(0)) await file.close().catch(() => undefined)
  }

  /** Writes groups until no append waits. Between the last look at them and the end of `running` nothing else happens. */
  private async run(first: Promise<void>): Promise<void> {
    clearTimeout(this.idle)
    await first
    while (!this.arena.isEmpty) await this.writeNext()
    this.running = undefined
    const isAtRest = this.isSealed || this.current === undefined
    this.idle = isAtRest ? setTimeout(this.rest, REST_MS) : setTimeout(this.sayIdle, IDLE_MS)
    this.idle.unref()
  }

  private async writeNext(): Promise<void> {
    const group = this.arena
    this.arena = this.spare
    this.spare = group
    this.fillArena()
    try {
      await this.writeGroup(group)
    } catch (error) {
      this.fail(group, error)
    }
    this.fillArena()
  }

  private fillArena(): void {
    let taken = 0
    for (const { record, bytes, settle } of this.queue) {
      if (!this.arena.hasRoomFor(bytes)) break
      this.arena.add(record, bytes, settle)
      taken++
    }
    if (taken > 0) this.queue.splice(0, taken)
  }

  private async writeGroup(group: Arena): Promise<void> {
    const current = await this.segmentFor(group)
    const { segment, position } = current
    const bytes = group.seal(current.groups, segment.seed)
    const begun = performance.now()
    await writeAll(segment.file, position === 0 ? [current.head, bytes] : [bytes], position)
    this.options.timed?.((performance.now() - begun) / 1000)
    const begin = Math.max(position, SEGMENT_HEAD)
    current.groups++
    current.records += group.records
    current.position = begin + bytes.length
    segment.end = current.position
    this.isSealed = false
    if (position === 0) this.hasBegun(current)
    group.resolve(segment, begin)
  }

  /** The segment that a group goes to. */
  private async segmentFor({ bytes }: Arena): Promise<Current> {
    const { current } = this
    const hasRoom = current !== undefined && current.position + bytes <= this.size.segmentBytes
    if (hasRoom && current.records < SEGMENT_RECORDS) return current
    this.leave()
    await this.waitForRoom()
    const slot = this.free.shift() ?? this.removed.shift() ?? this.slot++
    const file = await this.openSlot(slot)
    // Never a second time, though nothing of it may come to be.
    const sequence = this.sequence++
    const oldest = this.used[0]?.sequence ?? sequence
    const salt = randomBytes(8).readBigUInt64LE()
    const head = segmentHeadOf({ sequence, oldest, ...this.previous, salt })
    const segment = new Segment({ slot, sequence, seed: seedIn(head), file, end: 0 }, this.whenFree)
    this.used.push(segment)
    this.current = { segment, head, oldest, groups: 0, records: 0, position: 0 }
    return this.current
  }

  private async openSlot(slot: number): Promise<Segment['file']> {
    const { disk, folder } = this.options
    let file: Segment['file'] | undefined
    try {
      file = await disk.open(`${folder}/${segmentName(slot)}`, 'durable')
      await disk.syncFolder(folder)
      return file
    } catch (error) {
      closeQuietly(file)
      this.free.push(slot)
      throw error
    }
  }

  /** Nothing more is written to the present segment. */
  private leave(): void {
    const { current } = this
    if (current === undefined) return
    this.current = undefined
    const { segment } = current
    // Without a group nothing is on the disk that the next segment would have to name.
    if (current.groups === 0) {
      this.used.pop()
      closeQuietly(segment.file)
      this.giveBack(segment.slot)
      return
    }
    this.previous = { previous: segment.sequence, previousEnd: segment.end }
    segment.finish()
    const oldest = this.used[0]
    if (oldest !== undefined && this.exceeds(this.size.pressed)) this.options.pressed(oldest)
  }

  /** True when as much as this is in use. */
  private exceeds({ segments, records }: Extent): boolean {
    return this.used.length >= segments || this.used.reduce((n, segment) => n + segment.users, 0) >= records
  }

  private async waitForRoom(): Promise<void> {
    const [oldest] = this.used
    if (oldest === undefined || !this.exceeds(this.size.most)) return
    this.room = Promise.withResolvers()
    this.options.pressed(oldest)
    const timer = setTimeout(() => {
      const detail = 'the journal is full: what it holds could not be moved in time'
      this.room?.reject(new McbError('storage_unavailable', detail, { retryAfter: 5 }))
    }, ROOM_MS)
    try {
      await this.room.promise
    } finally {
      clearTimeout(timer)
      this.room = undefined
    }
  }

  /** Segments are emptied in their order, so that those between the oldest and the newest are always there. */
  private readonly whenFree = (): void => {
    for (let oldest = this.used[0]; oldest?.isFree; oldest = this.used[0]) {
      this.used.shift()
      closeQuietly(oldest.file)
      this.emptied.push(oldest)
    }
    if (!this.exceeds(this.size.most)) this.room?.resolve()
    const [oldest] = this.used
    if (oldest !== undefined && this.exceeds(this.size.pressed)) this.options.pressed(oldest)
  }

  /** The head of the newest segment is on the disk: a replay looks for nothing before the oldest that it names. */
  private hasBegun({ oldest }: Current): void {
    this.isUnsure = false
    const emptied = this.emptied.filter(({ sequence }) => sequence < oldest)
    this.emptied = this.emptied.filter(({ sequence }) => sequence >= oldest)
    for (const { slot } of emptied) this.giveBack(slot)
  }

  private giveBack(slot: number, most = this.size.free): void {
    if (this.free.length < most) this.free.push(slot)
    else this.removing = this.removing.then(() => this.remove(slot))
  }

  /** Removes a file. It is emptied first: the index may have it open, and would keep its disk. */
  private async remove(slot: number): Promise<void> {
    const { disk, folder } = this.options
    const path = `${folder}/${segmentName(slot)}`
    try {
      const file = await disk.open(path, 'write')
      await file.truncate(0).finally(() => closeQuietly(file))
      await disk.remove(path)
      // The index closes what it has open when it reads another file of the name.
      this.removed.push(slot)
    } catch {
      // The next start finds it, and writes it again.
    }
  }

  /** All that wait fail with the group, since those of the same chains lie behind it. */
  private fail(group: Arena, error: unknown): void {
    // Without a segment nothing was written.
    if (this.current !== undefined) this.isUnsure = true
    this.leave()
    const failure = unavailable(error)
    this.options.lost()
    const { queue } = this
    this.queue = []
    group.reject(failure)
    this.arena.reject(failure)
    for (const { settle } of queue) settle.reject(failure)
  }

  /** Writes a seal: who finds it knows that the group before it was on the disk. */
  private readonly sayIdle = (): void => {
    const { current } = this
    if (current === undefined || this.isSealed || this.running !== undefined) return
    this.running = this.run(this.writeSeal(current))
  }

  /** Removes files that a burst has left. */
  private readonly rest = (): void => {
    if (this.running !== undefined) return
    if (this.emptied.length + this.free.length > this.size.rested) this.running = this.run(this.removeFiles())
    else if (this.used.length > 1) this.idle = setTimeout(this.rest, REST_MS).unref()
  }

  private async removeFiles(): Promise<void> {
    // A replay looks for those that were emptied until the head of another segment says that they are not needed.
    if (this.emptied.length > 0) await this.beginAnother()
    for (const slot of this.free.splice(this.size.rested)) this.giveBack(slot, 0)
  }

  private async beginAnother(): Promise<void> {
    this.leave()
    try {
      const current = await this.segmentFor(this.arena)
      const seal = sealOf(0, current.segment.seed)
      await writeAll(current.segment.file, [current.head, seal], 0)
      current.groups++
      current.position = SEGMENT_HEAD + seal.length
      current.segment.end = current.position
      this.hasBegun(current)
    } catch {
      // As in `writeSeal`.
      this.leave()
    }
  }

  private async writeSeal(current: Current): Promise<void> {
    this.isSealed = true
    const bytes = sealOf(current.groups, current.segment.seed)
    try {
      await writeAll(current.segment.file, [bytes], current.position)
      current.groups++
      current.position += bytes.length
      current.segment.end = current.position
    } catch {
      // Nobody waits for it, and all that was acknowledged is on the disk.
      this.leave()
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function closeQuietly(file: Segment['file'] | undefined): void {
  void file?.close().catch(() => undefined)
}

function unavailable(error: unknown): McbError {
  if (error instanceof McbError) return error
  const cause = error instanceof Error ? error : new Error(String(error))
  return new McbError(
    'storage_unavailable',
    'the storage cannot take this now; nothing was changed',
    { retryAfter: 5 },
    { cause },
  )
}
