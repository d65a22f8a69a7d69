/** Gathers the pieces of a body in one buffer. */

import { McbError } from '../core/errors.ts'
import type { BodyHold } from './body-budget.ts'

/** Bytes of the first buffer, if as many are announced, and how many times larger the next one is. */
const GROWTH = { roomy: { first: 1024 * 1024, factor: 4 }, scarce: { first: 64 * 1024, factor: 2 } }

/**
 * One copy of the bytes that come, and by doubling one more: memory is taken for no more than twice the bytes that have come,
 * whatever was announced, and for no more than four times while most of the budget is free. A buffer that grows where it lies
 * would save the second copy, and costs more than that: its pages come one by one, and reading its bytes later takes twice as
 * long.
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
    this.hold.arrived(chunk.length)
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

  /** Frees the gathered bytes. */
  drop(): void {
    this.length = 0
    this.resize(0)
  }

  private grow(length: number): void {
    const most = Math.max(this.most, length)
    const sizeBy = ({ first, factor }: { readonly first: number; readonly factor: number }) =>
      Math.min(Math.max(first, this.bytes.length * factor, length), most)
    const roomy = this.besides + sizeBy(GROWTH.roomy)
    const size = this.hold.isRoomyFor(roomy) ? roomy : this.besides + sizeBy(GROWTH.scarce)
    this.hold.take(size)
    this.resize(size - this.besides)
  }

  /** Frees the former buffer at once: buffers that wait for a collection add up. */
  private resize(size: number): void {
    this.bytes = new Uint8Array(this.bytes.buffer.transfer(size))
  }
}

export function tooLarge(limit: number): McbError {
  return new McbError('payload_too_large', `the body exceeds ${limit} bytes`, { limit })
}

/** A body that has made no progress for too long. Its answer says so, where anybody still reads it. */
export function stalled(milliseconds: number): McbError {
  const detail = `nothing of the body has come for ${milliseconds / 1000} s; send it again`
  return new McbError('invalid_parameter', detail, { status: 408 })
}
