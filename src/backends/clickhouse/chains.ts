/**
 * The appends of a chain, as the server has them.
 *
 * An append is one insert, and so one block, which appears whole or not at all. Of the attempts to append at one index
 * the one that the server took first is the append, the others never were: block numbers are given under the lock under
 * which blocks become visible, so that what arrives later never wins over what was seen before (docs/clickhouse.md).
 */
import { McbError } from '../../core/errors.ts'
import type { ChainState } from '../../core/store.ts'
import type { Connection, Params } from './connection.ts'
import { RowReader } from './row-binary.ts'

/** Identity of a run in the tables. */
export interface RunKey {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
}

export function runParams({ tenant, rid, registration }: RunKey): Params {
  return { tenant, rid, registration }
}

export const OF_RUN = 'tenant = {tenant:String} AND rid = {rid:String} AND registration = {registration:String}'
/** The order in which the server took rows; rows of one block are told apart by their attempt. */
export const ORDER = '(_block_number, attempt)'

/** 1 while the run is registered. */
const IS_LIVE = `SELECT count() FROM runs WHERE ${OF_RUN} AND generation >
  (SELECT max(generation) FROM deletions WHERE tenant = {tenant:String} AND rid = {rid:String})`

const STATES = (where: string) => `SELECT toInt64(chain) AS number, toInt64(max(finish)), toInt64(max(time))
FROM (
  SELECT chain, argMin(start + count, ${ORDER}) AS finish, toUnixTimestamp64Milli(argMin(written, ${ORDER})) AS time
  FROM chunks WHERE ${OF_RUN} AND kind = 'append' ${where} GROUP BY chain, start
) GROUP BY chain
UNION ALL SELECT toInt64(-1), toInt64(assumeNotNull((${IS_LIVE}))), toInt64(0)`

/** @throws McbError `run_not_found` */
async function statesOf(connection: Connection, run: RunKey, where: string, params: Params): Promise<ChainState[]> {
  const reader = new RowReader(await connection.select(STATES(where), { ...runParams(run), ...params }))
  const states: ChainState[] = []
  let live = false
  while (reader.more()) {
    const state = { chain: reader.int64(), length: reader.int64(), updatedAt: reader.int64() }
    if (state.chain < 0) live = state.length > 0
    else states.push(state)
  }
  if (!live) throw new McbError('run_not_found', 'the run was deleted')
  return states.sort((a, b) => a.chain - b.chain)
}

/** All chains, by number. @throws McbError `run_not_found` */
export function listChains(connection: Connection, run: RunKey): Promise<ChainState[]> {
  return statesOf(connection, run, '', {})
}

/** @throws McbError `run_not_found` */
export async function findChain(connection: Connection, run: RunKey, chain: number): Promise<ChainState | undefined> {
  const [state] = await statesOf(connection, run, 'AND chain = {chain:UInt32}', { chain })
  return state
}

/** @throws McbError `run_not_found`, `chain_not_found` */
export async function requireChain(connection: Connection, run: RunKey, chain: number): Promise<ChainState> {
  const state = await findChain(connection, run, chain)
  if (state === undefined) throw new McbError('chain_not_found', `run "${run.rid}" has no chain ${chain}`)
  return state
}

/** An append that holds. */
export interface Append {
  readonly start: number
  readonly count: number
  readonly attempt: bigint
  readonly written: number
}

const APPENDS = `SELECT start, argMin(count, ${ORDER}), argMin(attempt, ${ORDER}),
  toUnixTimestamp64Milli(argMin(written, ${ORDER}))
FROM chunks WHERE ${OF_RUN} AND kind = 'append' AND chain = {chain:UInt32} AND start >= {from:Int64}
GROUP BY start
UNION ALL SELECT toInt64(-2), toUInt32(assumeNotNull((${IS_LIVE}))), toUInt64(0), toInt64(0)`

/** The appends from iteration `from` on, rising, and whether the run is there. */
export async function appendsFrom(
  connection: Connection,
  run: RunKey,
  chain: number,
  from: number,
): Promise<{ appends: Append[]; live: boolean }> {
  const reader = new RowReader(await connection.select(APPENDS, { ...runParams(run), chain, from }))
  const appends: Append[] = []
  let live = false
  while (reader.more()) {
    const row = { start: reader.int64(), count: reader.uint32(), attempt: reader.uint64(), written: reader.int64() }
    if (row.start < -1) live = row.count > 0
    else appends.push(row)
  }
  return { appends: appends.sort((a, b) => a.start - b.start), live }
}

/** Takes away what an attempt has left in a run that is gone. */
export async function discard(connection: Connection, run: RunKey, attempt: bigint): Promise<void> {
  const sql = `DELETE FROM chunks WHERE ${OF_RUN} AND attempt = {attempt:UInt64} SETTINGS lightweight_deletes_sync = 2`
  await connection.command(sql, { ...runParams(run), attempt: String(attempt) })
}
