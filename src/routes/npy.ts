/** /v1/runs/{rid}/chains/{chain}/draws.npy: draws of one variable as a NumPy array. */

import { type ColumnSpec, namedColumns, type Schema } from '../core/draws/columns.ts'
import { formatElements, type RigidColumn } from '../core/draws/elements.ts'
import { McbError } from '../core/errors.ts'
import { npyAnswer, npyLength } from '../core/formats/npy.ts'
import { OCTETS } from '../core/media-types.ts'
import type { AppContext } from '../http/context.ts'
import { digestETag, matchesETag } from '../http/negotiate.ts'
import { describe, emptyResponse, npyResponse } from '../http/openapi/describe.ts'
import { ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import { UNKNOWN_COLUMN } from '../http/openapi/problems.ts'
import { npyParameters } from '../http/openapi/table-parameters.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { chainParam, elementsQuery, ridParam, sliceQuery } from '../http/params.ts'
import { requireChain, withRun } from '../http/run-of-request.ts'
import { sendPieces } from '../http/send.ts'
import { requireKnown } from '../http/table-query.ts'
import type { StoreRun } from '../runs/backend.ts'

const getNpy: Operation = {
  needs: 'read',
  describe: describe('Doors', 'getDrawsNpy', 'Draws of one variable or sampler stat as a NumPy array', {
    description:
      'Of shape (draws, …) in C order, for `numpy.load` without pickle. Strings are `<U…`, as wide as the longest.',
    parameters: [...npyParameters, registration, ifNoneMatch],
    responses: { 200: npyResponse, 304: emptyResponse('Unchanged', 'ETag') },
    errors: [
      'invalid_slice',
      'run_not_found',
      'chain_not_found',
      UNKNOWN_COLUMN,
      'not_found',
      'run_replaced',
      'payload_too_large',
    ],
  }),
  handler: answer,
}

async function answer(c: AppContext, { limits, bounds }: Services): Promise<Response> {
  const rid = ridParam(c)
  const chain = chainParam(c)
  requireKnown(c, ['var', 'stat', 'elem', 'start', 'stop', 'step'])
  const names = namesQuery(c)
  const asked = { slice: sliceQuery(c), elements: elementsQuery(c) }
  const find = async (run: StoreRun) => {
    const { state } = await requireChain(run, chain)
    const selection = run.select(state, [columnOf(run.schema, names)], asked)
    return { run, selection, spec: requireRigid(selection.columns[0]) }
  }
  const { run, selection, spec } = await withRun(c, rid, { resource: find }, find)
  const { first, count, step } = selection.slice
  const elem = asked.elements === undefined ? '' : formatElements(asked.elements)
  const etag = await digestETag(['npy', run.registration, chain, spec.index, elem, first, count, step])
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = { ETag: etag, 'Content-Type': OCTETS, 'Content-Disposition': `attachment; filename="${rid}.npy"` }
  if (c.req.method === 'HEAD') return c.body(null, 200, { ...headers, ...lengthHeader(npyLength(spec, selection)) })
  const { body, length } = await npyAnswer(spec, selection, limits)
  return sendPieces(c, body, { ...headers, ...lengthHeader(length) }, bounds.stallMs)
}

function lengthHeader(length: number | undefined): Record<string, string> {
  return length === undefined ? {} : { 'Content-Length': String(length) }
}

interface Names {
  readonly variables: readonly string[]
  readonly stats: readonly string[]
}

/** The one name of a query. @throws McbError `invalid_parameter` */
function namesQuery(c: AppContext): Names {
  const names = { variables: c.req.queries('var') ?? [], stats: c.req.queries('stat') ?? [] }
  const count = names.variables.length + names.stats.length
  if (count === 1) return names
  throw new McbError('invalid_parameter', `an array is of one "var" or "stat", not of ${count}`)
}

function columnOf(schema: Schema, { variables, stats }: Names): RigidColumn {
  return requireRigid(namedColumns(schema, variables, stats)[0])
}

/** @throws McbError `invalid_parameter` */
function requireRigid(spec: ColumnSpec | undefined): RigidColumn {
  if (spec?.layout === 'rigid') return spec
  throw new McbError(
    'invalid_parameter',
    `"${spec?.name ?? ''}" has another shape in each draw, which an array has not; read it from …/chains/{chain}/draws`,
  )
}

export const npyRoutes: Resources = {
  '/v1/runs/:rid/chains/:chain/draws.npy': { get: getNpy },
}
