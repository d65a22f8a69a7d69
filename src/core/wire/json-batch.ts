/** A posted batch of draws in JSON at the border (docs/protocol.md §10): it becomes the DrawBatch that it stands for. */

import type { ColumnSpec, Schema } from '../draws/columns.ts'
import type { Bytes } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { Pace, STEP_SIZE, type Steps } from '../turn.ts'
import type { Take } from './byte-sink.ts'
import { ColumnRefusal, type JsonColumn, readColumn } from './json-columns.ts'
import { wholeOf, wholeOfText } from './json-numbers.ts'
import { checkJson, JsonReader, passValue } from './json-reader.ts'
import { concatBytes } from './protobuf.ts'
import { batchHead, columnHead, shapesHead } from './write-columns.ts'

/** A batch whose columns were read, and not judged together yet. */
interface Draft {
  start: number | bigint | undefined
  count: number | undefined
  step: number | bigint
  /** Elements of the longest list, whether a column or not. */
  longest: number
  /** Columns by index. */
  readonly columns: (JsonColumn | ColumnRefusal | undefined)[]
  /** The first column that the run has not, or that is there twice. */
  refusal: McbError | undefined
}

const MAX_UINT64 = 2n ** 64n - 1n
const MAX_UINT32 = 2n ** 32n - 1n
const MIN_INT64 = -(2n ** 63n)

/**
 * The wire form of a batch that came as JSON. Its checks come in the order of those of a DrawBatch; what is not JSON, or has
 * members of its own, comes before what does not fit the run.
 *
 * @param take counts the bytes that are allocated for it
 * @throws McbError `invalid_json`, `payload_too_large`, `invalid_parameter` (a written step), `empty_batch`, or a 422 that names
 *   its variable
 */
export function* batchOfJson(text: string, schema: Schema, limits: Limits, take: Take): Steps<Bytes> {
  yield* checkJson(text)
  const reader = new JsonReader(text)
  const draft = yield* readDraft(reader, schema, boundedTake(take, limits))
  if (draft.start === undefined) throw reader.fail('"start" is missing, the index of the first iteration')
  const count = draft.count ?? draft.longest
  if (count > limits.batchIterations) {
    throw new McbError('payload_too_large', `${count} iterations; a batch has at most ${limits.batchIterations}`, {
      limit: limits.batchIterations,
    })
  }
  if (draft.step !== 0 && draft.step !== 1) {
    throw new McbError('invalid_parameter', `step ${draft.step} was written; batches hold consecutive iterations`)
  }
  if (count === 0) throw new McbError('empty_batch', 'the batch holds no iteration (count is 0)')
  if (draft.refusal !== undefined) throw draft.refusal
  const fields: Bytes[] = [batchHead(draft.start, count)]
  for (const spec of schema.columns) fields.push(...columnFields(reader, spec, draft.columns[spec.index], count))
  take(fields.reduce((size, field) => size + field.length, 0))
  return concatBytes(fields)
}

/** A batch of JSON becomes so many times larger at most: a float of two characters has eight bytes. */
const GROWTH = 8

/** Bounds what JSON becomes: an empty list of three bytes may stand for thousands of dimensions. */
function boundedTake(take: Take, { jsonBytes }: Limits): Take {
  const limit = GROWTH * jsonBytes
  let taken = 0
  return (bytes) => {
    taken += bytes
    if (taken > limit) {
      throw new McbError('payload_too_large', `as a DrawBatch the batch exceeds ${limit} bytes`, { limit })
    }
    take(bytes)
  }
}

function columnFields(
  reader: JsonReader,
  spec: ColumnSpec,
  column: JsonColumn | ColumnRefusal | undefined,
  count: number,
): readonly Bytes[] {
  const { name: variable } = spec
  if (column === undefined) {
    if (spec.group === 'stats') return []
    throw new McbError('missing_variable', `variable "${variable}" is missing from the batch`, { variable })
  }
  if (column instanceof ColumnRefusal) throw column.toError(reader)
  if (column.count !== count) {
    throw new McbError('shape_mismatch', `"${variable}": expected ${count} draws, got ${column.count}`, {
      variable,
      expected: [count],
      actual: [column.count],
    })
  }
  const size = { data: column.data.length, shapes: column.shapes.length, strings: column.strings.length }
  const shapes = size.shapes > 0 ? [shapesHead(size.shapes), ...column.shapes.pieces] : []
  return [columnHead(spec, size), ...column.data.pieces, ...shapes, ...column.strings.pieces]
}

function* readDraft(reader: JsonReader, schema: Schema, take: Take): Steps<Draft> {
  const draft: Draft = { start: undefined, count: undefined, step: 0, longest: 0, columns: [], refusal: undefined }
  const seen = new Set<string>()
  for (const key of members(reader, 'a batch')) {
    if (seen.has(key)) throw reader.fail(`"${key}" is there twice`, reader.keyAt)
    seen.add(key)
    switch (key) {
      case 'start':
        draft.start = wholeMember(reader, key, 0n, MAX_UINT64)
        break
      case 'count':
        draft.count = Number(wholeMember(reader, key, 0n, MAX_UINT32))
        break
      case 'step':
        draft.step = wholeMember(reader, key, MIN_INT64, MAX_UINT64)
        break
      case 'draws':
      case 'stats':
        yield* readGroup(reader, schema[key], draft, take)
        break
      default:
        throw reader.fail(`a batch has no member "${key}"; it has start, count, step, draws and stats`, reader.keyAt)
    }
  }
  return draft
}

/** Keys of the object that comes next; their values are taken in between. */
function* members(reader: JsonReader, what: string): Generator<string, void, void> {
  if (reader.kind() !== 'object') throw reader.fail(`${what} is an object, not ${reader.kind()}`)
  if (!reader.beginObject()) return
  do yield reader.key()
  while (reader.moreMembers())
}

function wholeMember(reader: JsonReader, key: string, least: bigint, most: bigint): number | bigint {
  const kind = reader.kind()
  const at = reader.position
  const value =
    kind === 'number' ? wholeOf(reader.number()) : kind === 'string' ? wholeOfText(reader.string()) : undefined
  if (value !== undefined && value >= least && value <= most) {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
  }
  throw reader.fail(`"${key}" is an integer from ${least} to ${most}, as a number or a decimal string`, at)
}

function* readGroup(reader: JsonReader, known: ReadonlyMap<string, ColumnSpec>, draft: Draft, take: Take): Steps<void> {
  const pace = new Pace(STEP_SIZE)
  for (const variable of members(reader, 'an object of columns')) {
    const spec = known.get(variable)
    let count: number
    if (spec !== undefined && draft.columns[spec.index] === undefined) {
      const column = yield* columnOrRefusal(reader, spec, take, pace)
      draft.columns[spec.index] = column
      count = column.count
    } else {
      draft.refusal ??=
        spec === undefined
          ? new McbError('unknown_variable', `the run has no variable or sampler stat "${variable}"`, { variable })
          : new McbError('duplicate_variable', `"${variable}" is in the batch twice`, { variable })
      count = yield* passColumn(reader, pace)
    }
    draft.longest = Math.max(draft.longest, count)
  }
}

/** Goes on behind a column that is refused: what is wrong with the whole batch comes first. */
function* columnOrRefusal(
  reader: JsonReader,
  spec: ColumnSpec,
  take: Take,
  pace: Pace,
): Steps<JsonColumn | ColumnRefusal> {
  const begin = reader.position
  try {
    return yield* readColumn(reader, spec, take, pace)
  } catch (error) {
    if (!(error instanceof ColumnRefusal)) throw error
    reader.position = begin
    error.count = yield* passColumn(reader, pace)
    return error
  }
}

/** Passes over a column, and returns the number of its elements; 1 for what is no list. */
function* passColumn(reader: JsonReader, pace: Pace): Steps<number> {
  const lengths: number[] = []
  yield* passValue(reader, pace, lengths)
  return lengths[0] ?? 1
}
