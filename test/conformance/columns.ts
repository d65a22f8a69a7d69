/** Columns of invented content: every value follows from a seed and its place, so any slice can be computed again. */

import { type NdArray, numericArray } from '../../src/core/draws/ndarray.ts'
import type { DrawBatch, Draws } from '../../src/core/interfaces.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import {
  type AnyDtype,
  fromBits,
  type Lacks,
  NOTHING,
  numbers,
  product,
  randomArray,
  randomWords,
  stack,
  texts,
} from './arrays.ts'

export type VariableSpec = mcbackend.Variable.$Properties

/** A column of a run; a `shape` with -1, or null for `undefined_ndim`, is ragged. */
export interface Column {
  readonly name: string
  readonly dtype: AnyDtype
  readonly shape: readonly number[] | null
}

export function isRigid(column: Column): column is Column & { readonly shape: readonly number[] } {
  return column.shape !== null && !column.shape.includes(-1)
}

export function variableOf({ name, dtype, shape }: Column): VariableSpec {
  return shape === null ? { name, dtype, undefinedNdim: true } : { name, dtype, shape: [...shape] }
}

/** The draws of a column: an array where the shape is fixed, else a list. */
export function drawsOf(column: Column, draws: readonly NdArray[]): Draws {
  return isRigid(column) ? stack(column.dtype, column.shape, draws) : draws
}

/** The value that an absent sampler stat reads as (docs/protocol.md §1). */
export function fillOf({ dtype, shape }: Column): NdArray {
  const filled = (shape ?? []).map((n) => (n === -1 ? 0 : n))
  const count = product(filled)
  if (dtype === 'str') return texts(filled, new Array<string>(count).fill(''))
  if (dtype === 'float64') return fromBits(dtype, filled, new Array<bigint>(count).fill(0x7ff8000000000000n))
  if (dtype === 'float32') return fromBits(dtype, filled, new Array<bigint>(count).fill(0x7fc00000n))
  return numbers(dtype, filled, new Array<number>(count).fill(0))
}

function hash(...parts: readonly number[]): number {
  let state = 0x811c9dc5
  for (const part of parts) state = Math.imul(state ^ part, 0x01000193) ^ (state >>> 13)
  return state >>> 0
}

/** Invented draws of some columns. */
export class Content {
  readonly columns: readonly Column[]
  private readonly seed: number
  private readonly lacks: Lacks

  /** `lacks` names the values that are not among the draws. */
  constructor(seed: number, columns: readonly Column[], lacks: Lacks = NOTHING) {
    this.seed = seed
    this.columns = columns
    this.lacks = lacks
  }

  /** Draw `index` of a column. */
  draw(column: Column, index: number): NdArray {
    const word = randomWords(hash(this.seed, index, this.columns.indexOf(column)))
    const shape =
      column.shape === null
        ? Array.from({ length: word() % 4 }, () => word() % 3)
        : column.shape.map((n) => (n === -1 ? word() % 4 : n))
    return randomArray(word, column.dtype, shape, this.lacks)
  }

  /** The draws at `indices`, as a read gives them. */
  read(column: Column, indices: readonly number[]): Draws {
    return drawsOf(
      column,
      indices.map((index) => this.draw(column, index)),
    )
  }

  /** The columns over iterations `start … start + count`. */
  columnsOf(start: number, count: number, chosen = this.columns): Map<string, Draws> {
    const indices = Array.from({ length: count }, (_, i) => start + i)
    return new Map(chosen.map((column) => [column.name, this.read(column, indices)]))
  }

  /** A batch of variables alone. */
  batch(start: number, count: number): DrawBatch {
    return { start, count, draws: this.columnsOf(start, count) }
  }
}

/** `first, first + step, …`, as many as `count`. */
export function indicesOf(first: number, count: number, step: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i * step)
}

/** The indices that Python's slice takes from `length` draws, by walking instead of by arithmetic. */
export function pythonSlice(length: number, start?: number, stop?: number, step = 1): number[] {
  const wrap = (index: number) => (index < 0 ? index + length : index)
  const indices: number[] = []
  if (step > 0) {
    const end = stop === undefined ? length : Math.min(length, wrap(stop))
    for (let i = start === undefined ? 0 : Math.max(0, wrap(start)); i < end; i += step) indices.push(i)
  } else {
    const end = stop === undefined ? -1 : Math.max(-1, wrap(stop))
    for (let i = start === undefined ? length - 1 : Math.min(length - 1, wrap(start)); i > end; i += step) {
      indices.push(i)
    }
  }
  return indices
}

/** A draw that the column may have and that is not `draw`: one bit, one character or one element is different. */
export function differing(column: Column, draw: NdArray): NdArray {
  if (draw.data.length === 0) {
    const shape = column.shape === null ? [] : column.shape.map((n) => (n === -1 ? 1 : n))
    return randomArray(randomWords(1), column.dtype, shape)
  }
  if (draw.dtype === 'str') return texts(draw.shape, [`${draw.data[0]}!`, ...draw.data.slice(1)])
  const bytes = new Uint8Array(draw.data.buffer, draw.data.byteOffset, draw.data.byteLength).slice()
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return numericArray(draw.dtype, draw.shape, bytes)
}
