/**
 * The appends of a chain, as the server has them.
 *
 * An append is one insert, and so one block, which appears whole or not at all. Of the attempts to append at one index
 * the one that the server took first is the append, the others never were: block numbers are given under the lock under
 * which blocks become visible, so that what arrives later never wins over what was seen before (docs/clickhouse.md).
 */
import { McbError } from '../../core/errors.ts'
import type { Bytes } from '../../core/segment.ts'
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

/** First numbers of rows that tell of the run: no iteration has them. */
const REGISTERED = -2
const DELETED = -3
/**
 * Rows that tell whether the run is registered, for a query whose rows begin with four columns `Int64, UInt64, UInt64,
 * Int64`: the registration's generation, and those of the rid that were deleted. They are arms of a union and not
 * conditions: a server plans three simple selects in half the time of one that holds the others.
 */
const LIFE = `UNION ALL SELECT toInt64(${REGISTERED}), generation, toUInt64(0), toInt64(0) FROM runs WHERE ${OF_RUN}
UNION ALL SELECT toInt64(${DELETED}), generation, toUInt64(0), toInt64(0) FROM deletions
WHERE tenant = {tenant:String} AND rid = {rid:String}`

interface FourNumbers {
  readonly first: number
  readonly second: bigint
  readonly third: bigint
  readonly fourth: number
}

/** The rows of a query that ends with `LIFE`, and what those of `LIFE` say. */
function readWithLife(bytes: Bytes): { readonly rows: FourNumbers[]; readonly live: boolean } {
  const reader = new RowReader(bytes)
  const rows: FourNumbers[] = []
  let registered = 0n
  let deleted = 0n
  while (reader.more()) {
    const row = { first: reader.int64(), second: reader.uint64(), third: reader.uint64(), fourth: reader.int64() }
    if (row.first === REGISTERED) registered = row.second
    else if (row.first !== DELETED) rows.push(row)
    else if (row.second > deleted) deleted = row.second
  }
  return { rows, live: registered > deleted }
}

const STATES = (where: string) => `
SELECT toInt64(chain) AS number, toUInt64(max(finish)), toUInt64(0), toInt64(max(time)) FROM (
  SELECT chain, argMin(start + count, ${ORDER}) AS finish, toUnixTimestamp64Milli(argMin(written, ${ORDER})) AS time
  FROM chunks WHERE ${OF_RUN} AND kind = 'append' ${where} GROUP BY chain, start
) GROUP BY chain
${LIFE}`

/** @throws McbError `run_not_found` */
async function statesOf(connection: Connection, run: RunKey, where: string, params: Params): Promise<ChainState[]> {
  const { rows, live } = readWithLife(await connection.select(STATES(where), { ...runParams(run), ...params }))
  if (!live) throw new McbError('run_not_found', 'the run was deleted')
  return rows
    .map(({ first, second, fourth }) => ({ chain: first, length: Number(second), updatedAt: fourth }))
    .sort((a, b) => a.chain - b.chain)
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

/** A chain that was seen as `known`: what has been appended since is all that is read. @throws McbError `run_not_found` */
export async function chainSince(connection: Connection, run: RunKey, known: ChainState): Promise<ChainState> {
  const { appends, live } = await appendsFrom(connection, run, known.chain, known.length)
  if (!live) throw new McbError('run_not_found', 'the run was deleted')
  const last = appends.at(-1)
  return last === undefined ? known : { chain: known.chain, length: last.start + last.count, updatedAt: last.written }
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

const APPENDS = `SELECT start, toUInt64(argMin(count, ${ORDER})), argMin(attempt, ${ORDER}),
  toUnixTimestamp64Milli(argMin(written, ${ORDER}))
FROM chunks WHERE ${OF_RUN} AND kind = 'append' AND chain = {chain:UInt32} AND start >= {from:Int64}
GROUP BY start
${LIFE}`

/** The appends from iteration `from` on, rising, and whether the run is there. */
export async function appendsFrom(
  connection: Connection,
  run: RunKey,
  chain: number,
  from: number,
): Promise<{ appends: Append[]; live: boolean }> {
  const { rows, live } = readWithLife(await connection.select(APPENDS, { ...runParams(run), chain, from }))
  const appends = rows.map(({ first, second, third, fourth }) => {
    return { start: first, count: Number(second), attempt: third, written: fourth }
  })
  return { appends: appends.sort((a, b) => a.start - b.start), live }
}

/** Takes away what an attempt has left in a run that is gone. */
export async function discard(connection: Connection, run: RunKey, attempt: bigint): Promise<void> {
  const sql = `DELETE FROM chunks WHERE ${OF_RUN} AND attempt = {attempt:UInt64} SETTINGS lightweight_deletes_sync = 2`
  await connection.command(sql, { ...runParams(run), attempt: String(attempt) })
}
