/**
 * A move of chunks to the bucket, in steps that are transactions of their own: choose and reserve, read, put, name what was
 * put.
 *
 * The rows are looked at by their ids. SQLite gives a new row an id above all others, and a chunk that is not joined any more
 * is never deleted while its run is there: so what has an id up to that of such a chunk is known for good.
 */
import type { DurableObjectStorage, SqlStorageValue } from '@cloudflare/workers-types'
import { McbError } from '../../core/errors.ts'
import { Pace, turn } from '../../core/turn.ts'
import { sumsOf } from '../../objects/checksum.ts'
import type { Bytes } from '../../objects/objects.ts'
import { unwritten } from '../../objects/warm.ts'
import { isIntact, textSum } from '../sqlite/checksum.ts'
import { CHUNK_BYTES, chunkSum } from '../sqlite/chunks.ts'
import { GROWN_BYTES } from '../sqlite/fold.ts'
import { HIDDEN_RUNS_SQL } from '../sqlite/runs.ts'
import { drawsPrefix } from './bucket-draws.ts'

/** Chunks of one move at most: each is a row that one transaction writes. */
const MOST_CHUNKS = 1024
/** Tails that are folded before chunks are looked for again: each has up to 1 MiB. */
const MOST_TAILS = 8
/** Bytes that are read and verified without a turn for others: about a millisecond's work. */
const STEP_BYTES = 1024 * 1024

/** `grown`: chunks that are not joined any more; `rest`: small ones as well, which are joined no more from then on. */
export type Mode = 'grown' | 'rest'

export interface LiveRun {
  readonly id: number
  readonly tenant: string
  readonly registration: string
}

/** Ends of the chunks that have moved; see the table `moved`. */
export interface Marks {
  readonly grown: number
  readonly rested: number
  readonly lookedAt: number
}

/** A chunk that is to move. A draw larger than a row lies in several, of which this is the first. */
interface Candidate {
  readonly id: number
  readonly chainId: number
  readonly column: number
  readonly start: number
  readonly count: number
  /** Bytes of all its rows. */
  readonly size: number
  readonly isSplit: boolean
}

/** Chunks that are to move together. */
export interface Chosen {
  readonly mode: Mode
  readonly run: LiveRun
  readonly chunks: readonly Candidate[]
  readonly bytes: number
  /** True when there are as many as may move together. */
  readonly isFull: boolean
  /** Iterations that were folded, by the id of the chain. */
  readonly folded: ReadonlyMap<number, number>
  /** Id of the last chunk. */
  readonly last: number
}

interface PlacedChunk extends Candidate {
  readonly at: number
  readonly sums: Bytes
}

/** The bytes of an object, and the chunks in it. */
export interface Packed {
  readonly bytes: Bytes
  readonly chunks: readonly PlacedChunk[]
}

/** Thrown when chunks are not there any more as they were chosen. */
export class Changed extends Error {
  override readonly name = 'Changed'
}

interface ChunkHeader extends Record<string, SqlStorageValue> {
  readonly id: number
  readonly chain_id: number
  readonly col: number
  readonly start: number
  readonly count: number
  readonly size: number
}

interface ChunkRow extends Record<string, SqlStorageValue> {
  readonly part: number
  readonly count: number
  readonly data: ArrayBuffer | null
  readonly sums: ArrayBuffer | null
  readonly sum: number | null
}

/** Length and emptiness of a blob stand in the head of its row: no data is read. */
const WAITING_SQL =
  'SELECT id, chain_id, col, start, count, length(data) AS size FROM chunks WHERE id > ? AND object IS NULL ' +
  'AND part = 0 AND length(data) >= ? AND +chain_id IN (SELECT id FROM chains WHERE run_id = ? AND number >= 0) ORDER BY id'
const OF_CHUNK = 'chain_id = ? AND col = ? AND start = ?'

export class Moves {
  private readonly storage: DurableObjectStorage

  constructor(storage: DurableObjectStorage) {
    this.storage = storage
  }

  liveRun(): LiveRun | undefined {
    const sql = 'SELECT id, tenant, registration FROM runs WHERE deleted = 0 LIMIT 1'
    const row = this.row(sql)
    return row && { id: Number(row.id), tenant: String(row.tenant), registration: String(row.registration) }
  }

  /** The run that the object is for, be it there or not; undefined before the first registration or staged object. */
  owner(): { readonly tenant: string; readonly rid: string } | undefined {
    const row = this.row('SELECT tenant, rid FROM announcement')
    return row && { tenant: String(row.tenant), rid: String(row.rid) }
  }

  marks(run: LiveRun): Marks {
    const row = this.row('SELECT grown, rested, looked_at FROM moved WHERE run_id = ?', run.id)
    return { grown: Number(row?.grown ?? 0), rested: Number(row?.rested ?? 0), lookedAt: Number(row?.looked_at ?? 0) }
  }

  mark(run: LiveRun, { grown, rested, lookedAt }: Marks): void {
    this.storage.sql.exec(
      'INSERT OR REPLACE INTO moved (id, run_id, grown, rested, looked_at) VALUES (1, ?, ?, ?, ?)',
      ...[run.id, grown, rested, lookedAt],
    )
  }

  /** Chunks that wait to be moved, up to so many bytes together: fewer when fewer wait. */
  choose(run: LiveRun, mode: Mode, most: number): Chosen {
    const marks = this.marks(run)
    const chunks: Candidate[] = []
    let bytes = 0
    let isFull = false
    const [behind, least] = mode === 'grown' ? [marks.grown, GROWN_BYTES] : [marks.rested, 1]
    for (const row of this.storage.sql.exec<ChunkHeader>(WAITING_SQL, behind, least, run.id)) {
      const chunk = this.candidate(row)
      isFull = chunks.length === MOST_CHUNKS || (chunks.length > 0 && bytes + chunk.size > most)
      if (isFull) break
      chunks.push(chunk)
      bytes += chunk.size
    }
    return {
      mode,
      run,
      chunks,
      bytes,
      isFull: isFull || bytes >= most,
      folded: this.folded(run),
      last: chunks.at(-1)?.id ?? behind,
    }
  }

  private candidate(row: ChunkHeader): Candidate {
    const { id, chain_id: chainId, col: column, start, count } = row
    const isSplit = count === 1 && row.size >= CHUNK_BYTES
    const size = isSplit ? this.sizeOf(chainId, column, start) : row.size
    return { id, chainId, column, start, count, size, isSplit: size > row.size }
  }

  /** Bytes of all rows of a chunk. */
  private sizeOf(...chunk: readonly [chainId: number, column: number, start: number]): number {
    return Number(this.row(`SELECT sum(length(data)) AS size FROM chunks WHERE ${OF_CHUNK}`, ...chunk)?.size)
  }

  private folded(run: LiveRun): Map<number, number> {
    const sql = 'SELECT id, folded FROM chains WHERE run_id = ? AND number >= 0'
    const rows = this.storage.sql.exec<{ id: number; folded: number }>(sql, run.id).toArray()
    return new Map(rows.map(({ id, folded }) => [id, folded]))
  }

  /** Numbers of the chains with the longest tails, of at least so many bytes each. */
  longestTails(run: LiveRun, least: number): number[] {
    const sql =
      'SELECT number FROM chains WHERE run_id = ? AND number >= 0 AND tail_bytes >= ? ORDER BY tail_bytes DESC LIMIT ?'
    const rows = this.storage.sql.exec<{ number: number }>(sql, run.id, least, MOST_TAILS).toArray()
    return rows.map(({ number }) => number)
  }

  /** A number that no other object of this run object has, written down before anything is put. */
  reserve(run: LiveRun): { readonly number: number; readonly key: string } {
    const prefix = drawsPrefix(run.tenant, run.registration)
    const sql = 'INSERT INTO moves (prefix, begun_at) VALUES (?, ?) RETURNING id'
    const { id } = this.storage.sql.exec<{ id: number }>(sql, prefix, Date.now()).one()
    return { number: id, key: keyOf(prefix, id) }
  }

  /** Reads the chunks by chain, column and iteration. Those that are damaged are left where they are. @throws Changed */
  async pack({ chunks, bytes: size }: Chosen): Promise<Packed> {
    const bytes = unwritten(size)
    const placed: PlacedChunk[] = []
    const pace = new Pace(STEP_BYTES)
    let at = 0
    for (const chunk of [...chunks].sort(byPlace)) {
      const sums = this.read(chunk, bytes.subarray(at, at + chunk.size))
      if (sums !== undefined) {
        placed.push({ ...chunk, at, sums })
        at += chunk.size
      }
      if (pace.isDue(chunk.size)) await turn()
    }
    return { bytes: bytes.subarray(0, at), chunks: placed }
  }

  /** Reads the rows of a chunk one behind the other. Its checksums, or undefined when one of them is not as it was written. */
  private read({ id, chainId, column, start, count, size, isSplit }: Candidate, into: Bytes): Bytes | undefined {
    const cells = 'SELECT part, count, data, sums, sum FROM chunks WHERE'
    const rows = isSplit
      ? this.storage.sql.exec<ChunkRow>(`${cells} ${OF_CHUNK} ORDER BY part`, chainId, column, start)
      : this.storage.sql.exec<ChunkRow>(`${cells} id = ?`, id)
    let sums: Bytes | null = null
    let at = 0
    let part = 0
    for (const row of rows) {
      const data = new Uint8Array(row.data ?? new ArrayBuffer(0))
      if (data.length > size - at) throw new Changed('a chunk is another one meanwhile')
      sums = row.sums && new Uint8Array(row.sums)
      const sum = chunkSum(chainId, { column, start, part, count, data: null })
      const isSound = row.part === part && row.count === count && (row.sum === null || row.sum === sum)
      if (!isSound || !isIntact({ sums }, data)) return undefined
      into.set(data, at)
      at += data.length
      part++
    }
    if (at < size) throw new Changed('a chunk has gone meanwhile')
    return part === 1 && sums !== null ? sums : sumsOf(into)
  }

  /**
   * Names an object that was put, in place of the rows' bytes. Small chunks whose chain was folded meanwhile stay, since they
   * may be others now.
   *
   * @throws McbError `run_not_found` when the run was deleted meanwhile; Changed
   */
  commit(chosen: Chosen, { chunks }: Packed, number: number): void {
    this.storage.transactionSync(() => {
      const { run, mode } = chosen
      if (this.liveRun()?.id !== run.id) throw new McbError('run_not_found', 'the run was deleted')
      const folded = this.folded(run)
      const isSame = (chainId: number) => folded.get(chainId) === chosen.folded.get(chainId)
      const moving = chunks.filter(({ chainId, size }) => size >= GROWN_BYTES || isSame(chainId))
      if (moving.length === 0) throw new Changed('all chains were folded meanwhile')
      for (const chunk of moving) this.name(chunk, number)
      const chains = new Set(mode === 'rest' ? moving.map(({ chainId }) => chainId) : [])
      for (const chainId of [...chains].filter(isSame)) this.level(chainId)
      const isWhole = moving.length === chunks.length && chosen.chunks.every(({ chainId }) => isSame(chainId))
      this.pass(chosen, isWhole)
      this.storage.sql.exec('DELETE FROM moves WHERE id = ?', number)
    })
  }

  /** Nothing of what was chosen is looked at again. */
  pass({ run, mode, last }: Chosen, isWhole = true): void {
    const marks = this.marks(run)
    if (mode === 'grown') this.mark(run, { ...marks, grown: last })
    else if (isWhole) this.mark(run, { ...marks, rested: last, grown: Math.max(marks.grown, last) })
  }

  private name(chunk: PlacedChunk, number: number): void {
    const { id, chainId, column, start, count, at, size, sums, isSplit } = chunk
    const place = { object: number, at }
    const sum = chunkSum(chainId, { column, start, part: 0, count, place, data: { length: size } })
    const { rowsWritten } = this.storage.sql.exec(
      `UPDATE chunks SET data = NULL, object = ?, at = ?, size = ?, sums = ?, sum = ? WHERE id = ? AND ${OF_CHUNK} ` +
        'AND part = 0 AND count = ? AND object IS NULL',
      ...[number, at, size, sums, sum, id, chainId, column, start, count],
    )
    if (rowsWritten === 0) throw new Changed('a chunk has gone meanwhile')
    if (isSplit) this.storage.sql.exec(`DELETE FROM chunks WHERE ${OF_CHUNK} AND part > 0`, ...[chainId, column, start])
  }

  /** The small chunks of a chain are joined no more. */
  private level(chainId: number): void {
    const levels = '[]'
    this.storage.sql.exec(
      'UPDATE chains SET bytes = max(0, bytes + ? - (SELECT length(levels) FROM levels WHERE chain_id = chains.id)) ' +
        'WHERE id = ? AND EXISTS (SELECT 1 FROM levels WHERE chain_id = chains.id)',
      ...[levels.length, chainId],
    )
    const sql = 'UPDATE levels SET levels = ?, sum = ? WHERE chain_id = ?'
    this.storage.sql.exec(sql, levels, textSum(chainId, levels), chainId)
  }

  /** Nothing can put this object any more: what there is of it may go at once. */
  abandon(number: number): void {
    this.storage.sql.exec('UPDATE moves SET begun_at = 0 WHERE id = ?', number)
  }

  /** Objects that were to be put before a moment, and that nothing names. */
  orphans(before: number): { readonly id: number; readonly key: string }[] {
    const sql = 'SELECT id, prefix FROM moves WHERE begun_at <= ? LIMIT 1000'
    const rows = this.storage.sql.exec<{ id: number; prefix: string }>(sql, before).toArray()
    return rows.map(({ id, prefix }) => ({ id, key: keyOf(prefix, id) }))
  }

  forget(ids: readonly number[]): void {
    this.storage.sql.exec('DELETE FROM moves WHERE id IN (SELECT value FROM json_each(?))', JSON.stringify(ids))
  }

  /** When the first of the objects that nothing names was begun, in milliseconds since 1970; undefined without any. */
  firstOrphan(): number | undefined {
    const row = this.row('SELECT min(begun_at) AS at FROM moves')
    return row?.at === null || row?.at === undefined ? undefined : Number(row.at)
  }

  /** True when something was ever put, or may have been. */
  hasPut(): boolean {
    return this.row("SELECT 1 AS ok FROM sqlite_sequence WHERE name = 'moves'") !== undefined
  }

  /** Milliseconds since 1970 of the last append to the run. */
  lastWrite(run: LiveRun): number {
    return Number(this.row('SELECT max(updated_at) AS at FROM chains WHERE run_id = ?', run.id)?.at ?? 0)
  }

  hasHidden(): boolean {
    return this.row(`SELECT 1 AS ok ${HIDDEN_RUNS_SQL} LIMIT 1`) !== undefined
  }

  private row(sql: string, ...params: readonly SqlStorageValue[]): Record<string, SqlStorageValue> | undefined {
    const [row] = this.storage.sql.exec<Record<string, SqlStorageValue>>(sql, ...params).toArray()
    return row
  }
}

function keyOf(prefix: string, number: number): string {
  return prefix + number
}

function byPlace(a: Candidate, b: Candidate): number {
  return a.chainId - b.chainId || a.column - b.column || a.start - b.start
}
