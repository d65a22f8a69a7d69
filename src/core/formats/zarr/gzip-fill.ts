/**
 * gzip of bytes with fill behind them: the bytes as they are, since draws hardly shrink and the attempt costs much, and the
 * fill, however long, as almost nothing.
 *
 * RFC 1951 (deflate), RFC 1952 (gzip).
 */

import type { Bytes } from '../../draws/segment.ts'
import { crcOf, crcOfRepeated, joinCrc } from './crc32.ts'

/** Bytes of a stored block at most, and those before them. */
const STORED_BYTES = 65_535
const STORED_HEAD = 5
/** Magic, method deflate, no flags, no time, no hint, no system. */
const HEAD = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
const TAIL_BYTES = 8
/** Bytes that one match repeats, and its bits in the fixed code: those of length 258, then those of its distance. */
const MATCH_BYTES = 258
const MATCH_CODE = 0b10100011
const MATCH_CODE_BITS = 8
/** A final block in the fixed code begins with these bits, and ends with seven zeros. */
const FIXED_HEAD = 0b011
const FIXED_HEAD_BITS = 3
const FIXED_END_BITS = 7

/** Distances by which a match looks back, as bits from the least significant one: five of the code, then the extra ones. */
const DISTANCES: Readonly<Record<number, { readonly bits: number; readonly count: number }>> = {
  1: { bits: 0b00000, count: 5 },
  4: { bits: 0b11000, count: 5 },
  8: { bits: 0b110100, count: 6 },
}

/**
 * @param bytes the bytes before the fill
 * @param pattern 1, 4 or 8 bytes
 * @param repeats times that the pattern stands behind them, at least once
 */
export function gzipWithFill(bytes: Bytes, pattern: Bytes, repeats: number): Bytes {
  const distance = DISTANCES[pattern.length]
  if (distance === undefined || repeats < 1) throw new RangeError(`a fill of ${repeats} times ${pattern.length} bytes`)
  const fill = pattern.length * repeats
  const matches = Math.floor((fill - pattern.length) / MATCH_BYTES)
  const plain = new Uint8Array(bytes.length + fill - matches * MATCH_BYTES)
  plain.set(bytes)
  for (let at = bytes.length; at < plain.length; at++) plain[at] = pattern[(at - bytes.length) % pattern.length] ?? 0
  const blocks = Math.ceil(plain.length / STORED_BYTES)
  const bits = FIXED_HEAD_BITS + matches * (MATCH_CODE_BITS + distance.count) + FIXED_END_BITS
  const out = new Uint8Array(HEAD.length + blocks * STORED_HEAD + plain.length + Math.ceil(bits / 8) + TAIL_BYTES)
  out.set(HEAD)
  const end = putMatches(out, putStored(out, HEAD.length, plain), matches, distance)
  const crc = joinCrc(crcOf(bytes), crcOfRepeated(pattern, repeats), fill)
  const tail = new DataView(out.buffer, end, TAIL_BYTES)
  tail.setUint32(0, crc, true)
  tail.setUint32(4, (bytes.length + fill) % 2 ** 32, true)
  return out
}

function putStored(out: Bytes, begin: number, plain: Bytes): number {
  let to = begin
  const view = new DataView(out.buffer)
  for (let at = 0; at < plain.length; at += STORED_BYTES) {
    const block = plain.subarray(at, at + STORED_BYTES)
    view.setUint16(to + 1, block.length, true)
    view.setUint16(to + 3, ~block.length & 0xffff, true)
    out.set(block, to + STORED_HEAD)
    to += STORED_HEAD + block.length
  }
  return to
}

function putMatches(
  out: Bytes,
  begin: number,
  matches: number,
  { bits, count }: { bits: number; count: number },
): number {
  let to = begin
  let held = FIXED_HEAD
  let heldBits = FIXED_HEAD_BITS
  const put = (value: number, width: number) => {
    held |= value << heldBits
    heldBits += width
    for (; heldBits >= 8; heldBits -= 8, held >>>= 8) out[to++] = held & 0xff
  }
  const match = MATCH_CODE | (bits << MATCH_CODE_BITS)
  for (let i = 0; i < matches; i++) put(match, MATCH_CODE_BITS + count)
  put(0, FIXED_END_BITS)
  if (heldBits > 0) out[to++] = held & 0xff
  return to
}
