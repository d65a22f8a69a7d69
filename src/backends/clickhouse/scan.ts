/** Pages of a read: one query for as many columns as a page holds, or for a part of one. */
import { clipBlocks } from '../../core/append.ts'
import type { Limits } from '../../core/limits.ts'
import type { ColumnSpec, Schema } from '../../core/schema.ts'
import type { Bytes } from '../../core/segment.ts'
import type { ColumnBlocks, ScanPage, ScanRequest } from '../../core/store.ts'
import { joinSmall } from '../join.ts'
import { OF_RUN, type RunKey, requireChain, runParams } from './chains.ts'
import { chunkColumns, readChunks } from './chunk.ts'
import { type Connection, unavailable } from './connection.ts'
import { RowReader } from './row-binary.ts'

/** Bytes that one page of an answer aims at. */
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

/** Rows that may hold iterations of `from … to`: none has more than a batch. */
const NEAR = `${OF_RUN} AND chain = {chain:UInt32} AND start > {low:Int64} AND start < {to:Int64}`
const OF_COLUMNS = 'kind = {kind:String} AND name IN {names:Array(String)} AND start + count > {from:Int64}'

export async function scanPage(source: Source, request: ScanRequest): Promise<ScanPage> {
  if (request.from >= request.to || request.columns.length === 0) return { parts: [] }
  const position = request.cursor?.position ?? 0
  const plan = await planPage(source, request, position)
  const { specs, from, to } = plan
  // The appends come along and are judged here: a server plans this in half the time of a select within a select.
  const sql = `SELECT ${chunkColumns(specs)} FROM chunks WHERE ${NEAR} AND (kind = 'append' OR ${OF_COLUMNS})`
  const byName = readChunks(await select(source, plan, sql), specs)
  const parts: ColumnBlocks[] = []
  for (const [i, spec] of specs.entries()) {
    const sorted = (byName.get(spec.name) ?? []).sort((a, b) => a.start - b.start)
    const blocks = clipBlocks(sorted, spec, from, to)
    const last = blocks.at(-1)
    if (last === undefined || last.start + last.count < to) await refuse(source)
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

async function planPage(source: Source, request: ScanRequest, position: number): Promise<Plan> {
  const from = request.cursor?.from ?? request.from
  const { to } = request
  const specs = candidates(source.schema, request, position)
  const [first] = specs
  if (first === undefined) throw new Error('a scan names a column that the schema has not')
  const sizes = specs.every((spec) => spec.kind === 'rigid-numbers')
    ? undefined
    : await sizesOf(source, { specs, from, to })
  let whole = 0
  for (let budget = PAGE_BYTES; whole < specs.length; whole++) {
    const spec = specs[whole]
    const rows = spec && sizes?.get(spec.name)
    if (spec === undefined || (rows !== undefined && rows.length >= PLANNED_ROWS)) break
    const bytes = rows?.reduce((n, row) => n + row.bytes, 0) ?? strideOf(spec) * (to - from)
    if (bytes > budget) break
    budget -= bytes
  }
  if (whole > 0) return { specs: specs.slice(0, whole), from, to }
  return { specs: [first], from, to: Math.min(to, endOfPage(first, from, sizes?.get(first.name))) }
}

/** Columns that one query can ask for: of one kind, with names that a URL holds; the rest of a column alone. */
function candidates(schema: Schema, request: ScanRequest, position: number): ColumnSpec[] {
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

function strideOf(spec: ColumnSpec): number {
  return spec.kind === 'rigid-numbers' ? spec.stride : 0
}

interface RowSize {
  readonly end: number
  readonly bytes: number
}

/** What the rows of columns weigh whose draws vary in size; those of attempts that failed count as well, which are rare. */
async function sizesOf(source: Source, plan: Plan): Promise<Map<string, RowSize[]>> {
  const sql = `SELECT name, start + count, bytes FROM chunks WHERE ${NEAR} AND ${OF_COLUMNS}
    ORDER BY name, start LIMIT ${PLANNED_ROWS} BY name`
  const reader = new RowReader(await select(source, plan, sql))
  const sizes = new Map<string, RowSize[]>(plan.specs.map((spec) => [spec.name, []]))
  while (reader.more()) sizes.get(reader.string())?.push({ end: reader.int64(), bytes: Number(reader.uint64()) })
  return sizes
}

/** Where a page of one column ends that begins at `from`. */
function endOfPage(spec: ColumnSpec, from: number, rows: readonly RowSize[] | undefined): number {
  if (rows === undefined) return from + Math.max(1, Math.floor(PAGE_BYTES / Math.max(1, strideOf(spec))))
  let budget = PAGE_BYTES
  let end = rows[0]?.end ?? from + 1
  for (const row of rows) {
    budget -= row.bytes
    if (budget < 0) break
    end = row.end
  }
  return end
}

function select(source: Source, { specs, from, to }: Plan, sql: string): Promise<Bytes> {
  const [first] = specs
  return source.connection.select(sql, {
    ...runParams(source.run),
    chain: source.chain,
    kind: first?.group ?? '',
    names: specs.map((spec) => spec.name),
    low: from - source.limits.batchIterations - 1,
    from,
    to,
  })
}
