/**
 * The index of a folder in a thread of its own: while SQLite waits for the disk, HTTP goes on.
 *
 * Bytes of a large body are handed over, not copied; those for a run that is gone come back.
 */
import { Worker } from 'node:worker_threads'
import type { ControlStore } from '../../access/records.ts'
import type { FolderIndex } from '../../backends/folder/index-calls.ts'
import { type Failure, fromFailure } from '../../backends/outcome.ts'
import { McbError } from '../../core/errors.ts'
import { BodyReturned } from '../../core/store.ts'
import { CannotOpen } from '../../sql/cannot-open.ts'
import type { Call, HostOptions, Notice, Noticed, Opened, Reply } from './protocol.ts'
import { ThreadControl } from './thread-control.ts'
import { ThreadIndex } from './thread-index.ts'

export interface IndexThread {
  readonly index: FolderIndex
  readonly control: ControlStore
  /** Bytes of the file that deletions have left, and that new data takes first. */
  readonly reusable: () => Promise<number>
  /** Resolves when the thread has ended without being asked to: nothing can be stored any more. */
  readonly failed: Promise<Error>
  /** Waits for calls under way, then closes the file. */
  close(): Promise<void>
}

export type Unnumbered<C> = C extends Call ? Omit<C, 'id'> : never

interface Waiting {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** @throws CannotOpen */
export async function openIndexThread(options: HostOptions, notice: Notice = () => {}): Promise<IndexThread> {
  const worker = new Worker(new URL('./host.ts', import.meta.url), {
    workerData: options,
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  })
  const calls = new Calls(worker, notice)
  const opened = await calls.opened
  if (!opened.opened) {
    await worker.terminate()
    throw new CannotOpen(opened.why)
  }
  return {
    index: new ThreadIndex(calls),
    control: new ThreadControl((control, args) => calls.call({ control, args })),
    reusable: () => calls.call({ reusable: true }),
    failed: calls.failed,
    close: () => calls.close(),
  }
}

/** Calls to the thread, and what it answers. */
export class Calls {
  private readonly worker: Worker
  private readonly waiting = new Map<number, Waiting>()
  private lastId = 0
  private ended: McbError | undefined
  private idle: (() => void) | undefined
  private closed: Promise<void> | undefined
  private readonly opening = Promise.withResolvers<Opened>()
  private readonly failure = Promise.withResolvers<Error>()
  private readonly exit = Promise.withResolvers<void>()

  constructor(worker: Worker, notice: Notice) {
    this.worker = worker
    worker.on('message', (message: Opened | Reply | Noticed) => {
      if ('notice' in message) notice(message.notice)
      else if ('opened' in message) this.opening.resolve(message)
      else this.settle(message)
    })
    worker.on('error', (error) => this.end(error))
    worker.on('exit', () => {
      this.end(new Error('the storage thread has ended'))
      this.exit.resolve()
    })
  }

  get opened(): Promise<Opened> {
    return this.opening.promise
  }

  get failed(): Promise<Error> {
    return this.failure.promise
  }

  call<T>(call: Unnumbered<Call>, transfer: readonly ArrayBuffer[] = []): Promise<T> {
    if (this.ended !== undefined) return Promise.reject(this.ended)
    const id = ++this.lastId
    const message = { ...call, id }
    return new Promise<T>((resolve, reject) => {
      // A message that cannot be sent throws here, and is not waited for.
      this.worker.postMessage(message, [...transfer])
      this.waiting.set(id, { resolve: (value) => resolve(value as T), reject })
    })
  }

  close(): Promise<void> {
    this.closed ??= this.finish()
    return this.closed
  }

  private async finish(): Promise<void> {
    if (this.waiting.size > 0) await new Promise<void>((resolve) => (this.idle = resolve))
    this.worker.postMessage('close')
    await this.exit.promise
  }

  private settle(reply: Reply): void {
    const waiting = this.waiting.get(reply.id)
    this.waiting.delete(reply.id)
    if ('failure' in reply) waiting?.reject(errorOf(reply.failure, reply.returned))
    else waiting?.resolve(reply.value)
    if (this.waiting.size === 0) this.idle?.()
  }

  private end(cause: Error): void {
    this.opening.resolve({ opened: false, why: `the thread of the storage did not start (${cause.message})` })
    if (this.closed === undefined) this.failure.resolve(cause)
    this.ended ??= new McbError('storage_unavailable', 'the storage has stopped', { retryAfter: 5 }, { cause })
    for (const { reject } of this.waiting.values()) reject(this.ended)
    this.waiting.clear()
    this.idle?.()
  }
}

function errorOf(failure: Failure, returned: Uint8Array<ArrayBuffer> | undefined): Error {
  return returned === undefined ? fromFailure(failure) : new BodyReturned(failure.message, returned)
}
