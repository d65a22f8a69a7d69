/** Draws that lie in objects: read, verified, and put beside those that rows hold. */
import type { Block } from '../../core/draws/segment.ts'
import type { Part, PartsRead } from '../../objects/parts.ts'
import { DamagedData } from './checksum.ts'
import type { FarBlock } from './chunks.ts'

/** Thrown where draws lie in an object that cannot be read inside a transaction. */
export class FarDraws extends Error {
  override readonly name = 'FarDraws'

  constructor() {
    super('draws lie in an object, and no objects are at hand')
  }
}

/** Reads blocks of a registration that lie in objects, in their order. */
export type ReadFar = (registration: string, blocks: readonly FarBlock[]) => Promise<Block[]>

/** The parts of objects that blocks lie in. */
export function partsOf(blocks: readonly FarBlock[], keyOf: (object: number) => string): Part[] {
  return blocks.map(({ object, at, length, sums }) => ({ key: keyOf(object), at, length, sums }))
}

/** The blocks whose parts were read. @throws DamagedData */
export function blocksIn(far: readonly FarBlock[], parts: readonly Part[], { memory, states }: PartsRead): Block[] {
  let end = 0
  return far.map(({ start, count, skip, take }, i) => {
    const { key, at, length } = parts[i] ?? { key: '', at: 0, length: 0 }
    const state = states[i] ?? 'missing'
    if (state === 'missing') throw new DamagedData(`the object ${key}, which is missing,`)
    if (state !== 'intact') throw new DamagedData(`the object ${key} between bytes ${at} and ${at + length}`)
    const begin = end + skip
    end += length
    return { start, count, data: memory.subarray(begin, begin + take) }
  })
}
