/** The draws of a run, as its diagnostics ask for them: of a run in a store, or of any `Run`. */
import type { RigidNumbers, Schema } from '../draws/columns.ts'
import type { Bytes } from '../draws/segment.ts'
import type { ChainState } from '../store.ts'
import type { RunMeta } from '../wire/run-meta.ts'

export type ElementRange = readonly [from: number, to: number]

/** Consecutive draws of some elements. */
export interface DrawRange {
  readonly spec: RigidNumbers
  /** Half-open ranges of elements, in rising order. */
  readonly elements: readonly ElementRange[]
  /** Iteration of the first draw. */
  readonly first: number
  readonly count: number
}

/** Number of elements of a range of draws. */
export function elementCount({ elements }: Pick<DrawRange, 'elements'>): number {
  return elements.reduce((n, [from, to]) => n + to - from, 0)
}

/** True where all elements of the column are asked for. */
export function hasAllElements(range: Pick<DrawRange, 'spec' | 'elements'>): boolean {
  return elementCount(range) === range.spec.elements
}

export interface DrawSource {
  readonly rid: string
  readonly registration: string
  readonly meta: RunMeta
  readonly schema: Schema
  /** All chains as they are now, by number. */
  states(): Promise<readonly ChainState[]>
  /** Draws of a chain that has them, piece by piece: numbers of the elements, draw after draw. */
  read(chain: number, range: DrawRange): AsyncIterable<Bytes>
  /** Draws of several whole columns, one column after the other, where one question reads them; absent where none does. */
  readColumns?(chain: number, range: ColumnsRange): AsyncIterable<ColumnPiece>
}

/** Consecutive draws of some columns. */
export interface ColumnsRange {
  readonly specs: readonly RigidNumbers[]
  readonly first: number
  readonly count: number
}

/** Draws of one column: all elements, draw after draw. */
export interface ColumnPiece {
  /** Position among the columns. */
  readonly position: number
  readonly data: Bytes
}
