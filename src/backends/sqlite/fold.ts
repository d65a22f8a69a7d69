/**
 * Folding: a chain's tail, and a large batch behind it, become chunks of one column each.
 *
 * Chunks that a fold leaves small are joined with the next fold's as the digits of a binary counter are carried: a chunk
 * is read and written again only to become at least twice as large, until it has 64 KiB. So a draw is written a bounded
 * number of times however small the batches were, and a read finds few chunks however long the chain is.
 */
import type { ColumnSpec, Schema } from '../../core/schema.ts'
import {
  type Block,
  type Bytes,
  fillSegment,
  fillSize,
  joinSegments,
  type Segment,
  sliceSegment,
} from '../../core/segment.ts'
import { CHUNK_BYTES, type ChainRow, TAIL_SLOTS, tailRowsOf } from './chain.ts'
import { bytesIn, numberIn, type Program, type Row, StaleRead, type Statement, textIn } from './driver.ts'
import { segmentsIn } from './tail.ts'

/** A chunk of this many bytes is not joined any more. */
const GROWN_BYTES = 64 * 1024
/**
 * Absent draws among sent ones are written as fill, so that they do not split a chunk, up to this many bytes more than
 * were sent.
 */
const FILL_BYTES = 64 * 1024
const ROWS_PER_INSERT = 16
const BYTES_PER_INSERT = 1024 * 1024

/** A trailing small chunk: its draws and bytes; -1 bytes when it holds absent draws only. */
type Level = [count: number, bytes: number]

interface Piece {
  readonly count: number
  readonly data: Segment
}

interface NewChunk {
  readonly column: number
  readonly start: number
  readonly count: number
  readonly part: number
  readonly data: Segment
}

/** What becomes of one column: the chunks from `replacedFrom` on give way to new ones. */
interface ColumnFold {
  readonly spec: ColumnSpec
  /** Where the first joined chunk begins; the chain's `folded` when none is. */
  readonly from: number
  /** Draws of the joined chunks. */
  readonly joined: number
  readonly pieces: Piece[]
  /** Small chunks that stay as they are. */
  readonly kept: Level[]
  readonly joinsData: boolean
}

/** Statements that fold the tail of `chain` and, behind it, the blocks of `batch`. */
export function* foldStatements(chain: ChainRow, schema: Schema, batch: readonly Block[]): Program<Statement[]> {
  const { tailRows, levels } = yield* readTail(chain)
  const columns = schema.columns.length
  const tail = tailRows.map((row) => segmentsIn(bytesIn(row, 'data'), columns))
  const folds = schema.columns.map((spec) => {
    const pieces: Piece[] = tailRows.map((row, i) => ({
      count: numberIn(row, 'count'),
      data: tail[i]?.[spec.index] ?? null,
    }))
    const last = batch[spec.index]
    if (last !== undefined) pieces.push(last)
    return planColumn(spec, gather(spec, pieces), levels[spec.index] ?? [], chain.folded)
  })
  const old = yield* readJoined(chain, folds)
  const chunks: NewChunk[] = []
  const nextLevels = folds.map((fold) => finishColumn(fold, old.get(fold.spec.index) ?? [], chunks))
  return [
    ...deleteJoined(chain, folds),
    ...insertChunks(chain, chunks),
    ...(chain.tailRows > 0 ? [deleteTail(chain)] : []),
    {
      sql: 'INSERT INTO levels (chain_id, levels) VALUES (?, ?) ON CONFLICT (chain_id) DO UPDATE SET levels = excluded.levels',
      params: [chain.id, JSON.stringify(nextLevels)],
    },
  ]
}

function* readTail(chain: ChainRow): Program<{ tailRows: readonly Row[]; levels: Level[][] }> {
  const [tailRows = [], levelRows = []] = yield {
    reads: [
      tailRowsOf(chain, chain.folded, chain.length),
      { sql: 'SELECT levels FROM levels WHERE chain_id = ?', params: [chain.id] },
    ],
  }
  if (tailRows.length !== chain.tailRows) throw new StaleRead('the tail was folded meanwhile')
  const [row] = levelRows
  return { tailRows, levels: row === undefined ? [] : JSON.parse(textIn(row, 'levels')) }
}

/**
 * Joins the pieces of a column into as few as possible. Absent draws stay absent where their fill would be large, also
 * beside what was sent: else a stat that comes with every other batch would leave a chunk for each.
 */
function gather(spec: ColumnSpec, pieces: readonly Piece[]): Piece[] {
  let absent = 0
  let sentBytes = 0
  for (const { count, data } of pieces) {
    if (data === null) absent += count
    else sentBytes += data.length
  }
  const isSent = pieces.some(({ data }) => data !== null)
  const filled = absent > 0 && isSent && fillSize(spec, absent) <= FILL_BYTES + sentBytes
  const gathered: Piece[] = []
  let group: { count: number; data: Bytes }[] = []
  const flush = () => {
    if (group.length === 0) return
    gathered.push({ count: group.reduce((n, p) => n + p.count, 0), data: joinSegments(spec, group) })
    group = []
  }
  for (const { count, data } of pieces) {
    if (data !== null) group.push({ count, data })
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

function planColumn(spec: ColumnSpec, pieces: Piece[], levels: readonly Level[], folded: number): ColumnFold {
  const kept = [...levels]
  let from = folded
  const [first] = pieces
  if (first === undefined) return { spec, from, joined: 0, pieces, kept, joinsData: false }
  const joinsData = first.data !== null
  let bytes = first.data?.length ?? -1
  for (let top = kept.at(-1); top !== undefined; top = kept.at(-1)) {
    const fits = joinsData ? top[1] >= 0 && top[1] <= bytes && bytes < GROWN_BYTES : top[1] < 0
    if (!fits) break
    kept.pop()
    from -= top[0]
    bytes += joinsData ? top[1] : 0
  }
  return { spec, from, joined: folded - from, pieces, kept, joinsData: joinsData && from < folded }
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

function* readJoined(chain: ChainRow, folds: readonly ColumnFold[]): Program<Map<number, Piece[]>> {
  const old = new Map<number, Piece[]>()
  if (!folds.some((f) => f.joinsData)) return old
  const sql = `SELECT k.col, k.start, k.count, k.data ${JOINED} ORDER BY k.col, k.start`
  const [rows = []] = yield { reads: [{ sql, params: [joinedPairs(folds, chain.folded, true), chain.id] }] }
  for (const row of rows) {
    const column = numberIn(row, 'col')
    const pieces = old.get(column) ?? []
    pieces.push({ count: numberIn(row, 'count'), data: bytesIn(row, 'data') })
    old.set(column, pieces)
  }
  for (const fold of folds) {
    if (!fold.joinsData) continue
    const count = (old.get(fold.spec.index) ?? []).reduce((n, p) => n + p.count, 0)
    if (count !== fold.joined) throw new StaleRead('the chunks were joined meanwhile')
  }
  return old
}

/** Adds the chunks of a column to `chunks` and returns its new levels. */
function finishColumn(fold: ColumnFold, old: readonly Piece[], chunks: NewChunk[]): Level[] {
  const [first, ...rest] = fold.pieces
  if (first === undefined) return fold.kept
  const data = first.data === null ? null : joinSegments(fold.spec, withData([...old, first]))
  const head: Piece = { count: first.count + fold.joined, data }
  let start = fold.from
  let levels = fold.kept
  for (const piece of [head, ...rest]) {
    for (const { count, data } of split(fold.spec, piece)) {
      addRows(chunks, fold.spec.index, start, count, data)
      start += count
      levels = withLevel(levels, [count, data?.length ?? -1])
    }
  }
  return levels
}

/** Only chunks of one kind, all absent or none, can ever be joined: what lies below another kind is done with. */
function withLevel(levels: readonly Level[], added: Level): Level[] {
  const [, bytes] = added
  if (bytes >= GROWN_BYTES) return []
  const isOfKind = (level: Level | undefined) => level === undefined || level[1] < 0 === bytes < 0
  return isOfKind(levels.at(-1)) ? [...levels, added] : [added]
}

function withData(pieces: readonly Piece[]): { count: number; data: Bytes }[] {
  return pieces.flatMap(({ count, data }) => (data === null ? [] : [{ count, data }]))
}

/** Cuts a piece so that no part but a single draw exceeds a row. */
function split(spec: ColumnSpec, piece: Piece): Piece[] {
  const { count, data } = piece
  if (data === null || data.length <= CHUNK_BYTES || count === 1) return [piece]
  if (spec.kind === 'rigid-numbers') {
    const each = Math.max(1, Math.floor(CHUNK_BYTES / spec.stride))
    const parts: Piece[] = []
    for (let from = 0; from < count; from += each) {
      const to = Math.min(count, from + each)
      parts.push({ count: to - from, data: sliceSegment(spec, data, count, from, to) })
    }
    return parts
  }
  const half = Math.floor(count / 2)
  return [
    ...split(spec, { count: half, data: sliceSegment(spec, data, count, 0, half) }),
    ...split(spec, { count: count - half, data: sliceSegment(spec, data, count, half, count) }),
  ]
}

/** One row, or several when a single draw exceeds a row. */
function addRows(chunks: NewChunk[], column: number, start: number, count: number, data: Segment): void {
  if (data === null || data.length <= CHUNK_BYTES) {
    chunks.push({ column, start, count, part: 0, data })
    return
  }
  for (let offset = 0, part = 0; offset < data.length; offset += CHUNK_BYTES, part++) {
    chunks.push({ column, start, count, part, data: data.subarray(offset, offset + CHUNK_BYTES) })
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
  const statements: Statement[] = []
  let rows: NewChunk[] = []
  let bytes = 0
  const flush = () => {
    if (rows.length === 0) return
    const values = rows.map(() => '(?, ?, ?, ?, ?, ?)').join(', ')
    statements.push({
      sql: `INSERT INTO chunks (chain_id, col, start, part, count, data) VALUES ${values}`,
      params: rows.flatMap((c) => [chain.id, c.column, c.start, c.part, c.count, c.data]),
    })
    rows = []
    bytes = 0
  }
  for (const chunk of chunks) {
    rows.push(chunk)
    bytes += chunk.data?.length ?? 0
    if (rows.length === ROWS_PER_INSERT || bytes >= BYTES_PER_INSERT) flush()
  }
  flush()
  return statements
}
