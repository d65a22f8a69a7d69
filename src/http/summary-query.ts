/** The query of a summary (docs/protocol.md §8). */
import { COLUMNS, type Column } from '../core/diagnostics/figures.ts'
import type { Schema } from '../core/draws/columns.ts'
import { resolveElements } from '../core/draws/elements.ts'
import { McbError } from '../core/errors.ts'
import {
  DEFAULT_COLUMNS,
  DEFAULT_INTERVAL,
  DEFAULT_LIMIT,
  MAX_LIMIT,
  type Sort,
  type SummaryQuestion,
  WARMUP_CHOICES,
} from '../core/summary/question.ts'
import type { AppContext } from './context.ts'
import { chainsQuery, columnsQuery, elementsQuery } from './params.ts'

/** A question for a summary but for the columns of the run, which only its schema tells. */
export type SummaryQuery = Omit<SummaryQuestion, 'specs' | 'elements'>

/** @throws McbError `invalid_parameter` */
export function summaryQuery(c: AppContext): SummaryQuery {
  elementsQuery(c)
  const chains = chainsQuery(c)
  const columns = columnsIn(once(c, 'columns'))
  return {
    ...(chains !== undefined && { chains: chains.toSorted((a, b) => a - b) }),
    warmup: oneOf(c, 'warmup', WARMUP_CHOICES) ?? 'exclude',
    convention: oneOf(c, 'convention', ['posterior', 'arviz']) ?? 'posterior',
    ci: { kind: oneOf(c, 'ci_kind', ['eti', 'hdi']) ?? DEFAULT_INTERVAL.kind, prob: probIn(once(c, 'ci_prob')) },
    columns,
    sort: sortIn(once(c, 'sort'), columns),
    limit: limitIn(once(c, 'limit')),
    cursor: once(c, 'cursor'),
  }
}

/**
 * The columns and elements that a query names in a run; without names, all variables.
 *
 * @throws McbError `unknown_variable`, `invalid_parameter`
 */
export function summarySpecs(c: AppContext, schema: Schema): Pick<SummaryQuestion, 'specs' | 'elements'> {
  const isNamed = c.req.queries('var') !== undefined || c.req.queries('stat') !== undefined
  const specs = isNamed ? columnsQuery(c, schema) : [...schema.draws.values()]
  const elements = elementsQuery(c)
  const [spec] = specs
  if (elements === undefined || spec === undefined) return { specs }
  return { specs, elements: indicesOf(resolveElements(spec, elements).ranges) }
}

function indicesOf(ranges: readonly (readonly [number, number])[]): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))
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

function oneOf<const T extends string>(c: AppContext, name: string, choices: readonly T[]): T | undefined {
  const given = once(c, name)
  if (given === undefined) return undefined
  const choice = choices.find((each) => each === given)
  if (choice !== undefined) return choice
  throw new McbError('invalid_parameter', `"${name}" must be ${choices.join(' or ')}, not "${given}"`)
}

function isColumn(name: string): name is Column {
  return (COLUMNS as readonly string[]).includes(name)
}

function columnsIn(text: string | undefined): readonly Column[] {
  if (text === undefined) return DEFAULT_COLUMNS
  const names = text.split(',').map((name) => name.trim())
  const columns = new Set(names.filter(isColumn))
  if (names.every(isColumn)) return [...columns]
  throw new McbError('invalid_parameter', `"columns" must be some of ${COLUMNS.join()}, with commas between`)
}

function sortIn(text: string | undefined, columns: readonly Column[]): Sort | undefined {
  if (text === undefined) return undefined
  const order = text.startsWith('-') ? 'falling' : 'rising'
  const column = columns.find((each) => each === text.replace(/^-/, ''))
  if (column !== undefined) return { column, order }
  throw new McbError('invalid_parameter', `"sort" must be one of the columns ${columns.join()}, with - for descending`)
}

function probIn(text: string | undefined): number {
  if (text === undefined) return DEFAULT_INTERVAL.prob
  const prob = /^(\d+(\.\d*)?|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  if (prob > 0 && prob < 1) return prob
  throw new McbError('invalid_parameter', '"ci_prob" must be a number between 0 and 1')
}

function limitIn(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Number.NaN
  if (limit <= MAX_LIMIT) return limit
  throw new McbError('invalid_parameter', `"limit" must be an integer from 1 to ${MAX_LIMIT}`)
}
