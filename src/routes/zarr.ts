/** /v1/runs/{rid}/data.zarr/…: a run as a Zarr v3 hierarchy, which readers take for a folder of files. */

import type { Bytes } from '../core/draws/segment.ts'
import { McbError } from '../core/errors.ts'
import { type Chunk, type ChunkSizes, chunkAt, elementsIn, sizesOf, versionOf } from '../core/formats/zarr/chunks.ts'
import { arrayDocument, groupDocument, rootDocument } from '../core/formats/zarr/documents.ts'
import { gzippedChunk, measured, numberChunk, stringChunk, wholeChunk } from '../core/formats/zarr/encode.ts'
import { named, parseKey, type ZarrKey } from '../core/formats/zarr/keys.ts'
import type { Form } from '../core/inference/assemble.ts'
import type { Tree } from '../core/inference/tree.ts'
import { numbersOf, type StringPiece, stringsOf } from '../core/inference/values.ts'
import { JSON_TYPE, OCTETS } from '../core/media-types.ts'
import { chooseCoding } from '../http/coding.ts'
import type { AppContext } from '../http/context.ts'
import { digestETag, matchesETag } from '../http/negotiate.ts'
import { describe, emptyResponse, zarrResponse } from '../http/openapi/describe.ts'
import { ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { withRun } from '../http/run-of-request.ts'
import { sendPieces } from '../http/send.ts'
import { sendText } from '../http/send-text.ts'
import { shownAbout } from '../http/shown-facts.ts'
import { pathSegments } from '../http/zarr-path.ts'
import type { StoreRun } from '../runs/backend.ts'
import { inferenceTree } from '../runs/inference.ts'
import { numberRows, stringRows } from '../runs/rows.ts'

type ChunkKey = Extract<ZarrKey, { kind: 'chunk' }>
type DocumentKey = Exclude<ZarrKey, ChunkKey | { kind: 'older' }>

/** Bytes of a chunk that is read whole before it is sent; a larger one is one draw, and has no fill. */
const WHOLE_BYTES = 1024 * 1024
/** Bytes of a chunk that is copied to be one piece with its fill, which costs less than pieces do. */
const COPIED_BYTES = 128 * 1024
/** Bytes of fill from which on a chunk is sent without them, if they are at least half of it. */
const LEAST_FILL = 1024
/** Tokens of a tenant's rate that a chunk takes: readers ask for very many. */
const CHUNK_COST = 1 / 16

function getZarr(form: Form, operationId: string, summary: string): Operation {
  return {
    needs: 'read',
    cost: (c) => (c.req.path.endsWith('zarr.json') ? 1 : CHUNK_COST),
    describe: describe('Doors', operationId, summary, {
      description:
        'Documents of a Zarr v3 hierarchy, with all that a group has inline, and chunks of its arrays, which are always whole. What ' +
        'is 404 reads as fill.',
      parameters: [registration, ifNoneMatch],
      responses: { 200: zarrResponse, 304: emptyResponse('Unchanged', 'ETag') },
      errors: ['run_not_found', 'not_found', 'run_replaced'],
    }),
    handler: (c, services) => {
      const rid = ridParam(c)
      const key = parseKey(pathSegments(c))
      if (key.kind === 'older') throw nothingThere()
      return key.kind === 'chunk' ? getChunk(c, services, rid, key) : getDocument(c, services, { rid, form }, key)
    },
  }
}

interface Hierarchy {
  readonly rid: string
  readonly form: Form
}

async function getDocument(
  c: AppContext,
  { bounds }: Services,
  { rid, form }: Hierarchy,
  key: DocumentKey,
): Promise<Response> {
  const tree = await withRun(c, rid, {}, async (run) => {
    const about = run.about().then((told) => shownAbout(c, told))
    return inferenceTree(run, c.get('backend'), { form, about })
  })
  const text = documentAt(tree, key)
  if (text === undefined) throw nothingThere()
  return sendText(c, { type: JSON_TYPE, text, stallMs: bounds.stallMs })
}

/** Makes the text of a document, in pieces; undefined where there is none. */
function documentAt(tree: Tree, key: DocumentKey): (() => Iterable<string>) | undefined {
  if (key.kind === 'root') return () => rootDocument(tree)
  const group = named(tree.groups, key.group)
  if (group === undefined) return undefined
  if (key.kind === 'group') return () => groupDocument(group)
  const variable = named(group.variables, key.variable)
  return variable && (() => [arrayDocument(variable)])
}

interface Found {
  readonly run: StoreRun
  readonly tree: Tree
  readonly chunk: Chunk
  /** The numbers that were read ahead; absent where they were not, or the run has grown. */
  readonly ahead?: Promise<readonly Bytes[]> | undefined
}

function findChunk(tree: Tree, { group, variable, index }: ChunkKey): Chunk | undefined {
  const of = named(named(tree.groups, group)?.variables ?? [], variable)
  return of && chunkAt(of, index)
}

async function getChunk(c: AppContext, services: Services, rid: string, key: ChunkKey): Promise<Response> {
  const found = await withRun(c, rid, {}, async (run) => {
    const guess = readAhead(c, run, key)
    // Not cut: a chain that began a moment ago takes nothing from those who opened before it.
    const tree = await inferenceTree(run, c.get('backend'), { form: 'ragged' })
    const chunk = findChunk(tree, key)
    if (chunk === undefined) throw nothingThere()
    return { run, tree, chunk, ahead: guess?.version === versionOf(chunk, tree) ? guess.numbers : undefined }
  })
  const { run, chunk } = found
  const sizes = sizesOf(chunk)
  const coding = sizes && codingOf(c, sizes)
  const etag = await chunkETag(run, found, key.group.name, coding)
  if (coding !== undefined) c.header('Vary', 'Accept-Encoding', { append: true })
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = {
    ETag: etag,
    'Content-Type': OCTETS,
    ...(coding !== undefined && { 'Content-Encoding': coding }),
    ...(coding === undefined && sizes !== undefined && { 'Content-Length': String(sizes.length) }),
  }
  return c.req.method === 'HEAD' ? c.body(null, 200, headers) : sendChunk(c, services, found, headers)
}

/** Milliseconds behind the last write of a chain for which its last chunk is taken to grow. */
const GROWS_MS = 5000

/**
 * Reads the numbers of a chunk as the run was seen last, while it is asked what it is now: both are one way to the storage, and
 * most readers come when nobody writes. Draws never change, so that the numbers are right if the chunk has no more of them by now.
 */
function readAhead(
  c: AppContext,
  run: StoreRun,
  key: ChunkKey,
): { readonly version: string; readonly numbers: Promise<readonly Bytes[]> } | undefined {
  if (c.req.method === 'HEAD' || c.req.header('If-None-Match') !== undefined) return undefined
  const tree = c.get('backend').trees.latest(run.registration)
  const chunk = tree && findChunk(tree, key)
  if (tree === undefined || chunk?.kind !== 'drawn') return undefined
  const { length = Number.POSITIVE_INFINITY } = sizesOf(chunk) ?? {}
  const written = tree.chains[chunk.chain]?.updatedAt ?? 0
  const isFull = chunk.count === chunk.rows
  if (length > WHOLE_BYTES || (!isFull && Date.now() - written < GROWS_MS)) return undefined
  const numbers = gathered(numbersOfChunk(run, tree, chunk))
  // Nobody waits for them where the run has grown, or is gone.
  numbers.catch(() => undefined)
  return { version: versionOf(chunk, tree), numbers }
}

async function gathered(pieces: AsyncGenerator<Bytes>): Promise<readonly Bytes[]> {
  const all: Bytes[] = []
  for await (const piece of pieces) all.push(piece)
  return all
}

async function sendChunk(
  c: AppContext,
  { bounds }: Services,
  { run, tree, chunk, ahead }: Found,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const { dtype } = chunk.variable
  const sizes = sizesOf(chunk)
  if (dtype === 'str' || sizes === undefined) {
    const pieces = () => stringChunk(elementsIn(chunk).all, stringsOfChunk(run, tree, chunk))
    const { length, whole } = await measured(pieces(), WHOLE_BYTES)
    const measuredHeaders = { ...headers, 'Content-Length': String(length) }
    if (whole !== undefined) return c.body(whole, 200, measuredHeaders)
    return sendPieces(c, pieces(), measuredHeaders, bounds.stallMs)
  }
  if (sizes.length > WHOLE_BYTES) return sendPieces(c, numbersOfChunk(run, tree, chunk), headers, bounds.stallMs)
  const numbers = (await ahead) ?? numbersOfChunk(run, tree, chunk)
  if ('Content-Encoding' in headers) return c.body(await gzippedChunk(dtype, sizes, numbers), 200, headers)
  if (sizes.length <= COPIED_BYTES) return c.body(await wholeChunk(dtype, sizes, numbers), 200, headers)
  return sendPieces(c, numberChunk(dtype, sizes, numbers), headers, bounds.stallMs)
}

async function* numbersOfChunk(run: StoreRun, tree: Tree, chunk: Chunk): AsyncGenerator<Bytes> {
  if (chunk.kind === 'drawn') yield* numberRows(run, tree, chunk.variable, chunk)
  else yield* numbersOf(chunk.variable, chunk.first, elementsIn(chunk).there)
}

async function* stringsOfChunk(run: StoreRun, tree: Tree, chunk: Chunk): AsyncGenerator<StringPiece> {
  if (chunk.kind === 'drawn') yield* stringRows(run, tree, chunk.variable, chunk)
  else if (chunk.kind === 'given') yield* stringsOf(chunk.variable, chunk.first, chunk.count)
}

/** The ETag of draws is written out, since a digest waits for another thread, and readers ask for very many chunks. */
async function chunkETag(
  { registration }: StoreRun,
  { tree, chunk }: Found,
  group: string,
  coding = 'plain',
): Promise<string> {
  const version = versionOf(chunk, tree)
  return chunk.kind === 'drawn'
    ? `"${registration}.${version}.${coding}"`
    : digestETag(['zarr', registration, group, version, coding])
}

function nothingThere(): McbError {
  return new McbError('not_found', 'the run has nothing at this key')
}

/** gzip for a chunk that is fill for the most part, since draws hardly shrink; undefined for one that is sent as it is. */
function codingOf(c: AppContext, { length, fill }: ChunkSizes): 'gzip' | undefined {
  if (fill < LEAST_FILL || 2 * fill < length) return undefined
  return chooseCoding(c.req.header('Accept-Encoding'), (coding) => coding === 'gzip') && 'gzip'
}

export const zarrRoutes: Resources = {
  '/v1/runs/:rid/data.zarr/:path{.+}': {
    get: getZarr('cut', 'getZarr', 'The run as a Zarr hierarchy, all chains cut to the shortest'),
  },
  '/v1/runs/:rid/ragged/data.zarr/:path{.+}': {
    get: getZarr('ragged', 'getRaggedZarr', 'The run as a Zarr hierarchy, shorter chains filled up'),
  },
}
