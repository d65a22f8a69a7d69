/** Queries of draws: the parameters that name columns, and the reader of the answer. */

import type { ColumnSpec } from '../core/draws/columns.ts'
import { type Elements, elementsColumn, formatElements, resolveElements } from '../core/draws/elements.ts'
import type { Bytes } from '../core/draws/segment.ts'
import { type DecodedAnswer, decodeAnswer, decodeElements } from '../core/wire/read-answer.ts'

/** Characters of names in one query; servers refuse addresses beyond 8 to 16 KiB. */
const QUERY_CHARACTERS = 4096

/** Bytes that a page aims at. */
const PAGE_BYTES = 16 * 1024 * 1024
/** Draws of the first page where their size is not known; the sizes that come tell how many the next one has. */
const FIRST_DRAWS = 256

export interface Query {
  /** Names of columns, and of elements, encoded. */
  readonly parameters: readonly string[]
  /** @throws McbError `invalid_protobuf` when the answer is damaged */
  decode(bytes: Bytes): DecodedAnswer
}

/** A query whose answer is one column, which may come in pages. */
export interface ColumnQuery extends Query {
  /** The column as the result has it. */
  readonly column: ColumnSpec
  /** Draws of the first page. */
  readonly firstDraws: number
  /** True where that many draws are known to fit into a page. */
  readonly isSized: boolean
  /** Pages of `firstDraws` each; or the size of each page tells how many draws the next one has. */
  readonly pages: 'equal' | 'measured'
}

/** Draws of a page that has `bytes` for each; at least one. */
export function drawsOfPage(bytes: number): number {
  return Math.max(1, Math.floor(PAGE_BYTES / Math.max(1, bytes)))
}

/** Whole columns. */
export function queryOfColumns(columns: readonly ColumnSpec[]): Query {
  return { parameters: columns.map(nameQuery), decode: (bytes) => decodeAnswer(bytes, columns) }
}

export function queryOfColumn(spec: ColumnSpec): ColumnQuery {
  const whole = { ...queryOfColumns([spec]), column: spec }
  if (spec.kind !== 'rigid-numbers') return { ...whole, firstDraws: FIRST_DRAWS, isSized: false, pages: 'measured' }
  return { ...whole, firstDraws: drawsOfPage(spec.stride), isSized: true, pages: 'equal' }
}

/**
 * Some elements of a column. The query names them only where that makes the answer smaller: its size then tells if the
 * server knows elements. One of an older release sends whole values, of which they are picked here.
 *
 * @throws McbError `invalid_parameter`
 */
export function queryOfElements(spec: ColumnSpec, elements: Elements): ColumnQuery {
  const resolved = resolveElements(spec, elements)
  if (spec.layout !== 'rigid') throw new TypeError(`the shape of "${spec.name}" varies`)
  const name = nameQuery(spec)
  const elem = `elem=${formatElements(resolved.ranges.map(([from, to]) => (to === from + 1 ? from : [from, to])))}`
  const isSmaller = resolved.count < spec.elements && elem.length <= QUERY_CHARACTERS
  const whole = queryOfColumn(spec)
  return {
    // The first page must fit also when all elements come.
    ...whole,
    parameters: isSmaller ? [name, elem] : [name],
    decode: (bytes) => decodeElements(bytes, spec, resolved),
    column: elementsColumn(spec, resolved),
    pages: isSmaller ? 'measured' : whole.pages,
  }
}

/** Columns in groups whose names fit into one query. */
export function byQueryLength(columns: readonly ColumnSpec[]): ColumnSpec[][] {
  const groups: ColumnSpec[][] = []
  let group: ColumnSpec[] = []
  let characters = 0
  for (const spec of columns) {
    const more = nameQuery(spec).length + 1
    if (group.length === 0 || characters + more > QUERY_CHARACTERS) {
      group = []
      groups.push(group)
      characters = 0
    }
    group.push(spec)
    characters += more
  }
  return groups
}

function nameQuery({ group, name }: ColumnSpec): string {
  return `${group === 'draws' ? 'var' : 'stat'}=${encodeURIComponent(name)}`
}
