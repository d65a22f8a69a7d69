/** /v1/runs and /v1/runs/{rid}. */

import { McbError } from '../core/errors.ts'
import { jsonText } from '../core/json.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import { inTurns } from '../core/turn.ts'
import { ROW_BYTES } from '../core/usage.ts'
import { acceptRunMeta, type ParsedMeta } from '../core/wire/run-meta.ts'
import { runMetaToJson } from '../core/wire/run-meta-json.ts'
import { runMetaOfJson } from '../core/wire/run-meta-of-json.ts'
import { readMessage } from '../http/body.ts'
import type { AppContext } from '../http/context.ts'
import { countDocument, requireDocumentRoom } from '../http/document.ts'
import { lineJson } from '../http/line-json.ts'
import { listQuery } from '../http/list-query.ts'
import { endShares } from '../http/management.ts'
import { matchesETag, negotiate } from '../http/negotiate.ts'
import { describe, emptyResponse, packedResponse, runMetaBody, runMetaResponse } from '../http/openapi/describe.ts'
import { contentEncoding, ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import { cursor, findingParameters, limit } from '../http/openapi/parameters.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { bodyLimit, countAdded, countAnew, requireRoom } from '../http/quota.ts'
import { REGISTRATION, runNotFound, withRun } from '../http/run-of-request.ts'
import type { StoreRun } from '../runs/backend.ts'
import { uploadsOf } from '../runs/upload/uploads.ts'

const createRun: Operation = {
  needs: 'write',
  describe: describe('Runs', 'createRun', 'Register a run under an id that the server chooses', {
    description: 'A client that retries uses PUT with an id of its own.',
    parameters: [contentEncoding],
    requestBody: runMetaBody,
    responses: { 201: runMetaResponse('The metadata with its rid', 'Location') },
    errors: [
      'invalid_protobuf',
      'invalid_json',
      'quota_exceeded',
      'not_acceptable',
      'invalid_run_meta',
      'unsupported_dtype',
    ],
  }),
  handler: async (c, services) => {
    const type = negotiate(c.req.header('Accept'))
    const rid = newRunId()
    const parsed = await accept(c, services, rid)
    requireDocumentRoom(c, services, parsed.bytes.length)
    const run = await register(c, services, rid, parsed)
    c.header('Location', `/v1/runs/${rid}`)
    return answerMeta(c, services, run, type, 201)
  },
}

const listRuns: Operation = {
  needs: 'read',
  oneRun: 'handled',
  describe: describe('Runs', 'listRuns', 'List runs, the latest registered first', {
    description:
      'Any number of `attr.KEY=VALUE` select runs by attributes of their metadata: strings as they are, numbers by value, ' +
      'true, false and null. A parameter that is not known is refused.',
    parameters: [...findingParameters, limit, cursor],
    responses: { 200: packedResponse('A page of runs', 'RunPage') },
    errors: ['invalid_parameter'],
  }),
  handler: async (c) => {
    const { runs, nextCursor } = await pageOf(c)
    return c.json({
      runs: runs.map(lineJson),
      ...(nextCursor !== undefined && { nextCursor }),
    })
  },
}

const putRun: Operation = {
  needs: 'write',
  describe: describe('Runs', 'putRun', 'Register a run; the same again is no change', {
    description: "The message's rid is empty, or that of the path.",
    parameters: [contentEncoding],
    requestBody: runMetaBody,
    responses: {
      200: emptyResponse('An equal RunMeta is registered already', 'Mcb-Registration'),
      201: emptyResponse('Registered', 'Location', 'Mcb-Registration'),
    },
    errors: [
      'invalid_protobuf',
      'invalid_json',
      'quota_exceeded',
      'run_conflict',
      'invalid_run_meta',
      'unsupported_dtype',
    ],
  }),
  handler: async (c, services) => {
    const rid = ridParam(c)
    const run = await register(c, services, rid, await accept(c, services, rid))
    c.header(REGISTRATION, run.registration)
    if (run.isNew) c.header('Location', `/v1/runs/${rid}`)
    c.header('Content-Length', '0')
    return c.body(null, run.isNew ? 201 : 200)
  },
}

const getRun: Operation = {
  needs: 'read',
  describe: describe('Runs', 'getRun', 'Metadata of a run', {
    parameters: [registration, ifNoneMatch],
    responses: {
      200: runMetaResponse('As registered', 'Content-Encoding'),
      304: emptyResponse('Unchanged', 'ETag', 'Mcb-Registration'),
    },
    errors: ['run_not_found', 'not_acceptable', 'run_replaced'],
  }),
  handler: async (c, services) => {
    const rid = ridParam(c)
    const run = await withRun(c, rid, {}, async () => {
      const fresh = await c.get('backend').getRun(rid)
      if (fresh === undefined) throw runNotFound(rid)
      return fresh
    })
    const expected = c.req.header(REGISTRATION)
    if (expected !== undefined && expected !== run.registration) {
      throw new McbError('run_replaced', `run "${rid}" was deleted and registered again`)
    }
    return answerMeta(c, services, run, negotiate(c.req.header('Accept')), 200)
  },
}

const deleteRun: Operation = {
  needs: 'admin',
  describe: describe('Runs', 'deleteRun', 'Delete a run with all its chains and draws', {
    description: 'For a client that retries, 404 run_not_found means that it is done.',
    responses: { 204: emptyResponse('Nothing of it is left') },
    errors: ['run_not_found'],
  }),
  handler: async (c, { quotas, management }) => {
    const rid = ridParam(c)
    const deleted = await uploadsOf(c.get('backend')).deleteRun(rid)
    countAnew(c, quotas)
    // Also those of a run that is not there, in case the deletion before this one was cut off.
    await endShares(c, management, rid)
    if (!deleted) throw runNotFound(rid)
    return c.body(null, 204)
  },
}

async function accept(c: AppContext, services: Services, rid: string): Promise<ParsedMeta> {
  const { limits } = services
  const body = await readMessage(c, services, bodyLimit(c, limits.runMetaBytes))
  if (body.type === 'protobuf') return acceptRunMeta(body.bytes, rid, limits)
  const bytes = await inTurns(runMetaOfJson(body.text))
  body.hold.take(body.hold.bytes + bytes.length)
  body.hold.settle()
  return acceptRunMeta(bytes, rid, limits)
}

async function register(c: AppContext, { quotas }: Services, rid: string, parsed: ParsedMeta) {
  const backend = c.get('backend')
  const added = { runs: 1, bytes: ROW_BYTES + parsed.bytes.length }
  await requireRoom(c, quotas, added, async () => (await backend.getRun(rid)) !== undefined)
  const run = await backend.register(rid, parsed)
  if (run.isNew) countAdded(c, quotas, added)
  return run
}

/** A page of the list of runs; a key for one run sees that run alone. */
function pageOf(c: AppContext) {
  const caller = c.get('caller')
  const run = caller.kind === 'key' ? caller.key.run : null
  return c.get('backend').listRuns({ ...listQuery(c), ...(run !== null && { rid: run }) })
}

function answerMeta(c: AppContext, services: Services, run: StoreRun, type: string, status: 200 | 201): Response {
  const etag = `"${run.registration}-${type.slice(type.indexOf('/') + 1)}"`
  const describe = () => {
    c.header('ETag', etag)
    c.header(REGISTRATION, run.registration)
  }
  if (status === 200 && matchesETag(c, etag)) {
    describe()
    return c.body(null, 304)
  }
  const bytes = type === JSON_TYPE ? new TextEncoder().encode(jsonText(runMetaToJson(run.meta))) : run.bytes
  countDocument(c, services, bytes.length)
  describe()
  c.header('Content-Type', type)
  return c.body(bytes, status)
}

/** A new id of 16 characters out of 32: so many are possible that nobody will ever meet one twice. */
function newRunId(): string {
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => letters[byte % 32]).join('')
}

export const runRoutes: Resources = {
  '/v1/runs': { get: listRuns, post: createRun },
  '/v1/runs/:rid': { get: getRun, put: putRun, delete: deleteRun },
}
