/** Elements of a variable: the few of a large value that a reader asks for (the contract, section 6). */

import { McbError } from '../errors.ts'
import type { ColumnSpec, RigidNumbers, RigidStrings } from './columns.ts'

/**
 * Indices and half-open ranges `[from, to]` into the flattened value of a draw, in C order; a scalar has element 0.
 * They are answered in this order, and as often as they are named.
 */
export type Elements = readonly (number | readonly [from: number, to: number])[]

/** Elements that one read may ask for. */
export const MAX_ELEMENTS = 10_000

const RANGES = /^\d+(:\d+)?(,\d+(:\d+)?)*$/

/**
 * Elements that the query `elem` names, such as `0,3,10:20`.
 *
 * @throws McbError `invalid_parameter`
 */
export function parseElements(text: string): Elements {
  if (!RANGES.test(text)) throw invalid('must be indices and ranges such as 0,3,10:20')
  return checked(
    text.split(',').map((part) => {
      const [from = '', to] = part.split(':')
      if (to === undefined) return capped(BigInt(from))
      const count = BigInt(to) - BigInt(from)
      if (count <= 0n) throw invalid(`has the range ${part}, which must begin before it ends`)
      if (count > MAX_ELEMENTS) throw tooMany(count)
      const begin = capped(BigInt(from))
      return [begin, begin + Number(count)]
    }),
  )
}

/**
 * The query `elem` for some elements.
 *
 * @throws McbError `invalid_parameter`
 */
export function formatElements(elements: Elements): string {
  return checked(elements)
    .map((part) => (typeof part === 'number' ? String(part) : `${part[0]}:${part[1]}`))
    .join(',')
}

/** No value has so many elements: any larger index is out of range like this one. */
const BEYOND = 2n ** 52n

function capped(index: bigint): number {
  return Number(index > BEYOND ? BEYOND : index)
}

/** @throws McbError `invalid_parameter` */
function checked(elements: Elements): Elements {
  if (elements.length === 0) throw invalid('names no element')
  let count = 0
  for (const part of elements) {
    const [from, to] = rangeOf(part)
    if (!Number.isSafeInteger(from) || from < 0) throw invalid(`has the index ${from}, which is no index`)
    if (typeof part !== 'number' && !(Number.isSafeInteger(to) && from < to)) {
      throw invalid(`has the range ${from}:${to}, which must begin before it ends`)
    }
    count += to - from
  }
  if (count > MAX_ELEMENTS) throw tooMany(count)
  return elements
}

function rangeOf(part: Elements[number]): readonly [from: number, to: number] {
  return typeof part === 'number' ? [part, part + 1] : part
}

/** A column of which elements can be read. */
export type RigidColumn = RigidNumbers | RigidStrings

/** Elements of one column, as ranges in which neighbours are joined. */
export interface ElementRanges {
  readonly ranges: readonly (readonly [from: number, to: number])[]
  readonly count: number
}

/**
 * The elements of a column.
 *
 * @throws McbError `invalid_parameter` when the column has a varying shape, or an index is out of range
 */
export function resolveElements(spec: ColumnSpec, elements: Elements): ElementRanges {
  if (spec.layout !== 'rigid') throw invalid(`cannot be read of "${spec.name}", whose shape varies`)
  const ranges: [number, number][] = []
  let count = 0
  for (const part of checked(elements)) {
    const [from, to] = rangeOf(part)
    if (to > spec.elements) {
      throw invalid(`has the index ${to - 1}; "${spec.name}" has ${spec.elements} elements, counted from 0`)
    }
    count += to - from
    const last = ranges.at(-1)
    if (last?.[1] === from) last[1] = to
    else ranges.push([from, to])
  }
  return { ranges, count }
}

/** The column of an answer of some elements: a vector a draw. */
export function elementsColumn(spec: ColumnSpec, { count }: ElementRanges): ColumnSpec {
  if (spec.layout !== 'rigid') return spec
  const vector = { shape: [count], elements: count }
  if (spec.kind === 'rigid-strings') return { ...spec, ...vector }
  return { ...spec, ...vector, stride: count * spec.itemSize }
}

function tooMany(count: number | bigint): McbError {
  return invalid(`names ${count} elements, of which ${MAX_ELEMENTS} may be read at once`)
}

function invalid(what: string): McbError {
  return new McbError('invalid_parameter', `"elem" ${what}`)
}
