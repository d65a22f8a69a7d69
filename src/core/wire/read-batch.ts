/** A posted DrawBatch at the border: bytes in, one validated segment a column out. */

import type { Schema } from '../draws/columns.ts'
import { type Bytes, packSegment, type Segment } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { atOnce, inTurns, Pace, STEP_SIZE, type Steps } from '../turn.ts'
import { numbersIn, partsIn, scanBatch } from './read-columns.ts'

/** A validated batch: iterations `start … start + count`, one segment a column of the schema. */
export interface Batch {
  readonly start: number
  readonly count: number
  /** Segments by column index; null for a sampler stat that was not sent. Rigid numbers are views on the body. */
  readonly segments: readonly Segment[]
  /** Bytes of all segments. */
  readonly size: number
}

/**
 * Parses and validates the body of an append.
 *
 * @throws McbError `invalid_protobuf`, `invalid_parameter` (a written step), `empty_batch`, `payload_too_large` (too many
 *   iterations), or a 422 that names its variable
 */
export function decodeBatch(body: Uint8Array<ArrayBuffer>, schema: Schema, limits: Limits): Batch {
  return atOnce(decode(body, schema, limits))
}

/** Bodies of this many bytes may take many milliseconds to parse. */
const LARGE_BYTES = 256 * 1024

/**
 * Prepares a batch whose run and chain are looked for meanwhile. The function that this resolves to gives the batch, or throws
 * as `decodeBatch` does: a missing chain outranks a wrong body. A large body is parsed here, with turns of the event loop in
 * between, since 64 MiB may hold 32 million strings.
 */
export async function prepareBatch(body: Bytes, schema: Schema, limits: Limits): Promise<() => Batch> {
  if (body.length < LARGE_BYTES) return () => decodeBatch(body, schema, limits)
  try {
    const batch = await inTurns(decode(body, schema, limits))
    return () => batch
  } catch (error) {
    return () => {
      throw error
    }
  }
}

function* decode(body: Uint8Array<ArrayBuffer>, schema: Schema, limits: Limits): Steps<Batch> {
  const pace = new Pace(STEP_SIZE)
  const { start, count, step, columns, refusal } = yield* scanBatch(body, schema, pace)
  if (count > limits.batchIterations) {
    throw new McbError('payload_too_large', `${count} iterations; a batch has at most ${limits.batchIterations}`, {
      limit: limits.batchIterations,
    })
  }
  if (step !== 0) {
    throw new McbError(
      'invalid_parameter',
      `step ${fromZigzag(step)} was written; leave it out, since batches hold consecutive iterations`,
    )
  }
  if (count === 0) throw new McbError('empty_batch', 'the batch holds no iteration (count is 0)')
  if (refusal !== undefined) throw refusal
  let size = 0
  const segments: Segment[] = []
  for (const spec of schema.columns) {
    const raw = columns[spec.index]
    if (raw === undefined) {
      if (spec.group === 'draws') {
        throw new McbError('missing_variable', `variable "${spec.name}" is missing from the batch`, {
          variable: spec.name,
        })
      }
      segments.push(null)
      continue
    }
    const segment =
      spec.kind === 'rigid-numbers'
        ? numbersIn(raw, spec, count)
        : packSegment(spec, yield* partsIn(body, raw, spec, count, pace))
    size += segment.length
    segments.push(segment)
  }
  return { start, count, segments, size }
}

/** A number of type sint64. */
function fromZigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
