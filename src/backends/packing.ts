/**
 * A page as it crosses to another thread or object: small stretches lie in one buffer, large ones each in its own, and no
 * buffer holds more than was asked for, since a view would take all of its buffer along.
 */
import type { Bytes, Segment } from '../core/draws/segment.ts'
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

/** Segments as they cross. */
export interface PackedSegments {
  /** Bytes of each segment; -1 where it is absent. */
  readonly sizes: readonly number[]
  /** The segments, one after the other; none lies in two buffers. */
  readonly buffers: readonly Bytes[]
}

function packSegments(segments: Iterable<Segment>): PackedSegments {
  const sizes: number[] = []
  const buffers: Bytes[] = []
  let small: Bytes[] = []
  const flush = () => {
    if (small.length > 0) buffers.push(concatBytes(small))
    small = []
  }
  for (const data of segments) {
    sizes.push(data?.length ?? -1)
    if (data === null || data.length === 0) continue
    if (data.length >= OWN_BYTES && data.length === data.buffer.byteLength) {
      flush()
      buffers.push(data)
    } else small.push(data)
  }
  flush()
  return { sizes, buffers }
}

function unpackSegments({ sizes, buffers }: PackedSegments): Segment[] {
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
  return sizes.map((size) => (size < 0 ? null : take(size)))
}

export function packObjects(objects: readonly (Bytes | undefined)[]): PackedSegments {
  return packSegments(objects.map((data) => data ?? null))
}

export function unpackObjects(packed: PackedSegments): (Bytes | undefined)[] {
  return unpackSegments(packed).map((data) => data ?? undefined)
}

export function packRead({ state, page: { stretches, next } }: Read): PackedRead {
  const { sizes, buffers } = packSegments(stretches.map(({ data }) => data))
  const layout = stretches.flatMap(({ position, count }, i) => [position, count, sizes[i] ?? -1])
  return next === undefined ? { state, layout, buffers } : { state, layout, buffers, next }
}

export function unpackRead({ state, layout, buffers, next }: PackedRead): Read {
  const segments = unpackSegments({ sizes: layout.filter((_, i) => i % 3 === 2), buffers })
  const stretches = segments.map(
    (data, i): Stretch => ({ position: layout[i * 3] ?? 0, count: layout[i * 3 + 1] ?? 0, data }),
  )
  return { state, page: next === undefined ? { stretches } : { stretches, next } }
}

/** Bytes that cross. */
export function packedBytes({ buffers }: { readonly buffers: readonly Bytes[] }): number {
  return buffers.reduce((n, buffer) => n + buffer.length, 0)
}
