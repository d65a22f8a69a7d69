/** Queries of draws: the parameters that name columns, and the reader of the answer. */

import type { ColumnSpec } from '../core/draws/columns.ts'
import {
  type ElementRanges,
  type Elements,
  elementsColumn,
  formatElements,
  resolveElements,
} from '../core/draws/elements.ts'
import type { Bytes } from '../core/draws/segment.ts'
import { type DecodedAnswer, decodeAnswer, decodeElements } from '../core/wire/read-answer.ts'

/** Characters of names in one query, and of elements; servers refuse addresses beyond 8 to 16 KiB. */
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

/** One column, which may come in pages. */
export interface ColumnQuery {
  /**
   * Queries for each page. Several name consecutive parts of the elements, which are too many for one address; an answer
   * with all elements that the result has needs no further one.
   */
  readonly queries: readonly [Query, ...Query[]]
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
  const whole = { queries: [queryOfColumns([spec])], column: spec } as const
  if (spec.kind !== 'rigid-numbers') return { ...whole, firstDraws: FIRST_DRAWS, isSized: false, pages: 'measured' }
  return { ...whole, firstDraws: drawsOfPage(spec.stride), isSized: true, pages: 'equal' }
}

/**
 * Some elements of a column. The queries name them only where that makes the answers smaller: their size then tells if the
 * server knows elements. One of an older release sends whole values, of which all elements are picked here at once.
 *
 * @throws McbError `invalid_parameter`
 */
export function queryOfElements(spec: ColumnSpec, elements: Elements): ColumnQuery {
  const resolved = resolveElements(spec, elements)
  if (spec.layout !== 'rigid') throw new TypeError(`the shape of "${spec.name}" varies`)
  const whole = queryOfColumn(spec)
  const column = elementsColumn(spec, resolved)
  const name = nameQuery(spec)
  const decode = (bytes: Bytes, sent: ElementRanges) => decodeElements(bytes, spec, resolved, sent)
  const parts = byElementsLength(resolved)
  // A server goes through whole draws for each part.
  if (parts.length * resolved.count >= spec.elements) {
    return { ...whole, queries: [{ parameters: [name], decode: (bytes) => decode(bytes, resolved) }], column }
  }
  const [first, ...more] = parts.map(({ elem, ...part }) => {
    return { parameters: [name, `elem=${elem}`], decode: (bytes: Bytes) => decode(bytes, part) }
  })
  if (first === undefined) throw new TypeError(`no elements of "${spec.name}" are asked for`)
  // The first page must fit also when all elements come.
  return { ...whole, queries: [first, ...more], column, pages: 'measured' }
}

/** Elements in consecutive parts, each with its text, which fits into one query. */
function byElementsLength({ ranges }: ElementRanges): (ElementRanges & { readonly elem: string })[] {
  const parts: { ranges: (readonly [from: number, to: number])[]; count: number; elem: string }[] = []
  for (const [from, to] of ranges) {
    const text = formatElements([to === from + 1 ? from : [from, to]])
    const part = parts.at(-1)
    if (part === undefined || part.elem.length + 1 + text.length > QUERY_CHARACTERS) {
      parts.push({ ranges: [[from, to]], count: to - from, elem: text })
      continue
    }
    part.ranges.push([from, to])
    part.count += to - from
    part.elem += `,${text}`
  }
  return parts
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
