/**
 * The journal: small batches are durable when their group is on the disk, all that wait sharing one write.
 *
 * A group gathers while the one before it is written. Segments that nothing needs any more are written again: to overwrite a
 * file waits for its data alone, to extend one for the file system's own journal as well.
 *
 * When a write fails, nobody knows what of it is on the disk. So its segment is left, and the next one says in its head
 * where the good part of the segment before ended.
 */
import { McbError } from '../core/errors.ts'
import { type Disk, writeAll } from '../objects/disk.ts'
import { Arena, GROUP_BYTES, type NewRecord, type Settle, sizeOfRecord } from './arena.ts'
import { GROUP_HEAD, putGroupHead, putSegmentHead, SEGMENT_HEAD, type SegmentHead, seedOf } from './format.ts'
import { type Place, SEGMENT_BYTES, Segment, segmentName } from './segment.ts'

/** Bytes of a batch's draws from which on it does not belong into a journal. */
export const JOURNAL_BYTES = 256 * 1024
/** Segments in use from which on the oldest is to be emptied. */
const PRESSED_SEGMENTS = 3
/** Segments in use at most: appends wait for the oldest to be emptied. */
const MOST_SEGMENTS = 8
/** Segments that are kept for later though nothing needs them. */
const FREE_SEGMENTS = 4
/** Milliseconds that an append waits for that. */
const ROOM_MS = 20_000
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
  /** Bytes of a segment, for tests. */
  readonly segmentBytes?: number | undefined
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

export class Journal {
  private readonly options: JournalOptions
  private readonly segmentBytes: number
  private current: { readonly segment: Segment; readonly seed: number; groups: number; position: number } | undefined
  /** Segments that hold records, oldest first, with the present one. */
  private readonly used: Segment[] = []
  private readonly free: number[]
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

  constructor(options: JournalOptions) {
    this.options = options
    this.segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.free = [...options.state.free]
    this.slot = options.state.slot
    this.sequence = options.state.sequence
    this.previous = options.state.previous
  }

  /** Takes over a segment that a replay has found records in; the oldest first. */
  adopt(slot: number, sequence: number, file: Segment['file'], end: number): Segment {
    const segment = new Segment(slot, sequence, file, end, this.whenFree)
    this.used.push(segment)
    return segment
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
      const queued = { record, bytes: sizeOfRecord(record), settle: { resolve, reject } }
      if (this.queue.length > 0 || !this.arena.hasRoomFor(queued.bytes)) this.queue.push(queued)
      else this.arena.add(record, queued.bytes, queued.settle)
      if (this.running === undefined) this.running = this.start()
    })
  }

  /** Bytes of the files that hold records. */
  get bytes(): number {
    return this.used.reduce((n, { end }) => n + end, 0)
  }

  /** Waits for all appends, and says in the journal that they are on the disk. */
  async close(): Promise<void> {
    clearTimeout(this.idle)
    await this.running
    await this.sayIdle()
    await this.running
    for (const { file } of this.used) await file.close()
  }

  /** Appends of one turn of the event loop go together. */
  private start(): Promise<void> {
    clearTimeout(this.idle)
    return new Promise((resolve) => {
      setImmediate(async () => {
        await this.writeGroups()
        this.running = undefined
        if (!this.isSealed) this.idle = setTimeout(() => void this.sayIdle(), IDLE_MS).unref()
        resolve()
      })
    })
  }

  private async writeGroups(): Promise<void> {
    while (!this.arena.isEmpty) {
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
    const current = await this.segmentFor(group.bytes)
    const { segment, seed, position } = current
    const bytes = group.seal(current.groups, seed)
    const begun = performance.now()
    await writeAll(segment.file, position === 0 ? [this.headOf(segment), bytes] : [bytes], position)
    this.options.timed?.((performance.now() - begun) / 1000)
    const begin = Math.max(position, SEGMENT_HEAD)
    current.groups++
    current.position = begin + bytes.length
    segment.end = current.position
    this.isSealed = false
    group.resolve(segment, begin)
  }

  private headOf({ sequence }: Segment): Uint8Array {
    const head = new Uint8Array(SEGMENT_HEAD)
    putSegmentHead(head, { sequence, oldest: this.used[0]?.sequence ?? sequence, ...this.previous })
    return head
  }

  /** The segment that takes so many bytes more. */
  private async segmentFor(bytes: number) {
    const { current } = this
    if (current !== undefined && current.position + bytes <= this.segmentBytes) return current
    if (current !== undefined) this.leave()
    await this.waitForRoom()
    const slot = this.free.pop() ?? this.slot++
    const path = `${this.options.folder}/${segmentName(slot)}`
    let file: Segment['file']
    try {
      file = await this.options.disk.open(path, 'durable')
      await this.options.disk.syncFolder(this.options.folder)
    } catch (error) {
      this.free.push(slot)
      throw error
    }
    // Never a second time, though nothing of it may come to be: what a failed write left must not be taken for this one's.
    const sequence = this.sequence++
    const segment = new Segment(slot, sequence, file, 0, this.whenFree)
    this.used.push(segment)
    const begun = { segment, seed: seedOf(sequence), groups: 0, position: 0 }
    this.current = begun
    return begun
  }

  /** Nothing more is written to the present segment. */
  private leave(): void {
    const { current } = this
    if (current === undefined) return
    this.current = undefined
    const { segment } = current
    // Without a group there is nothing on the disk that the next segment would have to name.
    if (segment.end > 0) this.previous = { previous: segment.sequence, previousEnd: segment.end }
    segment.finish()
    const oldest = this.used[0]
    if (this.used.length >= PRESSED_SEGMENTS && oldest !== undefined) this.options.pressed(oldest)
  }

  private async waitForRoom(): Promise<void> {
    const [oldest] = this.used
    if (this.used.length < MOST_SEGMENTS || oldest === undefined) return
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

  /** Segments are used again in their order, so that those between the oldest and the newest are always there. */
  private readonly whenFree = (): void => {
    for (let oldest = this.used[0]; oldest?.isFree; oldest = this.used[0]) {
      this.used.shift()
      this.giveBack(oldest)
    }
    if (this.used.length < MOST_SEGMENTS) this.room?.resolve()
    const [oldest] = this.used
    if (this.used.length > PRESSED_SEGMENTS && oldest !== undefined) this.options.pressed(oldest)
  }

  private giveBack({ file, slot }: Segment): void {
    void file.close().catch(() => undefined)
    if (this.free.length < FREE_SEGMENTS) this.free.push(slot)
    else void this.options.disk.remove(`${this.options.folder}/${segmentName(slot)}`).catch(() => undefined)
  }

  /** All that wait fail with the group, since those of the same chains lie behind it. */
  private fail(group: Arena, error: unknown): void {
    this.leave()
    const failure = unavailable(error)
    this.options.lost()
    const { queue } = this
    this.queue = []
    group.reject(failure)
    this.arena.reject(failure)
    for (const { settle } of queue) settle.reject(failure)
  }

  /** Writes a group without records: who finds it knows that the one before was on the disk. */
  private async sayIdle(): Promise<void> {
    const { current } = this
    if (current === undefined || this.isSealed || this.running !== undefined) return
    this.isSealed = true
    this.running = this.writeSeal(current)
    await this.running
    this.running = undefined
    if (!this.arena.isEmpty) this.running = this.start()
  }

  private async writeSeal(current: NonNullable<typeof this.current>): Promise<void> {
    const bytes = new Uint8Array(GROUP_HEAD)
    putGroupHead(bytes, { number: current.groups, bytes: 0, records: 0 }, current.seed)
    try {
      await writeAll(current.segment.file, [bytes], current.position)
      current.groups++
      current.position += bytes.length
      current.segment.end = current.position
    } catch {
      // Nobody waits for it. What was acknowledged is on the disk.
      this.leave()
    }
  }
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
