/** Gathers the pieces of a body in one buffer. */
import type { BodyHold } from '../core/budget.ts'
import { McbError } from '../core/errors.ts'

/** Bytes that are set aside when the first piece has come: as much as most bodies have. */
const FIRST_BYTES = 64 * 1024

/** One copy of what comes, and memory for no more than twice of it, whatever was announced. */
export class Collector {
  private buffer: Uint8Array<ArrayBuffer> = new Uint8Array()
  private length = 0
  private readonly announced: number
  private readonly limit: number
  private readonly hold: BodyHold
  /** Bytes that the hold counts for another part of the body. */
  private readonly besides: number

  /** @param announced bytes, 0 when they are not known */
  constructor(announced: number, limit: number, hold: BodyHold) {
    this.announced = announced
    this.limit = limit
    this.hold = hold
    this.besides = hold.bytes
  }

  /** @throws McbError `payload_too_large`, `overloaded` */
  add(chunk: Uint8Array): void {
    const length = this.length + chunk.length
    if (length > this.limit) throw tooLarge(this.limit)
    if (length > this.buffer.length) this.grow(length)
    this.buffer.set(chunk, this.length)
    this.length = length
  }

  /** The whole body, on a buffer of its own: a view on a part would be copied with all that lies beside it. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.length < this.buffer.length) this.resize(this.length)
    return this.buffer
  }

  /** Frees what was gathered. */
  drop(): void {
    this.buffer.buffer.transfer(0)
    this.buffer = new Uint8Array()
    this.length = 0
  }

  private grow(length: number): void {
    const doubled = Math.max(FIRST_BYTES, this.buffer.length * 2, length)
    const most = length <= this.announced ? Math.min(this.announced, this.limit) : this.limit
    this.resize(Math.min(doubled, most))
  }

  private resize(bytes: number): void {
    this.hold.take(this.besides + bytes)
    // Frees the former buffer at once; what waits for a collection adds up under load.
    this.buffer = new Uint8Array(this.buffer.buffer.transfer(bytes))
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
