/** /v1/runs/{rid}/data.nc and /at/{lengths}/data.nc: a run as a netCDF-4 file of one moment. */

import { fileBytes } from '../core/formats/netcdf/file.ts'
import { type Layout, layOut } from '../core/formats/netcdf/layout.ts'
import type { DrawSource } from '../core/formats/netcdf/source.ts'
import type { Tree } from '../core/inference/tree.ts'
import { LruMap } from '../core/lru.ts'
import { NETCDF } from '../core/media-types.ts'
import type { ChainState } from '../core/store.ts'
import { formatLengths, lengthsParam, statesAt } from '../http/at.ts'
import type { AppContext } from '../http/context.ts'
import { digestETag, matchesETag } from '../http/negotiate.ts'
import { describe, emptyResponse, netcdfPart, netcdfResponse } from '../http/openapi/describe.ts'
import { ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import { rangeParameters } from '../http/openapi/range-parameters.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { parseRange, rangeHeader, requireMatch } from '../http/ranges.ts'
import { withRun } from '../http/run-of-request.ts'
import { sendPieces } from '../http/send.ts'
import { shownAbout } from '../http/shown-facts.ts'
import type { StoreBackend, StoreRun } from '../runs/backend.ts'
import { inferenceTree, isLive, presentStates } from '../runs/inference.ts'
import { drawsOfTree } from '../runs/tree-draws.ts'
import type { MarkedFacts } from '../runs/trees.ts'

/** Changes with the bytes that are made of the same draws. */
const FORMAT = 1
/** Characters of an address that a header may hold. */
const MOST_LOCATION = 4096
/** Milliseconds for which facts count as just changed. */
const FRESH_MS = 60_000
/** Runs whose facts are watched for changes between the ranges that a reader asks for. */
const WATCHED_RUNS = 10_000

/** A run at a moment, and what decides the bytes of its file. */
interface Moment {
  readonly run: StoreRun
  readonly states: readonly ChainState[]
  readonly about: MarkedFacts
  /** True where the same address gives the same bytes for ever. */
  readonly isLasting: boolean
}

const ERRORS = ['run_not_found', 'run_replaced', 'chains_changed', 'range_not_satisfiable'] as const

const responses = { 200: netcdfResponse, 206: netcdfPart, 304: emptyResponse('Unchanged', 'ETag') }
const parameters = [...rangeParameters, registration, ifNoneMatch]

const getNetcdf: Operation = {
  needs: 'read',
  describe: describe('Doors', 'getNetcdf', 'The run as it is now, as a netCDF-4 file', {
    description:
      'InferenceData, all chains cut to the shortest. Ranges are answered with an If-Match or If-Range of the present ETag, and ' +
      'without one when the run was not written within a minute; otherwise the answer is 200 and the whole.',
    parameters,
    responses,
    errors: ERRORS,
  }),
  handler: (c, services) => send(c, services, (run) => presentMoment(c, run)),
}

const getNetcdfAt: Operation = {
  needs: 'read',
  describe: describe('Doors', 'getNetcdfAt', 'The run at a moment, as a netCDF-4 file', {
    description:
      'Depends on the registration and the lengths alone: facts, which may change, are not among its attributes. Ranges need no condition.',
    parameters,
    responses,
    errors: [...ERRORS, 'chain_not_found', 'not_found'],
  }),
  handler: (c, services) => {
    const lengths = lengthsParam(c)
    return send(c, services, async (run) => {
      const states = await statesAt(run, lengths)
      return { run, states, about: registeredFacts(await run.about()), isLasting: true }
    })
  },
}

/** The part of the facts that never changes. */
function registeredFacts({ createdAt }: MarkedFacts): MarkedFacts {
  return { createdAt, facts: {}, etag: '' }
}

async function presentMoment(c: AppContext, run: StoreRun): Promise<Moment> {
  const states = await run.chainStates()
  const shown = shownAbout(c, await run.about())
  const about = Object.keys(shown.facts).length === 0 ? registeredFacts(shown) : shown
  const isFresh = isLive(states) || Date.now() - shown.updatedAt.getTime() <= FRESH_MS
  const isLasting = !haveChanged(run.registration, about.etag) && !isFresh
  return { run, states: await presentStates(run, states), about, isLasting }
}

interface SeenFacts {
  readonly etag: string
  readonly since: number
}

const seen = new LruMap<string, SeenFacts>(WATCHED_RUNS)

/** True where the facts, as this process has seen them, were others a moment ago. */
function haveChanged(registration: string, etag: string): boolean {
  const last = seen.get(registration)
  if (last?.etag !== etag) seen.set(registration, { etag, since: last === undefined ? 0 : Date.now() })
  return Date.now() - (seen.get(registration)?.since ?? 0) <= FRESH_MS
}

async function send(c: AppContext, { bounds }: Services, find: (run: StoreRun) => Promise<Moment>): Promise<Response> {
  const rid = ridParam(c)
  const { run, states, about, isLasting } = await withRun(c, rid, { resource: find }, find)
  const lengths = formatLengths(states)
  const etag = await digestETag(['netcdf', FORMAT, run.registration, lengths, about.etag])
  const isMatched = requireMatch(c, etag)
  const headers = {
    ETag: etag,
    'Accept-Ranges': 'bytes',
    ...(about.etag === '' && lengths !== '' && locationOf(rid, lengths)),
  }
  if (matchesETag(c, etag)) return c.body(null, 304, headers)
  const place = c.get('place')
  const { tree, source } = await opened(c.get('backend'), { run, states, about, isLasting }, () => place.take(0))
  const layout = await layoutOf(tree, source)
  const range = rangeOf(c, layout, rangeHeader(c, etag, isLasting || isMatched))
  const { from, to } = range ?? { from: 0, to: layout.size }
  const described = {
    ...headers,
    'Content-Type': NETCDF,
    'Content-Length': String(to - from),
    'Content-Disposition': `attachment; filename="${rid}.nc"`,
    ...(range !== undefined && { 'Content-Range': `bytes ${from}-${to - 1}/${layout.size}` }),
  }
  if (c.req.method === 'HEAD') return c.body(null, 200, described)
  const body = fileBytes(layout, source, { from, to })
  return sendPieces(c, body, described, bounds.stallMs, range === undefined ? 200 : 206)
}

/** The address at which these bytes stay. */
function locationOf(rid: string, lengths: string): Readonly<Record<string, string>> {
  const path = `/v1/runs/${rid}/at/${lengths}/data.nc`
  return path.length > MOST_LOCATION ? {} : { 'Content-Location': path }
}

async function opened(
  backend: StoreBackend,
  { run, states, about }: Moment,
  stillWanted: () => void,
): Promise<{ readonly tree: Tree; readonly source: DrawSource }> {
  const tree = await inferenceTree(run, backend, { form: 'cut', states, about })
  return { tree, source: drawsOfTree(run, tree, stillWanted) }
}

/** Layouts of trees, for as long as these are kept: readers ask for one range after the other. */
const layouts = new WeakMap<Tree, Layout>()

async function layoutOf(tree: Tree, source: DrawSource): Promise<Layout> {
  const known = layouts.get(tree)
  if (known !== undefined) return known
  const layout = await layOut(tree, source)
  layouts.set(tree, layout)
  return layout
}

/** @throws McbError `range_not_satisfiable` */
function rangeOf(c: AppContext, { size }: Layout, header: string | undefined) {
  c.header('Content-Range', `bytes */${size}`)
  const range = parseRange(header, size)
  c.header('Content-Range', undefined)
  return range
}

export const netcdfRoutes: Resources = {
  '/v1/runs/:rid/data.nc': { get: getNetcdf },
  '/v1/runs/:rid/at/:lengths/data.nc': { get: getNetcdfAt },
}
