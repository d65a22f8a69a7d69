/** The draws of a run, as its diagnostics ask for them: of a run in a store, or of any `Run`. */
import type { RigidNumbers, Schema } from '../draws/columns.ts'
import type { Bytes } from '../draws/segment.ts'
import type { ChainState } from '../store.ts'
import type { RunMeta } from '../wire/run-meta.ts'

/** Consecutive draws of some elements. */
export interface DrawRange {
  readonly spec: RigidNumbers
  /** Half-open range of elements. */
  readonly elements: readonly [from: number, to: number]
  /** Iteration of the first draw. */
  readonly first: number
  readonly count: number
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
}
