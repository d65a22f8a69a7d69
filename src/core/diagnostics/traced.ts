/** Questions for traces: elements of columns, chains, iterations and buckets, with what holds where nothing is said. */

import { type ColumnSpec, namedColumns, type RigidNumbers, type Schema } from '../draws/columns.ts'
import { type Elements, resolveElements } from '../draws/elements.ts'
import type { ElementName, ElementNames } from '../draws/labels.ts'
import { type NdArray, sizeOf } from '../draws/ndarray.ts'
import { McbError } from '../errors.ts'
import { DEFAULT_BUCKETS, MAX_BUCKETS } from './buckets.ts'
import type { Kept } from './trace.ts'

/** Elements that one trace may be of. */
export const MAX_TRACED = 100

/** The question for a trace: some elements of some chains over some iterations. */
export interface TraceQuestion {
  /** Variables and sampler stats, in this order. Without any, all variables of numbers that have a fixed shape. */
  readonly variables?: readonly string[] | undefined
  readonly stats?: readonly string[] | undefined
  /** Elements of the one variable or stat that is named; all of them when absent. */
  readonly elements?: Elements | undefined
  /** Chains, in this order; without any, all of them. */
  readonly chains?: readonly number[] | undefined
  /** Bounds of a slice as Python's, of the longest of the chains. */
  readonly start?: number | bigint | undefined
  readonly stop?: number | bigint | undefined
  /** Buckets, 1 to 10,000: 1,000 by default. */
  readonly buckets?: number | undefined
}

/** Draws of some elements to look at: of each bucket the first, the least, the greatest and the last. */
export interface Trace {
  /** The iterations over which the buckets are spread evenly, `stop` excluded. */
  readonly start: number
  readonly stop: number
  readonly buckets: number
  readonly elements: readonly TracedElement[]
}

export interface TracedElement extends ElementName {
  readonly chains: readonly TracedChain[]
}

/** Draws of one element of one chain. */
export interface TracedChain {
  readonly chain: number
  /** Iterations of the draws, rising. */
  readonly at: Float64Array
  /** The draws: a list of the variable's dtype. */
  readonly values: NdArray
}

/** A column of a trace, and its elements. */
export interface TracedColumn {
  readonly spec: RigidNumbers
  /** Elements in the order asked for; undefined for all. */
  readonly elements: readonly number[] | undefined
  readonly count: number
}

/**
 * The columns that a question is about.
 *
 * @throws McbError `unknown_variable`, and `invalid_parameter` for columns that have no numbers or no fixed shape, elements that are
 *   not there, and more than 100 elements
 */
export function tracedColumns(schema: Schema, { variables, stats, elements }: TraceQuestion): readonly TracedColumn[] {
  const isNamed = [variables, stats].some((names) => names !== undefined && names.length > 0)
  const columns = isNamed
    ? namedColumns(schema, variables, stats).map(requireNumbers)
    : [...schema.draws.values()].filter(isNumbers)
  const [first] = columns
  if (elements !== undefined && (columns.length !== 1 || first === undefined)) {
    throw new McbError('invalid_parameter', `elements are of one variable or stat, not of ${columns.length}`)
  }
  const traced = columns.map((spec) => tracedColumn(spec, elements))
  const total = traced.reduce((n, { count }) => n + count, 0)
  if (total <= MAX_TRACED) return traced
  throw new McbError(
    'invalid_parameter',
    `a trace has at most ${MAX_TRACED} elements, and these are ${total}: name fewer variables, or some elements of one`,
    { limit: MAX_TRACED },
  )
}

function tracedColumn(spec: RigidNumbers, elements: Elements | undefined): TracedColumn {
  if (elements === undefined) return { spec, elements, count: sizeOf(spec.shape) }
  const { ranges, count } = resolveElements(spec, elements)
  // Those of too many are not written out: the caller refuses them.
  const some =
    count > MAX_TRACED ? [] : ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))
  return { spec, elements: some, count }
}

function isNumbers(spec: ColumnSpec): spec is RigidNumbers {
  return spec.kind === 'rigid-numbers'
}

/** @throws McbError `invalid_parameter` */
function requireNumbers(spec: ColumnSpec): RigidNumbers {
  if (isNumbers(spec)) return spec
  const why = spec.dtype === 'str' ? 'holds strings' : 'has a shape that varies'
  throw new McbError('invalid_parameter', `"${spec.name}" ${why}: a trace is of numbers of fixed shape`)
}

/** The number of buckets of a question. @throws McbError `invalid_parameter` */
export function bucketsOf({ buckets = DEFAULT_BUCKETS }: TraceQuestion): number {
  if (Number.isInteger(buckets) && buckets >= 1 && buckets <= MAX_BUCKETS) return buckets
  throw new McbError('invalid_parameter', `"buckets" must be an integer from 1 to ${MAX_BUCKETS}`)
}

/** Names of all elements, in the order of the answer. */
export function tracedNames(columns: readonly TracedColumn[], names: ElementNames): ElementName[] {
  return columns.flatMap(({ spec, elements, count }) => {
    return Array.from({ length: count }, (_, i) => names.of(spec, elements?.[i] ?? i))
  })
}

/** Draws of one element of one chain, as they come: element after element, and of each one chain after another. */
export interface TracePart extends Kept {
  /** Position among the elements. */
  readonly element: number
  readonly chain: number
}
