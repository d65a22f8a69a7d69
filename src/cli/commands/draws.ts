/** `mcb draws`: draws of some variables as a table, or as CSV. */
import type { HttpChain, HttpRun, NdArray } from '../../client/index.ts'
import type { ColumnSpec } from '../../core/draws/columns.ts'
import { type Elements, parseElements, resolveElements } from '../../core/draws/elements.ts'
import { type ResolvedSlice, resolveSlice, sliceOf, subSlice } from '../../core/draws/slice.ts'
import { drawAt } from '../../core/draws/values.ts'
import type { Draws } from '../../core/interfaces.ts'
import { CliError, UsageError } from '../cli-error.ts'
import { type Command, type Given, textOf, textsOf } from '../command.ts'
import { countIn, indexIn } from '../options.ts'
import { printed } from '../output.ts'
import { requireRun } from '../server.ts'
import { type Cell, table } from '../table.ts'
import { labelsOf } from './labels.ts'

/** Draws of a table where nothing is said of them, and at most. */
const ROWS = 20
const MOST_ROWS = 10_000
/** Elements of a table: more would not fit beside each other. */
const COLUMNS = 12
/** Columns of the terminal for one value. */
const VALUE_COLUMNS = 40
/** Values that are held at a time. */
const PAGE_VALUES = 100_000
/** Elements of a draw in CSV. */
const CSV_COLUMNS = 100_000

/** A column that is shown: some elements of each draw, or a draw as one value where its shape varies. */
interface Wanted {
  readonly spec: ColumnSpec
  readonly elements: Elements | undefined
  readonly heads: readonly string[]
}

export const draws: Command = {
  usage: 'draws RID',
  about: 'draws of a variable, as a table or as CSV',
  options: {
    var: { type: 'string', multiple: true },
    stat: { type: 'string', multiple: true },
    chain: { type: 'string' },
    start: { type: 'string' },
    stop: { type: 'string' },
    step: { type: 'string' },
    elem: { type: 'string' },
    all: { type: 'boolean' },
    csv: { type: 'boolean' },
  },
  optionHelp: [
    '--var NAME           a variable; may be repeated',
    '--stat NAME          a sampler stat; may be repeated',
    '--chain N            the chain   [the first one]; all: one after the other',
    '--start I --stop I --step I',
    `                     Python's slice   [the last ${ROWS} draws]`,
    `--all                all draws; a table has at most ${MOST_ROWS}`,
    `--elem LIST          elements as 0,3,10:20, of one variable or stat   [the first ${COLUMNS}; all in CSV]`,
    '--csv                comma-separated values, with all digits',
  ],
  examples: [
    'draws my-run --var mu --var theta',
    'draws my-run --var theta --elem 0,3 --start -5',
    'draws my-run --var mu --chain all --all --csv > mu.csv',
  ],
  args: 1,
  run: async ({ backend }, [rid = ''], given) => {
    const run = await requireRun(backend, rid)
    const isCsv = given.csv === true
    const wanted = wantedOf(run, given, isCsv ? CSV_COLUMNS : COLUMNS)
    const chains = await chainsOf(run, textOf(given, 'chain'))
    const slice = sliceGiven(given)
    if (isCsv) return writeCsv(chains, wanted, slice)
    const rows: Cell[][] = []
    for (const chain of chains) {
      const resolved = resolveSlice(slice, await chain.length())
      if (rows.length + resolved.count > MOST_ROWS) {
        throw new UsageError(`a table has at most ${MOST_ROWS} draws; say --start and --stop, or --csv`)
      }
      for await (const row of rowsOf(chain, wanted, resolved)) rows.push(row.map(short))
    }
    const heads = ['CHAIN', 'DRAW', ...wanted.flatMap(({ heads }) => heads)]
    const most = heads.map((_, column) => (column < 2 ? undefined : VALUE_COLUMNS))
    const left = wanted.flatMap(({ spec, heads }) => leftOut(spec, heads.length, given))
    const json = { rid, columns: heads.slice(2), rows: rows.map((row) => row.map((value) => value ?? null)) }
    return { json, text: [table(heads, rows, most), ...left].join('\n') }
  },
}

function leftOut(spec: ColumnSpec, shownElements: number, given: Given): string[] {
  if (spec.layout === 'ragged' || given.elem !== undefined || spec.elements <= shownElements) return []
  return [`… and ${spec.elements - shownElements} more elements of ${spec.name}: --elem, or --csv`]
}

function wantedOf(run: HttpRun, given: Given, most: number): Wanted[] {
  const names = (['var', 'stat'] as const).flatMap((option) => textsOf(given, option).map((name) => ({ option, name })))
  const elem = textOf(given, 'elem')
  if (names.length === 0)
    throw new UsageError('say which variable: --var NAME, or --stat NAME; "mcb runs show RID" lists them')
  if (elem !== undefined && names.length > 1) throw new UsageError('--elem is for one variable or stat')
  return names.map(({ option, name }) => {
    const spec = run.schema[option === 'var' ? 'draws' : 'stats'].get(name)
    if (spec === undefined) {
      throw new CliError(
        `run "${run.rid}" has no ${option === 'var' ? 'variable' : 'sampler stat'} "${name}"`,
        'unknown_variable',
      )
    }
    return wantedColumn(run, spec, elem, most)
  })
}

function wantedColumn(run: HttpRun, spec: ColumnSpec, elem: string | undefined, most: number): Wanted {
  if (spec.layout === 'ragged') {
    if (elem !== undefined) throw new UsageError(`the shape of "${spec.name}" varies: --elem is for fixed ones`)
    return { spec, elements: undefined, heads: [spec.name] }
  }
  const count = Math.min(spec.elements, most)
  if (elem === undefined && count === 0) return { spec, elements: undefined, heads: [] }
  const elements = elem === undefined ? [[0, count] as const] : parseElements(elem)
  const indices = resolveElements(spec, elements).ranges.flatMap(([from, to]) =>
    Array.from({ length: to - from }, (_, i) => from + i),
  )
  return { spec, elements, heads: labelsOf(run, spec, indices) }
}

async function chainsOf(run: HttpRun, text: string | undefined): Promise<HttpChain[]> {
  const chains = await run.getChains()
  if (text === 'all') return chains
  const number = text === undefined ? chains[0]?.number : countIn({ chain: text }, 'chain', 2 ** 31 - 1)
  const chain = chains.find((each) => each.number === number)
  if (chain !== undefined) return [chain]
  throw new CliError(
    `run "${run.rid}" has ${number === undefined ? 'no chains' : `no chain ${number}`}`,
    'chain_not_found',
  )
}

function sliceGiven(given: Given) {
  const [start, stop, step] = [indexIn(given, 'start'), indexIn(given, 'stop'), indexIn(given, 'step')]
  const isAll = given.all === true || start !== undefined || stop !== undefined || step !== undefined
  return { start: isAll ? start : BigInt(-ROWS), stop, step }
}

/** Rows of a chain: its number, the index of the draw, and the values. Few values are held at a time. */
async function* rowsOf(chain: HttpChain, wanted: readonly Wanted[], slice: ResolvedSlice): AsyncGenerator<Cell[]> {
  const width = wanted.reduce((sum, { heads, spec }) => sum + (spec.layout === 'ragged' ? 1000 : heads.length), 1)
  const each = Math.max(1, Math.floor(PAGE_VALUES / width))
  for (let done = 0; done < slice.count; done += each) {
    const part = subSlice(slice, done, Math.min(each, slice.count - done))
    const pages: { readonly spec: ColumnSpec; readonly draws: Draws }[] = []
    for (const { spec, elements } of wanted)
      pages.push({ spec, draws: await columnOf(chain, spec, sliceOf(part), elements) })
    for (let i = 0; i < part.count; i++) {
      const values = pages.flatMap(({ spec, draws }) => valuesOf(spec, drawAt(spec, draws, i)))
      yield [chain.number, part.first + i * Number(part.step), ...values]
    }
  }
}

function columnOf(
  chain: HttpChain,
  { group, name }: ColumnSpec,
  slice: ReturnType<typeof sliceOf>,
  elements?: Elements,
) {
  return group === 'draws' ? chain.getDraws(name, slice, elements) : chain.getStats(name, slice, elements)
}

function valuesOf(spec: ColumnSpec, draw: NdArray): Cell[] {
  if (spec.layout === 'ragged') return [nested(draw)]
  const elements: ArrayLike<number | bigint | string> = draw.data
  return Array.from(elements, (element) => cellOf(draw.dtype, element))
}

function cellOf(dtype: NdArray['dtype'], element: number | bigint | string): Cell {
  if (dtype === 'bool') return element !== 0
  return typeof element === 'bigint' ? String(element) : element
}

/** A draw of any shape in one value: its shape, and its elements. */
function nested({ dtype, shape, data }: NdArray): string {
  const elements: ArrayLike<number | bigint | string> = data
  const texts = Array.from(elements, (element) => {
    const value = cellOf(dtype, element)
    return typeof value === 'string' && dtype === 'str' ? JSON.stringify(value) : String(value)
  })
  return shape.length === 0 ? (texts[0] ?? '') : `[${shape.join('×')}] ${texts.join(' ')}`
}

/** A float to six digits; NaN and infinities as their names. */
function short(value: Cell): Cell {
  if (typeof value !== 'number' || Number.isInteger(value) || !Number.isFinite(value)) return value
  return Number(value.toPrecision(6))
}

async function writeCsv(chains: readonly HttpChain[], wanted: readonly Wanted[], slice: ReturnType<typeof sliceGiven>) {
  await printed(`${['chain', 'draw', ...wanted.flatMap(({ heads }) => heads)].map(csvCell).join()}\n`)
  for (const chain of chains) {
    let lines = ''
    for await (const row of rowsOf(chain, wanted, resolveSlice(slice, await chain.length()))) {
      lines += `${row.map(csvCell).join()}\n`
      if (lines.length < 65_536) continue
      await printed(lines)
      lines = ''
    }
    await printed(lines)
  }
  return undefined
}

/** RFC 4180; true and false as Python's and R's readers of CSV take them. */
function csvCell(value: Cell): string {
  const text = Object.is(value, -0) ? '-0' : String(value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
