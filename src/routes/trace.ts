/** /v1/runs/{rid}/trace: few draws of long chains, for looking at all of them. */

import type { TraceQuestion } from '../core/diagnostics/traced.ts'
import { McbError } from '../core/errors.ts'
import { traceJson } from '../core/formats/trace-json.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import type { AppContext } from '../http/context.ts'
import { digestETag, matchesETag } from '../http/negotiate.ts'
import { describe, emptyResponse, packedResponse } from '../http/openapi/describe.ts'
import { ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import { UNKNOWN_COLUMN } from '../http/openapi/problems.ts'
import { traceParameters } from '../http/openapi/trace-parameters.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { chainsQuery, elementsQuery, ridParam, sliceQuery } from '../http/params.ts'
import { withRun } from '../http/run-of-request.ts'
import { sendPieces } from '../http/send.ts'
import type { StoreRun } from '../runs/backend.ts'
import { planTrace, type TracePlan, traceParts } from '../runs/trace.ts'

const getTrace: Operation = {
  needs: 'read',
  describe: describe(
    'Diagnostics',
    'getTrace',
    'Draws to look at: of each bucket the first, least, greatest and last',
    {
      description:
        'The iterations from `start` to `stop` of the longest chain are divided into even buckets, the same for all chains. All ' +
        'draws of a bucket that has at most four are there, and its first NaN, so that neither a spike nor a blemish is lost. ' +
        'Warmup is included.',
      parameters: [...traceParameters, registration, ifNoneMatch],
      responses: { 200: packedResponse('As of one moment', 'Trace', 'ETag'), 304: emptyResponse('Unchanged', 'ETag') },
      errors: [
        'invalid_slice',
        'run_not_found',
        'chain_not_found',
        UNKNOWN_COLUMN,
        'not_found',
        'run_replaced',
        'payload_too_large',
      ],
    },
  ),
  handler: trace,
}

async function trace(c: AppContext, { bounds }: Services): Promise<Response> {
  const question = traceQuery(c)
  const find = async (run: StoreRun) => ({ run, plan: await planTrace(run, question) })
  const { run, plan } = await withRun(c, ridParam(c), { resource: find }, find)
  const etag = await traceETag(run, plan)
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = { ETag: etag, 'Content-Type': JSON_TYPE }
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const parts = traceParts(run, plan, c.get('place'))
  return sendPieces(c, traceJson(plan.buckets, plan.names, parts), headers, bounds.stallMs)
}

function traceQuery(c: AppContext): TraceQuestion {
  const { start, stop } = sliceQuery(c)
  if (c.req.queries('step') !== undefined) {
    throw new McbError('invalid_parameter', 'a trace has no "step": it is of all draws between "start" and "stop"')
  }
  return {
    variables: c.req.queries('var'),
    stats: c.req.queries('stat'),
    elements: elementsQuery(c),
    chains: chainsQuery(c),
    start,
    stop,
    buckets: bucketsQuery(c),
  }
}

/** The number of buckets as it is written; NaN for what is no number, or is given more than once. */
function bucketsQuery(c: AppContext): number | undefined {
  const given = c.req.queries('buckets')
  if (given === undefined) return undefined
  const [text = '', ...more] = given
  return more.length === 0 && /^[1-9]\d{0,5}$/.test(text) ? Number(text) : Number.NaN
}

function traceETag({ registration }: StoreRun, { buckets, columns, chains }: TracePlan): Promise<string> {
  const { start, stop, count } = buckets
  const traced = columns.map(({ spec, elements }) => `${spec.index}:${elements?.join() ?? ''}`)
  const lengths = chains.map(({ state, draws }) => `${state.chain}:${draws}`)
  return digestETag(['trace', registration, start, stop, count, traced.join(';'), lengths.join()])
}

export const traceRoutes: Resources = {
  '/v1/runs/:rid/trace': { get: getTrace },
}
