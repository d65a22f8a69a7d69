/** Bodies of requests on workerd. */
import { McbError } from '../core/errors.ts'
import { released } from '../http/body-stream.ts'
import { Collector, stalled } from '../http/collector.ts'
import type { BodyWish, ReadBody } from '../http/context.ts'

/** Bytes of a body that the runtime may gather by itself, which takes half the time but tells of no progress. */
const SMALL_BYTES = 64 * 1024

/** Leaves the rest of a body that is refused where it is, for `drain`. */
export const readWorkersBody: ReadBody = async (c, wish) => {
  const { raw } = c.req
  if (raw.body === null) return new Uint8Array()
  const announced = Number(c.req.header('Content-Length') ?? Number.POSITIVE_INFINITY)
  // Every body that comes over a network can be read so; another one is a defect of who hands it over, and no bad request.
  const reads = announced > SMALL_BYTES ? new Reads(raw.body) : undefined
  try {
    if (reads !== undefined) return await gather(reads, announced, wish)
    wish.hold.take(announced)
    return new Uint8Array(await within(wish.stallMs, raw.arrayBuffer()))
  } catch (error) {
    if (error instanceof McbError) throw error
    throw new McbError('invalid_protobuf', 'the body ended before it was complete', {}, { cause: error })
  } finally {
    if (reads !== undefined) leaving.set(raw, reads.leave())
  }
}

/** Bodies that are read no further, and when others may read on. */
const leaving = new WeakMap<Request, Promise<void>>()

/** The reads of a body, one after the other. */
class Reads {
  private readonly reader: ReadableStreamBYOBReader
  private last: Promise<unknown> | undefined

  constructor(body: ReadableStream<Uint8Array>) {
    this.reader = body.getReader({ mode: 'byob' })
  }

  /** Fills the piece, whose memory becomes that of the answer, with what there is, and waits for the first byte of it. */
  next(piece: Uint8Array<ArrayBuffer>) {
    const read = this.reader.read(piece)
    this.last = read
    return read
  }

  /** Resolves when the body is free again. */
  leave(): Promise<void> {
    return released(this.reader, this.last)
  }
}

/**
 * Bytes that are read of a body at once, of one that has only begun and at most. The runtime's own pieces have 4 KiB, each of
 * which costs a turn of the event loop: with them alone, a MiB takes six times as long.
 */
const PIECE_BYTES = { first: 4 * 1024, most: 64 * 1024 }
/** Part of what has come of a body, one in so many, that its next piece has: no budget counts that. */
const PIECE_SHARE = 4

/**
 * Reads a body piece by piece, each of which is progress. No piece is read into the buffer that gathers them: a read that is
 * under way keeps its memory, also when the body is cut.
 */
async function gather(
  reads: Reads,
  announced: number,
  { limit, hold, stallMs }: BodyWish,
): Promise<Uint8Array<ArrayBuffer>> {
  const collector = new Collector(Number.isFinite(announced) ? announced : 0, limit, hold)
  const cut = Promise.withResolvers<never>()
  hold.onCut = cut.reject
  cut.promise.catch(() => undefined)
  try {
    let piece = new Uint8Array(PIECE_BYTES.first)
    for (let come = 0; ; ) {
      const { done, value } = await within(stallMs, Promise.race([reads.next(piece), cut.promise]))
      if (done) return collector.finish()
      collector.add(value)
      come += value.length
      const size = Math.min(come / PIECE_SHARE, PIECE_BYTES.most)
      piece = size > value.buffer.byteLength ? new Uint8Array(size) : new Uint8Array(value.buffer)
    }
  } catch (error) {
    collector.drop()
    throw error
  } finally {
    hold.onCut = undefined
  }
}

/** @throws McbError with status 408 when it takes longer */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(stalled(milliseconds)), milliseconds)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Bytes of a refused body that are read on behalf of its client, and milliseconds that it may take, in all and at a time. */
const DRAIN_BYTES = 128 * 1024 * 1024
const DRAIN_MS = 30_000
const DRAIN_PAUSE_MS = 2000

/**
 * Reads what an answer left of a request's body: many clients look for an answer only when they have sent everything, and
 * workerd resets the connection of one that is still sending.
 */
export async function drain(request: Request): Promise<void> {
  const { body, headers } = request
  if (body === null || Number(headers.get('Content-Length') ?? 0) > DRAIN_BYTES) return
  const until = Date.now() + DRAIN_MS
  try {
    await within(DRAIN_PAUSE_MS, leaving.get(request) ?? Promise.resolve())
    if (body.locked) return
    const reader = body.getReader()
    for (let left = DRAIN_BYTES; left > 0 && Date.now() < until; ) {
      const { done, value } = await within(DRAIN_PAUSE_MS, reader.read())
      if (done) return
      left -= value.length
    }
  } catch {
    // The client is gone or silent, or its body was read to the end in another way.
  }
}
