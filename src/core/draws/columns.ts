/** The columns of a run: the validated form of its variables and sampler stats. */

import { McbError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { type Dtype, ITEM_SIZE, isDtype, type NumericDtype } from './dtype.ts'
import { type Int64, sizeOf } from './ndarray.ts'

interface ColumnBase {
  /** Position among all columns of the run: variables first, then sampler stats, as registered. */
  readonly index: number
  readonly name: string
  readonly group: 'draws' | 'stats'
}

interface Rigid {
  readonly layout: 'rigid'
  /** Shape of one draw. */
  readonly shape: readonly number[]
  /** Elements of one draw. */
  readonly elements: number
}

interface Ragged {
  readonly layout: 'ragged'
  /** -1 where a dimension varies; null when even their number does (`undefined_ndim`). */
  readonly shape: readonly number[] | null
}

interface Numbers {
  readonly dtype: NumericDtype
  /** Bytes of one element. */
  readonly itemSize: number
}

interface Strings {
  readonly dtype: 'str'
}

/** A rigid column of numbers: `stride` bytes a draw, so that draws are found by multiplication. */
export type RigidNumbers = ColumnBase & Rigid & Numbers & { readonly kind: 'rigid-numbers'; readonly stride: number }
export type RaggedNumbers = ColumnBase & Ragged & Numbers & { readonly kind: 'ragged-numbers' }
export type RigidStrings = ColumnBase & Rigid & Strings & { readonly kind: 'rigid-strings' }
export type RaggedStrings = ColumnBase & Ragged & Strings & { readonly kind: 'ragged-strings' }
export type ColumnSpec = RigidNumbers | RaggedNumbers | RigidStrings | RaggedStrings

export interface Schema {
  readonly columns: readonly ColumnSpec[]
  readonly draws: ReadonlyMap<string, ColumnSpec>
  readonly stats: ReadonlyMap<string, ColumnSpec>
}

interface VariableMessage {
  name?: string | null
  dtype?: string | null
  shape?: readonly Int64[] | null
  undefinedNdim?: boolean | null
}

const MAX_NAME_POINTS = 256

/**
 * The schema of a run.
 *
 * @throws McbError `invalid_run_meta` or `unsupported_dtype`, with the variable's name
 */
export function buildSchema(
  variables: readonly VariableMessage[],
  sampleStats: readonly VariableMessage[],
  limits: Limits,
): Schema {
  const total = variables.length + sampleStats.length
  if (total > limits.columns) {
    throw new McbError('invalid_run_meta', `${total} variables and stats; at most ${limits.columns} are allowed`, {
      limit: limits.columns,
    })
  }
  const columns: ColumnSpec[] = []
  const collect = (messages: readonly VariableMessage[], group: 'draws' | 'stats') => {
    const byName = new Map<string, ColumnSpec>()
    for (const message of messages) {
      const column = buildColumn(message, group, columns.length, limits)
      if (byName.has(column.name)) {
        const what = group === 'draws' ? 'variables' : 'sampler stats'
        throw new McbError('invalid_run_meta', `two ${what} are named "${column.name}"`, { variable: column.name })
      }
      byName.set(column.name, column)
      columns.push(column)
    }
    return byName
  }
  return { draws: collect(variables, 'draws'), stats: collect(sampleStats, 'stats'), columns }
}

function buildColumn(message: VariableMessage, group: 'draws' | 'stats', index: number, limits: Limits): ColumnSpec {
  const name = message.name ?? ''
  const refuse = (why: string) => new McbError('invalid_run_meta', `variable "${name}": ${why}`, { variable: name })
  if (name === '') throw refuse('a name cannot be empty')
  // A name of n code points has n to 2n UTF-16 units, so most names need no count.
  if (name.length > MAX_NAME_POINTS && [...name].length > MAX_NAME_POINTS) {
    throw refuse(`a name has at most ${MAX_NAME_POINTS} code points`)
  }
  const dtype = message.dtype ?? ''
  if (!isDtype(dtype)) {
    throw new McbError('unsupported_dtype', `variable "${name}": dtype "${dtype}" is not supported`, { variable: name })
  }
  const base = { index, name, group }
  if (message.undefinedNdim) return ragged(base, null, dtype)
  const shape = (message.shape ?? []).map(Number)
  for (const n of shape) if (n < -1) throw refuse(`a dimension cannot be ${n}`)
  const fixed = sizeOf(shape.filter((n) => n !== -1))
  if (fixed > limits.elements || shape.some((n) => n > limits.elements)) {
    throw refuse(`shape [${shape}] has more than ${limits.elements} elements`)
  }
  if (shape.includes(-1)) return ragged(base, shape, dtype)
  const rigid = { ...base, layout: 'rigid', shape, elements: fixed } as const
  if (dtype === 'str') return { ...rigid, kind: 'rigid-strings', dtype }
  const itemSize = ITEM_SIZE[dtype]
  return { ...rigid, kind: 'rigid-numbers', dtype, itemSize, stride: itemSize * fixed }
}

function ragged(base: ColumnBase, shape: readonly number[] | null, dtype: Dtype): ColumnSpec {
  if (dtype === 'str') return { ...base, layout: 'ragged', kind: 'ragged-strings', shape, dtype }
  return { ...base, layout: 'ragged', kind: 'ragged-numbers', shape, dtype, itemSize: ITEM_SIZE[dtype] }
}

/**
 * The columns of some names, each once: the variables before the sampler stats.
 *
 * @throws McbError `unknown_variable`, as a read gives it
 */
export function namedColumns(
  schema: Schema,
  variables: readonly string[] = [],
  stats: readonly string[] = [],
): readonly ColumnSpec[] {
  const chosen = new Set<ColumnSpec>()
  for (const [names, specs, what] of [
    [variables, schema.draws, 'variable'],
    [stats, schema.stats, 'sampler stat'],
  ] as const) {
    for (const name of names) {
      const spec = specs.get(name)
      if (spec === undefined) {
        throw new McbError('unknown_variable', `the run has no ${what} "${name}"`, { variable: name, status: 404 })
      }
      chosen.add(spec)
    }
  }
  return [...chosen]
}

/** True where one draw of a ragged column may have this shape. */
export function fitsShape(expected: readonly number[] | null, actual: ArrayLike<number>): boolean {
  if (expected === null) return true
  if (expected.length !== actual.length) return false
  return expected.every((n, axis) => n === -1 || n === actual[axis])
}

/** Shape of the fill value: -1 becomes 0, and an unknown number of dimensions a scalar. */
export function fillShape(spec: ColumnSpec): readonly number[] {
  return (spec.shape ?? []).map((n) => (n === -1 ? 0 : n))
}
