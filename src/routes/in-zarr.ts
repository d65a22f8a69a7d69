/** /v1/runs/{rid}/in.zarr: a Zarr store that samplers write to, and that becomes a run. */

import type { Bytes } from '../core/draws/segment.ts'
import { McbError } from '../core/errors.ts'
import { JSON_TYPE, OCTETS } from '../core/media-types.ts'
import { stagedBytes } from '../core/staging.ts'
import type { StagedObject } from '../core/store.ts'
import { servedDocument } from '../core/upload/served-document.ts'
import { afterwards } from '../http/afterwards.ts'
import { readBytes } from '../http/body.ts'
import type { AppContext } from '../http/context.ts'
import { matchesETag } from '../http/negotiate.ts'
import { describe, emptyResponse } from '../http/openapi/describe.ts'
import { ifNoneMatch } from '../http/openapi/described-headers.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { NOTHING_POLICY } from '../http/page-policy.ts'
import { ridParam } from '../http/params.ts'
import { bodyLimit, countAdded, requireRoom } from '../http/quota.ts'
import { type Depth, entriesOf, indexPage, MULTISTATUS_TYPE, multistatus } from '../http/webdav.ts'
import { isDocument, nodeOf } from '../runs/upload/paths.ts'
import type { Upload } from '../runs/upload/upload.ts'
import { uploadsOf } from '../runs/upload/uploads.ts'

/** Chunks whose requests cost one token of the rate together. */
const CHUNKS_PER_TOKEN = 16

function cost(c: AppContext): number {
  return isDocument(pathParam(c)) ? 1 : 1 / CHUNKS_PER_TOKEN
}

function pathParam(c: AppContext): string {
  return c.req.param('path') ?? ''
}

const putObject: Operation = {
  needs: 'write',
  cost,
  describe: describe('Doors', 'putZarrObject', 'Write a document or a chunk of a Zarr store that becomes the run', {
    description: 'Zarr v3. Durable when it is answered; draws are in the run when all their chunks are there.',
    requestBody: {
      description: 'A zarr.json, or the bytes of a chunk',
      required: true,
      content: { [OCTETS]: { schema: { type: 'string', format: 'binary' } } },
    },
    responses: { 201: emptyResponse('Durable') },
    errors: [
      'invalid_json',
      'invalid_run_meta',
      'unsupported_dtype',
      'payload_too_large',
      'quota_exceeded',
      'run_conflict',
      'draw_conflict',
    ],
  }),
  handler: put,
}

async function put(c: AppContext, services: Services): Promise<Response> {
  const { limits, quotas } = services
  const rid = ridParam(c)
  const path = pathParam(c)
  const uploads = uploadsOf(c.get('backend'))
  const bytes = await readBytes(c, services, bodyLimit(c, limits.bodyBytes))
  const mayHaveEnded = await uploads.with(rid, async (upload) => {
    await requireRoomFor(c, services, upload, { path, size: bytes.length })
    if (isDocument(path)) await upload.putDocument(path, bytes)
    else if (bytes.length > 0) await upload.putChunk(path, bytes)
    else throw new McbError('invalid_parameter', `"${path}" is empty; a chunk of nothing but fill is deleted`)
    countAdded(c, quotas, upload.takeAdded())
    return path === 'zarr.json' && upload.mayHaveEnded
  })
  if (mayHaveEnded) afterwards(c, uploads.lookOut(rid))
  return c.body(null, 201)
}

/**
 * Makes sure of room for an object, and for the run that it may become. Its draws count when they are there: they may be more
 * than was sent.
 *
 * @throws McbError `quota_exceeded`
 */
function requireRoomFor(
  c: AppContext,
  { quotas }: Services,
  upload: Upload,
  { path, size }: StagedObject,
): Promise<void> {
  const added = { runs: upload.isRegistered ? 0 : 1, bytes: stagedBytes(path, size) }
  return requireRoom(c, quotas, added, async () => upload.paths().includes(path))
}

const deleteObject: Operation = {
  needs: 'write',
  cost,
  describe: describe('Doors', 'deleteZarrObject', 'Tell that a chunk is nothing but fill', {
    description: 'What is not there is deleted already.',
    responses: { 204: emptyResponse('Durable') },
    errors: ['quota_exceeded', 'draw_conflict', 'run_conflict'],
  }),
  handler: remove,
}

async function remove(c: AppContext, services: Services): Promise<Response> {
  const path = pathParam(c)
  await uploadsOf(c.get('backend')).with(ridParam(c), async (upload) => {
    if (isDocument(path)) await upload.deleteDocument(path)
    else if (upload.isBegun && isInArray(upload, path)) {
      await requireRoomFor(c, services, upload, { path, size: 0 })
      await upload.putChunk(path, new Uint8Array())
    }
    countAdded(c, services.quotas, upload.takeAdded())
  })
  return c.body(null, 204)
}

function isInArray(upload: Upload, path: string): boolean {
  try {
    return upload.find(path) !== undefined
  } catch {
    return false
  }
}

function getObject(operationId: string, summary: string): Operation {
  return {
    // Those who read here read back what they write, and are no readers of draws.
    needs: 'write',
    cost,
    describe: describe('Doors', operationId, summary, {
      description: 'Groups come with consolidated metadata. Chunks that have become draws come uncompressed.',
      parameters: [ifNoneMatch],
      responses: {
        200: {
          ...emptyResponse('A document, a chunk, or links', 'ETag', 'Content-Length'),
          content: { [OCTETS]: { schema: { type: 'string', format: 'binary' } } },
        },
        304: emptyResponse('Unchanged', 'ETag'),
      },
      errors: ['not_found'],
    }),
    handler: read,
  }
}

async function read(c: AppContext): Promise<Response> {
  const rid = ridParam(c)
  const path = pathParam(c).replace(/\/$/, '')
  const uploads = uploadsOf(c.get('backend'))
  return uploads.with(rid, async (upload) => {
    if (upload.mayHaveEnded) afterwards(c, uploads.lookOut(rid))
    if (isDocument(path)) {
      const document = servedDocument(nodeOf(path), upload.known, (node) => upload.source(node))
      if (document === undefined) throw nothing(path)
      return answer(c, document, JSON_TYPE)
    }
    const chunk = isInArray(upload, path) ? await upload.chunk(path) : undefined
    return chunk === undefined ? links(c, upload, path) : answer(c, chunk, OCTETS)
  })
}

/** The links of a folder, by which fsspec lists it. */
function links(c: AppContext, upload: Upload, path: string): Promise<Response> {
  const entries = entriesOf(upload.paths(), path, '1')
  if (entries === undefined || (path !== '' && entries[0]?.path === path)) throw nothing(path)
  const address = new URL(c.req.url).pathname.replace(/\/?$/, '/')
  return answer(c, new TextEncoder().encode(indexPage(entries, address)), 'text/html; charset=utf-8')
}

async function answer(c: AppContext, bytes: Bytes, type: string): Promise<Response> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const etag = `"${Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}"`
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = {
    ETag: etag,
    'Content-Type': type,
    'Content-Length': String(bytes.length),
    'Content-Security-Policy': NOTHING_POLICY,
    'X-Content-Type-Options': 'nosniff',
  }
  return c.req.method === 'HEAD' ? c.body(null, 200, headers) : c.body(bytes, 200, headers)
}

function nothing(path: string): McbError {
  return new McbError('not_found', path === '' ? 'nothing was written here' : `there is no "${path}"`)
}

/** OpenAPI has no place for this method. */
const listObjects: Operation = { needs: 'write', describe: 'hidden', handler: list }

async function list(c: AppContext): Promise<Response> {
  const path = pathParam(c).replace(/\/$/, '')
  const depth = depthOf(c.req.header('Depth'))
  return uploadsOf(c.get('backend')).with(ridParam(c), async (upload) => {
    const entries = entriesOf(upload.paths(), path, depth)
    if (entries === undefined) throw nothing(path)
    return c.body(multistatus(entries), 207, { 'Content-Type': MULTISTATUS_TYPE })
  })
}

/** @throws McbError `invalid_parameter` */
function depthOf(header: string | undefined): Depth {
  const depth = header ?? 'infinity'
  if (depth === '0' || depth === '1' || depth === 'infinity') return depth
  throw new McbError('invalid_parameter', `Depth is 0, 1 or infinity, not "${depth}"`)
}

export const inZarrRoutes: Resources = {
  '/v1/runs/:rid/in.zarr': {
    get: getObject('getZarrIndex', 'The links of the root of a store that is written'),
    propfind: listObjects,
  },
  '/v1/runs/:rid/in.zarr/:path{.*}': {
    get: getObject('getZarrObject', 'What was written: a document, a chunk, or the links of a folder'),
    put: putObject,
    delete: deleteObject,
    propfind: listObjects,
  },
}
