/** Reading a chain: its row, and pages of blocks from chunks and tail. */
import { clipBlocks } from '../../core/draws/append-rule.ts'
import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import { type Block, isSizeless, weightOf } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import type { ColumnBlocks, ScanPage, ScanRequest } from '../../core/store.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import { bytesIn, numberIn, type Program, type Row, StaleRead, type Statement } from '../../sql/program.ts'
import { joinSmall } from '../join.ts'
import { DamagedData, isIntact, isTailIntact } from './checksum.ts'
import { segmentIn } from './tail.ts'

export interface ChainRow {
  readonly id: number
  readonly length: number
  readonly folded: number
  readonly tailRows: number
  readonly tailBytes: number
  readonly updatedAt: number
}

/** Places in a chain's tail; see the table `tail`. */
export const TAIL_SLOTS = 4096
/** Weight that one page of an answer aims at, in bytes. */
const PAGE_BYTES = 2 * 1024 * 1024
/** Weight of one chunk row at most, in bytes; D1 and Durable Objects allow 2,000,000 a row, and text takes a third more. */
export const CHUNK_BYTES = 1024 * 1024
/** What a column whose draws vary in size is taken for when a page is planned. */
const UNKNOWN_BYTES = 256 * 1024
/** Columns of one page at most: each is a query of its own. */
const PAGE_COLUMNS = 64

/** No join with `runs`: the chains of a hidden run have negative numbers. */
const CHAIN_SQL =
  'SELECT id, length, folded, tail_rows, tail_bytes, updated_at FROM chains WHERE run_id = ? AND number = ?'

export function* findChain(runId: number, chain: number): Program<ChainRow | undefined> {
  const [rows] = yield { reads: [{ sql: CHAIN_SQL, params: [runId, chain] }] }
  const row = rows?.[0]
  if (row === undefined) return undefined
  return {
    id: numberIn(row, 'id'),
    length: numberIn(row, 'length'),
    folded: numberIn(row, 'folded'),
    tailRows: numberIn(row, 'tail_rows'),
    tailBytes: numberIn(row, 'tail_bytes'),
    updatedAt: numberIn(row, 'updated_at'),
  }
}

export function* requireRun(runId: number): Program<void> {
  const [rows] = yield { reads: [runIsThere(runId)] }
  requireFound(rows)
}

/** A row while the run is there, for `requireFound`. */
export function runIsThere(runId: number): Statement {
  return { sql: 'SELECT 1 AS ok FROM runs WHERE id = ? AND deleted = 0', params: [runId] }
}

/** @throws McbError `run_not_found` */
export function requireFound(rows: readonly Row[] | undefined): void {
  if (rows?.length === 0) throw new McbError('run_not_found', 'the run was deleted')
}

export function* requireChain(runId: number, chain: number): Program<ChainRow> {
  const row = yield* findChain(runId, chain)
  if (row !== undefined) return row
  yield* requireRun(runId)
  throw new McbError('chain_not_found', `the run has no chain ${chain}`)
}

/** Plain placeholders only: better-sqlite3 takes numbered ones for named. */
const LAST_BEFORE = '(SELECT max(start) FROM chunks WHERE chain_id = ? AND col = ? AND start <= ?)'
const CHUNKS_SQL =
  'SELECT start, count, data, sums FROM chunks WHERE chain_id = ? AND col = ? AND start < ? ' +
  `AND start >= coalesce(${LAST_BEFORE}, 0) ORDER BY start, part`
const ONE_CHUNK_SQL = `SELECT start, count, data, sums FROM chunks WHERE chain_id = ? AND col = ? AND start = ${LAST_BEFORE} ORDER BY part`
const TAIL_SQL =
  'SELECT start, count, data, sum FROM tail WHERE id >= ? AND id < ? AND start + count > ? AND start < ? ORDER BY id'

/** Rows of the tail; who looks at none of them must not trust their data. */
export function tailRowsOf(chain: ChainRow, from: number, to: number, look?: (row: Row) => void): Statement {
  const params = [chain.id * TAIL_SLOTS, (chain.id + 1) * TAIL_SLOTS, from, to]
  return { sql: TAIL_SQL, params, ...(look && { look }) }
}

/** What a page asks of one column: `to` lies before the end of the request when the column is too long for a page. */
interface ColumnPlan {
  readonly position: number
  readonly spec: ColumnSpec
  readonly from: number
  readonly to: number
}

/** Weight of each draw of a column; 0 where it varies. */
export function fixedWeight(spec: ColumnSpec): number {
  if (spec.kind === 'rigid-numbers') return weightOf(1, spec.stride)
  return isSizeless(spec) ? 1 : 0
}

function planPage(chain: ChainRow, schema: Schema, request: ScanRequest): ColumnPlan[] {
  const plans: ColumnPlan[] = []
  let budget = PAGE_BYTES
  const begin = request.cursor?.position ?? 0
  const end = Math.min(request.columns.length, begin + PAGE_COLUMNS)
  for (let position = begin; position < end && budget > 0; position++) {
    const spec = schema.columns[request.columns[position] ?? -1]
    if (spec === undefined) throw new Error('a scan names a column that the schema has not')
    const from = position === request.cursor?.position ? request.cursor.from : request.from
    const each = fixedWeight(spec)
    // However few draws are asked for, the chunk that holds them is read whole.
    const chunk = from < chain.folded ? Math.min(CHUNK_BYTES, chain.folded * each) : 0
    const weight = each > 0 ? Math.max(chunk, (request.to - from) * each) : UNKNOWN_BYTES
    if (plans.length > 0 && weight > budget) break
    const to = each === 0 ? request.to : Math.min(request.to, from + Math.max(1, Math.floor(PAGE_BYTES / each)))
    plans.push({ position, spec, from, to })
    budget -= weight
  }
  return plans
}

/** The chunks of a page, verified as far as they will be read: to the end of the request. */
function chunksOf({ id, folded }: ChainRow, { spec, from, to }: ColumnPlan, end: number): Statement {
  const column = [id, spec.index]
  const look = (row: Row) => requireIntact(row, spec, from, end)
  return fixedWeight(spec) > 0
    ? { sql: CHUNKS_SQL, params: [...column, Math.min(to, folded), ...column, from], look }
    : { sql: ONE_CHUNK_SQL, params: [...column, ...column, from], look }
}

function requireIntact(row: Row, spec: ColumnSpec, from: number, to: number): void {
  const start = numberIn(row, 'start')
  const count = numberIn(row, 'count')
  if (row.data === null || start >= to) return
  const touched = count === 1 ? [] : bytesOfDraws(spec, from - start, Math.min(count, to - start))
  if (isIntact(row, bytesIn(row, 'data'), ...touched)) return
  throw new DamagedData(`the chunk of "${spec.name}" that begins at iteration ${start}`)
}

/** One page of an answer; see `Store.scan`. */
export function* scanPage(chain: ChainRow, schema: Schema, request: ScanRequest): Program<ScanPage> {
  if (request.from >= request.to) return { parts: [] }
  const plans = planPage(chain, schema, request)
  const first = plans[0]
  const end = Math.max(...plans.map((p) => p.to))
  const reads = plans.map((plan) => chunksOf(chain, plan, request.to))
  const inChunks = plans.some((p) => p.from < chain.folded)
  const chunkReads = inChunks ? reads : []
  const inTail = end > chain.folded
  const tailFrom = Math.min(...plans.map((p) => p.from))
  const rows = yield {
    reads: inTail ? [...chunkReads, tailRowsOf(chain, tailFrom, end, requireIntactTail)] : chunkReads,
  }
  const tail = inTail ? (rows[chunkReads.length] ?? []) : []
  const parts: ColumnBlocks[] = []
  for (const [i, plan] of plans.entries()) {
    const blocks = [...chunkBlocks(inChunks ? (rows[i] ?? []) : [], request.to)]
    const clipped = clipBlocks(blocks, plan.spec, plan.from, request.to)
    let covered = clipped.at(-1)
    let at = covered === undefined ? plan.from : covered.start + covered.count
    if (at >= Math.min(chain.folded, request.to)) {
      clipped.push(...clipBlocks(tailBlocks(tail, plan.spec, schema), plan.spec, at, request.to))
      covered = clipped.at(-1)
      at = covered === undefined ? plan.from : covered.start + covered.count
    }
    if (at === plan.from) throw new StaleRead('neither chunks nor tail hold the next draws')
    parts.push({ position: plan.position, blocks: joinSmall(clipped, plan.spec) })
    if (at < request.to) return { parts, next: { position: plan.position, from: at } }
  }
  const done = (first?.position ?? 0) + plans.length
  return done < request.columns.length ? { parts, next: { position: done, from: request.from } } : { parts }
}

/** Chunks from rows that are ordered by start and part; parts of one chunk are joined. */
function* chunkBlocks(rows: readonly Row[], to: number): Generator<Block> {
  for (let i = 0; i < rows.length; ) {
    const row = rows[i]
    if (row === undefined) return
    const start = numberIn(row, 'start')
    const count = numberIn(row, 'count')
    if (start >= to) return
    const parts: Uint8Array<ArrayBuffer>[] = []
    let next = i
    for (let part = rows[next]; part !== undefined && part.start === start; part = rows[++next]) {
      if (part.data !== null) parts.push(bytesIn(part, 'data'))
    }
    const [only] = parts
    const data = only === undefined ? null : parts.length === 1 ? only : concatBytes(parts)
    yield { start, count, data }
    i = next
  }
}

/** Where in a segment some draws lie, if that is known without reading it. */
function bytesOfDraws(spec: ColumnSpec, from: number, to: number): [number, number] | [] {
  return spec.kind === 'rigid-numbers' ? [Math.max(0, from) * spec.stride, to * spec.stride] : []
}

export function* tailBlocks(rows: readonly Row[], spec: ColumnSpec, schema: Schema): Generator<Block> {
  for (const row of rows) {
    const data = segmentIn(bytesIn(row, 'data'), spec.index, schema.columns.length)
    yield { start: numberIn(row, 'start'), count: numberIn(row, 'count'), data }
  }
}

function requireIntactTail(row: Row): void {
  if (isTailIntact(row, bytesIn(row, 'data'))) return
  throw new DamagedData(`the batch in the tail that begins at iteration ${numberIn(row, 'start')}`)
}
