/** /v1/runs and /v1/runs/{rid}. */
import type { Hono } from 'hono'
import type { StoreRun } from '../backends/stored.ts'
import { McbError } from '../core/errors.ts'
import { acceptRunMeta } from '../core/meta.ts'
import { jsonText, runMetaToJson } from '../core/meta-json.ts'
import { readProtobuf } from './body.ts'
import { type AppContext, type AppEnv, resource, type Services } from './context.ts'
import { JSON_TYPE, matchesETag, negotiate } from './negotiate.ts'
import { describe, errors, runMetaAnswer, runMetaBody } from './openapi.ts'
import { pageQuery, ridParam } from './params.ts'
import { REGISTRATION, runNotFound, withRun } from './run-of.ts'

export function runRoutes(app: Hono<AppEnv>, { limits, readBody, authenticate }: Services): void {
  const accept = async (c: AppContext, rid: string) => {
    const bytes = await readProtobuf(c, readBody, limits.runMetaBytes)
    return acceptRunMeta(bytes, rid, limits)
  }

  resource(app, '/v1/runs', [authenticate], {
    post: {
      describe: describe('Runs', 'createRun', 'Register a run under an id that the server chooses', {
        requestBody: runMetaBody,
        responses: { 201: runMetaAnswer('The metadata with its rid'), ...errors(400, 406, 413, 415, 422) },
      }),
      handler: async (c) => {
        const type = negotiate(c.req.header('Accept'))
        const rid = newRunId()
        const parsed = await accept(c, rid)
        const run = await c.get('backend').register(rid, parsed)
        c.header('Location', `/v1/runs/${rid}`)
        return answerMeta(c, run, type, 201)
      },
    },
    get: {
      describe: describe('Runs', 'listRuns', 'List runs, the latest registered first', {
        parameters: [
          { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } },
          { name: 'cursor', in: 'query', schema: { type: 'string' }, description: 'nextCursor of the page before' },
        ],
        responses: { 200: { description: 'A page of runs', content: { 'application/json': {} } }, ...errors(400) },
      }),
      handler: async (c) => {
        const { runs, nextCursor } = await c.get('backend').listRuns(pageQuery(c))
        return c.json({
          runs: runs.map((run) => ({
            ...run,
            createdAt: run.createdAt.toISOString(),
            updatedAt: run.updatedAt.toISOString(),
          })),
          ...(nextCursor !== undefined && { nextCursor }),
        })
      },
    },
  })

  resource(app, '/v1/runs/:rid', [authenticate], {
    put: {
      describe: describe('Runs', 'putRun', 'Register a run; the same again is no change', {
        requestBody: runMetaBody,
        responses: {
          200: { description: 'An equal RunMeta is registered already' },
          201: { description: 'Registered; see Location and Mcb-Registration' },
          ...errors(400, 409, 413, 415, 422),
        },
      }),
      handler: async (c) => {
        const rid = ridParam(c)
        const run = await c.get('backend').register(rid, await accept(c, rid))
        c.header(REGISTRATION, run.registration)
        if (run.isNew) c.header('Location', `/v1/runs/${rid}`)
        c.header('Content-Length', '0')
        return c.body(null, run.isNew ? 201 : 200)
      },
    },
    get: {
      describe: describe('Runs', 'getRun', 'Metadata of a run', {
        responses: {
          200: runMetaAnswer('As registered'),
          304: { description: 'Unchanged' },
          ...errors(400, 404, 406, 412),
        },
      }),
      handler: async (c) => {
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
        return answerMeta(c, run, negotiate(c.req.header('Accept')), 200)
      },
    },
    delete: {
      describe: describe('Runs', 'deleteRun', 'Delete a run with all its chains and draws', {
        responses: { 204: { description: 'Nothing of it is left' }, ...errors(400, 404) },
      }),
      handler: async (c) => {
        const rid = ridParam(c)
        if (!(await c.get('backend').deleteRun(rid))) throw runNotFound(rid)
        return c.body(null, 204)
      },
    },
  })
}

function answerMeta(c: AppContext, run: StoreRun, type: string, status: 200 | 201): Response {
  const etag = `"${run.registration}-${type.slice(type.indexOf('/') + 1)}"`
  c.header('ETag', etag)
  c.header(REGISTRATION, run.registration)
  if (status === 200 && matchesETag(c, etag)) return c.body(null, 304)
  c.header('Content-Type', type)
  return c.body(type === JSON_TYPE ? jsonText(runMetaToJson(run.meta)) : run.bytes, status)
}

/** 16 characters of 32: as many ids as nobody will ever meet twice. */
function newRunId(): string {
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => letters[byte % 32]).join('')
}
