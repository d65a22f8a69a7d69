/** The size of a message that crossed between threads or objects. */

/** Bytes of a message that was received, more or less: numbers and texts by eight bytes each. */
export function bytesIn(value: unknown, seen = new Set<ArrayBufferLike>()): number {
  if (ArrayBuffer.isView(value)) {
    if (seen.has(value.buffer)) return 0
    seen.add(value.buffer)
    return value.buffer.byteLength
  }
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? value.length : 8
  return Object.entries(value).reduce((n, [name, member]) => n + name.length + bytesIn(member, seen), 0)
}
