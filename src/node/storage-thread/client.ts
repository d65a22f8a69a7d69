/**
 * SQLite in a thread of its own: while it waits for the disk, HTTP goes on.
 *
 * Bytes of a large body are handed over, not copied; those for a run that is gone come back.
 */
import { Worker } from 'node:worker_threads'
import type { ControlStore } from '../../access/records.ts'
import { type Failure, fromFailure } from '../../backends/outcome.ts'
import { type PackedRead, type PackedSegments, unpackObjects, unpackRead } from '../../backends/packing.ts'
import { McbError } from '../../core/errors.ts'
import { BodyReturned, type Read, type Store } from '../../core/store.ts'
import { CannotOpen } from '../../sql/cannot-open.ts'
import type { FileOptions } from '../../sql/file.ts'
import type { Tally } from '../tally.ts'
import type { Call, HostOptions, Notice, Noticed, Opened, Reply, StoreMethod } from './protocol.ts'
import { ThreadControl } from './thread-control.ts'

export interface ThreadStorage {
  readonly openStore: (tenant: string) => Store
  readonly control: ControlStore
  /** Bytes of the file that deletions have left, and that new data takes first. */
  readonly reusable: () => Promise<number>
  /** Resolves when the thread has ended without being asked to: nothing can be stored any more. */
  readonly failed: Promise<Error>
  /** Waits for calls under way, then closes the file. */
  close(): Promise<void>
}

/** Bytes of a body from which on it is handed over; for a smaller one a copy is cheaper. */
const TRANSFER_BYTES = 16 * 1024

type Unnumbered<C> = C extends Call ? Omit<C, 'id'> : never

interface Waiting {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** @throws CannotOpen */
export async function openThreadStorage(
  options: FileOptions,
  notice: Notice = () => {},
  tally?: Tally,
): Promise<ThreadStorage> {
  const worker = new Worker(new URL('./host.ts', import.meta.url), {
    workerData: { ...options, counts: tally?.memory } satisfies HostOptions,
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  })
  const calls = new Calls(worker, notice)
  const opened = await calls.opened
  if (!opened.opened) {
    await worker.terminate()
    throw new CannotOpen(opened.why)
  }
  return {
    openStore: (tenant) => new ThreadStore(calls, tenant),
    control: new ThreadControl((control, args) => calls.call({ control, args })),
    reusable: () => calls.call({ reusable: true }),
    failed: calls.failed,
    close: () => calls.close(),
  }
}

class Calls {
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

class ThreadStore implements Store {
  /** One process owns the file. */
  readonly writersElsewhere = false
  private readonly calls: Calls
  private readonly tenant: string

  constructor(calls: Calls, tenant: string) {
    this.calls = calls
    this.tenant = tenant
  }

  register(...args: Parameters<Store['register']>) {
    return this.call('register', args)
  }

  find(...args: Parameters<Store['find']>) {
    return this.call('find', args)
  }

  list(...args: Parameters<Store['list']>) {
    return this.call('list', args)
  }

  remove(...args: Parameters<Store['remove']>) {
    return this.call('remove', args)
  }

  about(...args: Parameters<Store['about']>) {
    return this.call('about', args)
  }

  setAbout(...args: Parameters<Store['setAbout']>) {
    return this.call('setAbout', args)
  }

  setDiagnostics(...args: Parameters<Store['setDiagnostics']>) {
    return this.call('setDiagnostics', args)
  }

  createChain(...args: Parameters<Store['createChain']>) {
    return this.call('createChain', args)
  }

  chains(...args: Parameters<Store['chains']>) {
    return this.call('chains', args)
  }

  chain(...args: Parameters<Store['chain']>) {
    return this.call('chain', args)
  }

  append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>) {
    const transfer = body.length >= TRANSFER_BYTES && body.length === body.buffer.byteLength ? [body.buffer] : []
    return this.call('append', [registration, chain, body], transfer)
  }

  async read(...args: Parameters<Store['read']>): Promise<Read> {
    return unpackRead(await this.calls.call<PackedRead>({ tenant: this.tenant, method: 'read', args }))
  }

  usage() {
    return this.call('usage', [])
  }

  clear() {
    return this.call('clear', [])
  }

  ping() {
    return this.call('ping', [])
  }

  stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    // A copy: the bytes stay the caller's, and a message takes all of the memory that a view is on.
    const copy = data.slice()
    return this.call('stage', [rid, path, copy], copy.length >= TRANSFER_BYTES ? [copy.buffer] : [])
  }

  async staged(...args: Parameters<Store['staged']>): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return unpackObjects(await this.calls.call<PackedSegments>({ tenant: this.tenant, method: 'staged', args }))
  }

  listStaged(...args: Parameters<Store['listStaged']>) {
    return this.call('listStaged', args)
  }

  unstage(...args: Parameters<Store['unstage']>) {
    return this.call('unstage', args)
  }

  unstageAll(...args: Parameters<Store['unstageAll']>) {
    return this.call('unstageAll', args)
  }

  private call<M extends Exclude<StoreMethod, 'read' | 'staged'>>(
    method: M,
    args: Parameters<Store[M]>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<Store[M]>>> {
    return this.calls.call({ tenant: this.tenant, method, args }, transfer)
  }
}
