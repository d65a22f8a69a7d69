/** A DrawBatch of the server as values: what a client reads. */

import type { ColumnSpec } from '../draws/columns.ts'
import type { Bytes } from '../draws/segment.ts'
import { valuesOf } from '../draws/values.ts'
import { McbError } from '../errors.ts'
import type { Draws } from '../interfaces.ts'
import { atOnce } from '../turn.ts'
import { numbersIn, partsIn, type RawBatch, scanBatch } from './read-columns.ts'

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

function scanAnswer(bytes: Bytes, columns: readonly ColumnSpec[]): RawBatch {
  const known = { draws: new Map<string, ColumnSpec>(), stats: new Map<string, ColumnSpec>() }
  for (const spec of columns) known[spec.group].set(spec.name, spec)
  const batch = atOnce(scanBatch(bytes, known))
  if (batch.refusal !== undefined) throw batch.refusal
  return batch
}

function drawsIn(bytes: Bytes, { columns, count }: RawBatch, spec: ColumnSpec): Draws {
  const raw = columns[spec.index]
  if (raw === undefined) throw new McbError('invalid_protobuf', `the answer is not whole: "${spec.name}" is missing`)
  const parts =
    spec.kind === 'rigid-numbers'
      ? { words: NONE, lengths: NONE, payload: numbersIn(raw, spec, count) }
      : atOnce(partsIn(bytes, raw, spec, count))
  return valuesOf(spec, parts, count)
}

const NONE = new Uint32Array()

/** What a server refuses in a batch is damage in an answer, which may be asked for again. */
function asDamage(error: unknown): unknown {
  if (!(error instanceof McbError) || error.code === 'invalid_protobuf') return error
  return new McbError('invalid_protobuf', `the answer is not whole: ${error.message}`, {}, { cause: error })
}
