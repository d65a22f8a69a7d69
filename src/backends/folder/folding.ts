/** Folding in the background: some chains at a time, together, and none twice at once. */
import { turn } from '../../core/turn.ts'
import type { Head } from './head.ts'
import type { FolderIndex, FoldOutcome } from './index-calls.ts'

/** Chains that are folded together, and bytes of the journal that are read for them. */
const CHAINS = 64
const BYTES = 4 * 1024 * 1024
/** Milliseconds after which a fold that failed is tried again. */
const PAUSE_MS = 1_000

export class Folding {
  private readonly index: FolderIndex
  private readonly notice: (sentence: string) => void
  private readonly gone: (head: Head) => void
  private readonly asked = new Set<Head>()
  private running: Promise<void> | undefined
  private isClosed = false
  /** Chains that could not be folded. */
  private readonly failing = new Set<Head>()
  /** True after the operator was told of one. */
  private isTold = false

  constructor(index: FolderIndex, notice: (sentence: string) => void, gone: (head: Head) => void) {
    this.index = index
    this.notice = notice
    this.gone = gone
  }

  ask(head: Head): void {
    if (this.isClosed) return
    this.asked.add(head)
    this.running ??= this.run()
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.asked.clear()
    await this.running
  }

  private async run(): Promise<void> {
    await turn()
    while (this.asked.size > 0) {
      const heads = this.next()
      if (heads.length === 0) {
        if (this.asked.size === 0) break
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
      if (outcome.isGone) this.gone(head)
      else this.fail(head, outcome.failure)
      return !outcome.isGone
    }
    head.fold(outcome)
    this.failing.delete(head)
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
