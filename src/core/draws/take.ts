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

/** The wanted draws of a block, in the order of the slice: a view where all of some neighbours are; undefined when there is none. */
export function takeBlock(wanted: Wanted, block: Block): Taken | undefined {
  const { first, count } = within(block, wanted.slice)
  if (count === 0) return undefined
  return { first, count, data: dataOf(wanted, block, first, count) }
}

function dataOf({ spec, slice, elements }: Wanted, block: Block, first: number, count: number): Segment {
  const { data } = block
  if (data === null) return null
  const offset = first - block.start
  const stride = { first: offset, step: count === 1 ? 1 : Number(slice.step), count }
  if (elements !== undefined && spec.layout === 'rigid') return pickElements(spec, data, block.count, stride, elements)
  if (stride.step === 1) return sliceSegment(spec, data, block.count, offset, offset + count)
  return pickSegment(spec, data, block.count, stride)
}

/** The draws of a slice that lie in a block: the first in the order of the slice, and how many. */
function within(block: Block, slice: ResolvedSlice): { first: number; count: number } {
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

/**
 * The wanted draws of blocks that rise, up to the first hole. A slice that falls meets the blocks from behind.
 */
export function* takeBlocks(wanted: Wanted, blocks: readonly Block[]): Generator<Taken> {
  const { slice } = wanted
  const isFalling = slice.step < 0n
  const step = slice.count === 1 ? 1 : Number(slice.step)
  let next = slice.first
  let left = slice.count
  for (let i = 0; i < blocks.length && left > 0; i++) {
    const block = blocks[isFalling ? blocks.length - 1 - i : i]
    const taken = block && takeBlock(wanted, block)
    if (taken === undefined) continue
    if (taken.first !== next) return
    yield taken
    next += taken.count * step
    left -= taken.count
  }
}
