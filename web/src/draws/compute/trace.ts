/** Traces of draws that are here: of each bucket the first, the least, the greatest and the last. */
import { ChainTrace } from '../../../../src/core/diagnostics/trace.ts'
import type { RigidNumbers } from '../../../../src/core/draws/columns.ts'
import type { Part } from '../chains.ts'
import type { TracedChain } from '../questions.ts'

/** Draws that are kept here, whatever their dtype was. */
const DOUBLES: RigidNumbers = {
  index: 0,
  name: '',
  group: 'draws',
  layout: 'rigid',
  shape: [],
  elements: 1,
  dtype: 'float64',
  itemSize: 8,
  stride: 8,
  kind: 'rigid-numbers',
}

/** Iterations over which the buckets of all chains are spread. */
export interface Span {
  readonly start: number
  readonly stop: number
}

export function spanOf(parts: readonly Part[]): Span {
  const with_ = parts.filter(({ first, stop }) => first < stop)
  if (with_.length === 0) return { start: 0, stop: 0 }
  return { start: Math.min(...with_.map(({ first }) => first)), stop: Math.max(...with_.map(({ stop }) => stop)) }
}

/** Buckets of a part that begins later than others: as wide as theirs, more or less. */
export function bucketsOf(count: number, { start, stop }: Span, first: number): number {
  return Math.max(1, Math.min(10_000, Math.ceil((count * (stop - first)) / Math.max(1, stop - start))))
}

export function traceOf(part: Part, values: Float64Array<ArrayBuffer>, span: Span, count: number): TracedChain {
  const { chain, warmup, length, first } = part
  const none = { chain, warmup, length, at: new Float64Array(), values: new Float64Array() }
  if (values.length === 0) return none
  const buckets = { start: first, stop: span.stop, count: bucketsOf(count, span, first) }
  const trace = new ChainTrace(DOUBLES, buckets, values.length)
  trace.add(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  const [kept] = trace.finish()
  if (kept?.values.dtype !== 'float64') return none
  return { ...none, at: kept.at, values: kept.values.data }
}
