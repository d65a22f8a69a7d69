/** Draws that a read takes from the blocks of a store. */

import type { ColumnSpec } from './columns.ts'
import type { ElementRanges } from './elements.ts'
import { type Block, pickElements, pickSegment, type Segment, sliceSegment } from './segment.ts'
import type { ResolvedSlice } from './slice.ts'

/** Draws of one column that are asked for. */
export interface Wanted {
  readonly spec: ColumnSpec
  readonly slice: ResolvedSlice
  /** Elements of each draw; all when absent. */
  readonly elements?: ElementRanges | undefined
}

export interface Taken {
  /** Iteration of the first draw, in the order of the slice. */
  readonly first: number
  readonly count: number
  readonly data: Segment
}

/** Bytes of elements that are taken at once, more or less: one that is asked for often makes much of little. */
export const ELEMENTS_BYTES = 2 * 1024 * 1024

interface Within {
  readonly first: number
  readonly count: number
}

/** The draws of a slice that lie in a block: the first in the order of the slice, and how many. */
function within(block: Block, slice: ResolvedSlice): Within {
  const step = slice.count === 1 ? 1 : Number(slice.step)
  const low = block.start
  const high = block.start + block.count - 1
  // The i-th draw of the slice is first + i * step; from `enter` to `leave`, i falls into low … high.
  const [enter, leave] =
    step > 0
      ? [Math.ceil((low - slice.first) / step), Math.floor((high - slice.first) / step)]
      : [Math.ceil((slice.first - high) / -step), Math.floor((slice.first - low) / -step)]
  const i = Math.max(0, enter)
  const j = Math.min(slice.count - 1, leave)
  return i > j ? { first: 0, count: 0 } : { first: slice.first + i * step, count: j - i + 1 }
}

/** Those draws of a block, in the order of the slice: a view where all of some neighbours are; of elements about `most` bytes. */
function takeWithin({ spec, slice, elements }: Wanted, block: Block, { first, count }: Within, most: number): Taken {
  const { data } = block
  if (data === null) return { first, count, data }
  const offset = first - block.start
  const stride = { first: offset, step: count === 1 ? 1 : Number(slice.step), count }
  if (elements !== undefined && spec.layout === 'rigid') {
    return { first, ...pickElements(spec, data, block.count, stride, elements, most) }
  }
  if (stride.step === 1) return { first, count, data: sliceSegment(spec, data, block.count, offset, offset + count) }
  return { first, count, data: pickSegment(spec, data, block.count, stride) }
}

/**
 * The wanted draws of blocks that rise, up to the first hole, and of elements up to some MiB: at least a draw where there is
 * one. A slice that falls meets the blocks from behind.
 */
export function* takeBlocks(wanted: Wanted, blocks: readonly Block[]): Generator<Taken> {
  const { slice, elements } = wanted
  const step = slice.count === 1 ? 1 : Number(slice.step)
  let next = slice.first
  let left = slice.count
  let most = elements === undefined ? Number.POSITIVE_INFINITY : ELEMENTS_BYTES
  for (const block of slice.step < 0n ? blocks.toReversed() : blocks) {
    if (left === 0 || most <= 0) return
    const own = within(block, slice)
    if (own.count === 0) continue
    if (own.first !== next) return
    const taken = takeWithin(wanted, block, own, most)
    yield taken
    if (taken.count < own.count) return
    most -= taken.data?.length ?? 0
    next += taken.count * step
    left -= taken.count
  }
}
