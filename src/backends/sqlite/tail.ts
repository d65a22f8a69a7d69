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

export function segmentIn(row: Bytes, column: number, columns: number): Segment {
  const view = new DataView(row.buffer, row.byteOffset, columns * 4)
  let offset = columns * 4
  for (let i = 0; i < column; i++) {
    const length = view.getUint32(i * 4, true)
    if (length !== ABSENT) offset += length
  }
  const length = view.getUint32(column * 4, true)
  return length === ABSENT ? null : row.subarray(offset, offset + length)
}

/** All segments of a row at once. */
export function segmentsIn(row: Bytes, columns: number): Segment[] {
  const view = new DataView(row.buffer, row.byteOffset, columns * 4)
  const segments: Segment[] = []
  let offset = columns * 4
  for (let column = 0; column < columns; column++) {
    const length = view.getUint32(column * 4, true)
    segments.push(length === ABSENT ? null : row.subarray(offset, offset + length))
    if (length !== ABSENT) offset += length
  }
  return segments
}
