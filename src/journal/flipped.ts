/**
 * One wrong bit, told from a write that was cut off.
 *
 * The last group of a journal has nothing behind it that would say it was on the disk. A write that was cut off lacks whole
 * pieces; where one bit alone keeps a checksum from fitting, the group was whole once, and what it holds may have been
 * acknowledged.
 */
import { BLOCK_BYTES, blocksIn, SUM_BYTES, sumOf } from '../objects/checksum.ts'
import type { Bytes } from '../objects/objects.ts'

/** True where some bytes would pass a test but for one bit of the first `among`. For heads: each bit is tried. */
export function isOneBitOff(bytes: Uint8Array, among: number, passes: (flipped: Bytes) => boolean): boolean {
  const flipped = new Uint8Array(bytes)
  for (let at = 0; at < among; at++) {
    for (let bit = 0; bit < 8; bit++) {
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
      if (passes(flipped)) return true
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
    }
  }
  return false
}

/** Blocks whose checksums do not fit, and those of them in which one bit is wrong. */
export function wrongBlocks(data: Uint8Array, sums: Uint8Array): { readonly wrong: number; readonly flipped: number } {
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  let wrong = 0
  let flipped = 0
  for (let block = 0; block < blocksIn(data.length); block++) {
    const bytes = data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    const syndrome = (sumOf(bytes) ^ view.getUint32(block * SUM_BYTES, true)) >>> 0
    if (syndrome === 0) continue
    wrong++
    if (isOfOneBit(syndrome, bytes.length)) flipped++
  }
  return { wrong, flipped }
}

/** Polynomial of CRC-32, its bits reversed. https://www.rfc-editor.org/rfc/rfc1952#section-8 */
const POLYNOMIAL = 0xedb88320

/** What a CRC-32 without its first and last complement becomes behind one more byte of zeros. */
function behindZeros(crc: number): number {
  let next = crc
  for (let bit = 0; bit < 8; bit++) next = next & 1 ? (next >>> 1) ^ POLYNOMIAL : next >>> 1
  return next >>> 0
}

/** True when the difference of two checksums is that of one bit of so many bytes: the CRC is linear. */
function isOfOneBit(syndrome: number, bytes: number): boolean {
  const ofBits = Array.from({ length: 8 }, (_, bit) => behindZeros(1 << bit))
  for (let byte = bytes - 1; byte >= 0; byte--) {
    for (let bit = 0; bit < 8; bit++) {
      if (ofBits[bit] === syndrome) return true
      ofBits[bit] = behindZeros(ofBits[bit] ?? 0)
    }
  }
  return false
}
