/** Bytes that are gathered in pieces: none is copied while they grow, and few that are gathered take little. */
import { LENGTH_DELIMITED, writeVarint } from './protobuf.ts'

/** Counts memory that is about to be allocated. @throws McbError when there is none left */
export type Take = (bytes: number) => void

const FIRST_BYTES = 64
const PIECE_BYTES = 256 * 1024
/** Characters below which a text of ASCII is written one by one. */
const SHORT = 64
/** Bytes of a varint of 53 bits at most. */
const VARINT_BYTES = 8

const encoder = new TextEncoder()

export class ByteSink {
  /** Bytes that were gathered. */
  length = 0
  private readonly full: Uint8Array<ArrayBuffer>[] = []
  private piece = new Uint8Array()
  private view = new DataView(this.piece.buffer)
  private used = 0
  private readonly take: Take

  constructor(take: Take) {
    this.take = take
  }

  /** The gathered bytes, in order. */
  get pieces(): readonly Uint8Array<ArrayBuffer>[] {
    return [...this.full, this.piece.subarray(0, this.used)]
  }

  /** Room for so many bytes, which its caller writes. */
  room(size: number): { readonly view: DataView; readonly offset: number } {
    this.reserve(size)
    const offset = this.used
    this.advance(size)
    return { view: this.view, offset }
  }

  varint(value: number): void {
    this.reserve(VARINT_BYTES)
    this.advance(writeVarint(this.piece, this.used, value) - this.used)
  }

  /** A length-delimited field of text. */
  text(field: number, text: string): void {
    this.varint(field * 8 + LENGTH_DELIMITED)
    if (text.length < SHORT && this.shortText(text)) return
    const bytes = encoder.encode(text)
    this.varint(bytes.length)
    this.reserve(bytes.length)
    this.piece.set(bytes, this.used)
    this.advance(bytes.length)
  }

  /** Length and bytes of a short text of ASCII, as most are; false for any other. An encoder takes ten times as long for one. */
  private shortText(text: string): boolean {
    this.reserve(text.length + 1)
    const { piece, used } = this
    piece[used] = text.length
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) return false
      piece[used + 1 + i] = code
    }
    this.advance(text.length + 1)
    return true
  }

  private advance(size: number): void {
    this.used += size
    this.length += size
  }

  private reserve(size: number): void {
    if (this.used + size <= this.piece.length) return
    const next = Math.max(FIRST_BYTES, size, Math.min(PIECE_BYTES, 2 * this.piece.length))
    this.take(next)
    if (this.used > 0) this.full.push(this.piece.subarray(0, this.used))
    this.piece = new Uint8Array(next)
    this.view = new DataView(this.piece.buffer)
    this.used = 0
  }
}
