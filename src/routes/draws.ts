/** /v1/runs/{rid}/chains/{chain}/draws: batches in, slices out. */
import type { Slice } from '../core/draws/slice.ts'
import type { Answer } from '../core/formats/answer.ts'
import { jsonAnswer } from '../core/formats/json.ts'
import { protobufAnswer } from '../core/formats/protobuf.ts'
import type { Selection } from '../core/selection.ts'
import { type Ahead, BodyReturned } from '../core/store.ts'
import { COLUMN_BYTES, ROW_BYTES } from '../core/usage.ts'
import { readExtent } from '../core/wire/batch-extent.ts'
import { readProtobuf } from '../http/body.ts'
import type { AppContext } from '../http/context.ts'
import { JSON_TYPE, matchesETag, negotiate } from '../http/negotiate.ts'
import { jsonAnswer as answerInJson, describe, drawsAnswer, drawsBody, emptyAnswer } from '../http/openapi/describe.ts'
import { contentEncoding, ifNoneMatch, registration } from '../http/openapi/headers.ts'
import { sliceParameters } from '../http/openapi/parameters.ts'
import { UNKNOWN_COLUMN } from '../http/openapi/problems.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { chainParam, columnsQuery, ridParam, sliceQuery } from '../http/params.ts'
import { bodyLimit, countAdded, requireRoom } from '../http/quota.ts'
import { requireChain, withRun } from '../http/run-of-request.ts'
import { streamOf } from '../http/stream.ts'
import type { StoreChain, StoreRun } from '../runs/backend.ts'

const appendDraws: Operation = {
  needs: 'write',
  describe: describe('Draws', 'appendDraws', 'Append a batch of iterations, exactly once', {
    description: 'A batch that is stored already is acknowledged again; where it overlaps, its content must be equal.',
    parameters: [registration, contentEncoding],
    requestBody: drawsBody,
    responses: { 200: answerInJson('Durable', 'AppendResult') },
    errors: [
      'invalid_protobuf',
      'empty_batch',
      'quota_exceeded',
      'run_not_found',
      'chain_not_found',
      'draw_gap',
      'draw_conflict',
      'run_replaced',
      'unknown_variable',
      'missing_variable',
      'duplicate_variable',
      'dtype_mismatch',
      'shape_mismatch',
    ],
  }),
  handler: append,
}

async function append(c: AppContext, services: Services): Promise<Response> {
  const { limits, quotas } = services
  const rid = ridParam(c)
  const chain = chainParam(c)
  let body: Promise<Uint8Array<ArrayBuffer>> | undefined
  const length = await withRun(c, rid, { resource: (run) => requireChain(run, chain) }, async (run) => {
    // A client that waits for "100 Continue" is told what does not need the body before it sends that.
    if (c.req.header('Expect') !== undefined) await requireChain(run, chain)
    body ??= readProtobuf(c, services, bodyLimit(c, limits.bodyBytes))
    let bytes: Uint8Array<ArrayBuffer>
    try {
      bytes = await body
    } catch (error) {
      // A missing run or chain outranks what is wrong with the body, and is looked for only when something is.
      await requireChain(run, chain)
      throw error
    }
    const added = { runs: 0, bytes: ROW_BYTES + COLUMN_BYTES * run.schema.columns.length + bytes.length }
    await requireRoom(c, quotas, added, async () => {
      const { state } = await requireChain(run, chain)
      const { start, count } = await readExtent(bytes)
      return start + count <= state.length
    })
    const appended = await run.append(chain, bytes).catch((error: unknown) => {
      // The run may have been replaced behind the handle: then the bytes are for the one that is found next.
      if (error instanceof BodyReturned) body = Promise.resolve(error.body)
      throw error
    })
    countAdded(c, quotas, added)
    return appended
  })
  return c.json({ chain, length })
}

const getDraws: Operation = {
  needs: 'read',
  describe: describe('Draws', 'getDraws', 'A slice of some or all variables and sampler stats', {
    parameters: [...sliceParameters, registration, ifNoneMatch],
    responses: { 200: drawsAnswer, 304: emptyAnswer('Unchanged', 'ETag') },
    errors: [
      'invalid_slice',
      'run_not_found',
      'chain_not_found',
      UNKNOWN_COLUMN,
      'not_found',
      'not_acceptable',
      'run_replaced',
      'payload_too_large',
    ],
  }),
  handler: read,
}

async function read(c: AppContext, { limits, bounds }: Services): Promise<Response> {
  const rid = ridParam(c)
  const number = chainParam(c)
  const slice = sliceQuery(c)
  const resource = async (run: StoreRun) => {
    const chain = await requireChain(run, number, aheadOf(c, run, slice))
    return { chain, registration: run.registration, columns: columnsQuery(c, run.schema) }
  }
  const { chain, registration, columns } = await withRun(c, rid, { resource }, resource)
  const type = negotiate(c.req.header('Accept'))
  const selection = chain.select(columns, slice)
  const etag = await drawsETag(registration, chain, selection, type)
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const answer = await (type === JSON_TYPE ? jsonAnswer : protobufAnswer)(selection, limits)
  return send(c, answer, { ETag: etag, 'Content-Type': type }, bounds.stallMs)
}

/** What a request will read of its chain, if it will: columns that are unknown are a matter for when the chain is found. */
function aheadOf(c: AppContext, { schema }: StoreRun, slice: Slice): Ahead | undefined {
  if (c.req.method === 'HEAD' || c.req.header('If-None-Match') !== undefined) return undefined
  try {
    return { columns: columnsQuery(c, schema).map((spec) => spec.index), slice }
  } catch {
    return undefined
  }
}

/** Made from what the answer is, so that an unchanged one is known without reading a draw. */
async function drawsETag(registration: string, chain: StoreChain, selection: Selection, type: string): Promise<string> {
  const { first, count, step } = selection.slice
  const columns = selection.columns.map((spec) => spec.index).join()
  const text = [registration, chain.number, first, count, step, columns, type].join('|')
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return `"${Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}"`
}

/** Starts the answer only when its first draws are here: what fails before that is an error, what fails later aborts. */
async function send(
  c: AppContext,
  { length, body }: Answer,
  described: Record<string, string>,
  stallMs: number,
): Promise<Response> {
  const headers = length === undefined ? described : { ...described, 'Content-Length': String(length) }
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const begun: Uint8Array<ArrayBuffer>[] = []
  while (begun.length < 3) {
    const { done, value } = await body.next()
    if (done) break
    begun.push(value)
  }
  // What is returned before it has begun does not return what it holds.
  const ended = () => body.return(undefined)
  return c.body(streamOf(behind(begun, body), { place: c.get('place'), stallMs, ended }), 200, headers)
}

async function* behind(
  begun: Uint8Array<ArrayBuffer>[],
  rest: AsyncGenerator<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let piece = begun.shift(); piece !== undefined; piece = begun.shift()) yield piece
  yield* rest
}

export const drawRoutes: Resources = {
  '/v1/runs/:rid/chains/:chain/draws': { get: getDraws, post: appendDraws },
}
