/**
 * One wrong bit, told from a write that was cut off.
 *
 * The last group of a journal has nothing behind it that would say it was on the disk. A write that was cut off lacks whole
 * pieces; where one bit alone keeps a group from being whole, it was whole once, and what it holds may have been
 * acknowledged.
 */
import { BLOCK_BYTES, blocksIn, SUM_BYTES, sumOf } from '../objects/checksum.ts'

/** Turns one bit over; a second time it is as it was. */
export function flip(bytes: Uint8Array, bit: number): void {
  const at = bit >> 3
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
}

/** The bit of some bytes that keeps them from passing a test; undefined when no single one does. */
export function wrongBit(bytes: Uint8Array, passes: () => boolean): number | undefined {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    flip(bytes, bit)
    const isIt = passes()
    flip(bytes, bit)
    if (isIt) return bit
  }
  return undefined
}

/** A block that its checksum does not fit. */
export interface WrongBlock {
  readonly bytes: number
  /** Difference of the checksums, as a XOR. */
  readonly syndrome: number
}

export function wrongBlocks(data: Uint8Array, sums: Uint8Array): WrongBlock[] {
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  const wrong: WrongBlock[] = []
  for (let block = 0; block < blocksIn(data.length); block++) {
    const bytes = data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    const syndrome = (sumOf(bytes) ^ view.getUint32(block * SUM_BYTES, true)) >>> 0
    if (syndrome !== 0) wrong.push({ bytes: bytes.length, syndrome })
  }
  return wrong
}

/** Polynomial of CRC-32, its bits reversed. https://www.rfc-editor.org/rfc/rfc1952#section-8 */
const POLYNOMIAL = 0xedb88320

/** A CRC-32 without its first and last complement, behind one more byte of zeros. */
function behindZeros(crc: number): number {
  let next = crc
  for (let bit = 0; bit < 8; bit++) next = next & 1 ? (next >>> 1) ^ POLYNOMIAL : next >>> 1
  return next >>> 0
}

/** True when one bit alone is wrong. The CRC is linear: its difference depends on the bit's place, and on nothing else. */
export function isOfOneBit({ bytes, syndrome }: WrongBlock): boolean {
  const ofBits = Array.from({ length: 8 }, (_, bit) => behindZeros(1 << bit))
  for (let byte = bytes - 1; byte >= 0; byte--) {
    for (let bit = 0; bit < 8; bit++) {
      if (ofBits[bit] === syndrome) return true
      ofBits[bit] = behindZeros(ofBits[bit] ?? 0)
    }
  }
  return false
}
