/** /v1/runs/{rid}/summary: figures of the draws, and how far they can be trusted. */
import type { Bytes } from '../core/draws/segment.ts'
import { McbError } from '../core/errors.ts'
import { ARROW_TYPE, CSV_TYPE, JSON_TYPE } from '../core/media-types.ts'
import { summaryArrow } from '../core/summary/arrow.ts'
import type { SummaryQuestion } from '../core/summary/question.ts'
import type { Summary } from '../core/summary/summary.ts'
import { summaryCsv, summaryText } from '../core/summary/text.ts'
import { inTurns } from '../core/turn.ts'
import type { AppContext } from '../http/context.ts'
import { countDocument } from '../http/document.ts'
import { negotiateAmong } from '../http/negotiate.ts'
import { describe, summaryArrowResponse, summaryCsvResponse, summaryResponse } from '../http/openapi/describe.ts'
import { prefer, registration } from '../http/openapi/described-headers.ts'
import { summaryParameters } from '../http/openapi/parameters.ts'
import { UNKNOWN_COLUMN } from '../http/openapi/problems.ts'
import type { ResponseObject } from '../http/openapi/types.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { withRun } from '../http/run-of-request.ts'
import { summaryQuery, summarySpecsQuery, waitOf } from '../http/summary-query.ts'
import type { StoreRun } from '../runs/backend.ts'

const TYPES = [JSON_TYPE, CSV_TYPE, ARROW_TYPE] as const
type SummaryType = (typeof TYPES)[number]

const ERRORS = [
  'run_not_found',
  'chain_not_found',
  UNKNOWN_COLUMN,
  'run_replaced',
  'payload_too_large',
  'overloaded',
] as const

const getSummary: Operation = {
  needs: 'read',
  describe: describe('Diagnostics', 'getSummary', 'Means, intervals, errors, ESS and R-hat of each scalar', {
    description:
      'Within the time of `Prefer: wait` (10 s): what is not ready then is null with the reason `pending`, and `complete` is ' +
      'false; the same request goes on where it was.',
    parameters: [...summaryParameters, registration, prefer],
    responses: { 200: summaryResponse },
    errors: [...ERRORS, 'not_acceptable'],
  }),
  handler: (c, services) =>
    answerSummary(c, services, () => negotiateAmong<SummaryType>(TYPES, c.req.header('Accept'))),
}

/** The same for tools that ask for a type by its address alone. */
function summaryAs(type: SummaryType, operationId: string, summary: string, answer: ResponseObject): Operation {
  return {
    needs: 'read',
    describe: describe('Doors', operationId, summary, {
      description: 'What `/summary` answers for this media type.',
      parameters: [...summaryParameters, registration, prefer],
      responses: { 200: answer },
      errors: ERRORS,
    }),
    handler: (c, services) => answerSummary(c, services, () => type),
  }
}

async function answerSummary(c: AppContext, services: Services, typeOf: () => SummaryType): Promise<Response> {
  const rid = ridParam(c)
  const query = summaryQuery(c)
  const question = (run: StoreRun): SummaryQuestion => ({ ...query, ...summarySpecsQuery(c, run.schema) })
  const resource = async (run: StoreRun) => {
    question(run)
    await requireChains(run, query.chains)
  }
  const found = await withRun(c, rid, { resource }, async (run) => {
    const asked = question(run)
    const type = typeOf()
    if (c.req.method !== 'HEAD') return { type, summary: await answer(c, services, run, asked) }
    await requireChains(run, query.chains)
    return { type }
  })
  const headers = { 'Content-Type': found.type === CSV_TYPE ? `${CSV_TYPE}; charset=utf-8` : found.type }
  if (found.summary === undefined) return c.body(null, 200, headers)
  const { type, summary } = found
  if (type === JSON_TYPE) return send(c, services, await inTurns(summaryText(summary)), headers)
  const table = type === CSV_TYPE ? summaryCsv(summary) : summaryArrow(summary)
  return send(c, services, table, { ...headers, ...linkTo(c, summary) })
}

function answer(c: AppContext, { diagnoses }: Services, run: StoreRun, question: SummaryQuestion): Promise<Summary> {
  return diagnoses.summarise(run, question, { owner: c.get('backend'), waitMs: waitOf(c) })
}

/** @throws McbError `overloaded` when answers that nobody has taken yet leave no room for it */
function send(c: AppContext, services: Services, body: string | Bytes, headers: Record<string, string>): Response {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  countDocument(c, services, bytes.length)
  return c.body(bytes, 200, headers)
}

/** @throws McbError `chain_not_found` */
async function requireChains(run: StoreRun, chains: readonly number[] = []): Promise<void> {
  const states = await run.store.chains(run.registration)
  for (const chain of chains) {
    if (!states.some((state) => state.chain === chain)) {
      throw new McbError('chain_not_found', `run "${run.rid}" has no chain ${chain}`)
    }
  }
}

/** The way to the next page (RFC 8288). */
function linkTo(c: AppContext, { nextCursor }: Summary): Record<string, string> {
  if (nextCursor === undefined) return {}
  const { pathname, searchParams } = new URL(c.req.url)
  searchParams.set('cursor', nextCursor)
  return { Link: `<${pathname}?${searchParams}>; rel="next"` }
}

export const summaryRoutes: Resources = {
  '/v1/runs/:rid/summary': { get: getSummary },
  '/v1/runs/:rid/summary.csv': { get: summaryAs(CSV_TYPE, 'getSummaryCsv', 'The summary as CSV', summaryCsvResponse) },
  '/v1/runs/:rid/summary.arrows': {
    get: summaryAs(ARROW_TYPE, 'getSummaryArrow', "The summary in Arrow's stream format", summaryArrowResponse),
  },
}
