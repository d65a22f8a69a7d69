/** Reading and writing protobuf's wire format where the generated code would build an object per field. */
import { McbError } from '../errors.ts'

export const VARINT = 0
export const FIXED64 = 1
export const LENGTH_DELIMITED = 2
const START_GROUP = 3
const END_GROUP = 4
export const FIXED32 = 5
const MAX_DEPTH = 100

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function malformed(why: string): McbError {
  return new McbError('invalid_protobuf', `the body is not a valid protobuf message: ${why}`)
}

/**
 * A cursor over one message. Nothing is allocated because a length prefix announces it: every length is checked against
 * the bytes that are there. Errors are McbError `invalid_protobuf`.
 */
export class WireReader {
  readonly bytes: Uint8Array<ArrayBuffer>
  position: number
  end: number
  /** Field number and wire type of the last tag; inside of a group, of which nothing is known here, the number is 0. */
  field = 0
  type = 0
  /** Numbers of the groups that are open. */
  private readonly groups: number[] = []

  constructor(bytes: Uint8Array<ArrayBuffer>, position = 0, end = bytes.length) {
    this.bytes = bytes
    this.position = position
    this.end = end
  }

  /** Reads the next tag; false at the end of the message. Tags in groups come one by one, as a group may be the whole message. */
  next(): boolean {
    if (this.position >= this.end) {
      if (this.groups.length > 0) throw malformed('a group does not end')
      return false
    }
    const tag = this.varint()
    if (tag > 0xffffffff) throw malformed('a tag exceeds 32 bits')
    this.field = Math.floor(tag / 8)
    this.type = tag % 8
    if (this.field === 0) throw malformed('a field has number 0')
    if (this.groups.length > 0 || this.type === START_GROUP) this.nextInGroup()
    return true
  }

  private nextInGroup(): void {
    const { field, type, groups } = this
    if (groups.length > 0) this.field = 0
    if (type === START_GROUP && groups.push(field) > MAX_DEPTH) throw malformed('it is nested too deeply')
    if (type === END_GROUP && groups.pop() !== field) throw malformed('a group ends under another number')
  }

  /** An unsigned varint of 64 bits; beyond 2^53 it is rounded, so 2^64 - 1 is 2^64 here. */
  varint(): number {
    // Most varints have one byte.
    const only = this.bytes[this.position] ?? 0x80
    if (only < 0x80 && this.position < this.end) {
      this.position++
      return only
    }
    let value = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw malformed('it is truncated')
      const byte = this.bytes[this.position++] ?? 0
      // Only one bit of the tenth byte is among the 64.
      value += (byte & (i < 9 ? 0x7f : 0x01)) * scale
      if (byte < 0x80) return value
      scale *= 128
    }
    throw malformed('a varint exceeds ten bytes')
  }

  /** The low 32 bits of a varint, as a parser of uint32 keeps them. */
  uint32(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= this.end) throw malformed('it is truncated')
      const byte = this.bytes[this.position++] ?? 0
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw malformed('a varint exceeds ten bytes')
  }

  /** Reads a length prefix and checks it; the cursor stands at the first byte of the field. */
  length(): number {
    const length = this.varint()
    if (length > this.end - this.position) throw malformed(`a field announces ${length} bytes, more than there are`)
    return length
  }

  /** Passes over about `most` bytes of the varints that end at `end`, and counts them. */
  countVarints(end: number, most: number): number {
    const { bytes } = this
    const until = Math.min(end, this.position + most)
    let count = 0
    let begin = this.position
    for (let at = begin; at < end && begin < until; at++) {
      if ((bytes[at] ?? 0) >= 0x80) continue
      if (at - begin > 9) throw malformed('a varint exceeds ten bytes')
      begin = at + 1
      count++
    }
    if (begin < until) throw malformed('a packed field does not end with a varint')
    this.position = begin
    return count
  }

  /** A length-delimited field as a view on the message. */
  view(): Uint8Array<ArrayBuffer> {
    const length = this.length()
    const start = this.position
    this.position += length
    return this.bytes.subarray(start, this.position)
  }

  /** A string field; invalid UTF-8 is an error, as proto3 demands. */
  string(): string {
    const length = this.length()
    this.position += length
    return decodeUtf8(this.bytes, this.position - length, this.position)
  }

  /** Passes over the field whose tag was read last; of a group, over its tags alone. */
  skip(): void {
    switch (this.type) {
      case VARINT:
        this.varint()
        return
      case FIXED64:
        this.advance(8)
        return
      case LENGTH_DELIMITED:
        this.advance(this.length())
        return
      case FIXED32:
        this.advance(4)
        return
      case START_GROUP:
        return
      case END_GROUP:
        if (this.field === 0) return
        throw malformed('a group ends that has not begun')
      default:
        throw malformed(`wire type ${this.type} is not known here`)
    }
  }

  private advance(count: number): void {
    if (count > this.end - this.position) throw malformed('it is truncated')
    this.position += count
  }
}

/** Text of UTF-8 bytes; most names and strings are short ASCII, which needs no TextDecoder. */
export function decodeUtf8(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): string {
  if (end - start < 32) {
    let text = ''
    let position = start
    while (position < end) {
      const byte = bytes[position] ?? 0
      if (byte >= 0x80) break
      text += String.fromCharCode(byte)
      position++
    }
    if (position === end) return text
  }
  try {
    return strictUtf8.decode(bytes.subarray(start, end))
  } catch {
    throw malformed('a string is not UTF-8')
  }
}

/** Judges text without making a string of it. @throws McbError `invalid_protobuf` when it is not UTF-8 */
export function checkUtf8(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
  for (let position = start; position < end; position++) {
    if ((bytes[position] ?? 0) < 0x80) continue
    decodeUtf8(bytes, position, end)
    return
  }
}

export function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

/** Appends a varint at `offset` and returns the offset behind it; `value` is a safe integer ≥ 0. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let rest = value
  let position = offset
  while (rest >= 128) {
    target[position++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  target[position++] = rest
  return position
}

/** Bytes of the tag and length of a length-delimited field. */
export function headSize(field: number, length: number): number {
  return varintSize(field * 8) + varintSize(length)
}

/** Appends tag and length of a length-delimited field at `offset` and returns the offset behind them. */
export function writeHead(target: Uint8Array, offset: number, field: number, length: number): number {
  return writeVarint(target, writeVarint(target, offset, field * 8 + LENGTH_DELIMITED), length)
}

/** Tag and length of a length-delimited field, without its bytes. */
export function fieldHead(field: number, length: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(headSize(field, length))
  writeHead(head, 0, field, length)
  return head
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** True where two byte strings are the same; compares eight bytes a step if both are aligned alike. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let i = 0
  if (a.byteOffset % 8 === 0 && b.byteOffset % 8 === 0) {
    const words = Math.floor(a.length / 8)
    const x = new BigUint64Array(a.buffer, a.byteOffset, words)
    const y = new BigUint64Array(b.buffer, b.byteOffset, words)
    for (let w = 0; w < words; w++) if (x[w] !== y[w]) return false
    i = words * 8
  }
  for (; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
