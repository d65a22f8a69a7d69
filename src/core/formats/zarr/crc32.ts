/**
 * CRC-32 as gzip has it, also of bytes that are never made: a checksum is a polynomial over GF(2), so that those of parts
 * join to that of the whole.
 *
 * RFC 1952, section 8; the joining is that of zlib's `crc32_combine`.
 */

import type { Bytes } from '../../draws/segment.ts'

const POLYNOMIAL = 0xedb88320
/** The polynomial 1, in the reversed order of bits. */
const ONE = 0x80000000

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc
})

export function crcOf(bytes: Bytes): number {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) crc = (TABLE[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** The checksum of two parts, of which the second has `length` bytes. */
export function joinCrc(first: number, second: number, length: number): number {
  return (multiplied(first, bytesFurther(length)) ^ second) >>> 0
}

/** The checksum of some bytes that stand there `times` times. */
export function crcOfRepeated(bytes: Bytes, times: number): number {
  let all = 0
  let part = crcOf(bytes)
  for (let left = times, length = bytes.length; left > 0; left = Math.floor(left / 2), length *= 2) {
    if (left % 2 === 1) all = joinCrc(all, part, length)
    part = joinCrc(part, part, length)
  }
  return all
}

/** x to the power of 8 · `length`, by which a checksum moves that many bytes further. */
function bytesFurther(length: number): number {
  let power = ONE
  let square = ONE >>> 8
  for (let left = length; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiplied(power, square)
    square = multiplied(square, square)
  }
  return power
}

/** Product of two polynomials modulo that of the checksum. */
function multiplied(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
  return product
}
