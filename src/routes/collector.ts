/** Gathers the pieces of a body in one buffer. */
import type { BodyHold } from '../core/budget.ts'
import { McbError } from '../core/errors.ts'

/** Bytes up to which a body has a buffer of its announced size at once. Most have no more. */
const SMALL_BYTES = 64 * 1024

/**
 * One copy of what comes. A large buffer grows where it lies, by doubling: its address space is set aside for all that may
 * come, its memory is taken for no more than twice of what has.
 */
export class Collector {
  private buffer = new ArrayBuffer(0)
  private bytes = new Uint8Array(this.buffer)
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
      this.hold.take(this.besides + this.length)
      // What is small, or has much more address space than it needs, goes to a buffer that has none to spare.
      const isWide = !this.buffer.resizable || this.buffer.maxByteLength > 2 * this.length
      if (isWide) this.move(new ArrayBuffer(this.length))
      else this.buffer.resize(this.length)
    }
    return new Uint8Array(this.buffer, 0, this.length)
  }

  /** Frees what was gathered. */
  drop(): void {
    this.length = 0
    this.move(new ArrayBuffer(0))
  }

  private grow(length: number): void {
    const most = Math.max(this.most, length)
    const size = Math.min(Math.max(SMALL_BYTES, this.bytes.length * 2, length), most)
    this.hold.take(this.besides + size)
    if (this.buffer.resizable && size <= this.buffer.maxByteLength) this.buffer.resize(size)
    else this.move(most <= SMALL_BYTES ? new ArrayBuffer(size) : new ArrayBuffer(size, { maxByteLength: most }))
  }

  /** Takes what was gathered to another buffer, and frees the former at once: what waits for a collection adds up. */
  private move(room: ArrayBuffer): void {
    const bytes = new Uint8Array(room)
    bytes.set(this.bytes.subarray(0, this.length))
    this.buffer.transferToFixedLength(0)
    this.buffer = room
    this.bytes = bytes
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
