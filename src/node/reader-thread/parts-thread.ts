/**
 * Large parts of objects, read and verified in a thread of their own while this one sends those before. When many are asked
 * for, both threads read.
 */
import { Worker } from 'node:worker_threads'
import { bytesOf, type Part, type PartReader, type PartsRead } from '../../objects/parts.ts'
import { type PartsAnswer, packParts } from './protocol.ts'

/** Bytes from which on a read is worth the way to the thread and back. */
const LARGE_BYTES = 512 * 1024
/** Bytes that the thread has to read at most: others read theirs themselves meanwhile. */
const BUSY_BYTES = 8 * 1024 * 1024
/** Milliseconds without a read after which the thread ends. */
const IDLE_MS = 30_000

interface Waiting {
  readonly bytes: number
  readonly resolve: (read: PartsRead | undefined) => void
}

export class PartsThread implements PartReader {
  private readonly here: PartReader
  private readonly folder: string
  private worker: Worker | undefined
  private readonly waiting = new Map<number, Waiting>()
  private bytes = 0
  private lastId = 0
  private idle: NodeJS.Timeout | undefined

  /** @param here reads what is small, and all that the thread cannot */
  constructor(here: PartReader, folder: string) {
    this.here = here
    this.folder = folder
  }

  async read(parts: readonly Part[]): Promise<PartsRead> {
    const bytes = bytesOf(parts)
    if (bytes < LARGE_BYTES || this.bytes >= BUSY_BYTES) return this.here.read(parts)
    return (await this.ask(parts, bytes)) ?? this.here.read(parts)
  }

  async close(): Promise<void> {
    clearTimeout(this.idle)
    await this.worker?.terminate()
  }

  /** Undefined where the thread has failed. */
  private ask(parts: readonly Part[], bytes: number): Promise<PartsRead | undefined> {
    const worker = this.start()
    const id = ++this.lastId
    this.bytes += bytes
    return new Promise((resolve) => {
      this.waiting.set(id, { bytes, resolve })
      const question = packParts(id, parts)
      worker.postMessage(question, [question.numbers.buffer, question.sums.buffer])
    })
  }

  private start(): Worker {
    clearTimeout(this.idle)
    if (this.worker !== undefined) return this.worker
    const worker = new Worker(new URL('./host.ts', import.meta.url), {
      workerData: this.folder,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    worker.unref()
    worker.on('message', (answer: PartsAnswer) => this.settle(answer.id, 'failure' in answer ? undefined : answer))
    worker.on('error', () => this.leave(worker))
    worker.on('exit', () => this.leave(worker))
    this.worker = worker
    return worker
  }

  private settle(id: number, read: PartsRead | undefined): void {
    const waiting = this.waiting.get(id)
    if (waiting === undefined) return
    this.waiting.delete(id)
    this.bytes -= waiting.bytes
    waiting.resolve(read)
    if (this.waiting.size > 0) return
    this.idle = setTimeout(() => {
      const { worker } = this
      this.worker = undefined
      void worker?.terminate()
    }, IDLE_MS).unref()
  }

  private leave(worker: Worker): void {
    if (this.worker !== worker) return
    this.worker = undefined
    for (const id of [...this.waiting.keys()]) this.settle(id, undefined)
  }
}
