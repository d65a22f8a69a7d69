/**
 * A run as InferenceData: groups of variables with named axes, at one moment, as ArviZ reads them. Formats write it out, and
 * say nothing of their own about names, groups or dtypes.
 *
 * https://python.arviz.org/projects/base/en/latest/reference/DataTree.html
 */

import type { Dtype } from '../draws/dtype.ts'
import type { RigidColumn } from '../draws/elements.ts'
import type { NdArray } from '../draws/ndarray.ts'
import type { ChainState } from '../store.ts'

export interface Tree {
  readonly attributes: Attributes
  /** None of them is empty. */
  readonly groups: readonly Group[]
  /** The chains, in the order of the first axis of what is drawn, at the lengths that they had. */
  readonly chains: readonly ChainState[]
}

/** Attributes by name; an array has one axis, and is not empty. */
export type Attributes = Readonly<Record<string, AttributeValue>>
export type AttributeValue = string | number | bigint | readonly string[] | NdArray

export interface Group {
  readonly name: string
  readonly attributes: Attributes
  /** Coordinates, which are variables of one axis named like themselves, come first. Names are unique, and hold no `/`. */
  readonly variables: readonly TreeVariable[]
}

interface Shaped {
  readonly name: string
  /** Names of the axes. */
  readonly dims: readonly string[]
  readonly shape: readonly number[]
  readonly dtype: Dtype
  readonly attributes: Attributes
}

/** Draws, whose first two axes are `chain` and `draw`. */
export interface Drawn extends Shaped {
  readonly kind: 'drawn'
  /** The column; several, side by side along a last axis, where samplers have a stat of one name each. */
  readonly columns: readonly RigidColumn[]
  /** Rows of each chain: the iteration that is draw 0, and the number of draws that there are; behind these comes the fill value. */
  readonly rows: readonly { readonly first: number; readonly count: number }[]
}

/** Values that came with the metadata. A time is int64, with `units` and `calendar` among its attributes (CF conventions). */
export interface Given extends Shaped {
  readonly kind: 'given'
  readonly array: NdArray
}

/** Labels that count evenly, as int64, along one axis. */
export interface Counted extends Shaped {
  readonly kind: 'counted'
  readonly first: number
  readonly step: number
}

export type TreeVariable = Drawn | Given | Counted
