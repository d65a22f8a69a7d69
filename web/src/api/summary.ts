/** Summaries: rows of figures, page after page, read into typed arrays. */
import * as v from 'valibot'
import type { Convention } from '../../../src/core/diagnostics/convention.ts'
import { getJson, runPath } from './http.ts'
import type { Asking } from './run.ts'

export interface SummaryQuery {
  readonly registration: string
  readonly variables?: readonly string[] | undefined
  readonly stats?: readonly string[] | undefined
  /** Elements of the one column that is named, as `0,3,10:20`. */
  readonly elements?: string | undefined
  readonly chains?: readonly number[] | undefined
  readonly warmup?: 'exclude' | 'include' | undefined
  readonly convention: Convention
  readonly columns: readonly SummaryColumn[]
  readonly ci?: { readonly kind: 'eti' | 'hdi'; readonly prob: number } | undefined
  /** A column, with `-` before it for the greatest first. */
  readonly sort?: string | undefined
  readonly limit?: number | undefined
  /** Seconds that the server may take before it answers in part. */
  readonly wait?: number | undefined
}

export type SummaryColumn =
  | 'mean'
  | 'sd'
  | 'median'
  | 'mad'
  | 'lb'
  | 'ub'
  | 'mcse_mean'
  | 'mcse_sd'
  | 'ess_bulk'
  | 'ess_tail'
  | 'rhat'
  | 'pareto_khat'

export type Reason = 'constant' | 'too_few' | 'nan' | 'infinite' | 'pending'

/** A figure, or the reason why there is none. */
export type Figure = number | Reason

export interface SummaryRow {
  readonly variable: string
  readonly index: readonly number[]
  readonly label: string
  readonly figures: Readonly<Partial<Record<SummaryColumn, Figure>>>
}

export interface Summary {
  /** Draws of each chain. */
  readonly draws: number
  readonly chains: readonly { readonly chain: number; readonly draws: number; readonly warmup: number }[]
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[]
  readonly complete: boolean
  /** Share of the work that is done. */
  readonly progress: number
  readonly rows: readonly SummaryRow[]
}

const head = v.object({
  draws: v.number(),
  complete: v.boolean(),
  progress: v.optional(v.number()),
  chains: v.array(v.object({ chain: v.number(), draws: v.number(), warmup: v.number() })),
  leftOut: v.array(
    v.object({
      variable: v.optional(v.string()),
      stat: v.optional(v.string()),
      chain: v.optional(v.number()),
      reason: v.string(),
    }),
  ),
  rows: v.array(v.record(v.string(), v.unknown())),
  nextCursor: v.optional(v.string()),
})

/** One page of a summary, and the way to the next. */
export async function getSummaryPage(
  rid: string,
  query: SummaryQuery,
  asking: Asking & { readonly cursor?: string | undefined },
): Promise<Summary & { readonly nextCursor?: string | undefined }> {
  const { cursor, ...rest } = asking
  const params = paramsOf(query)
  if (cursor !== undefined) params.append('cursor', cursor)
  const headers = { 'Mcb-Registration': query.registration, Prefer: `wait=${query.wait ?? 10}` }
  const answer = v.parse(head, await getJson(`${runPath(rid)}/summary?${params}`, { ...rest, headers }))
  return {
    draws: answer.draws,
    chains: answer.chains,
    leftOut: answer.leftOut.map(({ variable, stat, chain, reason }) => ({
      name: variable ?? stat ?? `chain ${chain}`,
      reason,
    })),
    complete: answer.complete,
    progress: answer.progress ?? (answer.complete ? 1 : 0),
    rows: answer.rows.map((row) => rowOf(row, query.columns)),
    nextCursor: answer.nextCursor,
  }
}

/** Path of a summary's first page. */
export function summaryPath(rid: string, query: Omit<SummaryQuery, 'registration'>): string {
  return `${runPath(rid)}/summary?${paramsOf(query)}`
}

function paramsOf(query: Omit<SummaryQuery, 'registration'>): URLSearchParams {
  const { variables, stats, elements, chains, warmup, convention, columns, ci, sort, limit } = query
  const params = new URLSearchParams()
  for (const name of variables ?? []) params.append('var', name)
  for (const name of stats ?? []) params.append('stat', name)
  if (elements !== undefined) params.append('elem', elements)
  for (const chain of chains ?? []) params.append('chain', String(chain))
  if (warmup !== undefined) params.append('warmup', warmup)
  params.append('convention', convention)
  params.append('columns', columns.join())
  if (ci !== undefined) {
    params.append('ci_kind', ci.kind)
    params.append('ci_prob', String(ci.prob))
  }
  if (sort !== undefined) params.append('sort', sort)
  if (limit !== undefined) params.append('limit', String(limit))
  return params
}

const REASONS: readonly string[] = ['constant', 'too_few', 'nan', 'infinite', 'pending'] satisfies Reason[]

function isReason(value: unknown): value is Reason {
  return typeof value === 'string' && REASONS.includes(value)
}

/** Read by hand: a library takes a second for 10,000 rows. */
function rowOf(row: Readonly<Record<string, unknown>>, columns: readonly SummaryColumn[]): SummaryRow {
  const { variable, index, label } = row
  const reasons = new Map(Object.entries(Object(row.reasons)))
  const figures: Partial<Record<SummaryColumn, Figure>> = {}
  for (const column of columns) {
    const value = row[column]
    const reason = reasons.get(column)
    figures[column] = typeof value === 'number' ? value : isReason(reason) ? reason : 'pending'
  }
  return {
    variable: String(variable),
    index: Array.isArray(index) ? index.map(Number) : [],
    label: String(label),
    figures,
  }
}
