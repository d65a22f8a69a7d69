/** Blocks that lie in objects, known from an earlier page: cut to what the next one needs. */
import type { Block, Bytes } from '../../core/draws/segment.ts'
import { BLOCK_BYTES, SUM_BYTES } from '../../objects/checksum.ts'
import type { FarBlock, Span } from '../sqlite/chunks.ts'

/** The blocks that `touching` gives, where they hold all that is asked for. */
export function covering(blocks: readonly FarBlock[], span: Span): FarBlock[] | undefined {
  const own = touching(blocks, span)
  let next = span.from
  for (const { start, count } of own) {
    if (start > next) return undefined
    next = start + count
  }
  return next < span.to ? undefined : own
}

/** Those of some blocks, which rise, that the question for a span would give. */
export function touching(blocks: readonly FarBlock[], { from, to, low, high }: Span): FarBlock[] {
  return blocks.filter(({ start, count }) => start < to && start + count > from).map((block) => cut(block, low, high))
}

/** Those draws of a block that lie in `low … high`, in whole blocks of checksums. */
function cut(far: FarBlock, low: number, high: number): FarBlock {
  const start = Math.max(low, far.start)
  const count = Math.min(high, far.start + far.count) - start
  if (count === far.count) return far
  const each = far.take / far.count
  const first = far.skip + (start - far.start) * each
  const begin = first - (first % BLOCK_BYTES)
  const end = Math.min(far.length, Math.ceil((first + count * each) / BLOCK_BYTES) * BLOCK_BYTES)
  const sums = far.sums.subarray((begin / BLOCK_BYTES) * SUM_BYTES, Math.ceil(end / BLOCK_BYTES) * SUM_BYTES)
  return {
    start,
    count,
    object: far.object,
    at: far.at + begin,
    length: end - begin,
    skip: first - begin,
    take: count * each,
    sums,
  }
}

/** Neighbours whose numbers lie one behind the other in memory, as one block. */
export function joinNear(blocks: readonly Block[]): Block[] {
  const joined: Block[] = []
  for (const block of blocks) {
    const last = joined.at(-1)
    const isNext = last !== undefined && last.start + last.count === block.start
    const bytes = isNext ? together(last.data, block.data) : undefined
    if (isNext && bytes !== undefined)
      joined[joined.length - 1] = { ...last, count: last.count + block.count, data: bytes }
    else joined.push(block)
  }
  return joined
}

function together(a: Block['data'], b: Block['data']): Bytes | undefined {
  if (a === null || b === null || a.buffer !== b.buffer || a.byteOffset + a.length !== b.byteOffset) return undefined
  return new Uint8Array(a.buffer, a.byteOffset, a.length + b.length)
}
