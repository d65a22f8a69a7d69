/** Heads: how long each chain is, and which of its draws the journal has. */
import type { Schema } from '../../core/draws/columns.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import type { Place, Segment } from '../../journal/segment.ts'
import { type Folded, type FoldJob, type IndexedChain, RECORD_NUMBERS } from './index-calls.ts'

/** A batch in the journal. */
export interface TailRecord {
  readonly start: number
  readonly count: number
  readonly place: Place
}

/** A tail is folded when it has as much as one of these: as soon as no append comes, or without waiting for that. */
const DUE = { rows: 1024, bytes: 1024 * 1024 }
const OVERDUE_ROWS = 16 * 1024
/** Draws of a tail: there might be any number of them without bytes. */
const TAIL_DRAWS = 1024 * 1024
/** A head with which somebody works. */
export type KnownHead = Head & { readonly schema: Schema }

/** Records of the journal, and bytes of them, that one fold takes. */
export interface FoldSize {
  readonly rows: number
  readonly bytes: number
}

const FOLD: FoldSize = { rows: 16 * 1024, bytes: 8 * 1024 * 1024 }

export interface HeadKey {
  readonly tenant: string
  readonly registration: string
  readonly chain: number
}

export class Head {
  readonly key: HeadKey
  /** Known before anybody works with the head; a start finds many that nobody asks for. */
  schema: Schema | undefined
  readonly id: number
  readonly runId: number
  /** Iterations in chunks. */
  folded: number
  /** Iterations that are durable. */
  length: number
  /** Iterations that are durable or on their way to the journal. */
  end: number
  updatedAt: number
  /** Bytes of what is folded. */
  indexedBytes: number
  /** True when the run is deleted: nothing may be written any more. */
  isGone = false
  /** Length that the index was told last. */
  published: number
  /** Fold or large append at work. */
  work: Promise<void> | undefined
  /** True while a large append is: nothing else may be appended. */
  isExclusive = false
  /** Requests that are at work on it. */
  users = 0
  private readonly foldSize: FoldSize
  private records: TailRecord[] = []
  private recordBytes = 0
  private pending = 0
  private settled: PromiseWithResolvers<void> | undefined

  constructor(key: HeadKey, indexed: IndexedChain, foldSize = FOLD) {
    this.foldSize = foldSize
    this.key = key
    this.id = indexed.id
    this.runId = indexed.runId
    this.folded = indexed.folded
    this.length = indexed.folded
    this.end = indexed.folded
    this.published = indexed.length
    this.updatedAt = indexed.updatedAt
    this.indexedBytes = indexed.bytes
  }

  /** Bytes that the records of the journal count for. */
  get tailBytes(): number {
    return this.recordBytes + this.records.length * ROW_BYTES
  }

  get bytes(): number {
    return this.indexedBytes + this.tailBytes
  }

  get hasTail(): boolean {
    return this.records.length > 0
  }

  /** True when nothing of it would be forgotten with it. */
  get isIdle(): boolean {
    const isWanted = this.users > 0 || this.pending > 0 || this.work !== undefined
    return !isWanted && !this.hasTail && this.length === this.published
  }

  /** True when it has draws in a segment, or in an older one. */
  isIn({ sequence }: Pick<Segment, 'sequence'>): boolean {
    const [first] = this.records
    return first !== undefined && first.place.segment.sequence <= sequence
  }

  /** True when its tail is to be folded, though perhaps not yet. */
  get isDue(): boolean {
    return this.records.length >= DUE.rows || this.recordBytes >= DUE.bytes || this.isOverdue
  }

  /** True when its tail is to be folded also while appends come. */
  get isOverdue(): boolean {
    return this.records.length >= OVERDUE_ROWS || this.length - this.folded >= TAIL_DRAWS
  }

  /** Bytes that its next fold reads from the journal, about. */
  get foldBytes(): number {
    return Math.min(this.recordBytes, this.foldSize.bytes)
  }

  /** True when one fold takes all of its tail. */
  get isFoldedAtOnce(): boolean {
    return this.records.length <= this.foldSize.rows && this.recordBytes <= this.foldSize.bytes
  }

  /** An append is on its way to the journal. */
  begin(end: number): void {
    this.end = end
    this.pending++
  }

  /** A record that is durable. @throws Error where it does not begin at the end */
  push(record: TailRecord, time: number): void {
    if (record.start !== this.length) {
      throw new Error(`a batch begins at iteration ${record.start}, and its chain ends at ${this.length}`)
    }
    this.length += record.count
    this.end = Math.max(this.end, this.length)
    this.updatedAt = Math.max(this.updatedAt, time)
    this.recordBytes += record.place.bytes
    this.records.push(record)
  }

  /** None of those on their way will be there. */
  giveUp(): void {
    this.end = this.length
  }

  /** Resolves when no append is on its way any more. */
  whenSettled(): Promise<void> {
    if (this.pending === 0) return Promise.resolve()
    this.settled ??= Promise.withResolvers()
    return this.settled.promise
  }

  /** An append is on its way no more. */
  finish(): void {
    this.pending--
    if (this.pending > 0) return
    this.settled?.resolve()
    this.settled = undefined
  }

  /** Records that hold iterations `from … to`, for a reader that holds their segments. */
  recordsIn(from: number, to: number): TailRecord[] {
    let low = 0
    let high = this.records.length
    while (low < high) {
      const middle = (low + high) >> 1
      const record = this.records[middle]
      if (record !== undefined && record.start + record.count <= from) low = middle + 1
      else high = middle
    }
    const found: TailRecord[] = []
    for (let i = low; i < this.records.length; i++) {
      const record = this.records[i]
      if (record === undefined || record.start >= to) break
      found.push(record)
    }
    return found
  }

  /** The fold of its first records. */
  job(): FoldJob {
    const records = this.firstRecords()
    const numbers = new Float64Array(records.length * RECORD_NUMBERS)
    for (const [i, { start, count, place }] of records.entries()) {
      const { segment, at, bytes } = place
      numbers.set([segment.slot, segment.sequence, segment.seed, at, bytes, start, count], i * RECORD_NUMBERS)
    }
    const { tenant, registration } = this.key
    return { tenant, registration, runId: this.runId, id: this.id, folded: this.folded, records: numbers }
  }

  private firstRecords(): readonly TailRecord[] {
    if (this.isFoldedAtOnce) return this.records
    let bytes = 0
    const end = this.records.findIndex(({ place }, i) => {
      bytes += place.bytes
      return i > 0 && (bytes > this.foldSize.bytes || i >= this.foldSize.rows)
    })
    return this.records.slice(0, end < 0 ? this.records.length : end)
  }

  /** Lets go of records whose draws lie in chunks now. */
  fold({ folded, bytes }: Folded): void {
    this.folded = folded
    this.indexedBytes = bytes
    this.length = Math.max(this.length, folded)
    this.end = Math.max(this.end, folded)
    this.published = Math.max(this.published, folded)
    const kept = this.records.findIndex(({ start }) => start >= folded)
    this.drop(this.records.splice(0, kept < 0 ? this.records.length : kept))
  }

  /** Nothing of it is needed any more. */
  forget(): void {
    this.isGone = true
    this.drop(this.records.splice(0))
  }

  private drop(records: readonly TailRecord[]): void {
    for (const { place } of records) {
      this.recordBytes -= place.bytes
      place.segment.release()
    }
  }
}
