/** The uploads of one chain: one at a time, in order, until one fails. */
import { type Deferred, deferred } from '../core/deferred.ts'

/** Something to send; `send` resolves when the server has acknowledged it. */
export interface Upload {
  /** Bytes that it holds here until then. */
  readonly bytes: number
  send(): Promise<void>
}

interface Entry {
  readonly upload: Upload
  /** Called when an upload fails; the entry is then given up. Entries without it are kept. */
  readonly giveUp?: (reason: unknown) => void
  /** Resolves when this entry and all before it are settled; absent while nobody waits for that. */
  settled?: Deferred<void>
}

export class UploadQueue {
  /** Bytes that are not acknowledged. */
  bytes = 0
  private entries: Entry[] = []
  private isSending = false
  private failed: { readonly reason: unknown } | undefined
  private readonly more: () => Upload | undefined
  private readonly progress: () => void

  /**
   * @param more gives the next upload that is due when the queue is empty
   * @param progress is called after every upload, and when one has failed
   */
  constructor(more: () => Upload | undefined, progress: () => void) {
    this.more = more
    this.progress = progress
  }

  /** The reason that nothing is sent any more. */
  get failure(): { readonly reason: unknown } | undefined {
    return this.failed
  }

  /** Adds an upload that is kept when it, or one before it, fails. */
  add(upload: Upload): void {
    this.entries.push({ upload })
    this.bytes += upload.bytes
  }

  /**
   * Sends by `task` when its turn has come. It is not kept: when it or an upload before it fails, its caller has it
   * back, after `undo` and before anything else is sent.
   */
  run<T>(task: () => Promise<T>, undo: (reason: unknown) => void): Promise<T> {
    const { promise, resolve, reject } = deferred<T>()
    const giveUp = (reason: unknown) => {
      undo(reason)
      reject(reason)
    }
    this.entries.push({ upload: { bytes: 0, send: () => task().then(resolve, giveUp) }, giveUp })
    this.wake()
    return promise
  }

  /** Resolves when all that is queued now is acknowledged; rejects with the failure. */
  async drain(): Promise<void> {
    this.wake()
    if (this.failed !== undefined) throw this.failed.reason
    const last = this.entries.at(-1)
    if (last === undefined) return
    last.settled ??= deferred<void>()
    await last.settled.promise
  }

  /** Starts sending uploads that are due; false when there is nothing, or that goes on already. */
  wake(): boolean {
    if (this.isSending || this.failed !== undefined) return false
    void this.sendAll()
    return this.isSending
  }

  /** Stops for good, or until `resume`; all waiting calls are told, the last one first. */
  fail(reason: unknown): void {
    this.failed = { reason }
    const entries = this.entries
    this.entries = entries.filter(({ giveUp }) => giveUp === undefined)
    for (const entry of entries.toReversed()) {
      entry.giveUp?.(reason)
      entry.settled?.reject(reason)
      delete entry.settled
    }
    this.progress()
  }

  /** Forgets the failure and tries again. */
  resume(): void {
    this.failed = undefined
    this.wake()
  }

  private async sendAll(): Promise<void> {
    this.isSending = true
    for (let entry = this.next(); entry !== undefined; entry = this.next()) {
      try {
        await entry.upload.send()
      } catch (reason) {
        this.fail(reason)
        break
      }
      if (this.entries[0] === entry) {
        this.entries.shift()
        this.bytes -= entry.upload.bytes
      }
      entry.settled?.resolve()
      this.progress()
    }
    this.isSending = false
  }

  private next(): Entry | undefined {
    if (this.failed !== undefined) return undefined
    if (this.entries.length === 0) {
      const upload = this.more()
      if (upload !== undefined) this.add(upload)
    }
    return this.entries[0]
  }
}
