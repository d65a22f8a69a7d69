/** /v1/runs/{rid}/chains/{chain}/draws: batches in, slices out. */

import type { Schema } from '../core/draws/columns.ts'
import { formatElements } from '../core/draws/elements.ts'
import { McbError } from '../core/errors.ts'
import { jsonAnswer, requireJsonFits } from '../core/formats/json.ts'
import { protobufAnswer, protobufLength } from '../core/formats/protobuf.ts'
import type { Limits } from '../core/limits.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import type { Selection } from '../core/selection.ts'
import { BodyReturned } from '../core/store.ts'
import { inTurns } from '../core/turn.ts'
import { COLUMN_BYTES, ROW_BYTES } from '../core/usage.ts'
import { readExtent } from '../core/wire/batch-extent.ts'
import { batchOfJson } from '../core/wire/json-batch.ts'
import { CHARACTER_BYTES, type JsonBody, type MessageBody, readMessage } from '../http/body.ts'
import type { AppContext } from '../http/context.ts'
import { digestETag, matchesETag, negotiate } from '../http/negotiate.ts'
import { describe, drawsBody, drawsResponse, emptyResponse, jsonResponse } from '../http/openapi/describe.ts'
import { contentEncoding, ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import { sliceParameters } from '../http/openapi/parameters.ts'
import { UNKNOWN_COLUMN } from '../http/openapi/problems.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { chainParam, columnsQuery, elementsQuery, ridParam, sliceQuery } from '../http/params.ts'
import { bodyLimit, countAdded, requireRoom } from '../http/quota.ts'
import { requireChain, withRun } from '../http/run-of-request.ts'
import { sendPieces } from '../http/send.ts'
import type { Asked, StoreRun } from '../runs/backend.ts'

const appendDraws: Operation = {
  needs: 'write',
  describe: describe('Draws', 'appendDraws', 'Append a batch of iterations, exactly once', {
    description: 'A batch that is stored already is acknowledged again; where it overlaps, its content must be equal.',
    parameters: [registration, contentEncoding],
    requestBody: drawsBody,
    responses: { 200: jsonResponse('Durable', 'AppendResult') },
    errors: [
      'invalid_protobuf',
      'invalid_json',
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
  let body: Promise<MessageBody> | undefined
  const length = await withRun(c, rid, { resource: (run) => requireChain(run, chain) }, async (run) => {
    // A client that waits for "100 Continue" is told what does not need the body before it sends that.
    if (c.req.header('Expect') !== undefined) await requireChain(run, chain)
    body ??= readMessage(c, services, bodyLimit(c, limits.bodyBytes))
    let received: MessageBody
    let bytes: Uint8Array<ArrayBuffer>
    try {
      received = await body
      bytes = received.type === 'protobuf' ? received.bytes : await encodeJson(received, run.schema, limits)
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
      // A text becomes another batch there, by that one's schema.
      if (error instanceof BodyReturned && received.type === 'protobuf') {
        body = Promise.resolve({ type: 'protobuf', bytes: error.body })
      }
      throw error
    })
    countAdded(c, quotas, added)
    return appended
  })
  return c.json({ chain, length })
}

/** The batch that a text in JSON stands for; it is counted beside the text, which is kept. */
async function encodeJson({ text, hold }: JsonBody, schema: Schema, limits: Limits): Promise<Uint8Array<ArrayBuffer>> {
  const kept = text.length * CHARACTER_BYTES
  const take = (bytes: number) => hold.take(hold.bytes + bytes)
  const bytes = await inTurns(batchOfJson(text, schema, limits, take))
  hold.take(kept + bytes.length)
  hold.settle()
  return bytes
}

const getDraws: Operation = {
  needs: 'read',
  describe: describe('Draws', 'getDraws', 'A slice of some or all variables and sampler stats', {
    parameters: [...sliceParameters, registration, ifNoneMatch],
    responses: { 200: drawsResponse, 304: emptyResponse('Unchanged', 'ETag') },
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
  const chain = chainParam(c)
  const asked = { slice: sliceQuery(c), elements: elementsQuery(c) }
  const select = async (run: StoreRun) => (await requireChain(run, chain)).select(columnsQuery(c, run.schema), asked)
  const find = readsDraws(c) ? (run: StoreRun) => readNow(c, run, chain, asked) : select
  const { registration, selection } = await withRun(c, rid, { resource: select }, async (run) => {
    return { registration: run.registration, selection: await find(run) }
  })
  const type = negotiate(c.req.header('Accept'))
  const etag = await drawsETag(registration, selection, asked, type)
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = { ETag: etag, 'Content-Type': type }
  if (c.req.method === 'HEAD') return c.body(null, 200, { ...headers, ...lengthOf(selection, type, limits) })
  const answer = await (type === JSON_TYPE ? jsonAnswer : protobufAnswer)(selection, limits, c.get('place'))
  const { length, body } = answer
  const described = length === undefined ? headers : { ...headers, 'Content-Length': String(length) }
  return sendPieces(c, body, described, bounds.stallMs)
}

/** True when an answer has draws for certain: any other request reads none before it is known that it must. */
function readsDraws(c: AppContext): boolean {
  return c.req.method !== 'HEAD' && c.req.header('If-None-Match') === undefined
}

/** Chain and first draws in one question to the store. A chain that is missing comes before a column or an element that is. */
async function readNow(c: AppContext, run: StoreRun, chain: number, asked: Asked): Promise<Selection> {
  try {
    return await run.read(chain, columnsQuery(c, run.schema), asked)
  } catch (error) {
    const isOfColumns = error instanceof McbError && ['unknown_variable', 'invalid_parameter'].includes(error.code)
    if (isOfColumns) await requireChain(run, chain)
    throw error
  }
}

/** ETag of an answer, made of all that determines it, so that an unchanged one is known without reading a draw. */
async function drawsETag(
  registration: string,
  selection: Selection,
  { elements }: Asked,
  type: string,
): Promise<string> {
  const { first, count, step } = selection.slice
  const columns = selection.columns.map((spec) => spec.index).join()
  const elem = elements === undefined ? '' : formatElements(elements)
  return digestETag([registration, selection.chain, first, count, step, columns, elem, type])
}

/** Length for the answer to HEAD, where it is known without reading a draw. */
function lengthOf(selection: Selection, type: string, limits: Limits): Record<string, string> {
  if (type === JSON_TYPE) requireJsonFits(selection, limits)
  const length = type === JSON_TYPE ? undefined : protobufLength(selection, limits)
  return length === undefined ? {} : { 'Content-Length': String(length) }
}

export const drawRoutes: Resources = {
  '/v1/runs/:rid/chains/:chain/draws': { get: getDraws, post: appendDraws },
}
