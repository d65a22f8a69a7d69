/** Pages of a read: one query for as many columns as a page holds, or for a part of one. */

import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import { type Bytes, weightOf } from '../../core/draws/segment.ts'
import { type ResolvedSlice, rangeOf, resolveSlice, subSlice } from '../../core/draws/slice.ts'
import { ELEMENTS_BYTES } from '../../core/draws/take.ts'
import type { Limits } from '../../core/limits.ts'
import type { ChainState, Question, Read, ReadCursor, ReadPage, Stretch } from '../../core/store.ts'
import { countOf, nextCursor, stretchesOf } from '../stretches.ts'
import {
  type Append,
  chainSince,
  lastState,
  OF_RUN,
  type RunKey,
  requireChain,
  requireLive,
  runParams,
} from './chains.ts'
import { type Chunks, chunkColumns, deletionColumns, readChunks } from './chunk.ts'
import { type Connection, type Params, unavailable } from './connection.ts'
import { type PickedElements, pickedElements } from './picked-elements.ts'
import { RowReader } from './row-binary.ts'

/** Weight that one page of an answer aims at, in bytes. */
const PAGE_BYTES = 4 * 1024 * 1024
/** Bytes of draws that ClickHouse goes through for the elements of one page, so that a query of few of them ends in time. */
const PICKED_FROM_BYTES = 64 * 1024 * 1024
/** Bytes that an element counts for among these at least: a small one takes as long to pass. */
const PASSED_ELEMENT_BYTES = 4
/** Columns of one page at most, and bytes of their names in a URL. */
const PAGE_COLUMNS = 64
const NAME_BYTES = 4096
/** Rows of one column that a page plans with at most. */
const PLANNED_ROWS = 4096

export interface Source {
  readonly connection: Connection
  readonly run: RunKey
  readonly schema: Schema
  readonly chain: number
  readonly limits: Limits
}

/** Whole columns, or a part of the first one that is left. */
interface Plan {
  readonly specs: readonly ColumnSpec[]
  /** Draws of each column. */
  readonly part: ResolvedSlice
}

/** A question at a place of an answer. */
interface Ask {
  readonly question: Question
  readonly cursor: ReadCursor
  readonly slice: ResolvedSlice
  readonly picked: PickedElements | undefined
}

function askOf({ schema }: Source, question: Question, cursor: ReadCursor): Ask {
  const slice = resolveSlice(question.slice, cursor.moment.length)
  return { question, cursor, slice, picked: pickedElements(schema, question) }
}

/** Rows that may hold iterations from `from` on: none has more than a batch. */
const BEHIND = `${OF_RUN} AND chain = {chain:UInt32} AND start > {low:Int64}`
const NEAR = `${BEHIND} AND start < {to:Int64}`
/** Appends that reach beyond `from`: a chain may have very many before. */
const REACHING = `kind = 'append' AND start + count > {from:Int64}`
const OF_COLUMNS = 'kind = {kind:String} AND name IN {names:Array(String)} AND start + count > {from:Int64}'

/** A page of a moment. */
export async function readPage(source: Source, question: Question, cursor: ReadCursor): Promise<ReadPage> {
  const ask = askOf(source, question, cursor)
  if (ask.slice.count === 0 || question.columns.length === 0) return { stretches: [] }
  const plan = await planPage(source, ask)
  // The appends come along and are judged here: a server plans this in half the time of a select within a select.
  const read = async (appends: string) => {
    const columns = chunkColumns(plan.specs, ask.picked?.sql)
    const sql = `SELECT ${columns} FROM chunks WHERE ${NEAR} AND (${appends} OR ${OF_COLUMNS})`
    return readChunks(await select(source, plan, sql), plan.specs)
  }
  const near = await read(REACHING)
  const page = isLine(near.appends) ? pageOf(near, ask, plan) : undefined
  return page ?? pageOf(await read(`kind = 'append'`), ask, plan) ?? refuse(source)
}

/**
 * The first page of a chain that was seen as `known`, as it is now: one query for both, where what is asked for is the same as
 * it was then and needs no planning.
 *
 * @throws McbError `run_not_found`
 */
export async function readSince(source: Source, known: ChainState, question: Question): Promise<Read> {
  const ask = askOf(source, question, beginOf(known))
  const { slice } = ask
  const plan = slice.count === 0 || question.columns.length === 0 ? undefined : planRigid(source, ask)
  if (plan === undefined) return readAt(source, await chainSince(source.connection, source.run, known), question)
  const sql = `SELECT ${chunkColumns(plan.specs, ask.picked?.sql)} FROM chunks
    WHERE ${BEHIND} AND ((start < {to:Int64} AND (${REACHING} OR ${OF_COLUMNS})) OR (kind = 'append' AND start >= {known:Int64}))
    UNION ALL SELECT ${deletionColumns(plan.specs)} FROM deletions WHERE tenant = {tenant:String} AND rid = {rid:String}`
  const chunks = readChunks(await select(source, plan, sql, { known: known.length }), plan.specs)
  requireLive(source.run, chunks.deleted)
  const state = lastState(known, chunks.appends)
  const isSame = isSameSlice(resolveSlice(question.slice, state.length), slice)
  const page = isSame && isLine(chunks.appends) ? pageOf(chunks, { ...ask, cursor: beginOf(state) }, plan) : undefined
  return page === undefined ? readAt(source, state, question) : { state, page }
}

/** The first page of a moment. */
export async function readAt(source: Source, state: ChainState, question: Question): Promise<Read> {
  return { state, page: await readPage(source, question, beginOf(state)) }
}

/** The place of the first page. */
export function beginOf(moment: ChainState): ReadCursor {
  return { moment, position: 0, done: 0 }
}

function isSameSlice(a: ResolvedSlice, b: ResolvedSlice): boolean {
  return a.first === b.first && a.count === b.count && a.step === b.step
}

/**
 * True where no append lies over another: then each holds. One that failed may seem to hold where the one that did, at the
 * same place, was shorter and is not among them; but it lies over the append behind that.
 */
function isLine(appends: readonly Append[]): boolean {
  const sorted = appends.toSorted((a, b) => a.start - b.start)
  return sorted.every(({ start }, i) => start >= (sorted[i - 1]?.start ?? 0) + (sorted[i - 1]?.count ?? 0))
}

/** The page that these rows make; undefined when they have a hole. */
function pageOf({ blocks: byName }: Chunks, ask: Ask, { specs, part }: Plan): ReadPage | undefined {
  const { question, cursor, slice, picked } = ask
  const stretches: Stretch[] = []
  let { done } = cursor
  for (const [i, spec] of specs.entries()) {
    const sorted = (byName.get(spec.name) ?? []).sort((a, b) => a.start - b.start)
    const wanted = picked ?? { spec, elements: question.elements }
    const own = stretchesOf(cursor.position + i, { ...wanted, slice: part }, sorted)
    const got = countOf(own)
    // Elements may be fewer than were planned.
    if (got === 0 || (got < part.count && question.elements === undefined)) return undefined
    done = cursor.done + got
    stretches.push(...own)
  }
  const last = cursor.position + specs.length - 1
  return { stretches, ...nextCursor(question, cursor, last, done, slice.count) }
}

/** Says why draws that were there are not there any more. */
async function refuse({ connection, run, chain }: Source): Promise<never> {
  await requireChain(connection, run, chain)
  throw unavailable(new Error(`chain ${chain} of run "${run.rid}" has a hole`))
}

async function planPage(source: Source, ask: Ask): Promise<Plan> {
  const rigid = planRigid(source, ask)
  if (rigid !== undefined) return rigid
  const rest = subSlice(ask.slice, ask.cursor.done)
  const specs = candidates(source.schema, ask)
  const varying = specs.filter(({ kind }) => kind !== 'rigid-numbers')
  return planOf(ask, specs, rest, await sizesOf(source, { specs: varying, part: rest }))
}

/** The plan that needs no query: the first columns have draws of one size, and no others follow, or there is no room for them. */
function planRigid(source: Source, ask: Ask): Plan | undefined {
  const specs = candidates(source.schema, ask)
  const rest = subSlice(ask.slice, ask.cursor.done)
  const varying = specs.findIndex(({ kind }) => kind !== 'rigid-numbers')
  if (varying === 0) return undefined
  const rigid = varying < 0 ? specs : specs.slice(0, varying)
  const plan = planOf(ask, rigid, rest)
  const isFull = plan.specs.length < rigid.length || plan.part.count < rest.count
  return varying < 0 || isFull ? plan : undefined
}

function planOf(
  ask: Ask,
  specs: readonly ColumnSpec[],
  rest: ResolvedSlice,
  sizes?: ReadonlyMap<string, RowSize[]>,
): Plan {
  const [first] = specs
  if (first === undefined) throw new Error('a read names a column that the schema has not')
  const { from, to } = rangeOf(rest)
  let whole = 0
  for (let budget = PAGE_BYTES; whole < specs.length; whole++) {
    const spec = specs[whole]
    const rows = spec && sizes?.get(spec.name)
    if (spec === undefined || (rows !== undefined && rows.length >= PLANNED_ROWS)) break
    const weight = rows?.reduce((n, row) => n + row.weight, 0) ?? strideOf(spec, ask) * (to - from)
    if (weight > budget) break
    budget -= weight
  }
  if (whole > 0) return { specs: specs.slice(0, whole), part: rest }
  const rows = sizes?.get(first.name)
  const iterations = rows === undefined ? Math.floor(PAGE_BYTES / strideOf(first, ask)) : iterationsOf(rest, rows)
  return { specs: [first], part: window(rest, iterations) }
}

/** The draws of a slice that lie within so many iterations from its begin, or one. */
function window(rest: ResolvedSlice, iterations: number): ResolvedSlice {
  return subSlice(rest, 0, Math.max(1, Math.ceil(iterations / Math.abs(Number(rest.step)))))
}

/** Columns that one query can ask for: of one kind, with names that a URL holds; the rest of a column alone. */
function candidates(schema: Schema, { question, cursor }: Ask): ColumnSpec[] {
  const { position } = cursor
  const specs: ColumnSpec[] = []
  const most = cursor.done > 0 ? 1 : PAGE_COLUMNS
  for (let room = NAME_BYTES; specs.length < most; ) {
    const spec = schema.columns[question.columns[position + specs.length] ?? -1]
    if (spec === undefined || spec.group !== (specs[0]?.group ?? spec.group)) break
    room -= encodeURIComponent(spec.name).length
    if (specs.length > 0 && room < 0) break
    specs.push(spec)
  }
  return specs
}

/** Weight of a draw as far as the schema tells, or of its elements where these make a page sooner. */
function strideOf(spec: ColumnSpec, { question: { elements }, picked }: Ask): number {
  if (spec.kind !== 'rigid-numbers') return 1
  const answered = (elements?.count ?? 0) * spec.itemSize * (PAGE_BYTES / ELEMENTS_BYTES)
  const passed = Math.max(spec.stride, PASSED_ELEMENT_BYTES * spec.elements) * (PAGE_BYTES / PICKED_FROM_BYTES)
  const read = picked === undefined ? weightOf(1, spec.stride) : passed
  return Math.max(answered, read)
}

interface RowSize {
  readonly start: number
  readonly end: number
  readonly weight: number
}

/**
 * The rows of columns whose draws vary in size, as the slice meets them; rows of failed attempts, which are rare, count as
 * well.
 */
async function sizesOf(source: Source, plan: Plan): Promise<Map<string, RowSize[]>> {
  const order = plan.part.step > 0n ? 'ASC' : 'DESC'
  const sql = `SELECT name, start, start + count, greatest(bytes, toUInt64(count)) FROM chunks WHERE ${NEAR} AND ${OF_COLUMNS}
    ORDER BY name, start ${order} LIMIT ${PLANNED_ROWS} BY name`
  const reader = new RowReader(await select(source, plan, sql))
  const sizes = new Map<string, RowSize[]>(plan.specs.map((spec) => [spec.name, []]))
  while (reader.more()) {
    const rows = sizes.get(reader.string())
    rows?.push({ start: reader.int64(), end: reader.int64(), weight: Number(reader.uint64()) })
  }
  return sizes
}

/** Iterations from the begin of a slice on whose rows fit into a page, or those of the first row. */
function iterationsOf(slice: ResolvedSlice, rows: readonly RowSize[]): number {
  let fitting = 0
  for (let budget = PAGE_BYTES; fitting < rows.length; fitting++) {
    budget -= rows[fitting]?.weight ?? 0
    if (budget < 0) break
  }
  const last = rows[Math.max(0, fitting - 1)]
  if (last === undefined) return 1
  const { from, to } = rangeOf(slice)
  if (slice.step < 0n) return to - last.start
  // A row of an attempt that failed may reach over rows that do not fit, or that were not planned with.
  const unseen = rows.length < PLANNED_ROWS ? last.end : last.start
  return Math.min(last.end, rows[Math.max(1, fitting)]?.start ?? unseen) - from
}

function select(source: Source, { specs, part }: Plan, sql: string, params: Params = {}): Promise<Bytes> {
  const [first] = specs
  const { from, to } = rangeOf(part)
  return source.connection.select(sql, {
    ...params,
    ...runParams(source.run),
    chain: source.chain,
    kind: first?.group ?? '',
    names: specs.map((spec) => spec.name),
    low: from - source.limits.batchIterations - 1,
    from,
    to,
  })
}
