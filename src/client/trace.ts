/** Traces over HTTP: the query of a question, and the answer, read without trust. */

import {
  bucketsOf,
  type Trace,
  type TracedChain,
  type TracedColumn,
  type TracedElement,
  type TraceQuestion,
  tracedColumns,
} from '../core/diagnostics/traced.ts'
import type { Schema } from '../core/draws/columns.ts'
import { ITEM_SIZE, type NumericDtype } from '../core/draws/dtype.ts'
import { formatElements } from '../core/draws/elements.ts'
import { type NdArray, numericArray } from '../core/draws/ndarray.ts'
import { resolveSlice } from '../core/draws/slice.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'
import { namedFloat, wholeOfText } from '../core/wire/json-numbers.ts'
import { listIn, members, objectOf, stringIn, wholeNumberIn } from './json.ts'
import type { WholeAnswer } from './problem.ts'

/** The query of a question that fits the run. @throws McbError `unknown_variable`, `invalid_parameter`, `invalid_slice` */
export function queryOfTrace(schema: Schema, question: TraceQuestion): string {
  tracedColumns(schema, question)
  const { variables = [], stats = [], elements, chains = [], start, stop } = question
  resolveSlice({ start, stop }, 0)
  return [
    ...variables.map((name) => `var=${encodeURIComponent(name)}`),
    ...stats.map((name) => `stat=${encodeURIComponent(name)}`),
    ...(elements === undefined ? [] : [`elem=${formatElements(elements)}`]),
    ...chains.map((chain) => `chain=${chain}`),
    ...(start === undefined ? [] : [`start=${BigInt(start)}`]),
    ...(stop === undefined ? [] : [`stop=${BigInt(stop)}`]),
    `buckets=${bucketsOf(question)}`,
  ].join('&')
}

/** @throws TypeError when it is no answer to this question */
export function readTrace(answer: WholeAnswer, schema: Schema, question: TraceQuestion): Trace {
  const trace = members(answer)
  const dtypes = tracedColumns(schema, question).flatMap(dtypesOf)
  const elements = listIn(trace, 'elements').map(objectOf)
  if (elements.length !== dtypes.length) {
    throw new TypeError(`${elements.length} elements were answered, not ${dtypes.length}`)
  }
  return {
    start: wholeNumberIn(trace, 'start'),
    stop: wholeNumberIn(trace, 'stop'),
    buckets: wholeNumberIn(trace, 'buckets'),
    elements: dtypes.map(([variable, dtype], i) => elementOf(elements[i] ?? {}, variable, dtype)),
  }
}

function dtypesOf({ spec, count }: TracedColumn): (readonly [variable: string, NumericDtype])[] {
  return new Array<readonly [string, NumericDtype]>(count).fill([spec.name, spec.dtype])
}

function elementOf(element: JsonObject, variable: string, dtype: NumericDtype): TracedElement {
  if (element.variable !== variable)
    throw new TypeError(`an element of "${variable}" was answered as of another variable`)
  return {
    variable,
    index: listIn(element, 'index').map(wholeNumber),
    label: stringIn(element, 'label'),
    chains: listIn(element, 'chains').map((chain) => chainOf(objectOf(chain), dtype)),
  }
}

function chainOf(chain: JsonObject, dtype: NumericDtype): TracedChain {
  const at = Float64Array.from(listIn(chain, 'at').map(wholeNumber))
  const values = arrayOf(listIn(chain, 'values'), dtype)
  if (values.shape[0] !== at.length) throw new TypeError(`${at.length} iterations have ${values.shape[0]} values`)
  return { chain: wholeNumberIn(chain, 'chain'), at, values }
}

function wholeNumber(value: JsonValue): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError('an index is not a whole number from 0 on')
}

/** Numbers as the JSON of draws has them. */
function arrayOf(given: readonly JsonValue[], dtype: NumericDtype): NdArray {
  const array = numericArray(dtype, [given.length], new Uint8Array(given.length * ITEM_SIZE[dtype]))
  if (array.dtype === 'int64' || array.dtype === 'uint64') {
    for (const [i, value] of given.entries()) array.data[i] = integerOf(value)
  } else if (array.dtype !== 'str') {
    for (const [i, value] of given.entries()) array.data[i] = doubleOf(value)
  }
  return array
}

function integerOf(value: JsonValue): bigint {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  const whole = typeof value === 'string' ? wholeOfText(value) : undefined
  if (whole === undefined) throw new TypeError('a value is no integer')
  return whole
}

function doubleOf(value: JsonValue): number {
  if (typeof value === 'boolean') return value ? 1 : 0
  const number = typeof value === 'string' ? namedFloat(value) : value
  if (typeof number === 'bigint') return Number(number)
  if (typeof number !== 'number') throw new TypeError('a value is no number')
  return number
}
