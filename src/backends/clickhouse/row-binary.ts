/**
 * Writing and reading RowBinary. Large arrays are neither copied nor converted: their elements are the segment's bytes.
 *
 * https://clickhouse.com/docs/interfaces/formats/RowBinary
 */
import type { Bytes } from '../../core/draws/segment.ts'
import { varintSize, writeVarint } from '../../core/wire/protobuf.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
/** Bytes of this many and more are handed on as they are; a piece that goes to a socket by itself costs more than a copy. */
const VIEW_BYTES = 32 * 1024
/** Bytes of the first buffer, and of the largest: each is twice the one before. */
const FIRST_BUFFER = 4096
const LARGEST_BUFFER = 1024 * 1024

export class RowWriter {
  private readonly done: Bytes[] = []
  private buffer = new Uint8Array(FIRST_BUFFER)
  private view = new DataView(this.buffer.buffer)
  private from = 0
  private at = 0
  size = 0

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    this.flush()
    this.buffer = new Uint8Array(Math.max(Math.min(2 * this.buffer.length, LARGEST_BUFFER), bytes))
    this.view = new DataView(this.buffer.buffer)
    this.from = 0
    this.at = 0
  }

  private flush(): void {
    if (this.at > this.from) this.done.push(this.buffer.subarray(this.from, this.at))
    this.size += this.at - this.from
    this.from = this.at
  }

  uint8(value: number): void {
    this.reserve(1)
    this.buffer[this.at++] = value
  }

  /** Zero bytes: as many empty arrays, or 0 as Bool. */
  zeros(count: number): void {
    this.reserve(count)
    this.buffer.fill(0, this.at, this.at + count)
    this.at += count
  }

  uint32(value: number): void {
    this.reserve(4)
    this.view.setUint32(this.at, value, true)
    this.at += 4
  }

  /** An Int64 that is a safe integer. */
  int64(value: number): void {
    this.reserve(8)
    this.view.setUint32(this.at, value % 0x1_0000_0000, true)
    this.view.setInt32(this.at + 4, Math.floor(value / 0x1_0000_0000), true)
    this.at += 8
  }

  uint64(value: bigint): void {
    this.reserve(8)
    this.view.setBigUint64(this.at, value, true)
    this.at += 8
  }

  varint(value: number): void {
    this.reserve(varintSize(value))
    this.at = writeVarint(this.buffer, this.at, value)
  }

  bytes(bytes: Bytes): void {
    if (bytes.length < VIEW_BYTES) {
      this.reserve(bytes.length)
      this.buffer.set(bytes, this.at)
      this.at += bytes.length
      return
    }
    this.flush()
    this.done.push(bytes)
    this.size += bytes.length
  }

  string(text: string): void {
    this.blob(encoder.encode(text))
  }

  blob(bytes: Bytes): void {
    this.varint(bytes.length)
    this.bytes(bytes)
  }

  strings(texts: readonly string[]): void {
    this.varint(texts.length)
    for (const text of texts) this.string(text)
  }

  /** Rows so far, in pieces. */
  finish(): readonly Bytes[] {
    this.flush()
    return this.done
  }
}

export class RowReader {
  readonly bytes: Bytes
  private readonly view: DataView
  private at = 0

  constructor(bytes: Bytes) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  more(): boolean {
    return this.at < this.bytes.length
  }

  uint8(): number {
    return this.view.getUint8(this.at++)
  }

  int8(): number {
    return this.view.getInt8(this.at++)
  }

  uint32(): number {
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  /** An Int64 that is a safe integer. */
  int64(): number {
    return Number(this.bigInt64())
  }

  bigInt64(): bigint {
    this.at += 8
    return this.view.getBigInt64(this.at - 8, true)
  }

  uint64(): bigint {
    this.at += 8
    return this.view.getBigUint64(this.at - 8, true)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.uint8()
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
  }

  take(length: number): Bytes {
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  string(): string {
    return decoder.decode(this.take(this.varint()))
  }

  /** Elements of an array of numbers of `itemSize` bytes. */
  array(itemSize: number): Bytes {
    return this.take(this.varint() * itemSize)
  }

  /** Byte lengths and UTF-8 of an array of strings, as a segment keeps them: no view for each, of which there may be millions. */
  strings(): { lengths: Uint32Array; payload: Bytes } {
    const lengths = new Uint32Array(this.varint())
    const begin = this.at
    let size = 0
    for (let i = 0; i < lengths.length; i++) {
      const length = this.varint()
      this.at += length
      lengths[i] = length
      size += length
    }
    const payload = new Uint8Array(size)
    this.at = begin
    let to = 0
    for (const length of lengths) {
      this.varint()
      if (length > 64) payload.set(this.take(length), to)
      else for (let i = 0; i < length; i++) payload[to + i] = this.bytes[this.at++] ?? 0
      to += length
    }
    return { lengths, payload }
  }
}
