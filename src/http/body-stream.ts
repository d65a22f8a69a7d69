/** Bodies that are streams: read piece by piece while they come, and never as a whole. */
import { McbError } from '../core/errors.ts'
import type { BodyHold } from './body-budget.ts'
import type { AppContext, BodyStream, OpenBody } from './context.ts'
import { gunzipped } from './gunzip.ts'
import type { Services } from './operation.ts'

/** Milliseconds between two looks at the key of a stream. */
const ALLOWED_MS = 15_000

/** Somebody who reads a stream. */
export interface BodyReader {
  /** Takes the next bytes. */
  take(piece: Uint8Array): Promise<void>
  /** Stores what waits. */
  flush(): Promise<void>
  /** Time of `performance.now()` at which what waits is to be stored; undefined while nothing waits. */
  readonly dueAt: number | undefined
}

/** A stream, and the conditions under which it is read. */
export interface StreamWish {
  readonly encoding: 'identity' | 'gzip'
  /** Budget of memory, which may cut the stream. */
  readonly hold: BodyHold
}

/**
 * Hands a body to its reader while it comes, until it ends. All that has come whole is stored by the reader also when the body breaks off, its key is revoked, or the server stops.
 *
 * @throws McbError those of the reader; `invalid_parameter` for a body that breaks off, is silent for too long, or is no gzip;
 *   `unauthorized` for a key that has been revoked, `overloaded`, `storage_unavailable`
 */
export async function readBodyStream(
  c: AppContext,
  { openBody, bounds }: Pick<Services, 'openBody' | 'bounds'>,
  { encoding, hold }: StreamWish,
  reader: BodyReader,
): Promise<void> {
  const sent = openBody(c)
  const body = encoding === 'gzip' ? gunzipped(sent) : sent
  const waiting = new Waiting(body, hold, bounds.silenceMs)
  const allowed = new Allowed(c)
  try {
    for (;;) {
      const piece = await waiting.next(Math.min(reader.dueAt ?? Number.POSITIVE_INFINITY, allowed.dueAt))
      if (piece === 'ended') return
      if (piece !== 'late') await reader.take(piece)
      if ((reader.dueAt ?? Number.POSITIVE_INFINITY) <= performance.now()) await reader.flush()
      await allowed.look()
    }
  } catch (error) {
    await reader.flush()
    throw error
  } finally {
    waiting.end()
    body.leave()
  }
}

/** The key of a stream, which is looked at now and then. */
class Allowed {
  dueAt = performance.now() + ALLOWED_MS
  private readonly c: AppContext

  constructor(c: AppContext) {
    this.c = c
  }

  /** @throws McbError `unauthorized` */
  async look(): Promise<void> {
    if (performance.now() < this.dueAt) return
    this.dueAt = performance.now() + ALLOWED_MS
    if (await this.c.get('stillAllowed')()) return
    throw new McbError('unauthorized', 'the key was revoked, or has expired, while the body was being sent')
  }
}

/** Waits for the next piece of a body, and for whatever else may come first. */
class Waiting {
  private readonly body: BodyStream
  private readonly silenceMs: number
  private readonly hold: BodyHold
  private asked: Promise<Uint8Array | 'ended'> | undefined
  private silentSince = performance.now()
  private readonly cut = Promise.withResolvers<never>()

  constructor(body: BodyStream, hold: BodyHold, silenceMs: number) {
    this.body = body
    this.hold = hold
    this.silenceMs = silenceMs
    this.cut.promise.catch(() => undefined)
    hold.onCut = this.cut.reject
  }

  /** @param until time of `performance.now()` at which it is late */
  async next(until: number): Promise<Uint8Array | 'ended' | 'late'> {
    this.asked ??= this.body.next().then((piece) => piece ?? 'ended')
    const silentUntil = this.silentSince + this.silenceMs
    const late = Promise.withResolvers<'late'>()
    const wait = Math.max(0, Math.min(until, silentUntil) - performance.now())
    const timer = setTimeout(() => late.resolve('late'), Math.min(wait, ALLOWED_MS))
    try {
      const found = await Promise.race([this.asked, late.promise, this.cut.promise])
      if (found === 'late') {
        if (performance.now() < silentUntil) return found
        const detail = `nothing of the body has come for ${this.silenceMs / 1000} s; send it again`
        throw new McbError('invalid_parameter', detail, { status: 408 })
      }
      this.asked = undefined
      this.silentSince = performance.now()
      if (found !== 'ended') this.hold.arrived(found.length)
      return found
    } finally {
      clearTimeout(timer)
    }
  }

  end(): void {
    this.hold.onCut = undefined
    // It may fail yet, and nobody waits for it any more.
    this.asked?.catch(() => undefined)
  }
}

/** Opens a body through the standard request; a platform may have a shorter way. */
export const openStandardBody: OpenBody = (c) => {
  const stream = c.req.raw.body
  if (stream === null) return { next: async () => undefined, leave: () => {} }
  const reader: ReadableStreamDefaultReader<Uint8Array> = stream.getReader()
  let last: Promise<unknown> | undefined
  return {
    async next() {
      try {
        const read = reader.read()
        last = read
        const { done, value } = await read
        return done ? undefined : value
      } catch (error) {
        throw brokenOff(error)
      }
    },
    leave() {
      void released(reader, last)
    },
  }
}

/** Releases a reader when its last read has ended, and resolves then: workerd releases none while a read is under way. */
export async function released(reader: { releaseLock(): void }, last: Promise<unknown> | undefined): Promise<void> {
  await last?.catch(() => undefined)
  reader.releaseLock()
}

export function brokenOff(cause?: unknown): McbError {
  return new McbError('invalid_parameter', 'the body ended before it was complete', {}, { cause })
}
