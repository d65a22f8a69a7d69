/**
 * A page as it crosses to another thread or object: small stretches lie in one buffer, large ones each in its own, and no
 * buffer holds more than was asked for, since a view would take all of its buffer along.
 */
import type { Bytes } from '../core/draws/segment.ts'
import type { Read, ReadCursor, Stretch } from '../core/store.ts'
import { concatBytes } from '../core/wire/protobuf.ts'

/** A stretch of this many bytes travels in its own buffer, if it has one. */
const OWN_BYTES = 16 * 1024

export interface PackedRead {
  readonly state: Read['state']
  /** For each stretch its position, its draws and its bytes; -1 bytes when the draws were never sent. */
  readonly layout: readonly number[]
  /** The bytes of the stretches, one after the other; none lies in two buffers. */
  readonly buffers: readonly Bytes[]
  readonly next?: ReadCursor
}

export function packRead({ state, page: { stretches, next } }: Read): PackedRead {
  const layout: number[] = []
  const buffers: Bytes[] = []
  let small: Bytes[] = []
  const flush = () => {
    if (small.length > 0) buffers.push(concatBytes(small))
    small = []
  }
  for (const { position, count, data } of stretches) {
    layout.push(position, count, data?.length ?? -1)
    if (data === null || data.length === 0) continue
    if (data.length >= OWN_BYTES && data.length === data.buffer.byteLength) {
      flush()
      buffers.push(data)
    } else small.push(data)
  }
  flush()
  return next === undefined ? { state, layout, buffers } : { state, layout, buffers, next }
}

export function unpackRead({ state, layout, buffers, next }: PackedRead): Read {
  const stretches: Stretch[] = []
  let buffer = 0
  let at = 0
  const take = (length: number): Bytes => {
    if (length === 0) return new Uint8Array()
    if (at === buffers[buffer]?.length) {
      buffer++
      at = 0
    }
    at += length
    return buffers[buffer]?.subarray(at - length, at) ?? new Uint8Array()
  }
  for (let i = 0; i < layout.length; i += 3) {
    const [position = 0, count = 0, bytes = -1] = layout.slice(i, i + 3)
    stretches.push({ position, count, data: bytes < 0 ? null : take(bytes) })
  }
  return { state, page: next === undefined ? { stretches } : { stretches, next } }
}

/** Bytes of draws that cross. */
export function packedBytes({ buffers }: PackedRead): number {
  return buffers.reduce((n, buffer) => n + buffer.length, 0)
}
