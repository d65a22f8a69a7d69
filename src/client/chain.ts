/** A chain on the server: draws are gathered here and sent in batches, each stored exactly once. */

import { type Deferred, deferred } from '../core/deferred.ts'
import type { ColumnSpec, Schema } from '../core/draws/columns.ts'
import type { Elements } from '../core/draws/elements.ts'
import type { NdArray } from '../core/draws/ndarray.ts'
import type { Bytes } from '../core/draws/segment.ts'
import type { Slice } from '../core/draws/slice.ts'
import { isMcbError, McbError } from '../core/errors.ts'
import type { Chain, DrawBatch, Draws, Values } from '../core/interfaces.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import { batchSegments, encodeSegments } from '../core/wire/write-batch.ts'
import { DrawBuffer } from './buffer.ts'
import { after, isTurnDue, nextTurn } from './clock.ts'
import { type ChainAnswer, readChain } from './json.ts'
import type { FlushOptions } from './options.ts'
import { queryOfColumn, queryOfElements } from './query.ts'
import { ChainReader } from './read.ts'
import { RequestSize } from './request-size.ts'
import { type BatchPart, fitsRequest, halve } from './split.ts'
import type { Transport } from './transport.ts'
import { type Upload, UploadQueue } from './upload.ts'

/** Things that all chains of a run share. */
export interface RunContext {
  readonly rid: string
  readonly registration: string
  readonly schema: Schema
  /** Path of the run. */
  readonly path: string
  /** Names the registration, so that nothing reaches a run that has replaced it. */
  readonly headers: Readonly<Record<string, string>>
  readonly transport: Transport
  readonly flush: Required<FlushOptions>
  /** Chains that have taken draws and are not closed. */
  readonly writers: Set<HttpChain>
}

const NO_STATS: Values = new Map()
const DONE = Promise.resolve()

/**
 * Handle on one chain.
 *
 * Draws of `append` are numbered from the length that the chain had when the handle was made, so one handle writes a
 * chain at a time. The draws are sent in order, one request at a time; a request whose answer is lost is
 * sent again and stored once. A call that rejects has taken nothing.
 *
 * When an upload fails for good, the draws stay here and the handle stops: every later call rejects with the failure.
 * `resume` tries again.
 */
export class HttpChain implements Chain {
  readonly rid: string
  /** Identity of the run's registration. */
  readonly registration: string
  readonly number: number
  readonly isNew: boolean
  private readonly context: RunContext
  private readonly path: string
  private readonly reader: ChainReader
  private readonly queue: UploadQueue
  private readonly size: RequestSize
  /** Index of the next iteration that is taken. */
  private end: number
  private buffer: DrawBuffer | undefined
  /** An emptied buffer to use next. */
  private spare: DrawBuffer | undefined
  private isDue = false
  private cancelTimer: (() => void) | undefined
  private room: Deferred<void> | undefined
  private isClosed = false

  constructor(context: RunContext, { chain, length }: ChainAnswer, isNew: boolean) {
    this.rid = context.rid
    this.registration = context.registration
    this.number = chain
    this.isNew = isNew
    this.context = context
    this.path = `${context.path}/chains/${chain}`
    this.reader = new ChainReader(context.transport, { path: this.path, number: chain }, context.headers)
    this.end = length
    this.size = new RequestSize(context.flush.maxRequest)
    this.queue = new UploadQueue(
      () => (this.isDue && this.hasDraws ? this.takeBuffer() : undefined),
      () => this.makeRoom(),
    )
  }

  /**
   * Takes one iteration: a value for every variable, and for those sampler stats that there are. Values are copied.
   *
   * Resolves at once, without waiting for the server; when more than `flush.maxBuffered` bytes wait for their
   * acknowledgement, it resolves when there is room again, so await it. About every 10 ms it lets the event loop have
   * a turn, without which nothing could be sent.
   *
   * @throws McbError when the draw does not fit the run, or an earlier upload has failed; the draw is not taken
   */
  append(draw: Values, stats: Values = NO_STATS): Promise<void> {
    if (this.isClosed || this.queue.failure !== undefined) return this.refusal()
    let buffer = this.buffer ?? this.newBuffer()
    try {
      if (!buffer.put(draw, stats)) {
        this.seal()
        buffer = this.newBuffer()
        buffer.put(draw, stats)
      }
    } catch (error) {
      return Promise.reject(error)
    }
    this.end++
    const { flush } = this.context
    if (buffer.count === 1) this.startTimer()
    let isStarted = false
    if (buffer.count >= flush.count || buffer.bytes >= flush.bytes) {
      this.isDue = true
      isStarted = this.queue.wake()
      // While an upload goes on: several buffers of this size, and none that has grown to hold all that waits.
      if (buffer.bytes >= flush.maxRequest) this.seal()
    }
    if (this.waitingBytes > flush.maxBuffered) return this.waitForRoom()
    return isStarted || isTurnDue() ? nextTurn() : DONE
  }

  /**
   * Sends what was taken before, then these iterations, in several requests when they are many, and resolves to the
   * length that the server acknowledges: they are durable then. Do not change the arrays before.
   *
   * @param batch.start index of the first iteration; iterations that are stored already are compared, and not stored again
   * @throws McbError `draw_gap` or `draw_conflict` (with `fields.length`), `run_replaced`, or a mismatch with the run;
   *   the batch can be appended again, also when a part of it or its acknowledgement got lost
   */
  async appendBatch(batch: DrawBatch): Promise<number> {
    this.requireUsable()
    const { end } = this
    const start = batch.start ?? end
    requireIndex('start', start)
    requireIndex('count', batch.count)
    const columns = batchSegments(batch, this.context.schema)
    this.seal()
    this.context.writers.add(this)
    const behind = Math.max(end, start + batch.count)
    this.end = behind
    const task = async () => {
      const length = await this.sendAll([{ start, count: batch.count, columns }])
      // Somebody else may have written more; without an index of their own the next draws go behind that.
      if (batch.start !== undefined && this.end === behind) this.end = length
      return length
    }
    return this.queue.run(task, (reason) => {
      if (this.end === behind) this.end = end
      else if (behind !== end && this.queue.failure === undefined) this.queue.fail(reason)
    })
  }

  /**
   * Resolves when all that this handle has taken is durable on the server.
   *
   * @throws McbError when an upload has failed
   */
  async flush(): Promise<void> {
    if (this.queue.failure === undefined) this.seal()
    await this.queue.drain()
  }

  /**
   * Flushes, and takes no more draws; the chain can still be read.
   *
   * @throws McbError when an upload has failed; the handle is not closed then
   */
  async close(): Promise<void> {
    const wasClosed = this.isClosed
    this.isClosed = true
    try {
      await this.flush()
    } catch (error) {
      this.isClosed = wasClosed
      throw error
    }
    this.context.writers.delete(this)
    this.buffer = undefined
    this.spare = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Forgets the failure of an upload and sends again what was kept; `flush` tells how that went. */
  resume(): void {
    this.queue.resume()
  }

  /** Number of iterations on the server, with those that this handle has taken. */
  async length(): Promise<number> {
    await this.flush()
    return this.reader.length()
  }

  /**
   * Draws of a variable, with those that this handle has taken.
   *
   * @param elements indices of elements in the flattened value of a draw: `[0, 3, [10, 20]]` gives a vector of twelve a draw
   * @throws McbError `unknown_variable`, `invalid_slice`, `invalid_parameter`
   */
  getDraws(name: string, slice: Slice = {}, elements?: Elements): Promise<Draws> {
    return this.read(() => this.column(this.find(name, 'draws'), slice, elements))
  }

  /** Draws of a sampler stat, as `getDraws` gives those of a variable. */
  getStats(name: string, slice: Slice = {}, elements?: Elements): Promise<Draws> {
    return this.read(() => this.column(this.find(name, 'stats'), slice, elements))
  }

  getDrawsAt(
    index: number,
    names: readonly string[] = [...this.context.schema.draws.keys()],
  ): Promise<Map<string, NdArray>> {
    return this.read(() =>
      this.reader.iteration(
        index,
        names.map((name) => this.find(name, 'draws')),
      ),
    )
  }

  getStatsAt(
    index: number,
    names: readonly string[] = [...this.context.schema.stats.keys()],
  ): Promise<Map<string, NdArray>> {
    return this.read(() =>
      this.reader.iteration(
        index,
        names.map((name) => this.find(name, 'stats')),
      ),
    )
  }

  private async read<T>(task: () => Promise<T>): Promise<T> {
    await this.flush()
    return task()
  }

  private column(spec: ColumnSpec, slice: Slice, elements: Elements | undefined): Promise<Draws> {
    return this.reader.column(elements === undefined ? queryOfColumn(spec) : queryOfElements(spec, elements), slice)
  }

  private find(name: string, group: 'draws' | 'stats'): ColumnSpec {
    const spec = this.context.schema[group].get(name)
    if (spec !== undefined) return spec
    const detail = `run "${this.rid}" has no ${group === 'draws' ? 'variable' : 'sampler stat'} "${name}"`
    throw new McbError('unknown_variable', detail, { variable: name, status: 404 })
  }

  private get hasDraws(): boolean {
    return this.buffer !== undefined && this.buffer.count > 0
  }

  /** Bytes of the draws that were taken and are not acknowledged. */
  private get waitingBytes(): number {
    return this.queue.bytes + (this.buffer?.bytes ?? 0)
  }

  private newBuffer(): DrawBuffer {
    const buffer = this.spare ?? new DrawBuffer(this.context.schema)
    this.spare = undefined
    this.buffer = buffer
    this.context.writers.add(this)
    return buffer
  }

  private startTimer(): void {
    this.cancelTimer = after(this.context.flush.interval, () => {
      this.isDue = true
      this.queue.wake()
    })
  }

  /** Queues the gathered draws; draws that are appended from now on are another upload. */
  private seal(): void {
    if (this.hasDraws) this.queue.add(this.takeBuffer())
  }

  private takeBuffer(): Upload {
    const buffer = this.buffer ?? this.newBuffer()
    this.buffer = undefined
    this.cancelTimer?.()
    this.isDue = false
    const { count, bytes } = buffer
    const start = this.end - count
    let parts: BatchPart[] | undefined
    return {
      bytes,
      send: async () => {
        parts ??= [{ start, count, columns: buffer.segments() }]
        await this.sendAll(parts)
        buffer.clear()
        this.spare ??= buffer
      },
    }
  }

  /**
   * Sends parts of a batch, halved as often as they are too large for one request, and gives the length that is
   * acknowledged. A part is forgotten as soon as it is durable, so that a further try goes on behind it.
   */
  private async sendAll(parts: BatchPart[]): Promise<number> {
    let length = 0
    for (let [part] = parts; part !== undefined; [part] = parts) {
      const acknowledged = fitsRequest(part, this.size.bytes) ? await this.sendPart(part) : undefined
      parts.splice(0, 1, ...(acknowledged === undefined ? halve(part) : []))
      length = acknowledged ?? length
    }
    return length
  }

  /** Gives the length that is acknowledged; undefined when several iterations are refused as too large for one request. */
  private async sendPart({ start, count, columns }: BatchPart): Promise<number | undefined> {
    const body = encodeSegments(start, count, columns)
    try {
      const length = await this.post(start + count, body)
      this.size.take(body.length)
      return length
    } catch (error) {
      if (count <= 1 || !isMcbError(error, 'payload_too_large')) throw error
      this.size.refuse(body.length)
      return undefined
    }
  }

  /** Sends the iterations before index `end`, and gives the length that is acknowledged. */
  private async post(end: number, body: Bytes): Promise<number> {
    const { headers, transport } = this.context
    const request = { method: 'POST', path: `${this.path}/draws`, headers, body, type: JSON_TYPE } as const
    const { length } = await transport.send(request, (answer) => readChain(answer, this.number))
    if (length < end) {
      throw new McbError('internal_error', `the server acknowledged a length of ${length} instead of ${end}`)
    }
    return length
  }

  private waitForRoom(): Promise<void> {
    this.room ??= deferred<void>()
    this.isDue = true
    this.queue.wake()
    return this.room.promise
  }

  /** Lets waiting calls go on: their draws are taken. When an upload has failed, the next call tells. */
  private makeRoom(): void {
    if (this.queue.failure === undefined && this.waitingBytes > this.context.flush.maxBuffered) return
    this.room?.resolve()
    this.room = undefined
  }

  private requireUsable(): void {
    if (this.queue.failure !== undefined) throw this.queue.failure.reason
    if (this.isClosed) {
      throw new McbError('invalid_parameter', `the handle on chain ${this.number} of run "${this.rid}" is closed`)
    }
  }

  private async refuse(): Promise<void> {
    this.requireUsable()
  }

  private refusal(): Promise<void> {
    const refused = this.refuse()
    // A failed upload is told by flush and close as well: it must not end a process that does not await its appends.
    if (this.queue.failure !== undefined) refused.catch(() => undefined)
    return refused
  }
}

function requireIndex(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return
  throw new McbError('invalid_parameter', `the ${name} of a batch is a whole number from 0 on, not ${value}`)
}
