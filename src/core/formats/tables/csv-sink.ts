/** Bytes of a text that is written cell by cell, cut into chunks that are sent as they are. */

import type { Bytes } from '../../draws/segment.ts'
import { NUMBER_BYTES, writeInteger } from './decimal.ts'

/** Bytes of a chunk: about a millisecond's work. */
const CHUNK_BYTES = 128 * 1024
const COMMA = 44
const QUOTE = 34
/** A line feed alone, as R, pandas and Polars write it: DuckDB takes no other where a name has one. */
const LINE_FEED = 10

export class CsvSink {
  out: Bytes = new Uint8Array(CHUNK_BYTES)
  at = 0
  /** Place behind which there is no room for a comma and a number. */
  readonly most = CHUNK_BYTES - NUMBER_BYTES - 1
  private ready: Bytes[] = []

  /** Puts the chunk aside, and begins another. */
  cut(): void {
    this.ready.push(this.out.subarray(0, this.at))
    this.out = new Uint8Array(CHUNK_BYTES)
    this.at = 0
  }

  get hasFull(): boolean {
    return this.ready.length > 0
  }

  /** Chunks that are full. */
  *full(): Generator<Bytes> {
    while (this.ready.length > 0) {
      const ready = this.ready
      this.ready = []
      yield* ready
    }
  }

  /** Everything that was written. */
  *rest(): Generator<Bytes> {
    if (this.at > 0) this.cut()
    yield* this.full()
  }

  /** Writes the columns that count. */
  beginRow(chain: number, iteration: number, draw: number): void {
    if (this.at > this.most - 2 * NUMBER_BYTES) this.cut()
    this.at = writeInteger(this.out, this.at, chain)
    this.out[this.at++] = COMMA
    this.at = writeInteger(this.out, this.at, iteration)
    this.out[this.at++] = COMMA
    this.at = writeInteger(this.out, this.at, draw)
  }

  endRow(): void {
    if (this.at > this.most) this.cut()
    this.out[this.at++] = LINE_FEED
  }

  /** Writes a comma and a text in quotes (RFC 4180), and gives full chunks: the text may be as long as it likes. */
  *quoted(text: Bytes): Generator<Bytes> {
    if (this.at > this.most) this.cut()
    this.out[this.at++] = COMMA
    this.out[this.at++] = QUOTE
    for (let from = 0; from < text.length; ) {
      if (this.at > this.most) {
        this.cut()
        yield* this.full()
      }
      // Each byte may be a quote, which is doubled.
      const end = Math.min(text.length, from + ((this.out.length - this.at) >> 1))
      this.at = copyDoubled(this.out, this.at, text, from, end)
      from = end
    }
    if (this.at > this.most) this.cut()
    this.out[this.at++] = QUOTE
  }
}

function copyDoubled(out: Bytes, start: number, text: Bytes, from: number, end: number): number {
  let at = start
  for (let i = from; i < end; i++) {
    const byte = text[i] ?? 0
    if (byte === QUOTE) out[at++] = QUOTE
    out[at++] = byte
  }
  return at
}
