/** The line of column names. */
import { StanError } from './stan-error.ts'

/** The names of a line, one after the other: cells between commas, of which those in quotes may hold commas. */
export function namesIn(line: string): () => Generator<string> {
  return line.includes('"') ? () => quotedCells(line) : () => plainCells(line)
}

function* plainCells(line: string): Generator<string> {
  for (let at = 0; at <= line.length; ) {
    const comma = line.indexOf(',', at)
    const end = comma < 0 ? line.length : comma
    yield line.slice(at, end).trim()
    at = end + 1
  }
}

/** Cells as R and Python quote them: a quote within quotes is written twice. */
function* quotedCells(line: string): Generator<string> {
  for (let at = 0; at <= line.length; ) {
    let cell = ''
    if (line[at] === '"') {
      const end = closingQuote(line, at + 1)
      cell = line.slice(at + 1, end).replaceAll('""', '"')
      at = end + 1
    }
    const comma = line.indexOf(',', at)
    const end = comma < 0 ? line.length : comma
    yield `${cell}${line.slice(at, end)}`.trim()
    at = end + 1
  }
}

function closingQuote(line: string, from: number): number {
  for (let at = from; ; at += 2) {
    const quote = line.indexOf('"', at)
    if (quote < 0) throw new StanError('a quote in the names of the columns has no end')
    if (line[quote + 1] !== '"') return quote
    at = quote
  }
}

/** Columns of tables that hold all chains at once, of PyStan, CmdStanPy and posterior. */
const TABLE_COLUMNS: ReadonlySet<string> = new Set([
  'chain__',
  'iter__',
  'draw__',
  '.chain',
  '.iteration',
  '.draw',
  'draws',
])
/** Columns that Hamiltonian Monte Carlo writes, in every version, and the sampler with fixed parameters does not. */
const HMC_COLUMNS: ReadonlySet<string> = new Set([
  'stepsize__',
  'treedepth__',
  'n_leapfrog__',
  'divergent__',
  'energy__',
  'int_time__',
])
/** Columns among which those of a diagnostic file are looked for. */
const LOOKED_AT = 30_000

/** Facts that the names tell beside the variables. */
export interface NamesFacts {
  readonly count: number
  readonly first: string
  readonly hasHmc: boolean
}

/**
 * Looks at all names.
 *
 * @param kind `plain` for a file without any settings
 * @throws StanError for a column without a name, and for tables that are no chain of draws
 */
export function lookAtNames(line: string, names: () => Iterable<string>, kind: 'stan' | 'plain'): NamesFacts {
  const own: string[] = []
  let count = 0
  let first = ''
  let hasHmc = false
  for (const name of names()) {
    if (count === 0) first = name
    count++
    requireColumn(name, count, kind)
    hasHmc ||= HMC_COLUMNS.has(name)
    if (own.length <= LOOKED_AT && !name.endsWith('__')) own.push(name)
  }
  if (kind === 'plain' && count === 1 && /[;\t]/.test(line)) {
    throw new StanError('columns are separated by commas in a CSV file, and numbers have a decimal point')
  }
  if (own.length <= LOOKED_AT && isDiagnostic(own)) {
    throw new StanError('this is a diagnostic file: unconstrained values, momenta and gradients, not draws')
  }
  return { count, first, hasHmc }
}

function requireColumn(name: string, place: number, kind: 'stan' | 'plain'): void {
  if (name === '') {
    throw new StanError(`column ${place} has no name: write the table without row names (index=False in pandas)`)
  }
  if (kind === 'plain' && TABLE_COLUMNS.has(name)) {
    throw new StanError('this is a table of all chains: write a file a chain')
  }
}

function isDiagnostic(own: readonly string[]): boolean {
  const third = Math.floor(own.length / 3)
  if (third === 0 || own.length !== 3 * third) return false
  return own.every((name, i) => i < third || name === `${i < 2 * third ? 'p' : 'g'}_${own[i % third]}`)
}
