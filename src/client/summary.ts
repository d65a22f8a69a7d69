/** Summaries over HTTP: all pages of a question, asked for until every figure is known, and read without trust. */

import { formatElements } from '../core/draws/elements.ts'
import { isMcbError } from '../core/errors.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'
import { isObject } from '../core/json.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import { type SummaryOptions, type SummarySettings, summarySettings, summarySpecs } from '../core/summary/options.ts'
import { MAX_LIMIT, type Sort } from '../core/summary/question.ts'
import type { Summary, SummaryRow } from '../core/summary/summary.ts'
import type { RunContext } from './chain.ts'
import { listIn, members, objectOf, stringIn, wholeNumberIn } from './json.ts'
import type { WholeAnswer } from './problem.ts'

export interface HttpSummaryOptions extends SummaryOptions {
  /** Told the share of the work that is done, while the server computes. */
  readonly onProgress?: ((share: number) => void) | undefined
}

/** Characters of a query; servers refuse addresses beyond 8 to 16 KiB. */
const QUERY_CHARACTERS = 6000
/** Seconds that a server may take for an answer, where it is not left to it; where progress is told, the first ones are sooner. */
const WAIT = 10
/** Factor by which a page has fewer rows that is more than a server computes at once. */
const FEWER = 10

/** Everything about a question but the page. */
interface Asked {
  readonly context: RunContext
  readonly settings: SummarySettings
  readonly query: string
  readonly options: HttpSummaryOptions
}

/**
 * The server's summary; undefined where it has none: of a server of an older release, and for names that are too long for an
 * address.
 *
 * @throws McbError `unknown_variable`, `chain_not_found`, `invalid_parameter`, `payload_too_large`, `run_not_found`, `run_replaced`
 */
export async function askSummary(context: RunContext, options: HttpSummaryOptions): Promise<Summary | undefined> {
  const settings = summarySettings(options)
  summarySpecs(context.schema, options)
  const query = queryOf(options, settings)
  if (query.length > QUERY_CHARACTERS) return undefined
  return allPages({ context, settings, query, options })
}

function queryOf({ variables = [], stats = [], elements }: SummaryOptions, settings: SummarySettings): string {
  const { chains = [], warmup, convention, ci, columns, sort } = settings
  return [
    ...variables.map((name) => `var=${encodeURIComponent(name)}`),
    ...stats.map((name) => `stat=${encodeURIComponent(name)}`),
    ...(elements === undefined ? [] : [`elem=${formatElements(elements)}`]),
    ...chains.map((chain) => `chain=${chain}`),
    `warmup=${warmup}`,
    `convention=${convention}`,
    `ci_kind=${ci.kind}`,
    `ci_prob=${ci.prob}`,
    `columns=${columns.join()}`,
    ...(sort === undefined ? [] : [`sort=${textOf(sort)}`]),
  ].join('&')
}

function textOf({ column, order }: Sort): string {
  return order === 'falling' ? `-${column}` : column
}

async function allPages(asked: Asked): Promise<Summary | undefined> {
  const { limit, cursor } = asked.settings
  const rows: SummaryRow[] = []
  let most = MAX_LIMIT
  for (let next = cursor; ; ) {
    const size = Math.min(most, limit - rows.length)
    const page = await wholePage(asked, size, next).catch((error) => {
      if (!isMcbError(error, 'payload_too_large') || size === 1) throw error
      most = Math.ceil(size / FEWER)
      return 'too large' as const
    })
    if (page === 'too large') continue
    if (page === undefined) return undefined
    for (const row of page.rows) rows.push(row)
    next = page.nextCursor
    if (next === undefined || rows.length >= limit) return { ...page, rows }
  }
}

/** One page, asked for until all its figures are known; undefined where there is no such endpoint. */
async function wholePage(asked: Asked, limit: number, cursor: string | undefined): Promise<Summary | undefined> {
  const { context, settings, query, options } = asked
  const { transport, headers, path } = context
  const page = [query, `limit=${limit}`, ...(cursor === undefined ? [] : [`cursor=${encodeURIComponent(cursor)}`])]
  // The first question leaves the time to the server: one of an older release refuses the header to pages of other origins.
  for (let wait = options.onProgress === undefined ? undefined : 1; ; wait = Math.min(WAIT, 2 * (wait ?? WAIT))) {
    const request = {
      method: 'GET',
      path: `${path}/summary?${page.join('&')}`,
      headers: wait === undefined ? headers : { ...headers, Prefer: `wait=${wait}` },
      type: JSON_TYPE,
      signal: options.signal,
    } as const
    const summary = await transport.send<Summary | undefined>(
      request,
      (answer) => readSummary(answer, settings),
      (refusal) => {
        if (refusal.code === 'not_found') return undefined
        throw refusal
      },
    )
    if (summary === undefined || summary.complete) return summary
    options.onProgress?.(summary.progress ?? 0)
  }
}

/** @throws TypeError when it is no answer to this question */
function readSummary(answer: WholeAnswer, { convention, ci, warmup, columns }: SummarySettings): Summary {
  const summary = members(answer)
  const { complete, progress, nextCursor } = summary
  if (listIn(summary, 'columns').join() !== columns.join()) throw new TypeError('other columns were answered')
  return {
    rid: stringIn(summary, 'rid'),
    registration: stringIn(summary, 'registration'),
    convention,
    ci,
    warmup,
    complete: complete === true,
    ...(typeof progress === 'number' && { progress }),
    chains: listIn(summary, 'chains').map((chain) => {
      const part = objectOf(chain)
      const count = wholeNumberIn(part, 'warmup')
      const first = warmup === 'exclude' ? count : 0
      return { chain: wholeNumberIn(part, 'chain'), first, draws: wholeNumberIn(part, 'draws'), warmup: count }
    }),
    leftOut: listIn(summary, 'leftOut').map((each) => leftOutOf(objectOf(each))),
    draws: wholeNumberIn(summary, 'draws'),
    columns,
    rows: listIn(summary, 'rows').map((row) => rowOf(objectOf(row), columns)),
    ...(nextCursor !== undefined && { nextCursor: stringIn(summary, 'nextCursor') }),
  }
}

function leftOutOf(each: JsonObject): Summary['leftOut'][number] {
  const { reason } = each
  if (reason === 'ragged' || reason === 'strings') return { variable: stringIn(each, 'variable'), reason }
  if (reason === 'no_draws' || reason === 'short') return { chain: wholeNumberIn(each, 'chain'), reason }
  throw new TypeError('it is not told why something is left out')
}

function rowOf(row: JsonObject, columns: readonly string[]): SummaryRow {
  const reasons = isObject(row.reasons) ? row.reasons : {}
  return {
    variable: stringIn(row, 'variable'),
    index: listIn(row, 'index').map(Number),
    label: stringIn(row, 'label'),
    figures: columns.map((column) => figureOf(row[column], reasons[column])),
  }
}

function figureOf(value: JsonValue | undefined, reason: JsonValue | undefined): SummaryRow['figures'][number] {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (reason === 'constant' || reason === 'too_few' || reason === 'nan' || reason === 'infinite') return reason
  if (reason === 'pending') return reason
  throw new TypeError('a figure is neither a number nor a reason')
}
