/** Rows of what is drawn, as bytes and as text: a page at a time, however large the variable is. */

import { bytesOf, ITEM_SIZE, type NumericArray, type NumericDtype, TYPED_ARRAYS } from '../core/draws/dtype.ts'
import type { RigidColumn } from '../core/draws/elements.ts'
import { type Bytes, fillElements, unpackSegment } from '../core/draws/segment.ts'
import { convert } from '../core/inference/promote.ts'
import type { Drawn, Tree } from '../core/inference/tree.ts'
import type { StringPiece } from '../core/inference/values.ts'
import { rowWindows, type Selection } from '../core/selection.ts'
import type { StoreRun } from './backend.ts'

/** Some rows of one chain: draws, of which 0 is the first of the variable's group. */
export interface Rows {
  /** Place of the chain in the tree. */
  readonly chain: number
  readonly first: number
  readonly count: number
}

/** Bytes of a step, about. */
const STEP = 256 * 1024
/** Elements of text of a step, of which none has a byte. */
const STEP_TEXTS = 16 * 1024

/**
 * Rows of numbers in C order, little-endian; behind the end of the chain NaN, 0 or false. Bytes may be views on the memory of the
 * store: they are not the caller's to change.
 *
 * @param tree the one that has the variable
 * @throws McbError `run_not_found`
 */
export async function* numberRows(run: StoreRun, tree: Tree, variable: Drawn, rows: Rows): AsyncGenerator<Bytes> {
  const { dtype } = variable
  if (dtype === 'str') return
  const elements = elementsOf(variable)
  if (elements === 0) return
  const { selection, fill } = readOf(run, tree, variable, rows)
  if (selection.slice.count > 0 && variable.columns.length === 1) {
    for await (const { data, count } of selection.read([0], selection.slice)) {
      if (data === null) yield* fillNumbers(dtype, count * elements)
      else yield data
    }
  } else {
    for await (const { segments } of rowWindows(selection, STEP)) yield sideBySide(variable.columns, dtype, segments)
  }
  yield* fillNumbers(dtype, fill * elements)
}

/** Rows of text, in C order; behind the end of the chain "". See `numberRows`. */
export async function* stringRows(run: StoreRun, tree: Tree, variable: Drawn, rows: Rows): AsyncGenerator<StringPiece> {
  if (variable.dtype !== 'str') return
  const elements = elementsOf(variable)
  if (elements === 0) return
  const { selection, fill } = readOf(run, tree, variable, rows)
  const [only, ...others] = variable.columns
  if (only !== undefined && others.length === 0 && selection.slice.count > 0) {
    for await (const { data, count } of selection.read([0], selection.slice)) {
      if (data === null) yield* fillStrings(count * elements)
      else yield unpackSegment(only, data, count)
    }
  } else {
    for await (const { segments, count } of rowWindows(selection, STEP)) {
      yield stringsSideBySide(variable.columns.map((spec, i) => unpackSegment(spec, segments[i] ?? EMPTY, count)))
    }
  }
  yield* fillStrings(fill * elements)
}

const EMPTY = new Uint8Array()

/** The rows that the chain has, and the number of those behind its end. */
function readOf(
  run: StoreRun,
  { chains }: Tree,
  { columns, rows: all }: Drawn,
  { chain, first, count }: Rows,
): { readonly selection: Selection; readonly fill: number } {
  const state = chains[chain]
  const held = all[chain]
  if (state === undefined || held === undefined) throw new RangeError(`the tree has no chain at ${chain}`)
  const there = Math.max(0, Math.min(count, held.count - first))
  const start = held.first + first
  const slice = { start, stop: start + there }
  return { selection: run.select(state, columns, { slice }), fill: count - there }
}

function elementsOf({ shape }: Drawn): number {
  return shape.slice(2).reduce((product, length) => product * length, 1)
}

function* fillNumbers(dtype: NumericDtype, count: number): Generator<Bytes> {
  const itemSize = ITEM_SIZE[dtype]
  const step = STEP / itemSize
  const full = fillElements({ dtype, itemSize }, Math.min(count, step))
  for (let done = 0; done < count; done += step) {
    yield count - done >= step ? full : full.subarray(0, (count - done) * itemSize)
  }
}

function* fillStrings(count: number): Generator<StringPiece> {
  for (let done = 0; done < count; done += STEP_TEXTS) {
    yield { lengths: new Uint32Array(Math.min(STEP_TEXTS, count - done)), payload: EMPTY }
  }
}

/** Elements of several columns in turn: those of one draw and one index lie together. */
function sideBySide(columns: readonly RigidColumn[], dtype: NumericDtype, segments: readonly Bytes[]): Bytes {
  const parts = segments.map((bytes, i) => {
    const own = columns[i]?.dtype
    return own === undefined || own === 'str' ? new Uint8Array() : convert(bytes, own, dtype)
  })
  const width = parts.length
  const joined = new TYPED_ARRAYS[dtype](width * (parts[0]?.length ?? 0))
  for (const [at, part] of parts.entries()) interleave(joined, part, at, width)
  return bytesOf(joined)
}

function interleave(into: NumericArray, part: NumericArray, at: number, width: number): void {
  if (into instanceof BigInt64Array || into instanceof BigUint64Array) {
    for (let i = 0; i < part.length; i++) into[at + i * width] = BigInt(part[i] ?? 0)
  } else {
    for (let i = 0; i < part.length; i++) into[at + i * width] = Number(part[i] ?? 0)
  }
}

function stringsSideBySide(parts: readonly StringPiece[]): StringPiece {
  const width = parts.length
  const count = parts[0]?.lengths.length ?? 0
  const lengths = new Uint32Array(width * count)
  const payload = new Uint8Array(parts.reduce((sum, part) => sum + part.payload.length, 0))
  const ats = parts.map(() => 0)
  let to = 0
  for (let i = 0; i < width * count; i++) {
    const from = i % width
    const length = parts[from]?.lengths[(i - from) / width] ?? 0
    const at = ats[from] ?? 0
    lengths[i] = length
    payload.set(parts[from]?.payload.subarray(at, at + length) ?? EMPTY, to)
    ats[from] = at + length
    to += length
  }
  return { lengths, payload }
}
