/** A chain's row, and the rows of its tail. */
import { McbError } from '../../core/errors.ts'
import { numberIn, type Program, type Row, type Statement } from '../../sql/program.ts'
import { chainSum, DamagedData, withId } from './checksum.ts'

export interface ChainRow {
  readonly id: number
  readonly runId: number
  readonly number: number
  readonly length: number
  readonly folded: number
  readonly tailRows: number
  readonly tailBytes: number
  /** Bytes of the chain's rows in all tables. */
  readonly bytes: number
  readonly updatedAt: number
  /** Number of the newest object, and the bytes of it that chunks have; 0 before the first. */
  readonly object: number
  readonly objectEnd: number
}

/** Places in a chain's tail; see the table `tail`. */
export const TAIL_SLOTS = 4096

/** No join with `runs`: the chains of a hidden run have negative numbers. */
const CHAIN_COLUMNS =
  'id, run_id, number, length, folded, tail_rows, tail_bytes, bytes, updated_at, object, object_end, sum'
const CHAIN_SQL = `SELECT ${CHAIN_COLUMNS} FROM chains `
/** All chains, also hidden ones. */
export const ALL_CHAINS_SQL = CHAIN_SQL

export function* findChain(runId: number, chain: number): Program<ChainRow | undefined> {
  const [rows] = yield { reads: [{ sql: `${CHAIN_SQL}WHERE run_id = ? AND number = ?`, params: [runId, chain] }] }
  return rows?.[0] && chainIn(rows[0], { runId, number: chain })
}

/** The chain with an id. @throws McbError `run_not_found` when it went with its run */
export function* chainOfId(id: number): Program<ChainRow> {
  const [rows] = yield { reads: [{ sql: `${CHAIN_SQL}WHERE id = ? AND number >= 0`, params: [id] }] }
  const row = rows?.[0]
  if (row === undefined) throw new McbError('run_not_found', 'the run was deleted')
  return chainIn(row, { id })
}

/** Chains of some ids, also hidden ones. */
export function chainsWithIds(ids: readonly number[]): Statement {
  return { sql: `${CHAIN_SQL}WHERE id IN (SELECT value FROM json_each(?))`, params: [JSON.stringify(ids)] }
}

/** Chains of a run by their numbers, for `chainIn`. */
export function chainsOf(runId: number): Statement {
  return { sql: `${CHAIN_SQL}WHERE run_id = ? ORDER BY number`, params: [runId] }
}

/**
 * The chain in a row.
 *
 * @param asked numbers that were asked for: an index that is damaged may lead to another row
 * @throws DamagedData
 */
export function chainIn(row: Row, asked: Partial<Pick<ChainRow, 'id' | 'runId' | 'number'>> = {}): ChainRow {
  const chain = { ...chainAsFound(row), ...asked }
  if (!isChainIntact(row, chain)) {
    throw new DamagedData(`the row of chain ${chain.number} of run ${chain.runId} in the index`)
  }
  return chain
}

/** True when the row of a chain, taken as `chain`, is as it was written. */
export function isChainIntact(row: Row, chain: ChainRow): boolean {
  return row.sum === null || row.sum === withId(chainSum(chain), chain.id)
}

/** The chain in a row, be it damaged or not. */
export function chainAsFound(row: Row): ChainRow {
  return {
    id: numberIn(row, 'id'),
    runId: numberIn(row, 'run_id'),
    number: numberIn(row, 'number'),
    length: numberIn(row, 'length'),
    folded: numberIn(row, 'folded'),
    tailRows: numberIn(row, 'tail_rows'),
    tailBytes: numberIn(row, 'tail_bytes'),
    bytes: numberIn(row, 'bytes'),
    updatedAt: numberIn(row, 'updated_at'),
    object: numberIn(row, 'object'),
    objectEnd: numberIn(row, 'object_end'),
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

const TAIL_SQL =
  'SELECT start, count, data, sum FROM tail WHERE id >= ? AND id < ? AND start + count > ? AND start < ? ORDER BY id'

/** Rows of the tail. Their data is verified by `look`, or not at all. */
export function tailRowsOf(chain: ChainRow, from: number, to: number, look?: (row: Row) => void): Statement {
  const params = [chain.id * TAIL_SLOTS, (chain.id + 1) * TAIL_SLOTS, from, to]
  return { sql: TAIL_SQL, params, ...(look && { look }) }
}
