/** Programs for runs and the list of them. */

import type { Bytes } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import type { ChainState, ListPage, ListQuery, Registration, StoredRun, Usage } from '../../core/store.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import { equalRunMeta } from '../../core/wire/run-meta.ts'
import { bytesIn, numberIn, type Program, type Row, type Statement, textIn } from '../../sql/program.ts'
import { chainIn, chainsOf, findChain, requireFound, requireRun, runIsThere, TAIL_SLOTS } from './chain.ts'
import { chainSum, DamagedData, type MetaOwner, metaSum, withId, withIdSql } from './checksum.ts'
import { type ListTables, pageOfRuns } from './run-list.ts'
import { findStage, hideObjects, objectsAreThere, STAGED_BYTES_SQL } from './staging.ts'
import { insertTerms } from './terms.ts'

/** A RunMeta of up to 16 MiB lies in rows of this many bytes. */
const META_BYTES = 1024 * 1024
/** Chunk rows that one transaction of a deletion removes. */
const ROWS_PER_PURGE = 256

export interface RunRow extends StoredRun {
  readonly id: number
}

const RUN_SQL = 'SELECT id, rid, registration, meta_bytes FROM runs WHERE tenant = ? AND deleted = 0 AND '
const META_SQL =
  'SELECT part, data, sum FROM run_meta WHERE run_id = (SELECT id FROM runs WHERE tenant = ? AND deleted = 0 AND '

/** Finds a run by its `rid` or its `registration`. */
export function* findRun(tenant: string, by: 'rid' | 'registration', key: string): Program<RunRow | undefined> {
  const [runs, parts] = yield {
    reads: [
      { sql: `${RUN_SQL}${by} = ?`, params: [tenant, key] },
      { sql: `${META_SQL}${by} = ?) ORDER BY part`, params: [tenant, key] },
    ],
  }
  const row = runs?.[0]
  if (row === undefined) return undefined
  const id = numberIn(row, 'id')
  // An index that is damaged may lead to another run: it must be the one that was asked for.
  const owner = { tenant, rid: textIn(row, 'rid'), registration: textIn(row, 'registration'), [by]: key }
  const meta = concatBytes((parts ?? []).map((part, i) => verifiedMeta(part, i, id, owner)))
  const isOlder = parts?.[0]?.sum === null
  if (!isOlder && meta.length !== numberIn(row, 'meta_bytes')) throw damagedRun(owner)
  return { id, registration: owner.registration, meta }
}

/** The metadata in a part. @throws DamagedData */
function verifiedMeta(row: Row, part: number, id: number, owner: MetaOwner): Bytes {
  const data = bytesIn(row, 'data')
  if (row.sum === null || row.sum === withId(metaSum(owner, part, data), id)) return data
  throw damagedRun(owner)
}

function damagedRun({ rid }: MetaOwner): DamagedData {
  return new DamagedData(`what the index has of the run "${rid}"`)
}

export function* registerRun(
  tenant: string,
  run: Registration,
  registration: string,
  now: number,
): Program<{ registration: string; created: boolean }> {
  const existing = yield* findRun(tenant, 'rid', run.rid)
  if (existing !== undefined) {
    if (!equalRunMeta(existing.meta, run.meta)) {
      throw new McbError('run_conflict', `run "${run.rid}" is registered with different metadata`)
    }
    return { registration: existing.registration, created: false }
  }
  const writes: Statement[] = [
    {
      sql:
        'INSERT INTO runs (tenant, rid, registration, created_at, touched_at, variables, sample_stats, meta_bytes, indexed) ' +
        'VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)',
      params: [tenant, run.rid, registration, now, now, run.variables, run.sampleStats, run.meta.length],
    },
    ...insertTerms({ sql: 'SELECT id, tenant FROM runs WHERE registration = ?', params: [registration] }, run.terms),
  ]
  for (let part = 0; part === 0 || part * META_BYTES < run.meta.length; part++) {
    const data = run.meta.subarray(part * META_BYTES, (part + 1) * META_BYTES)
    const sum = metaSum({ tenant, rid: run.rid, registration }, part, data)
    writes.push({
      sql: `INSERT INTO run_meta (run_id, part, data, sum) SELECT id, ?, ?, ${withIdSql('id')} FROM runs WHERE registration = ?`,
      params: [part, data, sum, registration],
    })
  }
  yield { writes }
  return { registration, created: true }
}

/** Lines of the runs whose ids `page` has. */
export const LINES_SQL = (page: string) =>
  'SELECT r.id, r.rid, r.created_at, r.variables, r.sample_stats, r.shown, r.archived, r.finished, r.expected, r.diagnostics, ' +
  'count(c.id) AS chains, coalesce(sum(c.length), 0) AS draws, coalesce(min(c.length), 0) AS shortest, ' +
  'max(r.created_at, coalesce(max(c.updated_at), 0)) AS updated_at ' +
  `FROM (${page}) p CROSS JOIN runs r ON r.id = p.id LEFT JOIN chains c ON c.run_id = r.id GROUP BY r.id ORDER BY r.id DESC`

const LIST: ListTables = {
  runs: 'runs',
  index: 'runs_for_list',
  terms: 'terms',
  live: 'r.deleted = 0',
  updated: 'max(r.created_at, coalesce((SELECT max(updated_at) FROM chains WHERE run_id = r.id), 0))',
  touched: 'r.touched_at',
  lines: LINES_SQL,
}

/** Runs registered before the one that `before` stands for, newest first. */
export function listRuns(tenant: string, query: ListQuery): Program<ListPage> {
  return pageOfRuns(tenant, query, LIST)
}

/** Ids of the rows of a run that are hidden, and those of its staged objects. */
export interface Hidden {
  readonly run: number | undefined
  readonly stage: number | undefined
}

/** Hides a run and its staged objects from everybody; their ids, for purging. */
export function* hideRun(tenant: string, rid: string): Program<Hidden> {
  const sql = 'SELECT id FROM runs WHERE tenant = ? AND rid = ? AND deleted = 0'
  const [runs, stages] = yield { reads: [{ sql, params: [tenant, rid] }, findStage(tenant, rid)] }
  const run = runs?.[0] && numberIn(runs[0], 'id')
  const stage = stages?.[0] && numberIn(stages[0], 'id')
  if (run !== undefined)
    yield { guard: stillThere(run), writes: [...hide(run), ...(stage === undefined ? [] : [hideObjects(stage)])] }
  else if (stage !== undefined) yield { guard: objectsAreThere(stage), writes: [hideObjects(stage)] }
  return { run, stage }
}

function hide(id: number): Statement[] {
  return [
    { sql: "UPDATE runs SET deleted = 1, rid = '/' || registration WHERE id = ?", params: [id] },
    { sql: 'UPDATE chains SET number = -1 - number WHERE run_id = ? AND number >= 0', params: [id] },
  ]
}

/** The next run of a tenant that is to be cleared, hidden from everybody; undefined when there is none. */
export function* hideNext(tenant: string): Program<number | undefined> {
  const sql = 'SELECT id, deleted FROM runs WHERE tenant = ? ORDER BY id LIMIT 1'
  const [rows] = yield { reads: [{ sql, params: [tenant] }] }
  const row = rows?.[0]
  if (row === undefined) return undefined
  const id = numberIn(row, 'id')
  if (row.deleted === 0) yield { guard: stillThere(id), writes: hide(id) }
  return id
}

/** Bytes of the rows of a run: its own, with its keys, metadata, names and facts, and those of its chains. */
export const RUN_BYTES =
  `${ROW_BYTES} + octet_length(rid) + octet_length(registration) + meta_bytes + about_bytes + ` +
  `(SELECT coalesce(sum(${ROW_BYTES} + bytes), 0) FROM chains WHERE run_id = runs.id)`
const USAGE_SQL = `SELECT count(*) AS runs, coalesce(sum(${RUN_BYTES}), 0) + ${STAGED_BYTES_SQL} AS bytes FROM runs WHERE tenant = ? AND deleted = 0`

export function* usageOf(tenant: string): Program<Usage> {
  const [rows] = yield { reads: [{ sql: USAGE_SQL, params: [tenant, tenant] }] }
  const row = rows?.[0] ?? {}
  return { runs: numberIn(row, 'runs'), bytes: numberIn(row, 'bytes') }
}

/** Deletes some rows of a hidden run; false when nothing is left of it. */
export function* purgeSome(runId: number): Program<boolean> {
  const ofRun = 'FROM chains c JOIN chunks k ON k.chain_id = c.id WHERE c.run_id = ?'
  const [rows] = yield { reads: [{ sql: `SELECT k.id ${ofRun} LIMIT 1`, params: [runId] }] }
  if (rows?.length !== 0) {
    const sql = `DELETE FROM chunks WHERE id IN (SELECT k.id ${ofRun} LIMIT ${ROWS_PER_PURGE})`
    yield { writes: [{ sql, params: [runId] }] }
    return true
  }
  const tails =
    `DELETE FROM tail WHERE id IN (SELECT t.id FROM chains c JOIN tail t ON t.id >= c.id * ${TAIL_SLOTS} ` +
    `AND t.id < (c.id + 1) * ${TAIL_SLOTS} WHERE c.run_id = ?)`
  yield {
    writes: [
      { sql: tails, params: [runId] },
      { sql: 'DELETE FROM levels WHERE chain_id IN (SELECT id FROM chains WHERE run_id = ?)', params: [runId] },
      { sql: 'DELETE FROM chains WHERE run_id = ?', params: [runId] },
      { sql: 'DELETE FROM run_meta WHERE run_id = ?', params: [runId] },
      { sql: 'DELETE FROM about WHERE run_id = ?', params: [runId] },
      { sql: 'DELETE FROM terms WHERE run_id = ?', params: [runId] },
      { sql: 'DELETE FROM runs WHERE id = ?', params: [runId] },
    ],
  }
  return false
}

/** Runs that are hidden. Both, so that one flipped bit deletes nothing. */
export const HIDDEN_RUNS_SQL = "FROM runs WHERE deleted = 1 AND rid = '/' || registration"

/** Runs whose deletion was cut off. */
export function* hiddenRuns(): Program<number[]> {
  const [rows = []] = yield { reads: [{ sql: `SELECT id ${HIDDEN_RUNS_SQL}`, params: [] }] }
  return rows.map((row) => numberIn(row, 'id'))
}

/** Numbers of a chain without draws. */
const EMPTY = { length: 0, folded: 0, tailRows: 0, object: 0, objectEnd: 0 }

export function* createChain(
  runId: number,
  number: number,
  limit: number,
  now: number,
): Program<ChainState & { created: boolean }> {
  const existing = yield* findChain(runId, number)
  if (existing !== undefined) {
    return { chain: number, length: existing.length, updatedAt: existing.updatedAt, created: false }
  }
  yield* requireRun(runId)
  const [rows] = yield { reads: [{ sql: 'SELECT count(*) AS n FROM chains WHERE run_id = ?', params: [runId] }] }
  const [row] = rows ?? []
  if (row !== undefined && numberIn(row, 'n') >= limit) {
    throw new McbError('invalid_run_meta', `a run has at most ${limit} chains`, { limit })
  }
  yield {
    guard: stillThere(runId),
    writes: [
      {
        sql: 'INSERT INTO chains (run_id, number, length, folded, tail_rows, tail_bytes, updated_at) VALUES (?, ?, 0, 0, 0, 0, ?)',
        params: [runId, number, now],
      },
      {
        sql: `UPDATE chains SET sum = ${withIdSql('id')} WHERE run_id = ? AND number = ?`,
        params: [chainSum({ runId, number, ...EMPTY }), runId, number],
      },
      touchRun(runId, now),
    ],
  }
  return { chain: number, length: 0, updatedAt: now, created: true }
}

export function* listChains(runId: number): Program<ChainState[]> {
  const [found, rows = []] = yield { reads: [runIsThere(runId), chainsOf(runId)] }
  requireFound(found)
  return rows.map((row) => {
    const { number, length, updatedAt } = chainIn(row, { runId })
    return { chain: number, length, updatedAt }
  })
}

/** Moves the cheap time of the run's last write. */
export function touchRun(runId: number, now: number): Statement {
  return { sql: 'UPDATE runs SET touched_at = max(touched_at, ?) WHERE id = ?', params: [now, runId] }
}

/** Inserts nothing while the run is there, and violates a NOT NULL constraint otherwise. */
function stillThere(runId: number): Statement {
  return {
    sql: 'INSERT INTO chains (id) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM runs WHERE id = ? AND deleted = 0)',
    params: [runId],
  }
}
