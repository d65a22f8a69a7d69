/**
 * Zstandard frames (RFC 8878) of a known size: read within bounds of memory and work, and written without compression.
 * Checksums are not looked at, since draws are compared with what is stored anyway.
 */
import type { Bytes } from '../../draws/segment.ts'
import { type Huffman, readFourStreams, readHuffman, readSymbols } from './huffman.ts'
import { BackwardBits, constantFse, type Fse, LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS, readFse } from './tables.ts'

const MAGIC = 0xfd2fb528
/** Bytes of one block at most. */
const BLOCK_BYTES = 128 * 1024
/** Blocks of a frame at most, beside one for so many bytes of its content: each costs time, also an empty one. */
const BLOCKS = 64
const BYTES_PER_BLOCK = 256
/** Bits of an offset at most: content has at most 64 MiB. */
const OFFSET_BITS = 26

/**
 * The content of one frame.
 *
 * @throws Error when it is not a frame of exactly so many bytes
 */
export function readZstd(frame: Uint8Array, size: number): Bytes {
  const head = readHead(frame)
  if (head.size !== undefined && head.size !== size) {
    throw new Error(`the frame announces ${head.size} bytes, not ${size}`)
  }
  const reader = new FrameReader(frame, size)
  reader.read(head.length)
  return reader.out
}

/** Bytes that a frame announces. @throws Error where it does not */
export function zstdSize(frame: Uint8Array): number {
  const { size } = readHead(frame)
  if (size === undefined) throw new Error('the Zstandard frame does not tell its size')
  return size
}

function readHead(frame: Uint8Array): { size: number | undefined; length: number } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.length < 5 || view.getUint32(0, true) !== MAGIC) throw new Error('there is no Zstandard frame')
  const flags = view.getUint8(4)
  if ((flags & 3) !== 0) throw new Error('the Zstandard frame needs a dictionary')
  const isSingle = (flags >> 5) & 1
  const kind = flags >> 6
  const at = 6 - isSingle
  const sizeBytes = kind === 0 ? isSingle : 1 << kind
  if (at + sizeBytes > frame.length) throw new Error('the Zstandard frame is too short')
  const length = at + sizeBytes
  if (kind === 0) return { size: isSingle === 1 ? view.getUint8(at) : undefined, length }
  if (kind === 1) return { size: view.getUint16(at, true) + 256, length }
  return { size: kind === 2 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true)), length }
}

interface Literals {
  readonly literals: Uint8Array
  /** Bytes that they take in the block. */
  readonly length: number
}

class FrameReader {
  readonly out: Bytes
  private readonly frame: Uint8Array
  private at = 0
  private written = 0
  private huffman: Huffman | undefined
  private tables: [Fse | undefined, Fse | undefined, Fse | undefined] = [undefined, undefined, undefined]
  private readonly offsets: [number, number, number] = [1, 4, 8]

  constructor(frame: Uint8Array, size: number) {
    this.frame = frame
    this.out = new Uint8Array(size)
  }

  read(from: number): void {
    this.at = from
    let blocks = BLOCKS + this.out.length / BYTES_PER_BLOCK
    while (!this.block()) if (--blocks < 0) throw new Error('the Zstandard frame has too many blocks')
    if (this.written !== this.out.length) {
      throw new Error(`the Zstandard frame has ${this.written} bytes, not ${this.out.length}`)
    }
  }

  /** Reads a block; true where it is the last one. */
  private block(): boolean {
    const { frame, at } = this
    if (at + 3 > frame.length) throw new Error('the Zstandard frame is too short')
    const head = (frame[at] ?? 0) | ((frame[at + 1] ?? 0) << 8) | ((frame[at + 2] ?? 0) << 16)
    const kind = (head >> 1) & 3
    const size = head >> 3
    const stored = kind === 1 ? 1 : size
    if (kind === 3 || size > BLOCK_BYTES || at + 3 + stored > frame.length) throw new Error('a block is malformed')
    const bytes = frame.subarray(at + 3, at + 3 + stored)
    if (kind === 2) this.compressed(bytes)
    else {
      this.requireRoom(size)
      if (kind === 0) this.out.set(bytes, this.written)
      else this.out.fill(bytes[0] ?? 0, this.written, this.written + size)
      this.written += size
    }
    this.at += 3 + stored
    return (head & 1) === 1
  }

  private requireRoom(more: number): void {
    if (more > this.out.length - this.written) throw new Error('the Zstandard frame has more bytes than it should have')
  }

  private compressed(block: Uint8Array): void {
    const { literals, length } = this.literals(block)
    const rest = block.subarray(length)
    const first = rest[0] ?? 0
    if (rest.length === 0) throw new Error('a block has no sequences')
    if (first === 0) {
      this.copyLiterals(literals, 0, literals.length)
      return
    }
    let at = 1
    let count = first
    if (first === 255) {
      count = (rest[1] ?? 0) + ((rest[2] ?? 0) << 8) + 0x7f00
      at = 3
    } else if (first >= 128) {
      count = ((first - 128) << 8) + (rest[1] ?? 0)
      at = 2
    }
    const modes = rest[at++] ?? 0
    at = this.table(0, modes >> 6, rest, at, LITERAL_LENGTHS.known, LITERAL_LENGTHS.mostLog, 35)
    at = this.table(1, (modes >> 4) & 3, rest, at, OFFSETS.known, OFFSETS.mostLog, 31)
    at = this.table(2, (modes >> 2) & 3, rest, at, MATCH_LENGTHS.known, MATCH_LENGTHS.mostLog, 52)
    if (at >= rest.length) throw new Error('a block has no sequences')
    this.sequences(new BackwardBits(rest.subarray(at)), count, literals)
  }

  /** Takes the table of one kind of code; the position behind it. */
  private table(
    kind: 0 | 1 | 2,
    mode: number,
    bytes: Uint8Array,
    at: number,
    known: Fse,
    log: number,
    most: number,
  ): number {
    if (mode === 0) this.tables[kind] = known
    else if (mode === 1) {
      const symbol = bytes[at] ?? 0
      if (symbol > most) throw new Error('a code is not known')
      this.tables[kind] = constantFse(symbol)
      return at + 1
    } else if (mode === 2) {
      const { fse, length } = readFse(bytes.subarray(at), log, most)
      this.tables[kind] = fse
      return at + length
    }
    return at
  }

  private literals(block: Uint8Array): Literals {
    const kind = (block[0] ?? 0) & 3
    if (kind >= 2) return this.packedLiterals(block, kind === 2)
    const format = ((block[0] ?? 0) >> 2) & 3
    const bits = (block[0] ?? 0) | ((block[1] ?? 0) << 8) | ((block[2] ?? 0) << 16)
    const head = [1, 2, 1, 3][format] ?? 1
    const size = (bits & ((1 << (8 * head)) - 1)) >> (head === 1 ? 3 : 4)
    this.requireRoom(size)
    const end = head + (kind === 0 ? size : 1)
    if (end > block.length) throw new Error('literals are too short')
    if (kind === 0) return { literals: block.subarray(head, end), length: end }
    return { literals: new Uint8Array(size).fill(block[head] ?? 0), length: end }
  }

  private packedLiterals(block: Uint8Array, hasTable: boolean): Literals {
    const format = ((block[0] ?? 0) >> 2) & 3
    const head = format < 2 ? 3 : format + 2
    const width = format < 2 ? 10 : format === 2 ? 14 : 18
    let bits = 0
    for (let i = head - 1; i >= 0; i--) bits = bits * 256 + (block[i] ?? 0)
    const size = Math.floor(bits / 16) % 2 ** width
    const end = head + Math.floor(bits / 2 ** (4 + width))
    this.requireRoom(size)
    if (size === 0 || end > block.length) throw new Error('literals are too short')
    let from = head
    if (hasTable) {
      const { huffman, length } = readHuffman(block.subarray(head, end))
      this.huffman = huffman
      from += length
    }
    if (this.huffman === undefined) throw new Error('literals have no Huffman table')
    const literals = new Uint8Array(size)
    const streams = block.subarray(from, end)
    if (format === 0) readSymbols(this.huffman, streams, literals)
    else readFourStreams(this.huffman, streams, literals)
    return { literals, length: end }
  }

  private copyLiterals(literals: Uint8Array, from: number, to: number): void {
    this.requireRoom(to - from)
    this.out.set(literals.subarray(from, to), this.written)
    this.written += to - from
  }

  private sequences(bits: BackwardBits, count: number, literals: Uint8Array): void {
    const [lengths, offsets, matches] = this.tables
    if (lengths === undefined || offsets === undefined || matches === undefined) throw new Error('a table is missing')
    const [l, o, m] = [new Coded(lengths, bits), new Coded(offsets, bits), new Coded(matches, bits)]
    let used = 0
    for (let left = count; left > 0; left--) {
      if (o.code > OFFSET_BITS) throw new Error('an offset is too large')
      const offset = 2 ** o.code + readWide(bits, o.code)
      const match = m.value(MATCH_LENGTHS)
      const length = l.value(LITERAL_LENGTHS)
      if (left > 1) {
        l.step()
        m.step()
        o.step()
      }
      if (used + length > literals.length || bits.left < 0) throw new Error('a sequence is malformed')
      this.copyLiterals(literals, used, used + length)
      used += length
      this.copyMatch(this.offset(offset, length === 0), match)
    }
    if (bits.left !== 0) throw new Error('sequences have another length')
    this.copyLiterals(literals, used, literals.length)
  }

  /** The offset that a value stands for; the last three are known by numbers. */
  private offset(value: number, hasNoLiterals: boolean): number {
    const last = this.offsets
    const [first, second] = last
    if (value > 3) {
      last[2] = second
      last[1] = first
      last[0] = value - 3
      return last[0]
    }
    const index = value - 1 + (hasNoLiterals ? 1 : 0)
    if (index === 0) return first
    const chosen = index === 3 ? first - 1 : (last[index] ?? 0)
    if (index > 1) last[2] = second
    last[1] = first
    last[0] = chosen
    return chosen
  }

  private copyMatch(offset: number, length: number): void {
    const { out, written } = this
    if (offset < 1 || offset > written) throw new Error('an offset lies before the content')
    this.requireRoom(length)
    if (offset >= length) out.copyWithin(written, written - offset, written - offset + length)
    else for (let i = 0; i < length; i++) out[written + i] = out[written + i - offset] ?? 0
    this.written += length
  }
}

/** Codes of one kind, one after the other. */
class Coded {
  private readonly table: Fse
  private readonly bits: BackwardBits
  private state: number

  constructor(table: Fse, bits: BackwardBits) {
    this.table = table
    this.bits = bits
    this.state = bits.read(table.log)
  }

  get code(): number {
    return this.table.symbols[this.state] ?? 0
  }

  /** The number that the code and the bits behind it stand for. */
  value({ bases, bits }: { readonly bases: readonly number[]; readonly bits: readonly number[] }): number {
    return (bases[this.code] ?? 0) + this.bits.read(bits[this.code] ?? 0)
  }

  step(): void {
    this.state = (this.table.bases[this.state] ?? 0) + this.bits.read(this.table.bits[this.state] ?? 0)
  }
}

/** Up to 26 bits. */
function readWide(bits: BackwardBits, count: number): number {
  if (count <= 16) return bits.read(count)
  const high = bits.read(count - 16)
  return high * 65_536 + bits.read(16)
}

/** A frame of raw blocks. */
export function writeZstd(content: Uint8Array): Bytes {
  const blocks = Math.max(1, Math.ceil(content.length / BLOCK_BYTES))
  const out = new Uint8Array(9 + 3 * blocks + content.length)
  const view = new DataView(out.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint8(4, 0b1010_0000)
  view.setUint32(5, content.length, true)
  let at = 9
  for (let block = 0; block < blocks; block++) {
    const part = content.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    const head = part.length * 8 + (block === blocks - 1 ? 1 : 0)
    view.setUint8(at, head & 255)
    view.setUint16(at + 1, head >>> 8, true)
    out.set(part, at + 3)
    at += 3 + part.length
  }
  return out
}
