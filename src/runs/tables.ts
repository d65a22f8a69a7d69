/** Tables of runs: columns, chains and rows of a question, as of one moment. */

import { type ColumnSpec, namedColumns, type Schema } from '../core/draws/columns.ts'
import type { RigidColumn } from '../core/draws/elements.ts'
import { ElementNames } from '../core/draws/labels.ts'
import { resolveSlice, type Slice, sliceOf } from '../core/draws/slice.ts'
import { McbError } from '../core/errors.ts'
import { type NameChoice, scalarNames } from '../core/formats/tables/names.ts'
import { type DrawTable, scalarsOf, type TablePart } from '../core/formats/tables/table.ts'
import type { ChainState } from '../core/store.ts'
import type { WarmupChoice } from '../core/summary/question.ts'
import type { StoreBackend, StoreRun } from './backend.ts'

export interface TableQuestion {
  /** Variables and sampler stats, in this order; without any, all variables of fixed shape. */
  readonly variables: readonly string[] | undefined
  readonly stats: readonly string[] | undefined
  /** Chains, in this order; without any, all of them. */
  readonly chains: readonly number[] | undefined
  readonly names: NameChoice
  readonly warmup: WarmupChoice
  /** The draws of each chain, among those that the choice of warmup leaves; its step is positive. */
  readonly slice: Slice
}

/** Columns that a table can have, and those without which it is made. */
export interface TableColumns {
  readonly columns: readonly RigidColumn[]
  /** Variables that were not asked for by name, and have no fixed shape. */
  readonly leftOut: readonly string[]
}

/**
 * The columns that a question is about.
 *
 * @throws McbError `unknown_variable`, `invalid_parameter` for a column that is named and has no fixed shape, and
 *   `payload_too_large` for more scalars than `most`
 */
export function tableColumns(schema: Schema, question: TableQuestion, most: number): TableColumns {
  const { variables, stats } = question
  const isNamed = variables !== undefined || stats !== undefined
  const asked = isNamed ? namedColumns(schema, variables, stats) : [...schema.draws.values()]
  const columns = isNamed ? asked.map(requireRigid) : asked.filter(isRigid)
  const leftOut = isNamed ? [] : asked.filter((spec) => !isRigid(spec)).map(({ name }) => name)
  const scalars = scalarsOf(columns)
  if (scalars <= most) return { columns, leftOut }
  throw new McbError(
    'payload_too_large',
    `the table would have ${scalars} columns, the most is ${most}; name fewer variables, or read one as draws.npy`,
    { limit: most },
  )
}

function isRigid(spec: ColumnSpec): spec is RigidColumn {
  return spec.layout === 'rigid'
}

/** @throws McbError `invalid_parameter` */
function requireRigid(spec: ColumnSpec): RigidColumn {
  if (isRigid(spec)) return spec
  throw new McbError(
    'invalid_parameter',
    `"${spec.name}" has another shape in each draw, so that a table has no columns for it; read it from …/chains/{chain}/draws`,
  )
}

/** The table of some chains as they were seen. */
export async function tableOf(
  backend: StoreBackend,
  run: StoreRun,
  states: readonly ChainState[],
  columns: readonly RigidColumn[],
  question: TableQuestion,
): Promise<DrawTable> {
  const { warmup, slice, names } = question
  const lengths = warmup === 'include' ? states.map(() => 0) : await backend.warmupOf(run, states)
  const parts = states.flatMap((state, i): TablePart[] => {
    const own = lengths[i] ?? 0
    const [begin, end] = warmup === 'only' ? [0, own] : [own, state.length]
    const { first, count, step } = resolveSlice(slice, end - begin)
    if (count === 0) return []
    const rows = sliceOf({ first: begin + first, count, step })
    const selection = run.select(state, columns, { slice: rows })
    // A step beyond the end of a chain leaves one row.
    return [{ selection, first: first + 1, step: count === 1 ? 1 : Number(step) }]
  })
  const elements = new ElementNames(run.meta)
  return { columns, names: () => scalarNames(columns, elements, names), parts }
}
