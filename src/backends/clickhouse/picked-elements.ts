/** Elements that ClickHouse picks itself, so that few of large draws do not bring the others along. */
import type { RigidNumbers, Schema } from '../../core/draws/columns.ts'
import { type ElementRanges, elementsColumn } from '../../core/draws/elements.ts'
import type { Question } from '../../core/store.ts'

/** Elements of a draw at most of which some are picked: for each, ClickHouse makes a number or two on the way. */
const MOST_ELEMENTS = 1024 * 1024

export interface PickedElements {
  /** The column as ClickHouse answers it: for each draw the picked elements, each once and in rising order. */
  readonly spec: RigidNumbers
  /** The elements that the question asks for, counted among these. */
  readonly elements: ElementRanges
  /** Expression for the elements of a row. */
  readonly sql: string
}

/** Elements that ClickHouse picks for a question; undefined where draws come whole: strings, very large ones, or most of each. */
export function pickedElements({ columns }: Schema, question: Question): PickedElements | undefined {
  const { elements } = question
  const spec = columns[question.columns[0] ?? -1]
  if (elements === undefined || spec?.kind !== 'rigid-numbers' || spec.elements > MOST_ELEMENTS) return undefined
  const indices = risingIndices(elements)
  if (2 * indices.length > spec.elements) return undefined
  const places = new Map(indices.map((index, place) => [index, place]))
  const ranges = elements.ranges.map(([from, to]) => {
    const place = places.get(from) ?? 0
    return [place, place + to - from] as const
  })
  const few = elementsColumn(spec, { ranges, count: indices.length })
  if (few.kind !== 'rigid-numbers') return undefined
  return { spec: few, elements: { ranges, count: elements.count }, sql: pick(spec, indices) }
}

function risingIndices({ ranges }: ElementRanges): number[] {
  const indices = new Set<number>()
  for (const [from, to] of ranges) for (let index = from; index < to; index++) indices.add(index)
  return [...indices].sort((a, b) => a - b)
}

/** The array of a row is not named within the lambda, for each call of which it would be copied. Places count from 1. */
function pick({ dtype, elements }: RigidNumbers, indices: readonly number[]): string {
  const places = indices.map((index) => (index + 1) % elements)
  return `arrayFilter((element, place) -> place % ${elements} IN (${places.join(', ')}), ${dtype}, arrayEnumerate(${dtype}))`
}
