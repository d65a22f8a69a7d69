/**
 * Checkpoints: the write-ahead log is copied into the database, while the writer goes on.
 *
 * SQLite lets the commit that passes a threshold do it, and every writer waits. Here a thread does, while the writer goes
 * on; it goes over what was written meanwhile until little is left, which the writer then copies itself. Only when all of
 * the log is copied does SQLite begin it anew, so this keeps it from growing.
 *
 * Two things keep the log from being copied: a disk that fails or is full, and a reader that still needs the past, such as a
 * backup. Neither loses anything that was acknowledged. It is tried again after a pause, until it succeeds.
 */
import { Worker } from 'node:worker_threads'
import type { FileDriver, Progress } from '../../sql/file.ts'
import type { CheckpointResult, Notice } from './protocol.ts'

/** Frames (pages of 16 KiB) that are written before a checkpoint begins: 16 MiB. */
const BEGIN_FRAMES = 1024
/** Frames that are few enough for the writer to copy them itself. */
const FINISH_FRAMES = 192
/** A log of this many frames (512 MiB) is copied at once, and everybody waits. */
const MAX_FRAMES = 32 * 1024
/** With a log of this many frames (1 GiB), nothing more is written while the disk does not let them be copied. */
const REFUSE_FRAMES = 64 * 1024
/** Milliseconds before a checkpoint is tried again; it doubles from one to the next. */
const PAUSE_MS = { first: 250, most: 10_000 }

export class BackgroundCheckpoint {
  private readonly driver: FileDriver
  private readonly notice: Notice
  private readonly worker: Worker
  private readonly ended: Promise<void>
  private running = false
  /** Set while the next attempt waits for better times. */
  private retry: NodeJS.Timeout | undefined
  private pauseMs = PAUSE_MS.first
  /** The disk's reason for not taking the last one. */
  private failure: string | undefined
  /** Frames of the log that the last one has left in the database; none is known of a log that begins anew. */
  private reached: number | undefined

  constructor(driver: FileDriver, path: string, notice: Notice) {
    this.driver = driver
    this.notice = notice
    this.worker = new Worker(new URL('./checkpointer.ts', import.meta.url), {
      workerData: path,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    this.ended = new Promise((resolve) => this.worker.once('exit', () => resolve()))
    this.worker.on('message', (result: CheckpointResult) => this.settle(result))
    this.worker.on('error', (error) => this.leave(error))
    driver.onCommit = (frames) => this.consider(frames)
  }

  /** Waits for a checkpoint under way: the file must not be closed before. */
  async close(): Promise<void> {
    this.driver.onCommit = undefined
    clearTimeout(this.retry)
    this.worker.removeAllListeners('message')
    this.worker.postMessage('close')
    await this.ended
  }

  private consider(frames: number): void {
    if (this.failure !== undefined && frames > REFUSE_FRAMES) this.driver.refuse(this.failure)
    if (this.retry !== undefined) return
    if (frames > MAX_FRAMES) this.attempt(() => this.finish())
    else if (!this.running && frames > BEGIN_FRAMES) this.start()
  }

  private start(): void {
    clearTimeout(this.retry)
    this.retry = undefined
    if (this.running) return
    this.running = true
    this.worker.postMessage('checkpoint')
  }

  private settle(result: CheckpointResult): void {
    this.running = false
    if ('failure' in result) this.fail(result.failure)
    else this.attempt(() => this.goOn(result))
  }

  /** The writer's own part, tried again as well when the disk refuses it. */
  private attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error))
    }
  }

  private goOn({ log, checkpointed }: Progress): void {
    // Another process is at it, or reads what the next frame would replace.
    if (checkpointed < 0 || (checkpointed === this.reached && checkpointed < log)) {
      this.pause()
      return
    }
    this.reached = checkpointed
    this.recover()
    if (this.driver.walFrames() - checkpointed > FINISH_FRAMES) this.start()
    else this.finish()
  }

  /** Copies the rest of the log, while writes wait. */
  private finish(): void {
    const { log, checkpointed } = this.driver.checkpoint()
    if (checkpointed < log) return
    this.reached = undefined
    this.pauseMs = PAUSE_MS.first
    this.recover()
  }

  private recover(): void {
    if (this.failure === undefined) return
    this.failure = undefined
    this.driver.refuse(undefined)
    this.notice('the write-ahead log is copied into the database again')
  }

  private fail(failure: string): void {
    if (this.failure === undefined) {
      this.notice(`the write-ahead log cannot be copied into the database (${failure}); it is tried again and again`)
    }
    this.failure = failure
    this.pause()
  }

  private pause(): void {
    if (this.retry !== undefined) return
    this.retry = setTimeout(() => this.start(), this.pauseMs)
    this.pauseMs = Math.min(2 * this.pauseMs, PAUSE_MS.most)
  }

  /** Without the thread, commits take checkpoints as SQLite does by itself. */
  private leave(error: Error): void {
    clearTimeout(this.retry)
    this.driver.checkpointItself()
    this.driver.refuse(undefined)
    this.notice(`the thread of the checkpoints has ended (${error.message}); whoever writes takes them now`)
  }
}
