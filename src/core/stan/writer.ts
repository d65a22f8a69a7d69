/**
 * A chain as CmdStan would have written it: comments with the settings, the names, warmup draws, the adaptation, draws, and the
 * time that it took. Readers look for all of it.
 *
 * https://mc-stan.org/docs/cmdstan-guide/stan_csv_apdx.html
 */
import { type NumericArray, viewAs } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'
import { rowWindows, type Selection } from '../selection.ts'
import { renamed, stanOrder, type WrittenColumn, type WrittenColumns } from './written-columns.ts'

/** Characters that are gathered before they are given. */
const TEXT_STEP = 64 * 1024
/** Bytes of draws that are read at a time. */
const WINDOW_BYTES = 1024 * 1024
/** Names in a comment at most. */
const MOST_NAMES = 100
/** Numbers of a line of the metric, and settings that a run of another sampler has not. */
const UNKNOWN_WARMUP = 1000

/** A chain as the comments of its file describe it. */
export interface WrittenChain {
  readonly chain: number
  readonly model: string
  /** Warmup draws, which come first in the selection. */
  readonly warmup: number
  /** Draws behind them. */
  readonly draws: number
  /** Draws of the warmup, where the file has none of them. */
  readonly warmupOutside: number | undefined
  readonly version: readonly [major: string, minor: string, patch: string]
  readonly seed: string
  readonly maxDepth: string
  readonly delta: string
  readonly stepSize: number
  /** A diagonal, or rows of a dense one. */
  readonly inverseMetric: readonly number[] | readonly (readonly number[])[]
  readonly seconds: { readonly warmup: number; readonly total: number }
}

/**
 * Stats of NUTS that a run has not: readers take a file with only some of them for one of another method, and refuse its warmup. A
 * file without any of them, and without warmup, is read as it is; and a run that came from Stan has the columns that Stan wrote.
 */
interface Unknown {
  readonly names: readonly string[]
  /** Cells of a row for them. */
  readonly cells: readonly string[]
}

function unknownStats(chain: WrittenChain, { stats }: WrittenColumns): Unknown {
  const known = new Set(stats.map(({ name }) => name))
  const cells: Readonly<Record<string, string>> = {
    accept_stat__: 'nan',
    stepsize__: String(chain.stepSize),
    treedepth__: '0',
    n_leapfrog__: '0',
    divergent__: '0',
    energy__: 'nan',
  }
  const missing = Object.keys(cells).filter((name) => !known.has(name))
  const isOfStan = stats.some(({ spec, name }) => spec.name === name)
  const isNeeded = !isOfStan && (chain.warmup > 0 || missing.length < Object.keys(cells).length)
  const names = isNeeded ? missing : []
  return { names, cells: names.map((name) => cells[name] ?? 'nan') }
}

/** @param selection the columns, stats before variables */
export async function* writeChain(
  chain: WrittenChain,
  columns: WrittenColumns,
  selection: Selection,
): AsyncGenerator<string> {
  const unknown = unknownStats(chain, columns)
  yield `${[...settingsOf(chain, columns), ...listed('not known, and so of no meaning here: ', unknown.names)]
    .map((line) => `# ${line}\n`)
    .join('')}`
  yield* gathered(namesLine(columns, unknown))
  if (chain.warmup === 0) yield adaptationOf(chain)
  yield* rowsOf(chain, columns, { unknown, selection })
  yield timing(chain)
}

function settingsOf(chain: WrittenChain, columns: WrittenColumns): string[] {
  const isDense = Array.isArray(chain.inverseMetric[0])
  const [major, minor, patch] = chain.version
  return [
    `stan_version_major = ${major}`,
    `stan_version_minor = ${minor}`,
    `stan_version_patch = ${patch}`,
    `model = ${chain.model}`,
    ...remarks(columns),
    'method = sample (Default)',
    '  sample',
    `    num_samples = ${chain.draws}`,
    `    num_warmup = ${Math.max(1, chain.warmup > 0 ? chain.warmup : (chain.warmupOutside ?? UNKNOWN_WARMUP))}`,
    `    save_warmup = ${chain.warmup > 0 ? 1 : 0}`,
    '    thin = 1 (Default)',
    '    adapt',
    '      engaged = 1 (Default)',
    '      gamma = 0.05 (Default)',
    `      delta = ${chain.delta}`,
    '      kappa = 0.75 (Default)',
    '      t0 = 10 (Default)',
    '      init_buffer = 75 (Default)',
    '      term_buffer = 50 (Default)',
    '      window = 25 (Default)',
    '    algorithm = hmc (Default)',
    '      hmc',
    '        engine = nuts (Default)',
    '          nuts',
    `            max_depth = ${chain.maxDepth}`,
    `        metric = ${isDense ? 'dense_e' : 'diag_e (Default)'}`,
    '        metric_file =  (Default)',
    '        stepsize = 1 (Default)',
    '        stepsize_jitter = 0 (Default)',
    `id = ${chain.chain + 1}`,
    'data',
    '  file =  (Default)',
    'init = 2 (Default)',
    'random',
    `  seed = ${chain.seed}`,
    'output',
    `  file = output_${chain.chain + 1}.csv`,
    '  diagnostic_file =  (Default)',
    '  refresh = 100 (Default)',
  ]
}

/** Sentences on what the file has not, or under another name; none holds a sign by which readers know a setting. */
function remarks(columns: WrittenColumns): string[] {
  const others = renamed(columns)
  return [
    ...listed('left out, as Stan has no place for it: ', columns.leftOut.map(quoted)),
    ...listed(
      'renamed: ',
      others.map(({ spec, name, ending }) => `${name}${ending} was ${quoted(spec.name)}`),
    ),
  ]
}

function listed(beginning: string, names: readonly string[]): string[] {
  if (names.length === 0) return []
  const more = names.length > MOST_NAMES ? `; and ${names.length - MOST_NAMES} more` : ''
  return [`${beginning}${names.slice(0, MOST_NAMES).join('; ')}${more}`]
}

function quoted(name: string): string {
  return JSON.stringify(name).replace(/[=,]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`)
}

/** A setting that a text of the run gives: one line, without a sign by which readers part name and value. */
export function settingText(text: string): string {
  return text.replace(/[\s=,"#]+/g, '_').slice(0, 200)
}

function* namesLine({ stats, draws }: WrittenColumns, unknown: Unknown): Generator<string> {
  if (stats[0]?.name !== 'lp__') yield 'lp__'
  let separator = stats[0]?.name === 'lp__' ? '' : ','
  for (const { name } of stats) {
    yield `${separator}${name}`
    separator = ','
  }
  for (const name of unknown.names) yield `,${name}`
  for (const { spec, name, ending } of draws) {
    for (const { index } of stanOrder(spec.shape)) yield `,${name}${index.map((i) => `.${i + 1}`).join('')}${ending}`
  }
  yield '\n'
}

function* gathered(texts: Generator<string>): Generator<string> {
  let all = ''
  for (const text of texts) {
    all += text
    if (all.length < TEXT_STEP) continue
    yield all
    all = ''
  }
  yield all
}

function adaptationOf({ stepSize, inverseMetric }: WrittenChain): string {
  const [first] = inverseMetric
  const isDense = Array.isArray(first)
  const rows: readonly (readonly number[])[] = isDense ? rowsIn(inverseMetric) : [numbersIn(inverseMetric)]
  return [
    'Adaptation terminated',
    `Step size = ${stepSize}`,
    `${isDense ? 'Elements' : 'Diagonal elements'} of inverse mass matrix:`,
    ...rows.map((row) => row.join(', ')),
  ]
    .map((line) => `# ${line}\n`)
    .join('')
}

function rowsIn(metric: WrittenChain['inverseMetric']): readonly (readonly number[])[] {
  return metric.filter((row) => typeof row !== 'number')
}

function numbersIn(metric: WrittenChain['inverseMetric']): readonly number[] {
  return metric.filter((value) => typeof value === 'number')
}

async function* rowsOf(
  chain: WrittenChain,
  { stats, draws }: WrittenColumns,
  { unknown, selection }: { readonly unknown: Unknown; readonly selection: Selection },
): AsyncGenerator<string> {
  const columns = [...stats, ...draws]
  const cells = unknown.cells.map((cell) => `${cell},`).join('')
  const before = `${stats[0]?.name === 'lp__' ? '' : '0,'}${stats.length === 0 ? cells : ''}`
  const between = { at: stats.length, cells }
  for await (const { done, count, segments } of rowWindows(selection, WINDOW_BYTES)) {
    const values = columns.map((column, i) => new Values(column, segments[i] ?? new Uint8Array()))
    const texts = function* (): Generator<string> {
      for (let row = 0; row < count; row++) {
        if (done + row === chain.warmup && row + done > 0) yield adaptationOf(chain)
        yield before
        yield* rowTexts(values, row, between)
      }
    }
    yield* gathered(texts())
  }
  if (chain.warmup > 0 && chain.draws === 0) yield adaptationOf(chain)
}

/** @param between cells that stand before the column at a place behind the first */
function* rowTexts(
  values: readonly Values[],
  row: number,
  between: { readonly at: number; readonly cells: string },
): Generator<string> {
  let line = ''
  for (const [i, column] of values.entries()) {
    if (i > 0) line += i === between.at ? `,${between.cells}` : ','
    if (column.isSmall) {
      line += column.text(row)
      continue
    }
    yield line
    yield* column.texts(row)
    line = ''
  }
  if (values.length === between.at && between.cells !== '') line += `,${between.cells.slice(0, -1)}`
  yield `${line}\n`
}

/** Elements of a column whose text is made at once. */
const SMALL = 4096

/** Draws of one column, as text. */
class Values {
  readonly isSmall: boolean
  private readonly array: NumericArray
  private readonly column: WrittenColumn

  constructor(column: WrittenColumn, segment: Bytes) {
    this.column = column
    this.isSmall = column.spec.elements <= SMALL
    this.array = viewAs(column.spec.dtype, segment)
  }

  /** The cells of a row, in the order of their names. */
  text(row: number): string {
    const { elements } = this.column.spec
    return elements === 1 ? cellOf(this.array[row]) : [...this.cells(row)].join()
  }

  *texts(row: number): Generator<string> {
    let separator = ''
    for (const cell of this.cells(row)) {
      yield separator + cell
      separator = ','
    }
  }

  private *cells(row: number): Generator<string> {
    const { shape, elements } = this.column.spec
    const first = row * elements
    if (shape.length > 1) for (const { place } of stanOrder(shape)) yield cellOf(this.array[first + place])
    else for (let i = 0; i < elements; i++) yield cellOf(this.array[first + i])
  }
}

/** A number with as many digits as bring it back, and as C++ writes what is none. */
function cellOf(value: number | bigint | undefined): string {
  if (typeof value === 'bigint' || Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  return value === Number.NEGATIVE_INFINITY ? '-inf' : 'nan'
}

function timing({ seconds: { warmup, total } }: WrittenChain): string {
  const sampling = Math.max(0, total - warmup)
  return [
    '# \n',
    `#  Elapsed Time: ${warmup} seconds (Warm-up)\n`,
    `#                ${sampling} seconds (Sampling)\n`,
    `#                ${total} seconds (Total)\n`,
    '# \n',
  ].join('')
}
