/**
 * Objects in a bucket of R2, which are put whole and never changed.
 *
 * R2 is known to take its time, to fail, and to do a thing whose answer is lost: each call has a time after which it is given
 * up, and whatever was asked for may have been done nevertheless.
 *
 * https://developers.cloudflare.com/r2/api/workers/workers-api-reference/
 */
import { createHash } from 'node:crypto'
import type { R2Bucket } from '@cloudflare/workers-types'
import { McbError } from '../core/errors.ts'
import { turn } from '../core/turn.ts'
import type { Bytes, Came, Objects, StoredObject } from './objects.ts'

/** Milliseconds after which a put, and each other call, is given up. */
const PUT_MS = 60_000
const CALL_MS = 30_000
/** Bytes that are hashed without a turn for others: about a millisecond's work. */
const STEP_BYTES = 512 * 1024
/** Keys that one call deletes, or lists. */
const KEYS_TOGETHER = 1000

export interface R2ObjectsOptions {
  readonly putMs?: number
  readonly callMs?: number
}

export class R2Objects implements Objects {
  /** A request costs money and some ten milliseconds, as much as 128 KiB more; a Worker waits for six at a time. */
  readonly together = { gap: 128 * 1024, most: 8 * 1024 * 1024, atOnce: 6 }
  private readonly bucket: R2Bucket
  private readonly putMs: number
  private readonly callMs: number

  constructor(bucket: R2Bucket, { putMs = PUT_MS, callMs = CALL_MS }: R2ObjectsOptions = {}) {
    this.bucket = bucket
    this.putMs = putMs
    this.callMs = callMs
  }

  /** Puts an object whole: `at` is 0. R2 compares what arrives with its MD5. */
  async put(key: string, at: number, pieces: readonly Uint8Array[]): Promise<void> {
    if (at !== 0) throw new Error(`an object of a bucket is put whole, not from byte ${at} on`)
    const [first = new Uint8Array()] = pieces
    const bytes = pieces.length === 1 ? first : Buffer.concat(pieces)
    const md5 = await md5Of(bytes)
    const put = await this.call('put', this.putMs, () => this.bucket.put(key, bytes, { md5 }))
    if (put.size !== bytes.length)
      throw unavailable(new Error(`the bucket has taken ${put.size} bytes of ${bytes.length}`))
  }

  async get(key: string, at: number, into: Bytes, came?: Came): Promise<number | undefined> {
    const bytes = await this.call('get', this.callMs, () => this.read(key, at, into.length))
    if (bytes === null) return undefined
    into.set(bytes)
    came?.(into.subarray(0, bytes.length))
    return bytes.length
  }

  private async read(key: string, offset: number, length: number): Promise<Uint8Array | null> {
    try {
      const object = await this.bucket.get(key, { range: { offset, length } })
      return object && new Uint8Array(await object.arrayBuffer())
    } catch (error) {
      // A range that begins at the end of the object, or behind it, is an error.
      const head = await this.bucket.head(key)
      if (head !== null && head.size <= offset) return new Uint8Array()
      throw error
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += KEYS_TOGETHER) {
      const some = keys.slice(at, at + KEYS_TOGETHER)
      await this.call('delete', this.callMs, () => this.bucket.delete(some))
    }
  }

  async *list(prefix = ''): AsyncIterable<StoredObject> {
    for (let cursor: string | undefined; ; ) {
      const options = { prefix, limit: KEYS_TOGETHER, ...(cursor !== undefined && { cursor }) }
      const page = await this.call('list', this.callMs, () => this.bucket.list(options))
      for (const { key, size } of page.objects) yield { key, size }
      if (!page.truncated) return
      cursor = page.cursor
    }
  }

  private async call<T>(name: string, milliseconds: number, work: () => Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>()
    const reject = () => late.reject(new Error(`the bucket has not answered a ${name} within ${milliseconds} ms`))
    const timer = setTimeout(reject, milliseconds)
    try {
      return await Promise.race([work(), late.promise])
    } catch (error) {
      throw unavailable(error)
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The MD5 of bytes, in hex, with a turn for others behind each step. */
async function md5Of(bytes: Uint8Array): Promise<string> {
  const hash = createHash('md5')
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    if (at > 0) await turn()
    hash.update(bytes.subarray(at, at + STEP_BYTES))
  }
  return hash.digest('hex')
}

/** The failure of a bucket, which may pass. */
function unavailable(error: unknown): McbError {
  const detail = 'the bucket of the draws cannot be reached now; send the request again'
  return new McbError('storage_unavailable', detail, { retryAfter: 5 }, { cause: error })
}
