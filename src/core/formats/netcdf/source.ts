/** Draws of a tree as this format asks for them: the side that reads a run. */

import type { Bytes } from '../../draws/segment.ts'
import type { Drawn } from '../../inference/tree.ts'
import type { StringPiece } from '../../inference/values.ts'

/** Reads draws by the place of the chain in the tree and rows of the axis `draw`; fill is behind the last draw. */
export interface DrawSource {
  /** Numbers, little-endian and in C order. */
  numbers(variable: Drawn, chain: number, first: number, count: number): AsyncGenerator<Bytes>
  texts(variable: Drawn, chain: number, first: number, count: number): AsyncGenerator<StringPiece>
  /** All numbers of several small variables: one variable after the other, and the chains of each. */
  together(variables: readonly Drawn[]): AsyncGenerator<Bytes>
}
