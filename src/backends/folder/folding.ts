/**
 * Folding in the background: some chains at a time, together, and none twice at once.
 *
 * It takes the disk's time from appends, so that most of it waits until none has come for a moment, unless the journal has
 * become long.
 */
import { McbError } from '../../core/errors.ts'
import { turn } from '../../core/turn.ts'
import type { Segment } from '../../journal/segment.ts'
import type { Head } from './head.ts'
import type { FolderIndex, FoldOutcome } from './index-calls.ts'

/** Chains that are folded together, and bytes of the journal that are read for them. */
const CHAINS = 64
const BYTES = 8 * 1024 * 1024
/** Milliseconds without an append after which tails are folded that are due. */
const QUIET_MS = 50
/** Milliseconds after which a fold that failed is tried again. */
const PAUSE_MS = 1_000

/** The one whose heads are folded. */
export interface FoldingOwner {
  /** True while appends are on their way. */
  isBusy(): boolean
  /** The run of a head was deleted. */
  gone(head: Head): void
  /** A part of a tail was folded: the index counts none of the rest. */
  folded(head: Head): void
}

export class Folding {
  private readonly index: FolderIndex
  private readonly notice: (sentence: string) => void
  private readonly owner: FoldingOwner
  /** Tails that are folded now, and those that wait until no append comes. */
  private readonly asked = new Set<Head>()
  private readonly due = new Set<Head>()
  /** The newest segment of the journal that is to be emptied. */
  private pressed = 0
  private grownAt = 0
  private timer: NodeJS.Timeout | undefined
  private running: Promise<void> | undefined
  private isClosed = false
  /** Chains that could not be folded. */
  private readonly failing = new Set<Head>()
  /** True after the operator was told of one. */
  private isTold = false

  constructor(index: FolderIndex, notice: (sentence: string) => void, owner: FoldingOwner) {
    this.index = index
    this.notice = notice
    this.owner = owner
  }

  /** A tail has grown. */
  grew(head: Head): void {
    this.grownAt = performance.now()
    if (head.isDue) this.ask(head)
  }

  /** Folds the first part of a tail at once. @throws McbError `storage_unavailable` */
  async foldFirst(head: Head): Promise<void> {
    const failed = await this.foldAll([head])
    if (failed.length === 0) return
    for (const one of failed) this.ask(one)
    throw new McbError('storage_unavailable', 'the storage cannot take this now; nothing was changed', {
      retryAfter: 5,
    })
  }

  /** A tail needs no folding any more: it went with its run, or to objects together with a large batch. */
  forget(head: Head): void {
    this.due.delete(head)
  }

  /** Empties a segment of the journal, and those before it. */
  press(heads: Iterable<Head>, segment: Segment): void {
    this.pressed = Math.max(this.pressed, segment.sequence)
    for (const head of heads) if (head.isIn(segment)) this.ask(head)
  }

  async close(): Promise<void> {
    this.isClosed = true
    clearTimeout(this.timer)
    this.asked.clear()
    this.due.clear()
    await this.running
  }

  private ask(head: Head): void {
    if (this.isClosed) return
    if (head.isOverdue || head.isIn({ sequence: this.pressed })) {
      this.asked.add(head)
      this.running ??= this.run()
    } else {
      this.due.add(head)
      this.timer ??= setTimeout(this.whenQuiet, QUIET_MS).unref()
    }
  }

  private readonly whenQuiet = (): void => {
    this.timer = undefined
    if (this.due.size === 0 || this.isClosed) return
    if (this.isQuiet()) this.running ??= this.run()
    else this.timer = setTimeout(this.whenQuiet, QUIET_MS).unref()
  }

  /** True when no append comes. One that waits for a slow disk is not done, and not told of yet. */
  private isQuiet(): boolean {
    return !this.owner.isBusy() && performance.now() >= this.grownAt + QUIET_MS
  }

  /**
   * True while there is a tail to be folded now. Those that wait are asked for one by one: an append may come meanwhile.
   * Chains that could not be folded are tried again for ever, and keep no other from it.
   */
  private hasMore(): boolean {
    for (const head of this.asked) if (!this.failing.has(head)) return true
    let bytes = 0
    for (const head of this.isQuiet() ? this.due : []) {
      this.due.delete(head)
      this.asked.add(head)
      bytes += head.foldBytes
      if (bytes >= BYTES) break
    }
    return this.asked.size > 0
  }

  private async run(): Promise<void> {
    await turn()
    while (this.hasMore()) {
      const heads = this.next()
      if (heads.length === 0) {
        if (this.asked.size === 0) continue
        // Large appends are at work on all that are left, and fold their tails themselves.
        await Promise.race([...this.asked].map(({ work }) => work))
        continue
      }
      const failed = await this.foldAll(heads)
      if (failed.length > 0) await this.pause(failed)
      this.recover()
    }
    this.recover()
    this.running = undefined
    if (this.timer === undefined) this.whenQuiet()
  }

  private next(): Head[] {
    const heads: Head[] = []
    let bytes = 0
    for (const head of this.asked) {
      if (head.isGone || !head.hasTail) this.asked.delete(head)
      else if (head.work === undefined) {
        if (heads.length > 0 && bytes + head.foldBytes > BYTES) break
        heads.push(head)
        bytes += head.foldBytes
        if (heads.length === CHAINS) break
      }
    }
    return heads
  }

  /** Gives those that could not be folded. */
  private async foldAll(heads: readonly Head[]): Promise<readonly Head[]> {
    const done = Promise.withResolvers<void>()
    for (const head of heads) {
      this.asked.delete(head)
      this.due.delete(head)
      head.work = done.promise
    }
    try {
      const outcomes = await this.index.fold(heads.map((head) => head.job()))
      return heads.filter((head, i) => this.settle(head, outcomes[i]))
    } catch (error) {
      for (const head of heads) this.fail(head, error instanceof Error ? error.message : String(error))
      return heads
    } finally {
      for (const head of heads) head.work = undefined
      done.resolve()
    }
  }

  /** True where a chain could not be folded. */
  private settle(head: Head, outcome: FoldOutcome | undefined): boolean {
    if (outcome === undefined || head.isGone) return false
    if ('failure' in outcome) {
      if (outcome.isGone) this.owner.gone(head)
      else this.fail(head, outcome.failure)
      return !outcome.isGone
    }
    head.fold(outcome)
    this.failing.delete(head)
    if (head.hasTail) this.owner.folded(head)
    if (head.isDue || head.isIn({ sequence: this.pressed })) this.ask(head)
    return false
  }

  private fail(head: Head, failure: string): void {
    this.failing.add(head)
    if (this.isTold) return
    this.isTold = true
    this.notice(`the journal cannot be folded (${failure}); it is tried again and again`)
  }

  /** Tells that all is well again, once, though some chains were folded while others were not. */
  private recover(): void {
    for (const head of this.failing) if (head.isGone || !head.hasTail) this.failing.delete(head)
    if (!this.isTold || this.failing.size > 0) return
    this.isTold = false
    this.notice('the journal is folded again')
  }

  private async pause(failed: readonly Head[]): Promise<void> {
    const timer = Promise.withResolvers<void>()
    setTimeout(timer.resolve, PAUSE_MS).unref()
    if (!this.isClosed) await timer.promise
    if (this.isClosed) return
    for (const head of failed) if (!head.isGone) this.asked.add(head)
  }
}
