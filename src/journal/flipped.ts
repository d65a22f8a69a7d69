/**
 * One wrong bit, told from a write that was cut off.
 *
 * The last group of a journal has nothing behind it that would say it was on the disk. A write that was cut off lacks whole
 * pieces; where one bit alone keeps a group from being whole, it was whole once, and what it holds may have been
 * acknowledged. A piece that reads as zeros, and would have held
 * that bit alone, was never written.
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

/** Bytes that a disk writes whole or not at all. */
const SECTOR_BYTES = 512

/** True where nothing is in the sector of a byte, as far as it belongs to the group that begins at `from`. */
export function isUnwritten(bytes: Uint8Array, byte: number, from: number): boolean {
  const sector = byte - (byte % SECTOR_BYTES)
  return bytes.subarray(Math.max(sector, from), sector + SECTOR_BYTES).every((value) => value === 0)
}

/** A block that its checksum does not fit. */
export interface WrongBlock {
  /** Its first byte, and how many it has. */
  readonly at: number
  readonly bytes: number
  /** Difference of the checksums, as a XOR. */
  readonly syndrome: number
}

/** Blocks of data that begins at byte `from` of its segment. */
export function wrongBlocks(data: Uint8Array, sums: Uint8Array, from: number): WrongBlock[] {
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  const wrong: WrongBlock[] = []
  for (let block = 0; block < blocksIn(data.length); block++) {
    const bytes = data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    const syndrome = (sumOf(bytes) ^ view.getUint32(block * SUM_BYTES, true)) >>> 0
    if (syndrome !== 0) wrong.push({ at: from + block * BLOCK_BYTES, bytes: bytes.length, syndrome })
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

/**
 * The byte of a block in which one bit alone is wrong; undefined when more are. The CRC is linear: its difference depends on
 * the bit's place, and on nothing else.
 */
export function wrongByte({ at, bytes, syndrome }: WrongBlock): number | undefined {
  const ofBits = Array.from({ length: 8 }, (_, bit) => behindZeros(1 << bit))
  for (let byte = bytes - 1; byte >= 0; byte--) {
    for (let bit = 0; bit < 8; bit++) {
      if (ofBits[bit] === syndrome) return at + byte
      ofBits[bit] = behindZeros(ofBits[bit] ?? 0)
    }
  }
  return undefined
}
