/** The blob of one tail row: for each column its u32 byte length (2^32 - 1: absent), then all segments. */
import type { Bytes, Segment } from '../../core/draws/segment.ts'

const ABSENT = 0xffffffff

export function packTail(segments: readonly Segment[], size: number): Bytes {
  const head = segments.length * 4
  const bytes = new Uint8Array(head + size)
  const view = new DataView(bytes.buffer)
  let offset = head
  for (let column = 0; column < segments.length; column++) {
    const segment = segments[column] ?? null
    view.setUint32(column * 4, segment === null ? ABSENT : segment.length, true)
    if (segment === null) continue
    bytes.set(segment, offset)
    offset += segment.length
  }
  return bytes
}

/** Offsets in a row at which the segments of the columns begin, and the end of the last. */
export function offsetsIn(row: Bytes, columns: number): Uint32Array {
  const view = new DataView(row.buffer, row.byteOffset, columns * 4)
  const offsets = new Uint32Array(columns + 1)
  let offset = columns * 4
  for (let column = 0; column < columns; column++) {
    offsets[column] = offset
    const length = view.getUint32(column * 4, true)
    if (length !== ABSENT) offset += length
  }
  offsets[columns] = offset
  return offsets
}

export function segmentAt(row: Bytes, offsets: Uint32Array, column: number): Segment {
  const view = new DataView(row.buffer, row.byteOffset + column * 4, 4)
  return view.getUint32(0, true) === ABSENT ? null : row.subarray(offsets[column], offsets[column + 1])
}

/** All segments of a row at once. */
export function segmentsIn(row: Bytes, columns: number): Segment[] {
  const offsets = offsetsIn(row, columns)
  return Array.from({ length: columns }, (_, column) => segmentAt(row, offsets, column))
}
