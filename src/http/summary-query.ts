/** The query of a summary (docs/protocol.md §8). */
import type { Schema } from '../core/draws/columns.ts'
import { McbError } from '../core/errors.ts'
import { type SummarySettings, summarySettings, summarySpecs } from '../core/summary/options.ts'
import { DEFAULT_LIMIT, MAX_LIMIT, type SummaryQuestion } from '../core/summary/question.ts'
import type { AppContext } from './context.ts'
import { chainsQuery, elementsQuery } from './params.ts'

/** @throws McbError `invalid_parameter` */
export function summaryQuery(c: AppContext): SummarySettings {
  elementsQuery(c)
  return summarySettings({
    chains: chainsQuery(c),
    warmup: once(c, 'warmup'),
    convention: once(c, 'convention'),
    ci: { kind: once(c, 'ci_kind'), prob: probIn(once(c, 'ci_prob')) },
    columns: once(c, 'columns')
      ?.split(',')
      .map((name) => name.trim()),
    sort: once(c, 'sort'),
    limit: limitIn(once(c, 'limit')),
    cursor: once(c, 'cursor'),
  })
}

/**
 * The columns and elements that a query names in a run; without names, all variables.
 *
 * @throws McbError `unknown_variable`, `invalid_parameter`
 */
export function summarySpecsQuery(c: AppContext, schema: Schema): Pick<SummaryQuestion, 'specs' | 'elements'> {
  const [variables, stats] = [c.req.queries('var'), c.req.queries('stat')]
  return summarySpecs(schema, { variables, stats, elements: elementsQuery(c) })
}

/** Seconds that a caller waits for an answer at most, and by default. */
const WAIT_SECONDS = { default: 10, most: 60 }

/** Milliseconds of `Prefer: wait=N` (RFC 7240). */
export function waitOf(c: AppContext): number {
  const wait = /(?:^|[,;\s])wait\s*=\s*"?(\d+)"?/i.exec(c.req.header('Prefer') ?? '')?.[1]
  const seconds = wait === undefined ? WAIT_SECONDS.default : Number(wait)
  return 1000 * Math.min(seconds, WAIT_SECONDS.most)
}

function once(c: AppContext, name: string): string | undefined {
  const given = c.req.queries(name)
  if (given === undefined || given.length === 1) return given?.[0]
  throw new McbError('invalid_parameter', `"${name}" is given ${given.length} times`)
}

/** The number of a text; NaN, which is refused, for another. */
function probIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return /^(\d+(\.\d*)?|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN
}

function limitIn(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Number.NaN
  if (limit <= MAX_LIMIT) return limit
  throw new McbError('invalid_parameter', `"limit" must be an integer from 1 to ${MAX_LIMIT}`)
}
