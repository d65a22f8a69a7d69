/** A page of the list of runs, newest first: from the tables of runs, or from the catalogue of run objects. */
import type { ShownAbout } from '../../core/about.ts'
import { readRunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import { parseJson } from '../../core/json.ts'
import type { ListPage, ListQuery, RunLine } from '../../core/store.ts'
import { numberIn, type Param, type Program, type Row, textIn } from '../../sql/program.ts'

/** Tables of which one lists runs, the other has their terms. */
export interface ListTables {
  readonly runs: string
  /** Index of `runs` in which all lies that a list judges a run by. */
  readonly index: string
  readonly terms: string
  /** Condition that hides a run. */
  readonly live: string
  /** Expression of a run's last write, and one that may be less exact, but is never earlier and costs less. */
  readonly updated: string
  readonly touched: string
  /** A query of the lines of `page`, a table of ids, by `summaryIn`'s columns, and `id`. */
  readonly lines: (page: string) => string
}

/** Milliseconds by which the cheap time of a last write may lie before the exact one. */
const TOUCH_MS = 60_000

/** The minute of a time: the row of a run is in an index, and moves with the first append of a chain in each. */
export function minuteOf(time: number): number {
  return Math.floor(time / TOUCH_MS)
}

/** The runs behind `before`, by one statement. */
export function* pageOfRuns(tenant: string, query: ListQuery, tables: ListTables): Program<ListPage> {
  return pageOf(yield* linesOfRuns(tenant, query, tables), query)
}

/** Rows of a page's lines, and of the one behind it. */
export function* linesOfRuns(tenant: string, query: ListQuery, tables: ListTables): Program<readonly Row[]> {
  const page = idsOf(tenant, query, tables)
  const [rows = []] = yield {
    reads: [{ sql: tables.lines(page.sql), params: page.params }],
  }
  return rows
}

/** A page of rows in their order, of which there are more than its limit where it is not the last one. */
export function pageOf(rows: readonly Row[], { limit }: ListQuery): ListPage {
  const runs = rows.slice(0, limit).map(lineIn)
  const last = rows[limit - 1]
  return rows.length > limit && last !== undefined ? { runs, next: String(numberIn(last, 'id')) } : { runs }
}

interface Condition {
  readonly sql: string
  readonly params: readonly Param[]
}

/** Terms that lead a search together: D1 takes few SELECTs in one. */
const LEADERS = 3

/** A query of the ids of a page's runs: along the terms that they must have, else along the index of all runs. */
function idsOf(tenant: string, query: ListQuery, tables: ListTables): Condition {
  const { before, terms } = query
  const place = [tenant, before === undefined ? Number.MAX_SAFE_INTEGER : Number(before)] as const
  const alone = [...new Set(terms.flatMap((any) => (any.length === 1 ? any : [])))]
  const several = terms.filter((any) => any.length > 1)
  const [leader = [], ...others] = several
  if (alone.length > 0) {
    const rest = [...conditionsOf(query, tables), ...termConditions(alone.slice(LEADERS), several, tables)]
    return withAll(alone.slice(0, LEADERS), place, query, rest, tables)
  }
  const rest = [...conditionsOf(query, tables), ...termConditions([], others, tables)]
  if (leader.length > 0) return withOne(leader, place, query, rest, tables)
  const scan = `${tables.runs} r INDEXED BY ${tables.index} WHERE r.tenant = ? AND r.id < ?`
  return chosen({ sql: scan, params: place }, 'r.id', query, rest, ' ORDER BY r.id DESC')
}

type Place = readonly [tenant: string, before: number]

/** A query of the first ids of `from` for which `rest` holds. */
function chosen(
  from: Condition,
  id: string,
  { limit }: ListQuery,
  rest: readonly Condition[],
  order: string,
): Condition {
  const where = ` AND ${allOf(rest.map(({ sql }) => sql))}`
  const params = [...from.params, ...rest.flatMap((condition) => condition.params), limit + 1]
  return { sql: `SELECT ${id} AS id FROM ${from.sql}${where}${order} LIMIT ?`, params }
}

const withTerm = ({ terms }: ListTables) => `SELECT run_id FROM ${terms} WHERE tenant = ? AND term = ? AND run_id < ?`
const inOrder = ({ runs }: ListTables) => `CROSS JOIN ${runs} r ON r.id = t.run_id WHERE true`

/** Runs with all of the terms, whose sets SQLite merges as it goes: a page ends as soon as it is full. */
function withAll(
  all: readonly string[],
  [tenant, before]: Place,
  query: ListQuery,
  rest: readonly Condition[],
  tables: ListTables,
): Condition {
  // The limit, which limits nothing, keeps SQLite from leaving the order out in which the runs then come.
  const merged = `${all.map(() => withTerm(tables)).join(' INTERSECT ')} ORDER BY run_id DESC LIMIT -1`
  const params = all.flatMap((term) => [tenant, term, before])
  return chosen({ sql: `(${merged}) t ${inOrder(tables)}`, params }, 't.run_id', query, rest, '')
}

/** Runs with one of the terms. A run has at most one of them, so that none comes twice. */
function withOne(
  any: readonly string[],
  [tenant, before]: Place,
  query: ListQuery,
  rest: readonly Condition[],
  tables: ListTables,
): Condition {
  const from = `(${withTerm(tables)}) t ${inOrder(tables)}`
  const order = ' ORDER BY t.run_id DESC'
  const each = any.map((term) => chosen({ sql: from, params: [tenant, term, before] }, 't.run_id', query, rest, order))
  return {
    sql: `${each.map(({ sql }) => `SELECT id FROM (${sql})`).join(' UNION ALL ')} ORDER BY id DESC LIMIT ?`,
    params: [...each.flatMap(({ params }) => params), query.limit + 1],
  }
}

function conditionsOf({ rid, part, since, until, updatedSince, archived }: ListQuery, tables: ListTables): Condition[] {
  const conditions: Condition[] = [{ sql: tables.live, params: [] }]
  const add = (sql: string, ...params: Param[]) => conditions.push({ sql, params })
  if (rid !== undefined) add('r.rid = ?', rid)
  if (archived !== undefined) add('r.archived = ?', archived ? 1 : 0)
  if (since !== undefined) add('r.created_at >= ?', since)
  if (until !== undefined) add('r.created_at < ?', until)
  if (part !== undefined) add('(instr(lower(r.rid), ?) > 0 OR instr(r.folded, ?) > 0)', part, part)
  if (updatedSince !== undefined) {
    add(`${tables.touched} >= ?`, updatedSince - TOUCH_MS)
    add(`${tables.updated} >= ?`, updatedSince)
  }
  return conditions
}

/** Each condition by itself, so that the first that fails ends the look at a run. */
function termConditions(
  alone: readonly string[],
  several: readonly (readonly string[])[],
  { terms }: ListTables,
): Condition[] {
  return [...alone.map((term) => [term]), ...several].map((any) => ({
    sql: `EXISTS (SELECT 1 FROM ${terms} x WHERE x.run_id = r.id AND x.term IN (${any.map(() => '?').join()}))`,
    params: any,
  }))
}

/** Conditions that all hold, as a tree of little depth: D1 takes expressions of a depth of 100. */
function allOf(conditions: readonly string[]): string {
  const [only = 'true'] = conditions
  if (conditions.length < 2) return only
  const half = conditions.length >> 1
  return `(${allOf(conditions.slice(0, half))} AND ${allOf(conditions.slice(half))})`
}

export function lineIn(row: Row): RunLine {
  return {
    rid: textIn(row, 'rid'),
    createdAt: new Date(numberIn(row, 'created_at')),
    updatedAt: new Date(numberIn(row, 'updated_at')),
    variables: numberIn(row, 'variables'),
    sampleStats: numberIn(row, 'sample_stats'),
    chains: numberIn(row, 'chains'),
    draws: numberIn(row, 'draws'),
    ...readShown(textIn(row, 'shown')),
    archived: row.archived === 1,
    finished: row.finished === 1,
    expected: row.expected === null ? null : numberIn(row, 'expected'),
    shortest: numberIn(row, 'shortest'),
    diagnostics: typeof row.diagnostics === 'string' ? readRunDiagnostics(parseJson(row.diagnostics)) : null,
  }
}

/** Name and tags in JSON: a text with a NUL is safe in it wherever it passes. Empty without both. */
export function writeShown({ name, tags }: Pick<ShownAbout, 'name' | 'tags'>): string {
  return name === null && tags.length === 0 ? '' : JSON.stringify([name, ...tags])
}

export function readShown(text: string): Pick<ShownAbout, 'name' | 'tags'> {
  if (text === '') return { name: null, tags: [] }
  const [name, ...tags]: [string | null, ...string[]] = JSON.parse(text)
  return { name, tags }
}
