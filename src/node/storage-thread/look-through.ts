/**
 * Looks through the index once after the start, in a thread of its own, so that damage is told before anybody meets it.
 * Nothing is removed on the word of an index before.
 */
import { Worker } from 'node:worker_threads'
import type { Notice } from './protocol.ts'

/** Milliseconds after the start: until then its clients come back. */
const REST_MS = 5_000

export class LookThrough {
  private readonly timer: NodeJS.Timeout
  private worker: Worker | undefined

  /** @param sound called when nothing is damaged */
  constructor(path: string, notice: Notice, sound: () => void) {
    this.timer = setTimeout(() => this.begin(path, notice, sound), REST_MS).unref()
  }

  /** The file must not be closed before. */
  async close(): Promise<void> {
    clearTimeout(this.timer)
    await this.worker?.terminate()
  }

  private begin(path: string, notice: Notice, sound: () => void): void {
    const worker = new Worker(new URL('./inspector.ts', import.meta.url), {
      workerData: path,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    this.worker = worker
    worker.on('message', (sentences: readonly string[]) => {
      sentences.forEach(notice)
      if (sentences.length === 0) sound()
    })
    worker.on('error', (error) => notice(`the index could not be looked through: ${error.message}`))
    worker.on('exit', () => {
      this.worker = undefined
    })
  }
}
