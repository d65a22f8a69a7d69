/** The rows of the list: lines that a view shows, in its order. */
import { fold } from '../../../../src/core/finding.ts'
import type { RunLine } from '../../api/shapes.ts'
import type { ListView, Shown, Sort } from './list-view.ts'
import { type Eta, etaOf, leastEss } from './pace.ts'

export interface Row {
  readonly line: RunLine
  /** Draws a second; undefined where that is not known. */
  readonly rate: number | undefined
  readonly eta: Eta
}

export interface Counts {
  readonly live: number
  readonly all: number
}

export function countsOf(lines: readonly RunLine[]): Counts {
  return { live: lines.filter(({ state }) => state === 'live').length, all: lines.length }
}

/**
 * Lines that the view shows, in its order. Lines of an earlier question may be among them until the answer to the present
 * one is there: those that cannot belong to it are left out at once.
 */
export function rowsOf(
  lines: readonly RunLine[],
  view: ListView,
  rateOf: (rid: string) => number | undefined,
): readonly Row[] {
  const part = fold(view.q)
  const rows = lines
    .filter((line) => isShown(line, view.shown) && isFound(line, view, part))
    .map((line) => {
      const rate = line.state === 'live' ? rateOf(line.rid) : undefined
      return { line, rate, eta: etaOf(line, rate) }
    })
  return sorted(rows, view)
}

export function isShown({ state, diagnostics }: RunLine, shown: Shown): boolean {
  switch (shown) {
    case 'all':
      return true
    case 'problem':
      return diagnostics?.status === 'fail'
    default:
      return state === shown
  }
}

function isFound(line: RunLine, view: ListView, part: string): boolean {
  const { tags, archived } = line
  if (view.archived !== 'any' && archived !== (view.archived === 'true')) return false
  if (!view.tags.every((tag) => tags.includes(tag))) return false
  if (part === '') return true
  const { rid, name } = foldedOf(line)
  return rid.includes(part) || name.includes(part)
}

interface Folded {
  readonly rid: string
  readonly name: string
}

const folded = new WeakMap<RunLine, Folded>()

/** Names as they are compared: kept, as a search asks for all of them at each letter. */
function foldedOf(line: RunLine): Folded {
  const known = folded.get(line)
  if (known !== undefined) return known
  const found = { rid: fold(line.rid), name: line.name === null ? '' : fold(line.name) }
  folded.set(line, found)
  return found
}

/** Rows by a key; those without it come last in either order, and ties are newest first. */
function sorted(rows: readonly Row[], { sort, order }: ListView): readonly Row[] {
  // Lines come newest first but for a few, so that this costs next to nothing.
  const newest = rows.toSorted((a, b) => compareText(b.line.createdAt, a.line.createdAt))
  if (sort === 'started') return order === 'falling' ? newest : newest.toReversed()
  const sign = order === 'rising' ? 1 : -1
  const key = KEYS[sort]
  const keyed = newest.map((row) => ({ row, key: key(row) }))
  const known = keyed.flatMap(({ row, key }) => (key === undefined ? [] : [{ row, key }]))
  known.sort((a, b) => sign * compare(a.key, b.key))
  return [...known.map(({ row }) => row), ...keyed.flatMap(({ row, key }) => (key === undefined ? [row] : []))]
}

type Key = number | string | undefined

const STATE_ORDER = { live: 0, silent: 1, done: 2 } as const
const STATUS_ORDER = { fail: 0, warn: 1, ok: 2, unknown: 3 } as const

const KEYS: Readonly<Record<Sort, (row: Row) => Key>> = {
  state: ({ line }) => 10 * STATE_ORDER[line.state] + STATUS_ORDER[line.diagnostics?.status ?? 'unknown'],
  name: ({ line }) => foldedOf(line).name || foldedOf(line).rid,
  started: ({ line }) => line.createdAt,
  chains: ({ line }) => line.chains,
  draws: ({ line }) => line.draws,
  rate: ({ rate }) => rate,
  rhat: ({ line }) => line.diagnostics?.rhat ?? undefined,
  ess: ({ line }) => leastEss(line.diagnostics),
  divergences: ({ line }) => line.diagnostics?.divergences ?? undefined,
  bfmi: ({ line }) => line.diagnostics?.bfmi ?? undefined,
  eta: ({ eta }) => etaKey(eta),
}

function etaKey(eta: Eta): number | undefined {
  switch (eta.kind) {
    case 'left':
      return eta.seconds
    case 'rhat':
      return Number.MAX_VALUE
    default:
      return undefined
  }
}

function compare(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : compareText(String(a), String(b))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
