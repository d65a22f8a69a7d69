/** Options of a summary as callers give them, and the question that they make: all defaults and checks are here. */

import { CONVENTIONS, type Convention } from '../diagnostics/convention.ts'
import { COLUMNS, type Column, type CredibleInterval } from '../diagnostics/summary-columns.ts'
import { namedColumns, type Schema } from '../draws/columns.ts'
import { type Elements, resolveElements } from '../draws/elements.ts'
import { McbError } from '../errors.ts'
import { isChainNumber } from '../wire/run-meta.ts'
import {
  DEFAULT_COLUMNS,
  DEFAULT_INTERVAL,
  INTERVAL_KINDS,
  type Sort,
  type SummaryQuestion,
  WARMUP_CHOICES,
  type WarmupChoice,
} from './question.ts'

/** Columns of a run that a summary is of. */
export interface SummarySelection {
  /** Variables and sampler stats, in this order. Without any, all variables of numbers that have a fixed shape. */
  readonly variables?: readonly string[] | undefined
  readonly stats?: readonly string[] | undefined
  /** Elements of the one variable or stat that is named; all of them when absent. */
  readonly elements?: Elements | undefined
}

export interface SummaryOptions extends SummarySelection {
  /** Chains; without any, those that have at least half as many draws as the median chain. */
  readonly chains?: readonly number[] | undefined
  /** @default 'exclude' */
  readonly warmup?: WarmupChoice | undefined
  /** Definitions of R's `posterior`, or of `arviz-stats`, where the two differ. @default 'posterior' */
  readonly convention?: Convention | undefined
  /** Interval of the columns `lb` and `ub`. @default { kind: 'eti', prob: 0.89 } */
  readonly ci?: Partial<CredibleInterval> | undefined
  /** Figures, in this order; only these are computed. @default all but `mad` and `pareto_khat` */
  readonly columns?: readonly Column[] | undefined
  /** One of the columns, with `-` for descending: `-rhat` puts the worst first. @default order of registration */
  readonly sort?: Column | `-${Column}` | undefined
  /** Rows at most. @default all */
  readonly limit?: number | undefined
  /** `nextCursor` of a summary that had a limit: the rows that follow, of the same draws. */
  readonly cursor?: string | undefined
  /** Ends the work; the summary rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A question for a summary but for the columns of the run, which only its schema tells. */
export type SummarySettings = Omit<SummaryQuestion, 'specs' | 'elements'>

/** Settings as texts and numbers that nobody has checked. */
export interface GivenSettings {
  readonly chains?: readonly number[] | undefined
  readonly warmup?: string | undefined
  readonly convention?: string | undefined
  readonly ci?: { readonly kind?: string | undefined; readonly prob?: number | undefined } | undefined
  readonly columns?: readonly string[] | undefined
  readonly sort?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** @throws McbError `invalid_parameter` */
export function summarySettings(given: GivenSettings): SummarySettings {
  const columns = columnsIn(given.columns)
  return {
    chains: chainsIn(given.chains),
    warmup: oneOf('warmup', given.warmup, WARMUP_CHOICES) ?? 'exclude',
    convention: oneOf('convention', given.convention, CONVENTIONS) ?? 'posterior',
    ci: {
      kind: oneOf('ci_kind', given.ci?.kind, INTERVAL_KINDS) ?? DEFAULT_INTERVAL.kind,
      prob: probIn(given.ci?.prob),
    },
    columns,
    sort: sortIn(given.sort, columns),
    limit: limitIn(given.limit),
    cursor: given.cursor,
  }
}

/**
 * The columns and elements of a run that are named; without names, all variables.
 *
 * @throws McbError `unknown_variable`, `invalid_parameter`
 */
export function summarySpecs(
  schema: Schema,
  { variables, stats, elements }: SummarySelection,
): Pick<SummaryQuestion, 'specs' | 'elements'> {
  const isNamed = [variables, stats].some((names) => names !== undefined && names.length > 0)
  const specs = isNamed ? namedColumns(schema, variables, stats) : [...schema.draws.values()]
  if (elements === undefined) return { specs }
  const [spec] = specs
  if (!isNamed || specs.length !== 1 || spec === undefined) {
    throw new McbError(
      'invalid_parameter',
      `elements are of one variable or stat that is named, not of ${specs.length}`,
    )
  }
  return { specs, elements: indicesOf(resolveElements(spec, elements).ranges) }
}

function indicesOf(ranges: readonly (readonly [number, number])[]): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))
}

/** Numbers of chains, each once and by number; undefined where none is named. */
function chainsIn(given: readonly number[] | undefined): readonly number[] | undefined {
  if (given === undefined || given.length === 0) return undefined
  const wrong = given.find((chain) => !isChainNumber(chain))
  if (wrong !== undefined) throw new McbError('invalid_parameter', `${wrong} is no number of a chain`)
  return [...new Set(given)].sort((a, b) => a - b)
}

function oneOf<const T extends string>(name: string, given: string | undefined, choices: readonly T[]): T | undefined {
  if (given === undefined) return undefined
  const choice = choices.find((each) => each === given)
  if (choice !== undefined) return choice
  throw new McbError('invalid_parameter', `"${name}" must be ${choices.join(' or ')}, not "${given}"`)
}

function isColumn(name: string): name is Column {
  return (COLUMNS as readonly string[]).includes(name)
}

function columnsIn(names: readonly string[] | undefined): readonly Column[] {
  if (names === undefined) return DEFAULT_COLUMNS
  const columns = new Set(names.filter(isColumn))
  if (names.length > 0 && names.every(isColumn)) return [...columns]
  throw new McbError('invalid_parameter', `"columns" must be some of ${COLUMNS.join()}`)
}

function sortIn(text: string | undefined, columns: readonly Column[]): Sort | undefined {
  if (text === undefined) return undefined
  const order = text.startsWith('-') ? 'falling' : 'rising'
  const column = columns.find((each) => each === text.replace(/^-/, ''))
  if (column !== undefined) return { column, order }
  throw new McbError('invalid_parameter', `"sort" must be one of the columns ${columns.join()}, with - for descending`)
}

function probIn(prob = DEFAULT_INTERVAL.prob): number {
  if (prob > 0 && prob < 1) return prob
  throw new McbError('invalid_parameter', '"ci_prob" must be a number between 0 and 1')
}

function limitIn(limit = Number.POSITIVE_INFINITY): number {
  if (limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 1)) return limit
  throw new McbError('invalid_parameter', '"limit" must be a whole number from 1 on')
}
