/** Bytes of the head of a file, little-endian, as they are gathered: with places that are filled in later. */

import type { Bytes } from '../../draws/segment.ts'

const FIRST_BYTES = 16 * 1024
const encoder = new TextEncoder()

/** An address that leads nowhere. */
export const UNDEFINED_ADDRESS = -1

export class HeaderBytes {
  length = 0
  private held: Bytes = new Uint8Array(FIRST_BYTES)
  private view = new DataView(this.held.buffer)

  /** All bytes that were gathered; nothing may be added behind this. */
  get bytes(): Bytes {
    return this.held.subarray(0, this.length)
  }

  u8(...values: readonly number[]): void {
    const at = this.grow(values.length)
    for (let i = 0; i < values.length; i++) this.held[at + i] = values[i] ?? 0
  }

  u16(value: number): void {
    const at = this.grow(2)
    this.view.setUint16(at, value, true)
  }

  u32(value: number): void {
    const at = this.grow(4)
    this.view.setUint32(at, value, true)
  }

  u64(value: number): void {
    const at = this.grow(8)
    this.setU64(at, value)
  }

  i64(value: bigint): void {
    const at = this.grow(8)
    this.view.setBigInt64(at, BigInt.asIntN(64, value), true)
  }

  f64(value: number): void {
    const at = this.grow(8)
    this.view.setFloat64(at, value, true)
  }

  raw(bytes: Uint8Array): void {
    const at = this.grow(bytes.length)
    this.held.set(bytes, at)
  }

  /** A text in UTF-8, and the number of its bytes. */
  text(text: string): number {
    const at = this.grow(text.length * 3)
    const { written } = encoder.encodeInto(text, this.held.subarray(at, this.length))
    this.length = at + written
    return written
  }

  zeros(count: number): void {
    const at = this.grow(count)
    this.held.fill(0, at, this.length)
  }

  /** Zeros up to a multiple of eight bytes. */
  align(): void {
    this.zeros(-this.length & 7)
  }

  setU16(at: number, value: number): void {
    this.view.setUint16(at, value, true)
  }

  setU32(at: number, value: number): void {
    this.view.setUint32(at, value, true)
  }

  /** A number below 2^53, or the undefined address. */
  setU64(at: number, value: number): void {
    const isNowhere = value === UNDEFINED_ADDRESS
    this.view.setUint32(at, isNowhere ? 0xffffffff : value % 2 ** 32, true)
    this.view.setUint32(at + 4, isNowhere ? 0xffffffff : Math.floor(value / 2 ** 32), true)
  }

  private grow(by: number): number {
    const at = this.length
    this.length += by
    if (this.length > this.held.length) {
      const larger = new Uint8Array(Math.max(2 * this.held.length, this.length))
      larger.set(this.held.subarray(0, at))
      this.held = larger
      this.view = new DataView(larger.buffer)
    }
    return at
  }
}
