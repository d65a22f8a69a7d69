/** `mcb summary`: figures of each scalar as a table, or as CSV. */

import type { Reason } from '../../core/diagnostics/convention.ts'
import { CONVENTIONS } from '../../core/diagnostics/convention.ts'
import { COLUMNS, type Column } from '../../core/diagnostics/summary-columns.ts'
import { parseElements } from '../../core/draws/elements.ts'
import { type SummaryOptions, summarySpecs } from '../../core/summary/options.ts'
import { DEFAULT_COLUMNS, INTERVAL_KINDS, WARMUP_CHOICES } from '../../core/summary/question.ts'
import type { Summary } from '../../core/summary/summary.ts'
import { summaryCsv, summaryJson } from '../../core/summary/text.ts'
import { UsageError } from '../cli-error.ts'
import { type Command, type Given, textOf, textsOf } from '../command.ts'
import { choiceIn, countIn } from '../options.ts'
import { Progress, printed } from '../output.ts'
import { requireRun } from '../server.ts'
import { table } from '../table.ts'
import { shown } from '../terminal.ts'

/** Rows of a table where nothing is said of them. */
const ROWS = 50
/** Variables that are named as left out. */
const NAMED = 5

export const summary: Command = {
  usage: 'summary RID',
  about: 'means, intervals, Monte Carlo errors, ESS and R-hat of each scalar',
  options: {
    var: { type: 'string', multiple: true },
    stat: { type: 'string', multiple: true },
    elem: { type: 'string' },
    chain: { type: 'string', multiple: true },
    warmup: { type: 'string' },
    convention: { type: 'string' },
    'ci-kind': { type: 'string' },
    'ci-prob': { type: 'string' },
    columns: { type: 'string' },
    sort: { type: 'string' },
    limit: { type: 'string' },
    all: { type: 'boolean' },
    csv: { type: 'boolean' },
  },
  optionHelp: [
    '--var NAME           a variable; may be repeated   [all of numbers and fixed shape]',
    '--stat NAME          a sampler stat; may be repeated',
    '--elem LIST          elements as 0,3,10:20, of one variable or stat',
    '--chain N            a chain; may be repeated   [those with at least half as many draws as the median chain]',
    '--warmup WHICH       exclude, include or only   [exclude]',
    '--convention NAME    definitions of R (posterior) or of Python (arviz), where they differ   [posterior]',
    '--ci-kind KIND       interval of lb and ub: eti or hdi   [eti]',
    '--ci-prob P          its probability   [0.89]',
    '--columns LIST       mean,sd,median,mad,lb,ub,mcse_mean,mcse_sd,ess_bulk,ess_tail,rhat,pareto_khat',
    '--sort COLUMN        the least first; -COLUMN: the greatest, as in --sort -rhat   [order of registration]',
    `--limit N            rows at most   [${ROWS}; all in CSV and JSON]`,
    '--all                all rows',
    '--csv                comma-separated values, with all digits',
  ],
  examples: [
    'summary my-run --sort -rhat',
    'summary my-run --var theta --convention arviz --ci-kind hdi --ci-prob 0.94',
    'summary my-run --columns mean,sd,rhat --csv > summary.csv',
  ],
  args: 1,
  run: async ({ backend }, [rid = ''], given) => {
    const run = await requireRun(backend, rid)
    const options = optionsIn(given)
    const progress = new Progress()
    const found = await run
      .summary({
        ...options,
        onProgress: (share) => progress.tell(() => `computing: ${Math.floor(100 * share)} %`),
      })
      .finally(() => progress.end())
    if (given.csv !== true)
      return {
        json: summaryJson(found),
        text: textOfSummary(found, leftIn(found, totalOf(run.schema, options), options)),
      }
    await printed(summaryCsv(found, '\n'))
    return undefined
  },
}

function optionsIn(given: Given): SummaryOptions {
  const elem = textOf(given, 'elem')
  const { columns, sort } = columnsIn(given)
  const isWhole = given.all === true || given.csv === true || given.json === true
  const limit = countIn(given, 'limit') ?? (isWhole ? undefined : ROWS)
  if (limit === 0) throw new UsageError('--limit must be at least 1')
  return {
    variables: textsOf(given, 'var'),
    stats: textsOf(given, 'stat'),
    ...(elem !== undefined && { elements: parseElements(elem) }),
    chains: textsOf(given, 'chain').map((chain) => countIn({ chain }, 'chain', 2 ** 31 - 1) ?? 0),
    warmup: choiceIn(given, 'warmup', WARMUP_CHOICES),
    convention: choiceIn(given, 'convention', CONVENTIONS),
    ci: { ...kindIn(given), ...probIn(given) },
    columns,
    sort,
    limit,
  }
}

/** The columns and their order. A column that rows are sorted by is shown. */
function columnsIn(given: Given): Pick<SummaryOptions, 'columns' | 'sort'> {
  const named = textOf(given, 'columns')
    ?.split(',')
    .map((name) => columnNamed('columns', name.trim()))
  const text = textOf(given, 'sort')
  if (text === undefined) return { columns: named }
  const column = columnNamed('sort', text.replace(/^-/, ''))
  const columns = [...new Set([...(named ?? DEFAULT_COLUMNS), column])]
  return { columns, sort: text.startsWith('-') ? `-${column}` : column }
}

/** Names of ArviZ and posterior for some columns. */
const OTHER_NAMES: Readonly<Record<string, Column>> = { r_hat: 'rhat', khat: 'pareto_khat' }

function columnNamed(option: string, name: string): Column {
  const bound = /^(?:eti|hdi)\d*_(lb|ub)$/.exec(name)?.[1]
  const column = OTHER_NAMES[name] ?? COLUMNS.find((each) => each === (bound ?? name))
  if (column !== undefined) return column
  throw new UsageError(`--${option} knows the columns ${COLUMNS.join()}`)
}

function kindIn(given: Given): SummaryOptions['ci'] {
  const kind = choiceIn(given, 'ci-kind', INTERVAL_KINDS)
  return kind === undefined ? {} : { kind }
}

function probIn(given: Given): SummaryOptions['ci'] {
  const text = textOf(given, 'ci-prob')
  if (text === undefined) return {}
  const prob = Number(text)
  if (prob > 0 && prob < 1) return { prob }
  throw new UsageError('--ci-prob must be between 0 and 1, as 0.94')
}

/** Scalars that there are, of which the rows may be some. */
function totalOf(schema: Parameters<typeof summarySpecs>[0], options: SummaryOptions): number {
  const { specs, elements } = summarySpecs(schema, options)
  return specs.reduce((n, spec) => n + (spec.kind === 'rigid-numbers' ? (elements?.length ?? spec.elements) : 0), 0)
}

/** A line about the rows that are not shown; none where there are no such. */
function leftIn({ rows }: Summary, total: number, { sort }: SummaryOptions): string[] {
  const left = total - rows.length
  if (left === 0) return []
  const ways = sort === undefined ? '--limit N, --all, or --sort -rhat for the worst first' : '--limit N, or --all'
  return [`… and ${left} more: ${ways}`]
}

function textOfSummary(found: Summary, left: readonly string[]): string {
  const { columns, rows } = found
  const cells = rows.map(({ label, figures }) => [
    label,
    ...columns.map((column, i) => figureText(column, figures[i] ?? 'pending')),
  ])
  return [
    ...headOf(found),
    table(
      ['label', ...columns],
      cells,
      [],
      columns.map((_, i) => i + 1),
    ),
    ...left,
  ].join('\n')
}

const WARMUP_TEXT = { exclude: 'without warmup', include: 'with warmup', only: 'of warmup' } as const

function headOf({ rid, chains, draws, warmup, convention, ci, columns, leftOut }: Summary): string[] {
  const of = `${chains.length} ${chains.length === 1 ? 'chain' : 'chains'} × ${draws} draws ${WARMUP_TEXT[warmup]}`
  const interval = columns.some((column) => column === 'lb' || column === 'ub') ? `; lb, ub: ${ci.kind} ${ci.prob}` : ''
  const head = `${rid}: ${of}; convention ${convention}${interval}`
  if (leftOut.length === 0) return [head]
  const named = leftOut.slice(0, NAMED).map((each) => {
    return `${'chain' in each ? `chain ${each.chain}` : shown(each.variable, 40)} (${each.reason.replace('_', ' ')})`
  })
  const more = leftOut.length - named.length
  return [head, `left out: ${named.join(', ')}${more > 0 ? `, and ${more} more` : ''}`]
}

/** Significant digits of most figures, as R's posterior shows them, and of errors. */
const DIGITS = 3
const ERROR_DIGITS = 2
const RHAT_DECIMALS = 3

/** A figure with the digits that mean something, or the reason why there is none. */
function figureText(column: Column, figure: number | Reason | 'pending'): string {
  if (typeof figure === 'string') return figure.replace('_', ' ')
  // A whole draw is the unit of an ESS; ArviZ rounds it down as well.
  if (column.startsWith('ess_')) return String(Math.floor(figure))
  if (column === 'rhat' && figure < 1e6) return figure.toFixed(RHAT_DECIMALS)
  return significant(figure, column.startsWith('mcse_') ? ERROR_DIGITS : DIGITS)
}

/** So many significant digits, but no digit before the decimal point is dropped. */
function significant(value: number, digits: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size < 1e-5 || size >= 1e9) return value.toExponential(digits - 1)
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)))
  return value.toFixed(decimals)
}
