/**
 * Moving folded chunks of a run object to the bucket, beside everything else: no append ever waits for it.
 *
 * While a run is written, chunks that are not joined any more move as soon as some MiB of them wait. When it has rested, the
 * small ones follow. A number is written down before its object is put and is crossed out in the transaction that names the
 * object, so that whatever a crash, a failure or a late put leaves behind is known and goes. The work that is left stands in
 * tables: the next life of the object, or the next alarm, goes on.
 */
import type { DurableObjectStorage } from '@cloudflare/workers-types'
import { isMcbError, McbError } from '../../core/errors.ts'
import { describeError } from '../../core/log-text.ts'
import { turn } from '../../core/turn.ts'
import type { Objects } from '../../objects/objects.ts'
import { DurableDriver } from '../../sql/object.ts'
import { TAIL_BYTES } from '../sqlite/append.ts'
import type { Alarm } from './alarm.ts'
import { drawsPrefix, objectPrefix } from './bucket-draws.ts'
import { Changed, type Chosen, type LiveRun, Moves } from './moves.ts'
import { doubled } from './pause.ts'
import { clearPrefix, purgeRuns } from './purge.ts'
import { Slots } from './slots.ts'

const MIB = 1024 * 1024
/** Bytes of an object of the bucket, more or less. */
const MOVE_BYTES = 8 * MIB
/** Milliseconds without an append after which a run rests; it is moved then if so many bytes of it wait. */
const REST_MS = 10 * 60_000
const REST_BYTES = MIB
/** Milliseconds after which a put that was given up is taken to be done or lost. */
const LATE_MS = 10 * 60_000
/** Milliseconds after which an alarm goes on with a move that a crash has cut off. */
const CRASH_MS = 90_000
/** Pauses after failures in a row, in milliseconds: the first one, doubled each time, and the longest. */
const PAUSE_MS = 2000
const MAX_PAUSE_MS = 5 * 60_000
/** The longest pause of an object that takes no appends until its draws have moved. */
const FULL_PAUSE_MS = 20_000
/** Bytes of a chain's tail at most while draws must move: tails do not, and 10,000 chains may have one each. */
const PRESSED_TAIL_BYTES = 16 * 1024
/** Milliseconds until an object asks again for a slot: at first, doubled each time, and at most. */
const SLOT_MS = 300
const MAX_SLOT_MS = 5000
/** Milliseconds until chunks that have changed are chosen anew. */
const CHANGED_MS = 1000
/** Milliseconds between two looks whether a bucket that is needed is bound again. */
const UNBOUND_MS = 24 * 60 * 60_000

/** Two moves at a time in an isolate, whose memory is 128 MB for everything. */
const slots = new Slots(2, 2 * MOVE_BYTES, CRASH_MS)

export interface MoverOptions {
  readonly storage: DurableObjectStorage
  readonly alarm: Alarm
  /** The bucket of the draws; undefined where none is bound. */
  readonly bucket: () => Objects | undefined
  /** Bytes that the object may hold itself. */
  readonly limit: number
  /** Folds the tail of a run's chain. */
  readonly foldTail: (run: LiveRun, chain: number) => Promise<void>
  /** Called when nothing is left of runs that were deleted, nor of puts that were given up. */
  readonly emptied: () => void
}

export class Mover {
  private readonly options: MoverOptions
  private readonly moves: Moves
  /** Without the mark that makes the object tell the catalogue of it: no draw changes. */
  private readonly driver: DurableDriver
  private readonly moveBytes: number
  private isBusy = false
  /** True while chunks of a run at rest move: all of them do, be the last ones ever so few. */
  private isClearing = false
  private failures = 0
  /** Times in a row that no slot was free. */
  private refusals = 0
  /** Milliseconds since 1970 before which nothing is tried again. */
  private pausedUntil = 0
  /** Bytes of the database below which no look finds more than the last one. */
  private nextLook = 0

  constructor(options: MoverOptions) {
    this.options = options
    this.moves = new Moves(options.storage)
    this.driver = new DurableDriver(options.storage)
    this.moveBytes = Math.min(MOVE_BYTES, options.limit / 4)
  }

  /** True when the bucket may hold something of runs that are hidden, or of puts that were given up. */
  holdsRemains(): boolean {
    return this.holdsHidden() || this.moves.firstOrphan() !== undefined
  }

  /** True when the bucket may hold something of runs that are hidden: their rows go after that. */
  holdsHidden(): boolean {
    return this.moves.hasPut() && this.moves.hasHidden()
  }

  /** @throws McbError `storage_unavailable` when so many bytes more are too much for the object now */
  requireRoom(bytes: number): void {
    const size = this.size()
    const { limit } = this.options
    if (size + bytes <= limit || size <= limit / 2) return
    const canMove = this.bucket() !== undefined
    // After a failure the pause stands, be there ever so many callers.
    if (canMove && Date.now() >= this.pausedUntil) {
      this.nextLook = 0
      this.start()
    }
    const detail = canMove
      ? "the run's object is full until some of its draws have moved; send the request again"
      : "the run's object is full: its operator can bind a bucket, so that draws move there"
    throw new McbError('storage_unavailable', detail, { retryAfter: canMove ? 1 : 60 })
  }

  /** Bytes that an append may leave in the tail of its chain, where nothing is moved from. */
  tailBytes(): number {
    return this.bucket() !== undefined && this.isPressed() ? PRESSED_TAIL_BYTES : TAIL_BYTES
  }

  /** Called behind each append: an object that is half full waits for no alarm. */
  grown(): void {
    if (this.bucket() === undefined || !this.isPressed()) return
    if (this.size() >= this.nextLook && Date.now() >= this.pausedUntil) this.start()
  }

  /** Does what is due now, beside the caller, and sets the alarm for what is due later. */
  look(): void {
    if (this.isBusy) {
      if (!this.options.alarm.isSet('move')) this.options.alarm.set('move', CRASH_MS)
      return
    }
    const due = this.due()
    if (due !== undefined && due <= 0) this.start()
    else this.settle(due)
  }

  /** The same in a new life of the object, which begins nothing by itself. */
  resume(): void {
    const due = this.due()
    if (due !== undefined) this.settle(Math.max(due, 0))
  }

  /** Nothing is left of the object. */
  reset(): void {
    this.failures = 0
    this.refusals = 0
    this.pausedUntil = 0
    this.nextLook = 0
  }

  /** Deletes whatever the bucket has of the object, in which no run is; false where that has to wait. */
  async end(): Promise<boolean> {
    const bucket = this.bucket()
    const owner = this.moves.owner()
    if (this.isBusy || this.holdsRemains()) {
      this.look()
      return false
    }
    if (bucket === undefined || owner === undefined || !this.moves.hasPut()) return true
    // A run that is registered meanwhile moves nothing before this is over.
    this.isBusy = true
    try {
      await clearPrefix(bucket, objectPrefix(owner.tenant, owner.rid))
    } finally {
      this.isBusy = false
    }
    return true
  }

  private settle(due: number | undefined): void {
    if (due === undefined) this.options.alarm.clear('move')
    else this.options.alarm.set('move', due)
  }

  /** Milliseconds until there is something to do; undefined when there is nothing. */
  private due(): number | undefined {
    const now = Date.now()
    if (this.bucket() === undefined) {
      if (!this.holdsRemains()) return undefined
      console.error(
        'draws that nobody needs any more lie in a bucket that is not bound: bind it as DRAWS, so that they are deleted',
      )
      return UNBOUND_MS
    }
    const times = [this.holdsHidden() ? now : undefined, this.orphansAt(), this.movesAt(now)]
    const first = Math.min(...times.filter((at) => at !== undefined))
    return first === Number.POSITIVE_INFINITY ? undefined : Math.max(first, this.pausedUntil) - now
  }

  private orphansAt(): number | undefined {
    const begun = this.moves.firstOrphan()
    return begun === undefined ? undefined : begun + (begun === 0 ? 0 : LATE_MS)
  }

  /** When chunks are to be moved, in milliseconds since 1970. */
  private movesAt(now: number): number | undefined {
    const size = this.size()
    if (size < Math.min(REST_BYTES, this.moveBytes)) return undefined
    const run = this.moves.liveRun()
    if (run === undefined) return undefined
    if (size >= this.nextLook) {
      if (this.chooseNow(run) !== undefined) return now
      this.nextLook = size + this.moveBytes / 8
    }
    const last = this.moves.lastWrite(run)
    return this.moves.marks(run).lookedAt > last ? undefined : last + REST_MS
  }

  /** Chunks that are to be moved now. */
  private chooseNow(run: LiveRun): Chosen | undefined {
    const { moves } = this
    const isPressed = this.isPressed()
    const grown = moves.choose(run, 'grown', this.moveBytes)
    if (grown.isFull || (isPressed && grown.chunks.length > 0)) return grown
    const now = Date.now()
    const last = moves.lastWrite(run)
    const marks = moves.marks(run)
    const rests = last + REST_MS <= now && marks.lookedAt <= last
    if (!isPressed && !rests) return undefined
    const rest = moves.choose(run, 'rest', this.moveBytes)
    if (rest.isFull || rest.bytes >= (isPressed ? this.moveBytes / 8 : this.leastAtRest())) return rest
    this.isClearing = false
    if (rests) moves.mark(run, { ...marks, lookedAt: now })
    return undefined
  }

  private leastAtRest(): number {
    return this.isClearing ? 1 : Math.min(REST_BYTES, this.moveBytes)
  }

  private start(): void {
    const bucket = this.bucket()
    if (this.isBusy || bucket === undefined) return
    this.isBusy = true
    this.options.alarm.set('move', CRASH_MS)
    void this.work(bucket)
  }

  private async work(bucket: Objects): Promise<void> {
    try {
      // The caller's own work comes first.
      await turn()
      do await this.clean(bucket)
      while (await this.move(bucket))
      this.failures = 0
    } catch (error) {
      this.pause(doubled(PAUSE_MS, this.failures++, this.isPressed() ? FULL_PAUSE_MS : MAX_PAUSE_MS))
      console.warn(`what waits for the bucket of the draws is tried again: ${describeError(error)}`)
    }
    this.isBusy = false
    if (!this.holdsRemains()) this.options.emptied()
    this.look()
  }

  private pause(milliseconds: number): void {
    this.pausedUntil = Date.now() + milliseconds
  }

  /** Deletes what nothing names any more. */
  private async clean(bucket: Objects): Promise<void> {
    const orphans = this.moves.orphans(Date.now() - LATE_MS)
    if (orphans.length > 0) {
      await bucket.delete(orphans.map(({ key }) => key))
      this.moves.forget(orphans.map(({ id }) => id))
    }
    if (!this.holdsHidden()) return
    await purgeRuns(this.driver, ({ tenant, registration }) => clearPrefix(bucket, drawsPrefix(tenant, registration)))
  }

  /** Moves some chunks; false when none wait, or they have to wait longer. */
  private async move(bucket: Objects): Promise<boolean> {
    const run = this.moves.liveRun()
    if (run === undefined) return false
    const chosen = this.chooseNow(run)
    if (chosen === undefined) return this.foldTails(run)
    const free = slots.take(chosen.bytes)
    if (free === undefined) {
      this.pause(doubled(SLOT_MS, this.refusals++, MAX_SLOT_MS))
      return false
    }
    this.refusals = 0
    try {
      return await this.moveChosen(bucket, chosen)
    } catch (error) {
      if (!(error instanceof Changed)) throw error
      this.pause(CHANGED_MS)
      return false
    } finally {
      free()
    }
  }

  /** Folds the longest tails of a full object, so that they can move; false when there is nothing to fold. */
  private async foldTails(run: LiveRun): Promise<boolean> {
    if (!this.isPressed()) return false
    let isFolded = false
    for (const chain of this.moves.longestTails(run, this.moveBytes / 64)) {
      try {
        await this.options.foldTail(run, chain)
        isFolded = true
      } catch (error) {
        // One that is damaged holds up no other.
        console.error(`the tail of chain ${chain} could not be folded: ${describeError(error)}`)
      }
      await turn()
    }
    return isFolded
  }

  private async moveChosen(bucket: Objects, chosen: Chosen): Promise<boolean> {
    const { moves } = this
    this.isClearing = chosen.mode === 'rest'
    const packed = await moves.pack(chosen)
    if (packed.chunks.length === 0) {
      moves.pass(chosen)
      return true
    }
    const place = moves.reserve(chosen.run)
    await bucket.put(place.key, 0, [packed.bytes])
    try {
      moves.commit(chosen, packed, place.number)
    } catch (error) {
      moves.abandon(place.number)
      if (!isMcbError(error, 'run_not_found')) throw error
    }
    return true
  }

  private bucket(): Objects | undefined {
    return this.options.bucket()
  }

  private size(): number {
    return this.options.storage.sql.databaseSize
  }

  /** True when draws must move for the object to take more. */
  private isPressed(): boolean {
    return this.size() > this.options.limit / 2
  }
}
