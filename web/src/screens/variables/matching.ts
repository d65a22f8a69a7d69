/** Labels that a filter finds, tested beside the main thread and within a time. */

/** Milliseconds that a filter may take for all labels. */
const PATIENCE_MS = 1500

/** Finds what matches, for one filter after another. */
export class Matching {
  private readonly labels: readonly string[]
  private worker: Worker | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(labels: readonly string[]) {
    this.labels = labels
  }

  /** @param done learns 1 for each label that matches; undefined where that takes too long */
  find(filter: string, done: (found: Uint8Array | undefined) => void): void {
    this.end()
    const worker = this.worker ?? this.start()
    this.worker = worker
    worker.onmessage = ({ data }: MessageEvent<Uint8Array>) => {
      worker.onmessage = null
      clearTimeout(this.timer)
      done(data)
    }
    this.timer = setTimeout(() => {
      this.close()
      done(undefined)
    }, PATIENCE_MS)
    worker.postMessage(filter)
  }

  close(): void {
    clearTimeout(this.timer)
    this.worker?.terminate()
    this.worker = undefined
  }

  /** A filter at work is ended: a slow expression would keep the next one waiting. */
  private end(): void {
    if (this.worker?.onmessage != null) this.close()
  }

  private start(): Worker {
    const worker = new Worker(new URL('./filter.worker.ts', import.meta.url), { type: 'module' })
    worker.postMessage(this.labels)
    return worker
  }
}
