/** Cursors of a summary: they carry the moment, so that all pages are of the same draws. */
import { McbError } from '../errors.ts'
import { isObject, type JsonValue, parseJson } from '../json.ts'
import type { Moment } from './moment.ts'
import type { Sort } from './question.ts'
import type { LeftOutChain } from './summary.ts'

export interface SummaryCursor {
  readonly registration: string
  readonly moment: Moment
  readonly sort: Sort | undefined
  /** Rows before the page. */
  readonly offset: number
}

/** Numbers of equal value that follow on each other, as value and count. */
type Runs = readonly (readonly [value: number, count: number])[]

export function encodeCursor({ registration, moment, sort, offset }: SummaryCursor): string {
  const { chains, leftOut, draws, updatedAt } = moment
  const text = JSON.stringify({
    r: registration,
    o: offset,
    s: sort === undefined ? '' : textOfSort(sort),
    n: draws,
    t: updatedAt,
    c: runsOf(steps(chains.map(({ chain }) => chain))),
    f: runsOf(chains.map(({ first }) => first)),
    d: runsOf(chains.map((part) => part.draws)),
    w: runsOf(chains.map(({ warmup }) => warmup)),
    l: leftOut.map(({ chain, reason }) => [chain, reason]),
  })
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}

/** @throws McbError `invalid_parameter` for a text that is no cursor of this sort */
export function decodeCursor(text: string, sort: Sort | undefined): SummaryCursor {
  const cursor = parseCursor(text)
  if (cursor === undefined)
    throw new McbError('invalid_parameter', '"cursor" must be the nextCursor of the page before')
  if (cursor.sort !== (sort === undefined ? '' : textOfSort(sort))) {
    throw new McbError('invalid_parameter', `"cursor" is of pages with another "sort" (${cursor.sort || 'none'})`)
  }
  return { ...cursor, sort }
}

function textOfSort({ column, order }: Sort): string {
  return order === 'falling' ? `-${column}` : column
}

function parseCursor(text: string): (Omit<SummaryCursor, 'sort'> & { readonly sort: string }) | undefined {
  let parsed: JsonValue
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    parsed = parseJson(new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0))))
  } catch {
    return undefined
  }
  if (!isObject(parsed)) return undefined
  const { r, o, s, n, t, c, f, d, w, l } = parsed
  if (typeof r !== 'string' || typeof s !== 'string' || !isCount(o) || !isCount(n) || !isCount(t)) return undefined
  const [numbers, firsts, draws, warmups] = [c, f, d, w].map(numbersOf)
  const leftOut = leftOutOf(l)
  if (numbers === undefined || firsts === undefined || draws === undefined || warmups === undefined) return undefined
  if ([firsts, draws, warmups].some(({ length }) => length !== numbers.length) || leftOut === undefined)
    return undefined
  let chain = 0
  const chains = numbers.map((step, i) => {
    chain += step
    return { chain, first: firsts[i] ?? 0, draws: draws[i] ?? 0, warmup: warmups[i] ?? 0 }
  })
  if (chains.some((part) => part.draws < n)) return undefined
  return { registration: r, offset: o, sort: s, moment: { chains, leftOut, draws: n, updatedAt: t } }
}

function steps(values: readonly number[]): number[] {
  return values.map((value, i) => value - (values[i - 1] ?? 0))
}

function runsOf(values: readonly number[]): Runs {
  const runs: [number, number][] = []
  for (const value of values) {
    const last = runs.at(-1)
    if (last?.[0] === value) last[1]++
    else runs.push([value, 1])
  }
  return runs
}

/** Chains of a cursor at most: as many as a run may have. */
const MOST = 10_000

function numbersOf(runs: JsonValue | undefined): number[] | undefined {
  if (!Array.isArray(runs)) return undefined
  const values: number[] = []
  for (const run of runs) {
    if (!Array.isArray(run)) return undefined
    const [value, count] = run
    if (!isCount(value) || !isCount(count) || values.length + count > MOST) return undefined
    for (let i = 0; i < count; i++) values.push(value)
  }
  return values
}

function leftOutOf(given: JsonValue | undefined): LeftOutChain[] | undefined {
  if (!Array.isArray(given)) return undefined
  const found: LeftOutChain[] = []
  for (const each of given) {
    if (!Array.isArray(each)) return undefined
    const [chain, reason] = each
    if (!isCount(chain) || (reason !== 'no_draws' && reason !== 'short')) return undefined
    found.push({ chain, reason })
  }
  return found
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
