/** Chunks of arrays as they are stored: always whole, with fill behind the last draw that there is. */

import { ITEM_SIZE } from '../../draws/dtype.ts'
import type { Counted, Drawn, Given, Tree, TreeVariable } from '../../inference/tree.ts'
import { chunkShape, drawsOfChunk, elementsOf } from './grid.ts'

/** Draws of one chain: rows from `first` on, counted as the chain's axis `draw` counts them. */
export interface DrawnChunk {
  readonly kind: 'drawn'
  readonly variable: Drawn
  /** Index of the chain. */
  readonly chain: number
  readonly first: number
  /** Rows that there are, at least one. */
  readonly count: number
  /** Rows of the chunk. */
  readonly rows: number
}

/** A whole array, or labels of an axis that grows. */
export interface GivenChunk {
  readonly kind: 'given'
  readonly variable: Given
  readonly first: number
  /** Elements that there are. */
  readonly count: number
  /** Elements of the chunk. */
  readonly size: number
}

export interface CountedChunk {
  readonly kind: 'counted'
  readonly variable: Counted
  readonly first: number
  readonly size: number
}

export type Chunk = DrawnChunk | GivenChunk | CountedChunk

/** The chunk of these indices; undefined where the array has none, or nothing but fill is in it. */
export function chunkAt(variable: TreeVariable, index: readonly number[]): Chunk | undefined {
  const { shape } = variable
  const chunks = chunkShape(variable)
  if (index.length !== shape.length) return undefined
  if (index.some((at, axis) => at * (chunks[axis] ?? 1) >= (shape[axis] ?? 0))) return undefined
  if (variable.kind === 'drawn') return drawnAt(variable, index)
  const size = chunks.reduce((product, n) => product * n, 1)
  const first = (index[0] ?? 0) * (chunks[0] ?? 1)
  if (variable.kind === 'counted') return { kind: 'counted', variable, first, size }
  const count = Math.min(size, variable.array.data.length - (variable.shape.length === 1 ? first : 0))
  return { kind: 'given', variable, first, count, size }
}

function drawnAt(variable: Drawn, [chain = 0, part = 0]: readonly number[]): DrawnChunk | undefined {
  const rows = drawsOfChunk(variable)
  const first = part * rows
  const count = Math.min(rows, (variable.rows[chain]?.count ?? 0) - first)
  return count > 0 ? { kind: 'drawn', variable, chain, first, count, rows } : undefined
}

export interface ChunkSizes {
  /** Bytes of the chunk. */
  readonly length: number
  /** Bytes at its end that are fill. */
  readonly fill: number
}

/** Elements of a chunk, and those of them that are there: the rest, at its end, is fill. */
export function elementsIn(chunk: Chunk): { readonly all: number; readonly there: number } {
  if (chunk.kind === 'counted') return { all: chunk.size, there: chunk.size }
  if (chunk.kind === 'given') return { all: chunk.size, there: chunk.count }
  const row = elementsOf(chunk.variable)
  return { all: chunk.rows * row, there: chunk.count * row }
}

/** The sizes of a chunk of numbers; undefined for strings. */
export function sizesOf(chunk: Chunk): ChunkSizes | undefined {
  const { dtype } = chunk.variable
  if (dtype === 'str') return undefined
  const { all, there } = elementsIn(chunk)
  return { length: all * ITEM_SIZE[dtype], fill: (all - there) * ITEM_SIZE[dtype] }
}

/**
 * A name of the bytes of a chunk, among those of a registration and one coding. Draws never change, so that a chunk that is full keeps
 * it; labels of chains are others when there are other chains.
 */
export function versionOf(chunk: Chunk, { chains }: Tree): string {
  const { kind, variable, first } = chunk
  if (kind === 'counted') return `counted.${variable.first}.${variable.step}.${first}.${chunk.size}`
  if (kind === 'given') {
    const labels = variable.name === 'chain' ? chains.map(({ chain }) => chain).join('+') : ''
    return `given.${JSON.stringify(variable.name)}.${variable.dtype}.${first}.${chunk.count}.${labels}`
  }
  // No other variable has this column.
  const column = variable.columns[0]?.index
  const begin = (variable.rows[chunk.chain]?.first ?? 0) + first
  return `drawn.${column}.${chains[chunk.chain]?.chain}.${begin}.${chunk.count}.${chunk.rows}`
}
