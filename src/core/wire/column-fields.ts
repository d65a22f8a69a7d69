/** The fields of a Column that vary in size, each column's as one piece of bytes however many elements there are. */
import type { Bytes, Parts } from '../draws/segment.ts'
import { fieldHead, varintSize, writeVarint } from './protobuf.ts'

/** The packed field `shapes`, of some neighbouring segments. */
export function shapesField(words: readonly Uint32Array[]): Bytes {
  let size = 0
  for (const some of words) for (const word of some) size += varintSize(word)
  const head = fieldHead(4, size)
  const bytes = new Uint8Array(head.length + size)
  bytes.set(head)
  let offset = head.length
  for (const some of words) for (const word of some) offset = writeVarint(bytes, offset, word)
  return bytes
}

/** The repeated field `strings`. */
export function stringFields({ lengths, payload }: Parts): Bytes {
  let size = 0
  for (const length of lengths) size += 1 + varintSize(length) + length
  const bytes = new Uint8Array(size)
  let offset = 0
  let from = 0
  for (const length of lengths) {
    bytes[offset++] = 5 * 8 + 2
    offset = writeVarint(bytes, offset, length)
    bytes.set(payload.subarray(from, from + length), offset)
    from += length
    offset += length
  }
  return bytes
}
