/** A DrawBatch of the server as values, for clients. */

import type { ColumnSpec } from '../draws/columns.ts'
import { type ElementRanges, elementsColumn, type RigidColumn } from '../draws/elements.ts'
import { type Bytes, numberParts } from '../draws/segment.ts'
import { isDrawList, selectElements, valuesOf } from '../draws/values.ts'
import { McbError } from '../errors.ts'
import type { Draws } from '../interfaces.ts'
import { atOnce, Pace, STEP_SIZE } from '../turn.ts'
import { elementsSent, numbersIn, partsIn, type RawBatch, scanBatch } from './read-columns.ts'

export interface DecodedAnswer {
  /** Index of the first iteration. */
  readonly start: number
  readonly count: number
  /** One entry for each column that was asked for; numbers are views on the answer where their alignment allows it. */
  readonly draws: readonly Draws[]
}

/** The columns that were asked for. @throws McbError `invalid_protobuf` when the answer is not what was asked for */
export function decodeAnswer(bytes: Bytes, columns: readonly ColumnSpec[]): DecodedAnswer {
  try {
    const batch = scanAnswer(bytes, columns)
    const draws = columns.map((spec) => drawsIn(bytes, batch, spec))
    return { start: batch.start, count: batch.count, draws }
  } catch (error) {
    throw asDamage(error)
  }
}

/**
 * Some elements of one column. An answer with all elements of a draw is taken for a whole column, and they are picked here:
 * a server of an older release gives one. So ask by name only for fewer elements than a draw has.
 *
 * @param asked elements that the query names, where they are a part of those that are wanted
 * @throws McbError `invalid_protobuf` when the answer is neither
 */
export function decodeElements(
  bytes: Bytes,
  spec: RigidColumn,
  wanted: ElementRanges,
  asked: ElementRanges = wanted,
): DecodedAnswer {
  try {
    const batch = scanAnswer(bytes, [spec])
    const raw = batch.columns[spec.index]
    const { start, count } = batch
    const isWhole = raw !== undefined && elementsSent(raw, spec) === count * spec.elements
    const draws = drawsIn(bytes, batch, isWhole ? spec : elementsColumn(spec, asked))
    return { start, count, draws: [isWhole && !isDrawList(draws) ? selectElements(spec, draws, wanted) : draws] }
  } catch (error) {
    throw asDamage(error)
  }
}

function scanAnswer(bytes: Bytes, columns: readonly ColumnSpec[]): RawBatch {
  const known = { draws: new Map<string, ColumnSpec>(), stats: new Map<string, ColumnSpec>() }
  for (const spec of columns) known[spec.group].set(spec.name, spec)
  const batch = atOnce(scanBatch(bytes, known, new Pace(STEP_SIZE)))
  if (batch.refusal !== undefined) throw batch.refusal
  return batch
}

function drawsIn(bytes: Bytes, { columns, count }: RawBatch, spec: ColumnSpec): Draws {
  const raw = columns[spec.index]
  if (raw === undefined) throw new McbError('invalid_protobuf', `the answer is not whole: "${spec.name}" is missing`)
  const parts =
    spec.kind === 'rigid-numbers'
      ? numberParts(numbersIn(raw, spec, count))
      : atOnce(partsIn(bytes, raw, spec, count, new Pace(STEP_SIZE)))
  return valuesOf(spec, parts, count)
}

/** The refusals of a posted batch as damage, since an answer may be asked for again. */
function asDamage(error: unknown): unknown {
  if (!(error instanceof McbError) || error.code === 'invalid_protobuf') return error
  return new McbError('invalid_protobuf', `the answer is not whole: ${error.message}`, {}, { cause: error })
}
