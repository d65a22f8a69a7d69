/** Pages of a read from chunks and tail: planned by the question, and verified as far as they touch the data. */
import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'
import { type ResolvedSlice, rangeOf, resolveSlice, subSlice } from '../../core/draws/slice.ts'
import type { Wanted } from '../../core/draws/take.ts'
import type { Question, ReadCursor, ReadPage, Stretch } from '../../core/store.ts'
import { BLOCK_BYTES } from '../../objects/checksum.ts'
import { bytesIn, numberIn, type Program, type Row, StaleRead } from '../../sql/program.ts'
import { answeredWeight, countOf, fixedWeight, nextCursor, stretchesOf, wantedAt } from '../stretches.ts'
import { type ChainRow, tailRowsOf } from './chain.ts'
import { DamagedData, isTailIntact } from './checksum.ts'
import { CHUNK_BYTES, type ChunkRead, chunksOf, type FarBlock, type Span, varyingChunksOf } from './chunks.ts'
import { FarDraws } from './far.ts'
import { offsetsIn, segmentAt } from './tail.ts'

/** Weight that one page of an answer aims at, in bytes. */
const PAGE_BYTES = 2 * 1024 * 1024
/** Bytes that are read for one page at most, so that what lies between the draws of a slice costs others no long wait. */
const READ_BYTES = 8 * 1024 * 1024
/** Bytes that a page takes beyond its own of the chunks at its ends. */
const MORE_BYTES = 1024 * 1024
/** A draw that varies in size is taken for this much at most when a page is planned. */
const UNKNOWN_BYTES = 256 * 1024
/** Columns of one page at most. */
const PAGE_COLUMNS = 4096
/** Chunks of columns whose draws vary in size that one page takes, all columns together. */
const VARYING_CHUNKS = 8

/** The part of a page that is of one column. */
interface ColumnPlan {
  readonly position: number
  /** All that is left of the column: chunks that the page touches give more than was planned. */
  readonly wanted: Wanted
  /** Draws that the page gives at least. */
  readonly part: ResolvedSlice
}

/** Numbers of a chain that a plan looks at. */
export type Planned = Pick<ChainRow, 'length' | 'folded' | 'bytes'>

/** A page of an answer before it is read. */
export interface PagePlan {
  readonly question: Question
  readonly cursor: ReadCursor
  readonly slice: ResolvedSlice
  readonly columns: readonly ColumnPlan[]
}

/** Spans of chunks, of columns whose draws have the same size and of others, and the most chunks of each of the latter. */
export interface ChunkSpans {
  readonly fixed: readonly Span[]
  readonly varying: readonly Span[]
  readonly most: number
}

/** A page as a transaction knows it: some of its draws may lie in objects, which are read behind it. */
export interface FoundPage {
  readonly plan: PagePlan
  /** Blocks by place: the position of their column among those of the plan. */
  readonly near: readonly Block[][]
  readonly far: readonly { readonly place: number; readonly block: FarBlock }[]
}

/** One page of an answer, where all of it lies in rows; see `Store.read`. @throws FarDraws */
export function* readPage(chain: ChainRow, schema: Schema, question: Question, cursor: ReadCursor): Program<ReadPage> {
  const found = yield* findPage(chain, schema, question, cursor)
  if (found.far.length > 0) throw new FarDraws()
  return pageOf(found.plan, found.near)
}

/** One page as far as rows tell. */
export function* findPage(chain: ChainRow, schema: Schema, question: Question, cursor: ReadCursor): Program<FoundPage> {
  const plan = planPage(chain, schema, question, cursor)
  if (plan.columns.length === 0) return { plan, near: [], far: [] }
  return { plan, ...(yield* blocksOf(chain, schema, plan)) }
}

/** The page behind a transaction: with those of its blocks that lie in objects, in the order in which they were found. */
export function pageWith({ plan, near, far }: FoundPage, read: readonly Block[]): ReadPage {
  for (const [i, { place }] of far.entries()) {
    const block = read[i]
    if (block !== undefined) near[place]?.push(block)
  }
  for (const blocks of near) blocks.sort((a, b) => a.start - b.start)
  return pageOf(plan, near)
}

/** The page of a plan from the blocks of its columns, which rise. */
export function pageOf({ question, cursor, slice, columns }: PagePlan, found: readonly (readonly Block[])[]): ReadPage {
  const stretches: Stretch[] = []
  for (const [i, { position, wanted }] of columns.entries()) {
    const own = stretchesOf(position, wanted, found[i] ?? [])
    const got = countOf(own)
    if (got === 0) throw new StaleRead('neither chunks nor tail hold the next draws')
    stretches.push(...own)
    const done = slice.count - wanted.slice.count + got
    const isLast = i === columns.length - 1
    if (isLast || done < slice.count) return { stretches, ...nextCursor(question, cursor, position, done, slice.count) }
  }
  return { stretches }
}

/** Plans a page; without columns where nothing is left. */
export function planPage(chain: Planned, schema: Schema, question: Question, cursor: ReadCursor): PagePlan {
  const slice = resolveSlice(question.slice, cursor.moment.length)
  const isEmpty = slice.count === 0 || question.columns.length === 0
  return { question, cursor, slice, columns: isEmpty ? [] : columnsOf(chain, schema, question, slice, cursor) }
}

function columnsOf(
  chain: Planned,
  schema: Schema,
  question: Question,
  slice: ResolvedSlice,
  cursor: ReadCursor,
): ColumnPlan[] {
  const plans: ColumnPlan[] = []
  let answered = PAGE_BYTES
  let read = READ_BYTES
  const end = Math.min(question.columns.length, cursor.position + PAGE_COLUMNS)
  for (let position = cursor.position; position < end; position++) {
    const spec = schema.columns[question.columns[position] ?? -1]
    if (spec === undefined) throw new Error('a read names a column that the schema has not')
    const wanted = wantedAt(spec, slice, question, cursor, position)
    const cost = costOf(chain, wanted)
    const fits = cost.count === wanted.slice.count && cost.answered <= answered && cost.read <= read
    if (plans.length > 0 && !fits) break
    plans.push({ position, wanted, part: subSlice(wanted.slice, 0, cost.count) })
    answered -= cost.answered
    read -= cost.read
  }
  return plans
}

/** Draws of a column that fit into a page, bytes of the answer that they are, and bytes that must be read for them. */
function costOf(chain: Planned, wanted: Wanted): { count: number; answered: number; read: number } {
  const { spec, slice } = wanted
  const isInChunks = rangeOf(slice).from < chain.folded
  const fixed = fixedWeight(spec)
  if (fixed === 0) {
    const draw = chain.bytes / Math.max(1, chain.length)
    const answered = Math.min(UNKNOWN_BYTES, slice.count * draw)
    return { count: slice.count, answered, read: isInChunks ? Math.min(CHUNK_BYTES, chain.bytes) : 0 }
  }
  const each = answeredWeight(wanted)
  const eachRead = isSparse(wanted) ? fixed + BLOCK_BYTES : fixed * distance(slice)
  const once = isInChunks ? BLOCK_BYTES : 0
  const most = Math.min(Math.floor(PAGE_BYTES / each), Math.floor((READ_BYTES - once) / eachRead))
  const count = Math.min(slice.count, Math.max(1, most))
  return { count, answered: count * each, read: once + count * eachRead }
}

/** Iterations from one draw of a slice to the next. */
function distance(slice: ResolvedSlice): number {
  return slice.count === 1 ? 1 : Math.abs(Number(slice.step))
}

/** True when so much lies between the draws that each is read by itself. */
function isSparse({ spec, slice }: Wanted): boolean {
  return slice.count > 1 && fixedWeight(spec) * distance(slice) >= CHUNK_BYTES
}

/** The blocks of each plan's column: those in rows rising. */
function* blocksOf(chain: ChainRow, schema: Schema, plan: PagePlan): Program<Omit<FoundPage, 'plan'>> {
  const found: Block[][] = plan.columns.map(() => [])
  const placed: { place: number; block: FarBlock }[] = []
  const specs = plan.columns.map(({ wanted }) => wanted.spec)
  const near = (place: number, block: Block) => void found[place]?.push(block)
  const far = (place: number, block: FarBlock) => void placed.push({ place, block })
  const chunks = chunkReads(chain.id, chunkSpans(plan, chain.folded), specs)
  const tail = tailRange(plan, chain.folded)
  const reads = chunks.map(({ statement }) => statement)
  if (tail !== undefined) reads.push(tailRowsOf(chain, tail.from, tail.to, requireIntactTail))
  const rows = yield { reads }
  for (const [i, { blocks }] of chunks.entries()) blocks(rows[i] ?? [], { near, far })
  if (tail !== undefined) addTail(rows[chunks.length] ?? [], schema.columns.length, specs, near)
  for (const blocks of found) blocks.sort((a, b) => a.start - b.start)
  return { near: found, far: placed }
}

/** Chunks that a page needs; `folded` iterations lie in chunks. */
export function chunkSpans({ columns }: PagePlan, folded: number): ChunkSpans {
  const spans = columns.map((plan, place) => ({ isFixed: isFixed(plan), spans: spansOf(plan, place, folded) }))
  const varying = spans.flatMap((own) => (own.isFixed ? [] : own.spans))
  return {
    fixed: spans.flatMap((own) => (own.isFixed ? own.spans : [])),
    varying,
    most: Math.max(1, Math.floor(VARYING_CHUNKS / Math.max(1, varying.length))),
  }
}

export function chunkReads(
  chainId: number,
  { fixed, varying, most }: ChunkSpans,
  specs: readonly ColumnSpec[],
): ChunkRead[] {
  return [
    ...(fixed.length > 0 ? [chunksOf(chainId, fixed, specs)] : []),
    ...(varying.length > 0 ? [varyingChunksOf(chainId, varying, specs, most)] : []),
  ]
}

/** Iterations of the tail that a page needs; undefined when it needs none. */
export function tailRange(
  { columns }: PagePlan,
  folded: number,
): { readonly from: number; readonly to: number } | undefined {
  const ends = columns.map((plan) => rangeOf(isFixed(plan) ? plan.part : plan.wanted.slice))
  const from = Math.max(folded, Math.min(...ends.map((range) => range.from)))
  const to = Math.max(...ends.map((range) => range.to))
  return to > folded ? { from, to } : undefined
}

function isFixed({ wanted }: ColumnPlan): boolean {
  return fixedWeight(wanted.spec) > 0
}

/** The iterations whose chunks are read for a plan, and those of them that are wanted. */
function spansOf({ wanted, part }: ColumnPlan, place: number, folded: number): Span[] {
  const column = wanted.spec.index
  if (fixedWeight(wanted.spec) > 0 && isSparse(wanted)) {
    const spans: Span[] = []
    for (let i = 0; i < part.count; i++) {
      const at = part.first + i * Number(part.step)
      if (at < folded) spans.push({ place, column, from: at, to: at + 1, low: at, high: at + 1 })
    }
    return spans
  }
  const rest = rangeOf(wanted.slice)
  const isSized = fixedWeight(wanted.spec) > 0
  const isFalling = wanted.slice.step < 0n && wanted.slice.count > 1
  // A column whose draws vary in size is read from the chunk on that holds the next draw.
  const { from, to } = isSized ? rangeOf(part) : { from: wanted.slice.first, to: wanted.slice.first + 1 }
  if (from >= folded) return []
  // More of the chunks that are read anyway, unless they are very large.
  const more = isSized ? Math.ceil(MORE_BYTES / fixedWeight(wanted.spec)) : Number.POSITIVE_INFINITY
  return [
    {
      place,
      column,
      from,
      to: Math.min(to, folded),
      low: isFalling ? Math.max(rest.from, from - more) : from,
      high: Math.min(folded, isFalling ? to : Math.min(rest.to, to + more)),
    },
  ]
}

function addTail(
  rows: readonly Row[],
  columns: number,
  specs: readonly ColumnSpec[],
  collect: (place: number, block: Block) => void,
): void {
  for (const row of rows) {
    const data = bytesIn(row, 'data')
    const offsets = offsetsIn(data, columns)
    const start = numberIn(row, 'start')
    const count = numberIn(row, 'count')
    for (const [place, spec] of specs.entries()) {
      collect(place, { start, count, data: segmentAt(data, offsets, spec.index) })
    }
  }
}

function requireIntactTail(row: Row): void {
  if (isTailIntact(row, bytesIn(row, 'data'))) return
  throw new DamagedData(`the batch in the tail that begins at iteration ${numberIn(row, 'start')}`)
}
