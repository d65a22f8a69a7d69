/** Work that several wait for: it goes on while one of them does. */

export class Shared {
  private readonly ending = new AbortController()
  private readonly done: Promise<void>
  private waiting = 0

  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.done = work(this.ending.signal)
    // A failure is told to those who wait, and is of no interest without them.
    this.done.catch(() => {})
  }

  /** True where nobody waits any more: the work ends without its result. */
  get isAbandoned(): boolean {
    return this.ending.signal.aborted
  }

  /** Resolves with the work. @throws errors of the work; the reason of the signal */
  join(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.waiting++
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiting--
        if (this.waiting === 0) this.ending.abort(signal.reason)
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.done.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
    })
  }
}
