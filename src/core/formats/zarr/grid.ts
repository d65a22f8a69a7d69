/** The chunks that a variable is divided into: they depend on the variable, and never on how many chains and draws there are. */

import { ITEM_SIZE } from '../../draws/dtype.ts'
import { sizeOf } from '../../draws/ndarray.ts'
import type { Drawn, TreeVariable } from '../../inference/tree.ts'

/** Bytes of a chunk at most, unless one draw has more. */
const CHUNK_BYTES = 1024 * 1024
/** Draws of a chunk at most. */
const CHUNK_DRAWS = 4096
/** Labels of a chunk of the coordinate `chain`. */
const CHUNK_CHAINS = 256
/** Bytes that a string is taken to have. */
const STRING_BYTES = 64

/** Labels of a chunk, by the coordinate of an axis that grows. */
const GROWING: Readonly<Record<string, number>> = { chain: CHUNK_CHAINS, draw: CHUNK_DRAWS }

/** Bytes of one element; those of a string are not known before it is read. */
export function itemBytes({ dtype }: Pick<TreeVariable, 'dtype'>): number {
  return dtype === 'str' ? STRING_BYTES : ITEM_SIZE[dtype]
}

/** Elements of one draw. */
export function elementsOf({ shape }: Drawn): number {
  return sizeOf(shape.slice(2))
}

/** Draws of a chunk: a power of two, so that it can be told from any other by its number alone. */
export function drawsOfChunk(variable: Drawn): number {
  const draw = Math.max(1, elementsOf(variable) * itemBytes(variable))
  if (draw >= CHUNK_BYTES) return 1
  return Math.min(CHUNK_DRAWS, 2 ** Math.floor(Math.log2(CHUNK_BYTES / draw)))
}

/** Shape of all chunks of a variable. */
export function chunkShape(variable: TreeVariable): readonly number[] {
  const { kind, name, dims, shape } = variable
  const whole = shape.map((size) => Math.max(1, size))
  if (kind === 'drawn') return [1, drawsOfChunk(variable), ...whole.slice(2)]
  const growing = dims.length === 1 && dims[0] === name && Object.hasOwn(GROWING, name) ? GROWING[name] : undefined
  if (growing !== undefined) return [growing]
  // Labels that count cost their writer nothing, however many they are.
  return kind === 'counted' ? whole.map((size) => Math.min(size, CHUNK_BYTES / ITEM_SIZE.int64)) : whole
}
