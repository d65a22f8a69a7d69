/** Blocks that lie in objects, verified as they are read. */
import type { Block, Bytes } from '../../core/draws/segment.ts'
import { firstDamaged } from '../../objects/checksum.ts'
import { DamagedData } from '../sqlite/checksum.ts'
import type { FarBlock } from '../sqlite/chunks.ts'

/** The block whose bytes were read. @throws DamagedData */
export function nearBlock(key: string, far: FarBlock, bytes: Bytes | undefined): Block {
  const { start, count, at, length, skip, take, sums } = far
  if (bytes === undefined) throw new DamagedData(`the object ${key}, which is missing,`)
  if (bytes.length < length || firstDamaged(bytes, sums) >= 0) {
    throw new DamagedData(`the object ${key} between bytes ${at} and ${at + length}`)
  }
  return { start, count, data: bytes.subarray(skip, skip + take) }
}
