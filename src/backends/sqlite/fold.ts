/**
 * Folding: a chain's tail, and a large batch behind it, become chunks of one column each.
 *
 * Chunks that a fold leaves small are joined with the next fold's as the digits of a binary counter are carried: a chunk
 * is read and written again only to become at least twice as large, until it has 64 KiB. So a draw is written a bounded
 * number of times however small the batches were, and a read finds few chunks however long the chain is.
 *
 * Damaged data stays so: it is carried over with checksums that never fit, while the sampler goes on behind it.
 */
import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import {
  type Block,
  type Bytes,
  cutSegment,
  fillSegment,
  fillSize,
  joinSegments,
  type Segment,
  sliceSegment,
  weightOf,
} from '../../core/draws/segment.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { sumsOf, sumsSize } from '../../objects/checksum.ts'
import {
  bytesIn,
  numberIn,
  type Param,
  type Program,
  type Row,
  StaleRead,
  type Statement,
  textIn,
} from '../../sql/program.ts'
import { fixedWeight } from '../stretches.ts'
import { type ChainRow, TAIL_SLOTS, tailRowsOf } from './chain.ts'
import { DAMAGED_SUMS, isIntact, isTailIntact, textSum } from './checksum.ts'
import { CHUNK_BYTES, chunkSum } from './chunks.ts'
import { segmentsIn } from './tail.ts'

/** A chunk of this weight, in bytes, is not joined any more. */
export const GROWN_BYTES = 64 * 1024
/**
 * Absent draws among sent ones are written as fill, so that they do not split a chunk, up to this many bytes more than
 * were sent.
 */
const FILL_BYTES = 64 * 1024
/** D1 takes 100 parameters a statement, and a row has eight; those of rows whose data lies in an object are on no D1. */
const ROWS_PER_INSERT = 12
const PLACED_PER_INSERT = 64
const BYTES_PER_INSERT = 1024 * 1024

/** A trailing small chunk: its draws and bytes; -1 bytes when it holds absent draws only. */
type Level = [count: number, bytes: number]

/** Consecutive draws of one column on their way into chunks. */
export interface Fragment {
  readonly count: number
  readonly data: Segment
  /** True when the data is not as it was written. */
  readonly damaged?: true
}

export interface NewChunk {
  readonly column: number
  readonly start: number
  readonly count: number
  readonly part: number
  readonly data: Segment
  readonly damaged?: true
  /** Place of the data in an object; absent where the row holds it. */
  place?: { readonly object: number; readonly at: number }
}

/** The tail of a chain, which a fold takes whole. */
export interface Tail {
  /** For each batch the fragment of each column. */
  readonly batches: readonly (readonly Fragment[])[]
  /** Memory that is free when the fold is done. */
  readonly scratch: readonly Bytes[]
  /** Bytes that count as the chain's. */
  readonly bytes: number
  /** Statements that remove it. */
  readonly removal: readonly Statement[]
}

/** The fold of one column: its chunks from `from` on give way to new ones. */
interface ColumnFold {
  readonly spec: ColumnSpec
  /** Begin of the first joined chunk; the chain's `folded` when none is joined. */
  readonly from: number
  /** Draws of the joined chunks. */
  readonly joined: number
  readonly fragments: Fragment[]
  /** Small chunks that stay as they are. */
  readonly kept: Level[]
  readonly joinsData: boolean
}

/** Sizes of chunks, in bytes. */
export interface ChunkSizes {
  /** Weight of a chunk of several draws at most. */
  most(spec: ColumnSpec): number
  /** Bytes of a row: the chunk of a larger draw lies in several. */
  readonly row: number
}

const ROW_SIZES: ChunkSizes = { most: () => CHUNK_BYTES, row: CHUNK_BYTES }

export interface Fold {
  readonly chunks: readonly NewChunk[]
  /** Statements that put the chunks, as they are placed now, instead of the tail and of those that they are joined with. */
  readonly statements: () => Statement[]
  /** Growth of the chain's rows, in bytes; negative when they shrink. */
  readonly bytes: number
  /** Memory that is free when the statements have been carried out. */
  readonly scratch: readonly Bytes[]
}

/** Plans a fold of the tail of `chain` and, behind it, the blocks of `batch`. */
export function* planFold(
  chain: ChainRow,
  schema: Schema,
  tail: Tail,
  batch: readonly Block[],
  sizes: ChunkSizes = ROW_SIZES,
): Program<Fold> {
  const { levels, levelsText } = yield* readLevels(chain)
  const scratch = [...tail.scratch]
  const planned = schema.columns.map((spec) => {
    const fragments = tail.batches.flatMap((row) => row[spec.index] ?? [])
    const last = batch[spec.index]
    if (last !== undefined) fragments.push(last)
    return planColumn(spec, gather(spec, fragments, scratch), levels[spec.index] ?? [], chain.folded)
  })
  const { old, damaged } = yield* readJoined(chain, planned)
  // A damaged chunk stays where it is, and new draws begin another one.
  const folds = planned.map((fold) =>
    damaged.has(fold.spec.index) ? planColumn(fold.spec, fold.fragments, [], chain.folded) : fold,
  )
  const chunks: NewChunk[] = []
  const nextLevels = folds.map((fold) => finishColumn(fold, old.get(fold.spec.index) ?? [], chunks, scratch, sizes))
  const nextText = JSON.stringify(nextLevels)
  const replaced = folds.flatMap(({ spec, kept, joined }) =>
    joined > 0 ? (levels[spec.index] ?? []).slice(kept.length) : [],
  )
  const before = levelsText.length + replaced.reduce((n, [, bytes]) => n + rowBytes(Math.max(0, bytes)), 0) + tail.bytes
  const behind = nextText.length + chunks.reduce((n, { data }) => n + rowBytes(data?.length ?? 0), 0)
  const statements = () => [
    ...deleteJoined(chain, folds),
    ...insertChunks(chain, chunks),
    ...tail.removal,
    {
      sql:
        'INSERT INTO levels (chain_id, levels, sum) VALUES (?, ?, ?) ' +
        'ON CONFLICT (chain_id) DO UPDATE SET levels = excluded.levels, sum = excluded.sum',
      params: [chain.id, nextText, textSum(chain.id, nextText)],
    },
  ]
  for (const fragments of old.values()) for (const { data } of fragments) if (data !== null) scratch.push(data)
  return { chunks, statements, bytes: behind - before, scratch }
}

function rowBytes(data: number): number {
  return ROW_BYTES + data + sumsSize(data)
}

/** The tail that lies in the table of this name. */
export function* tailOf(chain: ChainRow, columns: number): Program<Tail> {
  const [rows = []] = yield { reads: [tailRowsOf(chain, chain.folded, chain.length)] }
  if (rows.length !== chain.tailRows) throw new StaleRead('the tail was folded meanwhile')
  const scratch = rows.map((row) => bytesIn(row, 'data'))
  return {
    batches: rows.map((row) => {
      const data = bytesIn(row, 'data')
      return fragmentsIn(data, numberIn(row, 'count'), columns, isTailIntact(row, data))
    }),
    scratch,
    bytes: scratch.reduce((n, { length }) => n + ROW_BYTES + length, 0),
    removal: rows.length > 0 ? [deleteTail(chain)] : [],
  }
}

/** The fragment of each column in the draws of a batch, packed as in tail.ts. */
export function fragmentsIn(data: Bytes, count: number, columns: number, isIntact: boolean): Fragment[] {
  if (isIntact) return segmentsIn(data, columns).map((segment) => ({ count, data: segment }))
  // All of it is kept once, so that it can be looked at later.
  return Array.from({ length: columns }, (_, i) => ({
    count,
    data: i === 0 ? data : data.subarray(0, 0),
    damaged: true,
  }))
}

/** Small chunks that are not told of, since the row is missing or damaged, stay small. */
function* readLevels(chain: ChainRow): Program<{ levels: Level[][]; levelsText: string }> {
  const sql = 'SELECT levels, sum FROM levels WHERE chain_id = ?'
  const [rows = []] = yield { reads: [{ sql, params: [chain.id] }] }
  const [row] = rows
  const levelsText = row === undefined ? '' : textIn(row, 'levels')
  const isSound = row?.sum === null || row?.sum === textSum(chain.id, levelsText)
  return { levels: isSound ? JSON.parse(levelsText) : [], levelsText }
}

/**
 * Joins the fragments of a column into as few as possible. Absent draws stay absent where their fill would be large, also
 * beside what was sent: else a stat that comes with every other batch would leave a chunk for each.
 */
function gather(spec: ColumnSpec, fragments: readonly Fragment[], scratch: Bytes[]): Fragment[] {
  const filled = isFilled(spec, fragments)
  const gathered: Fragment[] = []
  let group: { count: number; data: Bytes }[] = []
  const flush = () => {
    if (group.length === 0) return
    gathered.push({ count: group.reduce((n, p) => n + p.count, 0), data: joined(spec, group, scratch) })
    group = []
  }
  for (const fragment of fragments) {
    const { count, data } = fragment
    if (fragment.damaged) {
      flush()
      gathered.push(fragment)
    } else if (data !== null) group.push({ count, data })
    else if (filled) group.push({ count, data: fillSegment(spec, count) })
    else {
      flush()
      const last = gathered.at(-1)
      if (last?.data === null) gathered[gathered.length - 1] = { count: last.count + count, data: null }
      else gathered.push({ count, data: null })
    }
  }
  flush()
  return gathered
}

/** True where the absent draws of some fragments are written as fill: see `gather`. */
function isFilled(spec: ColumnSpec, fragments: readonly Fragment[]): boolean {
  let absent = 0
  let sentBytes = 0
  let isSent = false
  for (const { count, data, damaged } of fragments) {
    if (data === null) absent += count
    else if (!damaged) {
      sentBytes += data.length
      isSent = true
    }
  }
  return absent > 0 && isSent && fillSize(spec, absent) <= FILL_BYTES + sentBytes
}

function planColumn(spec: ColumnSpec, fragments: Fragment[], levels: readonly Level[], folded: number): ColumnFold {
  const [first] = fragments
  if (first === undefined || first.damaged) {
    return { spec, from: folded, joined: 0, fragments, kept: first === undefined ? [...levels] : [], joinsData: false }
  }
  const kept = [...levels]
  const joinsData = first.data !== null
  let from = folded
  let { count } = first
  let weight = levelWeight([count, first.data?.length ?? -1])
  for (let top = kept.at(-1); top !== undefined; top = kept.at(-1)) {
    const fits = joinsData
      ? top[1] >= 0 && levelWeight(top) <= weight && weight < GROWN_BYTES
      : top[1] < 0 && count + top[0] <= CHUNK_BYTES
    if (!fits) break
    kept.pop()
    from -= top[0]
    count += top[0]
    weight += levelWeight(top)
  }
  return { spec, from, joined: folded - from, fragments, kept, joinsData: joinsData && from < folded }
}

/** Absent draws weigh nothing. */
function levelWeight([count, bytes]: Level): number {
  return bytes < 0 ? 0 : weightOf(count, bytes)
}

/** Pairs of column and first joined start, for SQL's json_each. */
function joinedPairs(folds: readonly ColumnFold[], folded: number, dataOnly: boolean): string {
  const pairs = folds.filter((f) => f.from < folded && (f.joinsData || !dataOnly)).map((f) => [f.spec.index, f.from])
  return JSON.stringify(pairs)
}

/** CROSS JOIN keeps SQLite from walking all chunks of the chain and parsing the JSON for each. */
const JOINED =
  "FROM json_each(?) j CROSS JOIN chunks k ON k.chain_id = ? AND k.col = json_extract(j.value, '$[0]') " +
  "AND k.start >= json_extract(j.value, '$[1]')"

/** The chunks that are joined, by column, and the columns of which one is damaged. */
function* readJoined(
  chain: ChainRow,
  folds: readonly ColumnFold[],
): Program<{ readonly old: Map<number, Fragment[]>; readonly damaged: Set<number> }> {
  const old = new Map<number, Fragment[]>()
  const damaged = new Set<number>()
  if (!folds.some((f) => f.joinsData)) return { old, damaged }
  const sql = `SELECT k.col, k.start, k.part, k.count, k.data, k.sums, k.sum ${JOINED} ORDER BY k.col, k.start`
  const [rows = []] = yield { reads: [{ sql, params: [joinedPairs(folds, chain.folded, true), chain.id] }] }
  for (const row of rows) {
    const column = numberIn(row, 'col')
    const data = bytesIn(row, 'data')
    if (!isIntact(row, data) || !isRowIntact(chain.id, row)) damaged.add(column)
    const fragments = old.get(column) ?? []
    fragments.push({ count: numberIn(row, 'count'), data })
    old.set(column, fragments)
  }
  // The others stay as they are where some are missing. If another process has joined them, the guard fails.
  for (const fold of folds) {
    const count = (old.get(fold.spec.index) ?? []).reduce((n, p) => n + p.count, 0)
    if (fold.joinsData && count !== fold.joined) damaged.add(fold.spec.index)
  }
  for (const column of damaged) old.delete(column)
  return { old, damaged }
}

/** True when the row of a chunk that holds its data says what was written. */
function isRowIntact(chainId: number, row: Row): boolean {
  const [column, start, part, count] = ['col', 'start', 'part', 'count'].map((name) => numberIn(row, name))
  if (column === undefined || start === undefined || part === undefined || count === undefined) return false
  return row.sum === null || row.sum === chunkSum(chainId, { column, start, part, count, data: null })
}

/** Adds the chunks of a column to `chunks` and returns its new levels. */
function finishColumn(
  fold: ColumnFold,
  old: readonly Fragment[],
  chunks: NewChunk[],
  scratch: Bytes[],
  sizes: ChunkSizes,
): Level[] {
  const [first, ...rest] = fold.fragments
  if (first === undefined) return fold.kept
  let start = fold.from
  let levels = fold.kept
  for (const fragment of [joinedHead(fold, old, first, scratch), ...rest]) {
    for (const part of split(fold.spec, fragment, sizes.most(fold.spec))) {
      addRows(chunks, fold.spec.index, start, part, sizes.row)
      start += part.count
      levels = part.damaged ? [] : withLevel(levels, [part.count, part.data?.length ?? -1])
    }
  }
  return levels
}

/** The first fragment behind the chunks that it is joined with. */
function joinedHead(fold: ColumnFold, old: readonly Fragment[], first: Fragment, scratch: Bytes[]): Fragment {
  if (first.damaged) return first
  const data = first.data === null ? null : joined(fold.spec, withData([...old, first]), scratch)
  return { count: first.count + fold.joined, data }
}

function joined(spec: ColumnSpec, blocks: { data: Bytes; count: number }[], scratch: Bytes[]): Bytes {
  const data = joinSegments(spec, blocks)
  if (blocks.length > 1) scratch.push(data)
  return data
}

/** The levels with one more. Only chunks of one kind, absent or not, can be joined: those below another kind are done with. */
function withLevel(levels: readonly Level[], added: Level): Level[] {
  const [, bytes] = added
  if (levelWeight(added) >= GROWN_BYTES) return []
  const isOfKind = (level: Level | undefined) => level === undefined || level[1] < 0 === bytes < 0
  return isOfKind(levels.at(-1)) ? [...levels, added] : [added]
}

function withData(fragments: readonly Fragment[]): { count: number; data: Bytes }[] {
  return fragments.flatMap(({ count, data }) => (data === null ? [] : [{ count, data }]))
}

/** Cuts a fragment so that no part but a single draw exceeds a row, in bytes or in draws. */
function split(spec: ColumnSpec, fragment: Fragment, most: number): Fragment[] {
  const { count, data } = fragment
  if (fragment.damaged || count === 1 || weightOf(count, data?.length ?? 0) <= most) return [fragment]
  const fixed = data === null ? 1 : fixedWeight(spec)
  if (fixed > 0) {
    const each = Math.max(1, Math.floor(most / fixed))
    const parts: Fragment[] = []
    for (let from = 0; from < count; from += each) {
      const to = Math.min(count, from + each)
      parts.push({ count: to - from, data: data && sliceSegment(spec, data, count, from, to) })
    }
    return parts
  }
  return data === null ? [fragment] : [...cutSegment(spec, data, count, most)]
}

/** One row, or several when a single draw exceeds a row. */
function addRows(
  chunks: NewChunk[],
  column: number,
  start: number,
  { count, data, damaged }: Fragment,
  most: number,
): void {
  const add = (part: number, bytes: Segment) =>
    chunks.push({ column, start, count, part, data: bytes, ...(damaged && { damaged }) })
  if (data === null || data.length <= most) add(0, data)
  else {
    for (let offset = 0, part = 0; offset < data.length; offset += most, part++) {
      add(part, data.subarray(offset, offset + most))
    }
  }
}

function deleteJoined(chain: ChainRow, folds: readonly ColumnFold[]): Statement[] {
  if (!folds.some((f) => f.from < chain.folded)) return []
  const sql = `DELETE FROM chunks WHERE id IN (SELECT k.id ${JOINED})`
  return [{ sql, params: [joinedPairs(folds, chain.folded, false), chain.id] }]
}

function deleteTail(chain: ChainRow): Statement {
  const sql = 'DELETE FROM tail WHERE id >= ? AND id < ?'
  return { sql, params: [chain.id * TAIL_SLOTS, (chain.id + 1) * TAIL_SLOTS] }
}

function insertChunks(chain: ChainRow, chunks: readonly NewChunk[]): Statement[] {
  const held = chunks.filter(({ place }) => place === undefined)
  const placed = chunks.filter(({ place }) => place !== undefined)
  return [
    ...insertRows(chain, held, ROWS_PER_INSERT, {
      columns: ['data', 'sums', 'sum'],
      cells: (c) => [c.data, sumsIn(c), chunkSum(chain.id, c)],
    }),
    ...insertRows(chain, placed, PLACED_PER_INSERT, {
      columns: ['object', 'at', 'size', 'sums', 'sum'],
      cells: (c) => [c.place?.object ?? 0, c.place?.at ?? 0, c.data?.length ?? 0, sumsIn(c), chunkSum(chain.id, c)],
    }),
  ]
}

/** Columns of a row behind those of its key, and what a chunk has in them. */
interface RowForm {
  readonly columns: readonly string[]
  readonly cells: (chunk: NewChunk) => Param[]
}

function insertRows(
  chain: ChainRow,
  chunks: readonly NewChunk[],
  most: number,
  { columns, cells }: RowForm,
): Statement[] {
  const statements: Statement[] = []
  let rows: NewChunk[] = []
  let bytes = 0
  const row = `(${'?, '.repeat(5 + columns.length).slice(0, -2)})`
  const flush = () => {
    if (rows.length === 0) return
    const inserted = rows
    statements.push({
      sql: `INSERT INTO chunks (chain_id, col, start, part, count, ${columns.join(', ')}) VALUES ${rows.map(() => row).join(', ')}`,
      // Just before the bytes are read once more, so that they are in the processor's cache then.
      get params() {
        return inserted.flatMap((c) => [chain.id, c.column, c.start, c.part, c.count, ...cells(c)])
      },
    })
    rows = []
    bytes = 0
  }
  for (const chunk of chunks) {
    rows.push(chunk)
    bytes += chunk.data?.length ?? 0
    if (rows.length === most || bytes >= BYTES_PER_INSERT) flush()
  }
  flush()
  return statements
}

function sumsIn({ data, damaged }: NewChunk): Segment {
  return damaged ? DAMAGED_SUMS : data && sumsOf(data)
}
