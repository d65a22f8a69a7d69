/** What stores hand on of a read: few large blocks, however small the batches were. */
import type { ColumnSpec } from '../core/draws/columns.ts'
import { type Block, joinSegments, weightOf } from '../core/draws/segment.ts'

/** A block of this weight, in bytes, is not joined with its neighbours any more. */
const SMALL_BYTES = 64 * 1024

/** Joins neighbouring small blocks: what came in one-draw batches is handed on in as few pieces as what came in large ones. */
export function joinSmall(blocks: readonly Block[], spec: ColumnSpec): Block[] {
  const joined: Block[] = []
  let group: { start: number; count: number; data: Uint8Array<ArrayBuffer> }[] = []
  let weight = 0
  const flush = () => {
    const [first] = group
    if (first !== undefined) {
      const count = group.reduce((n, block) => n + block.count, 0)
      joined.push({ start: first.start, count, data: joinSegments(spec, group) })
    }
    group = []
    weight = 0
  }
  for (const { start, count, data } of blocks) {
    if (data === null || weightOf(count, data.length) >= SMALL_BYTES) {
      flush()
      joined.push({ start, count, data })
      continue
    }
    group.push({ start, count, data })
    weight += weightOf(count, data.length)
    if (weight >= SMALL_BYTES) flush()
  }
  flush()
  return joined
}
