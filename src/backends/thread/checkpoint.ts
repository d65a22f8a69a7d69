/**
 * When the write-ahead log is copied into the database, and by whom.
 *
 * SQLite lets the commit that passes a threshold do it, and every writer waits. Here a thread does, while the writer goes
 * on; it goes over what was written meanwhile until little is left, which the writer then copies itself. Only when all of
 * the log is copied does SQLite begin it anew, so this keeps it from growing.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FileDriver } from '../sqlite/file.ts'
import type { CheckpointResult } from './checkpointer.ts'

/** Frames (pages of 16 KiB) that are written before a checkpoint begins: 16 MiB. */
const BEGIN_FRAMES = 1024
/** So few frames are copied by the writer itself. */
const FINISH_FRAMES = 192
/** A log of this many frames (512 MiB) is copied at once, whoever waits. */
const MAX_FRAMES = 32 * 1024

export class BackgroundCheckpoint {
  private readonly driver: FileDriver
  private readonly worker: Worker
  private running = false

  constructor(driver: FileDriver, path: string) {
    this.driver = driver
    this.worker = new Worker(new URL('./checkpointer.ts', import.meta.url), {
      workerData: path,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    this.worker.on('message', (result: CheckpointResult) => this.goOn(result))
    this.worker.on('error', () => driver.checkpointItself())
    driver.onCommit = (frames) => this.consider(frames)
  }

  /** Waits for a checkpoint under way: the file must not be closed before. */
  async close(): Promise<void> {
    this.driver.onCommit = undefined
    this.worker.removeAllListeners('message')
    const exit = once(this.worker, 'exit')
    this.worker.postMessage('close')
    await exit
  }

  private consider(frames: number): void {
    if (frames > MAX_FRAMES) this.driver.checkpoint()
    else if (!this.running && frames > BEGIN_FRAMES) this.start()
  }

  private start(): void {
    this.running = true
    this.worker.postMessage('checkpoint')
  }

  private goOn({ checkpointed }: CheckpointResult): void {
    this.running = false
    const left = this.driver.walFrames() - checkpointed
    if (left > FINISH_FRAMES) this.start()
    else this.driver.checkpoint()
  }
}
