/** Pages of a read: one query for as many columns as a page holds, or for a part of one. */

import { clipBlocks } from '../../core/draws/append-rule.ts'
import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import { type Bytes, weightOf } from '../../core/draws/segment.ts'
import type { Limits } from '../../core/limits.ts'
import { firstScan } from '../../core/selection.ts'
import type { Ahead, ChainState, ColumnBlocks, ScanPage, ScanRequest, SeenChain } from '../../core/store.ts'
import { joinSmall } from '../join.ts'
import { chainSince, lastState, OF_RUN, type RunKey, requireChain, requireLive, runParams } from './chains.ts'
import { type Chunks, chunkColumns, deletionColumns, readChunks } from './chunk.ts'
import { type Connection, type Params, unavailable } from './connection.ts'
import { RowReader } from './row-binary.ts'

/** Weight that one page of an answer aims at, in bytes. */
const PAGE_BYTES = 4 * 1024 * 1024
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

/** Whole columns, or a part of one: `to` is where the page ends. */
interface Plan {
  readonly specs: readonly ColumnSpec[]
  readonly from: number
  readonly to: number
}

/** Rows that may hold iterations from `from` on: none has more than a batch. */
const BEHIND = `${OF_RUN} AND chain = {chain:UInt32} AND start > {low:Int64}`
const NEAR = `${BEHIND} AND start < {to:Int64}`
const OF_COLUMNS = 'kind = {kind:String} AND name IN {names:Array(String)} AND start + count > {from:Int64}'

export async function scanPage(source: Source, request: ScanRequest): Promise<ScanPage> {
  if (request.from >= request.to || request.columns.length === 0) return { parts: [] }
  const plan = await planPage(source, request)
  // The appends come along and are judged here: a server plans this in half the time of a select within a select.
  const sql = `SELECT ${chunkColumns(plan.specs)} FROM chunks WHERE ${NEAR} AND (kind = 'append' OR ${OF_COLUMNS})`
  const page = pageOf(readChunks(await select(source, plan, sql), plan.specs), request, plan)
  return page ?? refuse(source)
}

/**
 * A chain that was seen as `known`, as it is now, together with the first page of what will be asked for if it has not
 * grown: one query for two. The page is absent where it would need a query of its own, or has not come.
 *
 * @throws McbError `run_not_found`
 */
export async function chainWithPage(source: Source, known: ChainState, ahead: Ahead): Promise<SeenChain> {
  const { connection, run } = source
  const request = firstScan(ahead, known.length)
  const plan = request && planRigid(source, request)
  if (request === undefined || plan === undefined) return chainSince(connection, run, known)
  const sql = `SELECT ${chunkColumns(plan.specs)} FROM chunks
    WHERE ${BEHIND} AND ((start < {to:Int64} AND (kind = 'append' OR ${OF_COLUMNS})) OR (kind = 'append' AND start >= {known:Int64}))
    UNION ALL SELECT ${deletionColumns(plan.specs)} FROM deletions WHERE tenant = {tenant:String} AND rid = {rid:String}`
  const chunks = readChunks(await select(source, plan, sql, { known: known.length }), plan.specs)
  requireLive(run, chunks.deleted)
  const state = lastState(known, chunks.appends)
  const page = pageOf(chunks, request, plan)
  return page === undefined ? state : { ...state, scanned: { request, page } }
}

/** The page that these rows make; undefined when they have a hole. */
function pageOf({ blocks: byName }: Chunks, request: ScanRequest, { specs, from, to }: Plan): ScanPage | undefined {
  const position = request.cursor?.position ?? 0
  const parts: ColumnBlocks[] = []
  for (const [i, spec] of specs.entries()) {
    const sorted = (byName.get(spec.name) ?? []).sort((a, b) => a.start - b.start)
    const blocks = clipBlocks(sorted, spec, from, to)
    const last = blocks.at(-1)
    if (last === undefined || last.start + last.count < to) return undefined
    parts.push({ position: position + i, blocks: joinSmall(blocks, spec) })
  }
  if (to < request.to) return { parts, next: { position, from: to } }
  const done = position + specs.length
  return done < request.columns.length ? { parts, next: { position: done, from: request.from } } : { parts }
}

/** Says why draws that were there are not there any more. */
async function refuse({ connection, run, chain }: Source): Promise<never> {
  await requireChain(connection, run, chain)
  throw unavailable(new Error(`chain ${chain} of run "${run.rid}" has a hole`))
}

async function planPage(source: Source, request: ScanRequest): Promise<Plan> {
  const rigid = planRigid(source, request)
  if (rigid !== undefined) return rigid
  const specs = candidates(source.schema, request)
  const from = request.cursor?.from ?? request.from
  return planOf(specs, from, request.to, await sizesOf(source, { specs, from, to: request.to }))
}

/** The plan where all draws have the same size, so that nothing needs to be asked for it. */
function planRigid(source: Source, request: ScanRequest): Plan | undefined {
  const specs = candidates(source.schema, request)
  if (!specs.every((spec) => spec.kind === 'rigid-numbers')) return undefined
  return planOf(specs, request.cursor?.from ?? request.from, request.to)
}

function planOf(specs: readonly ColumnSpec[], from: number, to: number, sizes?: ReadonlyMap<string, RowSize[]>): Plan {
  const [first] = specs
  if (first === undefined) throw new Error('a scan names a column that the schema has not')
  let whole = 0
  for (let budget = PAGE_BYTES; whole < specs.length; whole++) {
    const spec = specs[whole]
    const rows = spec && sizes?.get(spec.name)
    if (spec === undefined || (rows !== undefined && rows.length >= PLANNED_ROWS)) break
    const weight = rows?.reduce((n, row) => n + row.weight, 0) ?? strideOf(spec) * (to - from)
    if (weight > budget) break
    budget -= weight
  }
  if (whole > 0) return { specs: specs.slice(0, whole), from, to }
  return { specs: [first], from, to: Math.min(to, endOfPage(first, from, sizes?.get(first.name))) }
}

/** Columns that one query can ask for: of one kind, with names that a URL holds; the rest of a column alone. */
function candidates(schema: Schema, request: ScanRequest): ColumnSpec[] {
  const position = request.cursor?.position ?? 0
  const specs: ColumnSpec[] = []
  const most = request.cursor !== undefined && request.cursor.from > request.from ? 1 : PAGE_COLUMNS
  for (let room = NAME_BYTES; specs.length < most; ) {
    const spec = schema.columns[request.columns[position + specs.length] ?? -1]
    if (spec === undefined || spec.group !== (specs[0]?.group ?? spec.group)) break
    room -= encodeURIComponent(spec.name).length
    if (specs.length > 0 && room < 0) break
    specs.push(spec)
  }
  return specs
}

/** Weight of a draw as far as the schema tells. */
function strideOf(spec: ColumnSpec): number {
  return spec.kind === 'rigid-numbers' ? weightOf(1, spec.stride) : 1
}

interface RowSize {
  readonly end: number
  readonly weight: number
}

/** What the rows of columns weigh whose draws vary in size; those of attempts that failed count as well, which are rare. */
async function sizesOf(source: Source, plan: Plan): Promise<Map<string, RowSize[]>> {
  const sql = `SELECT name, start + count, greatest(bytes, toUInt64(count)) FROM chunks WHERE ${NEAR} AND ${OF_COLUMNS}
    ORDER BY name, start LIMIT ${PLANNED_ROWS} BY name`
  const reader = new RowReader(await select(source, plan, sql))
  const sizes = new Map<string, RowSize[]>(plan.specs.map((spec) => [spec.name, []]))
  while (reader.more()) sizes.get(reader.string())?.push({ end: reader.int64(), weight: Number(reader.uint64()) })
  return sizes
}

/** Where a page of one column ends that begins at `from`. */
function endOfPage(spec: ColumnSpec, from: number, rows: readonly RowSize[] | undefined): number {
  if (rows === undefined) return from + Math.max(1, Math.floor(PAGE_BYTES / strideOf(spec)))
  let budget = PAGE_BYTES
  let end = rows[0]?.end ?? from + 1
  for (const row of rows) {
    budget -= row.weight
    if (budget < 0) break
    end = row.end
  }
  return end
}

function select(source: Source, { specs, from, to }: Plan, sql: string, params: Params = {}): Promise<Bytes> {
  const [first] = specs
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
