/** Variables of a run that replicate its data: draws from the posterior predictive. */
import type { ObservedData, RunColumn, RunSchema } from '../../run/schema.ts'

export interface Replicated {
  readonly observed: ObservedData
  /** Numbers of the data, in C order. */
  readonly values: Float64Array
  readonly column: RunColumn
}

/** Ends and beginnings by which a variable is known to replicate data, the clearest first. */
const ENDS = ['_rep', '_ppc', '_pred', '_tilde', '_hat']
const BEGINNINGS = ['posterior_predictive.', 'posterior_predictive/', 'posterior_predictive::']

/** Names that a replication of the data may have, for the words of those who have none. */
export const EXAMPLE_END = '_rep'

export function replicasOf(schema: RunSchema): readonly Replicated[] {
  const data = schema.data()
  const found: Replicated[] = []
  for (const observed of data) {
    const values = numbersOf(observed)
    const column = values && columnFor(schema, observed, data)
    if (values !== undefined && column !== undefined) found.push({ observed, values, column })
  }
  // Data that are said to be observed come first; Stan's say nothing of the kind.
  return found.sort((a, b) => Number(b.observed.isObserved) - Number(a.observed.isObserved))
}

function numbersOf({ values }: ObservedData): Float64Array | undefined {
  const isNumeric = values?.every((value) => typeof value === 'number') ?? false
  return isNumeric && values !== undefined && values.length > 1 ? Float64Array.from(values, Number) : undefined
}

/** The variable of the data's shape that has one of the names, which is no other data's own. */
function columnFor(
  schema: RunSchema,
  { name, shape }: ObservedData,
  data: readonly ObservedData[],
): RunColumn | undefined {
  const taken = new Set(data.map((each) => each.name))
  const names = [...BEGINNINGS.map((start) => start + name), ...ENDS.map((end) => name + end)]
  return names
    .filter((each) => !taken.has(each))
    .map((each) => schema.column('draws', each))
    .find((column) => column !== undefined && column.scalars > 0 && column.shape?.join() === shape.join())
}
