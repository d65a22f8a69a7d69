/** Messages between the thread that serves HTTP and the one that computes figures. */
import type { Figure, Plan } from '../../core/diagnostics/figures.ts'
import type { BlockShape, Place } from '../../core/diagnostics/scalar-block.ts'
import type { NumericDtype } from '../../core/draws/dtype.ts'

export interface ComputerOptions {
  /** Memory of the counts of what is stored: while they grow, the thread rests most of the time. */
  readonly counts: SharedArrayBuffer
}

/** Work on a block: its beginning, some of its draws, and then its figures, or its end without them. */
export type Task = Begin | Put | Compute | Drop

interface OfBlock {
  readonly block: number
}
export interface Begin extends OfBlock {
  readonly begin: BlockShape
}
export interface Put extends OfBlock {
  readonly place: Place
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly dtype: NumericDtype
}
export interface Compute extends OfBlock {
  readonly plan: Plan
}
export interface Drop extends OfBlock {
  readonly drop: true
}

/** One figure of a block's scalars, and codes of the reasons where there is none. */
export interface ComputedColumn {
  readonly figure: Figure
  readonly values: Float64Array<ArrayBuffer>
  readonly codes: Uint8Array<ArrayBuffer>
}

export type Computed =
  | { readonly block: number; readonly columns: readonly ComputedColumn[] }
  | { readonly block: number; readonly failure: string }
