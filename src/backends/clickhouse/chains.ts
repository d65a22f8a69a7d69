/**
 * The appends of a chain, as the server has them.
 *
 * An append is one insert, and so one block, which appears whole or not at all. Several attempts may be made at one
 * index: the one that the server took first is the append, the others never were. Block numbers are given under the lock under
 * which blocks become visible, so that a later attempt never wins over one that was seen before (docs/clickhouse.md).
 */
import { McbError } from '../../core/errors.ts'
import type { ChainState } from '../../core/store.ts'
import { WHEN_GONE } from './clickhouse-settings.ts'
import type { Connection, Params } from './connection.ts'
import { RowReader } from './row-binary.ts'

/** Identity of a run in the tables. */
export interface RunKey {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
  /** The run is gone when this generation of its rid, or a later one, was deleted. */
  readonly generation: number
}

export function runParams({ tenant, rid, registration }: RunKey): Params {
  return { tenant, rid, registration }
}

export const OF_RUN = 'tenant = {tenant:String} AND rid = {rid:String} AND registration = {registration:String}'
/** The order in which the server took rows; rows of one block are told apart by their attempt. */
export const ORDER = '(_block_number, attempt)'

/** The attempt at each place that the server took first. */
export class Winners<Place, T extends { readonly attempt: bigint; readonly position: bigint }> {
  private readonly first = new Map<Place, T>()

  add(place: Place, row: T): void {
    const known = this.first.get(place)
    const isFirst =
      known === undefined ||
      row.position < known.position ||
      (row.position === known.position && row.attempt < known.attempt)
    if (isFirst) this.first.set(place, row)
  }

  get(place: Place): T | undefined {
    return this.first.get(place)
  }

  all(): T[] {
    return [...this.first.values()]
  }
}

/** First number of the rows that tell which generations were deleted: no iteration has it. */
const DELETED = -3
/**
 * Rows that tell whether the run is gone, for a query whose rows are five columns `Int64, UInt64, UInt64, Int64, UInt64`.
 * An arm of a union and not a condition: a server plans two simple selects in half the time of one that holds the other.
 */
const DELETIONS = `UNION ALL SELECT toInt64(${DELETED}), generation, toUInt64(0), toInt64(0), toUInt64(0) FROM deletions
WHERE tenant = {tenant:String} AND rid = {rid:String}`

interface FiveNumbers {
  readonly first: number
  readonly second: bigint
  readonly third: bigint
  readonly fourth: number
  readonly fifth: bigint
}

/** The rows of a query that ends with `DELETIONS`. @throws McbError `run_not_found` */
async function selectLive(connection: Connection, run: RunKey, select: string, params: Params): Promise<FiveNumbers[]> {
  const reader = new RowReader(await connection.select(`${select}\n${DELETIONS}`, { ...runParams(run), ...params }))
  const rows: FiveNumbers[] = []
  let deleted = 0
  while (reader.more()) {
    const first = reader.int64()
    const row = {
      first,
      second: reader.uint64(),
      third: reader.uint64(),
      fourth: reader.int64(),
      fifth: reader.uint64(),
    }
    if (first !== DELETED) rows.push(row)
    else deleted = Math.max(deleted, Number(row.second))
  }
  requireLive(run, deleted)
  return rows
}

/** @throws McbError `run_not_found` when the generation `deleted` of its rid, the last that was, is not before the run's */
export function requireLive({ generation }: RunKey, deleted: number): void {
  if (deleted >= generation) throw new McbError('run_not_found', 'the run was deleted')
}

const STATES = (where: string) => `
SELECT toInt64(chain) AS number, toUInt64(max(finish)), toUInt64(0), toInt64(max(time)), toUInt64(0) FROM (
  SELECT chain, argMin(start + count, ${ORDER}) AS finish, toUnixTimestamp64Milli(argMin(written, ${ORDER})) AS time
  FROM chunks WHERE ${OF_RUN} AND kind = 'append' ${where} GROUP BY chain, start
) GROUP BY chain`

/** @throws McbError `run_not_found` */
async function statesOf(connection: Connection, run: RunKey, where: string, params: Params): Promise<ChainState[]> {
  return (await selectLive(connection, run, STATES(where), params))
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

/** @throws McbError `run_not_found`, `chain_not_found` */
export async function requireChain(connection: Connection, run: RunKey, chain: number): Promise<ChainState> {
  const state = await findChain(connection, run, chain)
  if (state === undefined) throw new McbError('chain_not_found', `run "${run.rid}" has no chain ${chain}`)
  return state
}

/** An attempt at an append. */
export interface Append {
  readonly start: number
  readonly count: number
  readonly attempt: bigint
  readonly written: number
  /** Number of the block that it came with. */
  readonly position: bigint
}

/** The chain behind an append that holds. */
export function stateAfter(chain: number, { start, count, written }: Append): ChainState {
  return { chain, length: start + count, updatedAt: written }
}

const APPENDS = `SELECT start, toUInt64(count), attempt, toUnixTimestamp64Milli(written), _block_number
FROM chunks WHERE ${OF_RUN} AND kind = 'append' AND name = '' AND chain = {chain:UInt32} AND start >= {from:Int64}`

/** A chain that was seen as `known`, as it is now: only appends since then are read. @throws McbError `run_not_found` */
export async function chainSince(connection: Connection, run: RunKey, known: ChainState): Promise<ChainState> {
  const { chain, length: from } = known
  const rows = await selectLive(connection, run, APPENDS, { chain, from })
  const appends = new Winners<number, Append>()
  for (const { first: start, second, third: attempt, fourth: written, fifth: position } of rows) {
    appends.add(start, { start, count: Number(second), attempt, written, position })
  }
  return lastState(known, appends.all())
}

/** A chain that was seen as `known` behind appends that hold, of which some may be older. */
export function lastState(known: ChainState, appends: readonly Append[]): ChainState {
  let state = known
  for (const append of appends) if (append.start >= state.length) state = stateAfter(known.chain, append)
  return state
}

/** Place of an attempt. */
export interface AppendPlace {
  readonly run: RunKey
  readonly chain: number
  readonly head: number
}

/** Outcome of an attempt: the one that holds at its place, and whether the run is still there. */
export interface Holding {
  readonly holds: Append | undefined
  readonly live: boolean
}

/**
 * Outcomes of attempts at some places, in one query for all of them. It asks for the whole sorting key in one set, which a
 * server plans sooner than any other form.
 */
export async function holdingsAt(connection: Connection, places: readonly AppendPlace[]): Promise<Holding[]> {
  const params: Record<string, string | number> = {}
  const keys: string[] = []
  const rids: string[] = []
  const known = new Map<string, number>()
  for (const [i, { run, chain, head }] of places.entries()) {
    const r = known.get(run.registration) ?? i
    if (r === i) {
      known.set(run.registration, r)
      Object.assign(params, { [`t${r}`]: run.tenant, [`r${r}`]: run.rid, [`g${r}`]: run.registration })
      rids.push(`({t${r}:String}, {r${r}:String})`)
    }
    Object.assign(params, { [`c${i}`]: chain, [`h${i}`]: head })
    keys.push(`({t${r}:String}, 'append', {r${r}:String}, {g${r}:String}, '', {c${i}:UInt32}, {h${i}:Int64})`)
  }
  const sql = `SELECT start, toUInt64(count), attempt, toUnixTimestamp64Milli(written), _block_number, chain, registration, ''
FROM chunks WHERE (tenant, kind, rid, registration, name, chain, start) IN (${keys.join(', ')})
UNION ALL SELECT toInt64(${DELETED}), generation, toUInt64(0), toInt64(0), toUInt64(0), toUInt32(0), rid, tenant
FROM deletions WHERE (tenant, rid) IN (${rids.join(', ')})`
  const reader = new RowReader(await connection.select(sql, params))
  const appends = new Winners<string, Append>()
  const deleted = new Map<string, number>()
  while (reader.more()) {
    const start = reader.int64()
    const number = Number(reader.uint64())
    const attempt = reader.uint64()
    const written = reader.int64()
    const position = reader.uint64()
    const chain = reader.uint32()
    const text = reader.string()
    const tenant = reader.string()
    if (start !== DELETED) {
      appends.add(`${text}/${chain}/${start}`, { start, count: number, attempt, written, position })
    } else {
      const key = `${tenant}/${text}`
      deleted.set(key, Math.max(number, deleted.get(key) ?? 0))
    }
  }
  return places.map(({ run, chain, head }) => ({
    holds: appends.get(`${run.registration}/${chain}/${head}`),
    live: (deleted.get(`${run.tenant}/${run.rid}`) ?? 0) < run.generation,
  }))
}

/** Takes away what an attempt has left in a run that is gone. */
export async function discard(connection: Connection, run: RunKey, attempt: bigint): Promise<void> {
  const sql = `DELETE FROM chunks WHERE ${OF_RUN} AND attempt = {attempt:UInt64} ${WHEN_GONE}`
  await connection.command(sql, { ...runParams(run), attempt: String(attempt) })
}
