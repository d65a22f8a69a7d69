/** Draws of chunks as they cross from the index: packed into few buffers, far ones as the places where they lie. */
import type { Block, Bytes } from '../../core/draws/segment.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import type { FarBlock } from '../sqlite/chunks.ts'
import type { Chunks } from './index-calls.ts'

const ABSENT = -1
const FAR = -2
const LAYOUT_NUMBERS = 4
const FAR_NUMBERS = 6

/** A block and the place of its column. */
export interface Placed<B> {
  readonly place: number
  readonly block: B
}

export function packChunks(near: readonly Placed<Block>[], far: readonly Placed<FarBlock>[]): Chunks {
  const layout = [
    ...near.flatMap(({ place, block }) => [place, block.start, block.count, block.data?.length ?? ABSENT]),
    ...far.flatMap(({ place, block }) => [place, block.start, block.count, FAR]),
  ]
  const places = far.flatMap(({ block: { object, at, length, skip, take, sums } }) => [
    object,
    at,
    length,
    skip,
    take,
    sums.length,
  ])
  return {
    layout: Float64Array.from(layout),
    near: concatBytes(near.flatMap(({ block }) => block.data ?? [])),
    far: Float64Array.from(places),
    sums: concatBytes(far.map(({ block }) => block.sums)),
  }
}

export interface Unpacked {
  readonly near: readonly Placed<Block>[]
  readonly far: readonly Placed<FarBlock>[]
}

export function unpackChunks({ layout, near, far, sums }: Chunks): Unpacked {
  const unpacked: { near: Placed<Block>[]; far: Placed<FarBlock>[] } = { near: [], far: [] }
  const takeNear = taker(near)
  const takeSums = taker(sums)
  for (let i = 0, f = 0; i < layout.length; i += LAYOUT_NUMBERS) {
    const [place = 0, start = 0, count = 0, size = 0] = layout.subarray(i, i + LAYOUT_NUMBERS)
    if (size !== FAR) {
      unpacked.near.push({ place, block: { start, count, data: size === ABSENT ? null : takeNear(size) } })
      continue
    }
    const [object = 0, at = 0, length = 0, skip = 0, take = 0, sumBytes = 0] = far.subarray(f, f + FAR_NUMBERS)
    f += FAR_NUMBERS
    unpacked.far.push({
      place,
      block: { start, count, object, at, length, skip, take, sums: takeSums(sumBytes) },
    })
  }
  return unpacked
}

/** Gives parts of some bytes, one after the other. */
function taker(bytes: Bytes): (size: number) => Bytes {
  let at = 0
  return (size) => {
    at += size
    return bytes.subarray(at - size, at)
  }
}
