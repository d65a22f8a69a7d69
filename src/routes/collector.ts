/** Gathers the pieces of a body in one buffer. */
import type { BodyHold } from '../core/budget.ts'
import { McbError } from '../core/errors.ts'

/** Bytes up to which a body has a buffer of its announced size at once. Most have no more. */
const SMALL_BYTES = 64 * 1024

/**
 * One copy of what comes, and by doubling one more: memory is taken for no more than twice of what has come, whatever was
 * announced. A buffer that grows where it lies would save the second copy, and costs more than that: its pages come one by one,
 * and whoever goes through its bytes later is half as fast.
 */
export class Collector {
  private bytes = new Uint8Array()
  private length = 0
  private readonly most: number
  private readonly limit: number
  private readonly hold: BodyHold
  /** Bytes that the hold counts for another part of the body. */
  private readonly besides: number

  /** @param announced bytes, 0 when they are not known */
  constructor(announced: number, limit: number, hold: BodyHold) {
    this.most = announced > 0 ? Math.min(announced, limit) : limit
    this.limit = limit
    this.hold = hold
    this.besides = hold.bytes
  }

  /** @throws McbError `payload_too_large`, `overloaded` */
  add(chunk: Uint8Array): void {
    const length = this.length + chunk.length
    if (length > this.limit) throw tooLarge(this.limit)
    if (length > this.bytes.length) this.grow(length)
    this.bytes.set(chunk, this.length)
    this.length = length
  }

  /** The whole body, on a buffer of its own: a view on a part would be copied with all that lies beside it. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.length < this.bytes.length) {
      this.resize(this.length)
      this.hold.take(this.besides + this.length)
    }
    return this.bytes
  }

  /** Frees what was gathered. */
  drop(): void {
    this.length = 0
    this.resize(0)
  }

  private grow(length: number): void {
    const most = Math.max(this.most, length)
    const size = Math.min(Math.max(SMALL_BYTES, this.bytes.length * 2, length), most)
    this.hold.take(this.besides + size)
    this.resize(size)
  }

  /** Frees the former buffer at once: what waits for a collection adds up. */
  private resize(size: number): void {
    this.bytes = new Uint8Array(this.bytes.buffer.transfer(size))
  }
}

/** Frees a piece that was copied: V8's collector sees only a small object, and lets tens of MiB lie behind such. */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}

export function tooLarge(limit: number): McbError {
  return new McbError('payload_too_large', `the body exceeds ${limit} bytes`, { limit })
}

/** A body that has made no progress for too long. Its answer says so, where anybody still reads it. */
export function stalled(milliseconds: number): McbError {
  const detail = `nothing of the body has come for ${milliseconds / 1000} s; send it again`
  return new McbError('invalid_parameter', detail, { status: 408 })
}
