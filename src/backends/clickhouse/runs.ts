/**
 * The table of runs. A rid has generations: each deletion ends one. The registration that the server took
 * first in a generation is the run, so that one that arrives late changes nothing.
 */

import type { Bytes } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import type { Registration } from '../../core/store.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { equalRunMeta } from '../../core/wire/run-meta.ts'
import { ABOUT_BYTES } from './about.ts'
import { newAttempt } from './append.ts'
import { ORDER } from './chains.ts'
import { AT_ONCE, WHEN_GONE } from './clickhouse-settings.ts'
import { type Connection, unavailable } from './connection.ts'
import { RowReader, RowWriter } from './row-binary.ts'
import { forgetDeleted, STAGED_BYTES } from './staging.ts'

export interface FoundRun {
  readonly generation: number
  readonly registration: string
  readonly meta: Bytes
}

/** The registrations of a rid in the order in which the server took them, and the generations that were deleted. */
const FIND = `SELECT generation, _block_number AS position, registration, meta FROM runs
WHERE tenant = {tenant:String} AND rid = {rid:String}
UNION ALL SELECT generation, toUInt64(0), '', '' FROM deletions WHERE tenant = {tenant:String} AND rid = {rid:String}`

export interface FoundRuns {
  readonly run?: FoundRun
  /** The generation that a new one would have. */
  readonly next: number
  /** All registrations that are there, also such of deleted generations: a deletion was cut off, or they arrived late. */
  readonly all: readonly FoundRun[]
}

/** The run of this rid. */
export async function findRun(connection: Connection, tenant: string, rid: string): Promise<FoundRuns> {
  const reader = new RowReader(await connection.select(FIND, { tenant, rid }))
  const found: Found[] = []
  let deleted = 0
  while (reader.more()) {
    const generation = Number(reader.uint64())
    const row = {
      generation,
      position: reader.uint64(),
      registration: reader.string(),
      meta: reader.take(reader.varint()),
    }
    if (row.registration === '') deleted = Math.max(deleted, generation)
    else found.push(row)
  }
  const [run] = found.filter(({ generation }) => generation > deleted).sort(byOrder)
  return { ...(run && { run }), next: deleted + 1, all: found }
}

type Found = FoundRun & { readonly position: bigint }

/** The server's order: by generation, then by block, then by registration, which tells rows of a block apart. */
function byOrder(a: Found, b: Found): number {
  if (a.generation !== b.generation) return a.generation - b.generation
  if (a.position !== b.position) return a.position < b.position ? -1 : 1
  return a.registration < b.registration ? -1 : 1
}

/** @throws McbError `run_conflict` */
export async function registerRun(
  connection: Connection,
  tenant: string,
  run: Registration,
  registration: string,
): Promise<{ registration: string; generation: number; created: boolean }> {
  const before = await findRun(connection, tenant, run.rid)
  const ended = before.all.filter(({ generation }) => generation < before.next)
  await purgeRuns(connection, tenant, run.rid, ended)
  if (ended.length > 0) await forgetDeleted(connection, tenant, run.rid)
  let failure: unknown
  if (before.run === undefined) {
    await insertRun(connection, tenant, run, registration, before.next).catch((error: unknown) => {
      failure = error
    })
  }
  const { run: found } = before.run === undefined ? await findRun(connection, tenant, run.rid) : before
  if (found === undefined) throw failure ?? unavailable(new Error('a registration is not seen'))
  const { generation } = found
  if (found.registration === registration) return { registration, generation, created: true }
  if (equalRunMeta(found.meta, run.meta)) return { registration: found.registration, generation, created: false }
  throw new McbError('run_conflict', `run "${run.rid}" is registered with different metadata`)
}

async function insertRun(
  connection: Connection,
  tenant: string,
  run: Registration,
  registration: string,
  generation: number,
): Promise<void> {
  const writer = new RowWriter()
  writer.string(tenant)
  writer.string(run.rid)
  writer.uint64(BigInt(generation))
  writer.string(registration)
  writer.int64(Date.now())
  writer.uint32(run.variables)
  writer.uint32(run.sampleStats)
  writer.blob(run.meta)
  writer.strings(run.terms)
  const sql =
    'INSERT INTO runs (tenant, rid, generation, registration, created, variables, sample_stats, meta, terms) FORMAT RowBinary'
  const token = `${tenant}/${run.rid}/${generation}`
  await connection.insert(sql, writer.finish(), { ...AT_ONCE, insert_deduplication_token: token })
}

/** Ends a generation; resolves to false when another call has done it. */
export async function endGeneration(
  connection: Connection,
  tenant: string,
  rid: string,
  { generation, registration }: FoundRun,
): Promise<boolean> {
  const attempt = newAttempt()
  const writer = new RowWriter()
  writer.string(tenant)
  writer.string(rid)
  writer.uint64(BigInt(generation))
  writer.string(registration)
  writer.uint64(attempt)
  writer.int64(Date.now())
  const sql = 'INSERT INTO deletions (tenant, rid, generation, registration, attempt, deleted) FORMAT RowBinary'
  const token = `${tenant}/${rid}/${generation}`
  let failure: unknown
  await connection
    .insert(sql, writer.finish(), { ...AT_ONCE, insert_deduplication_token: token })
    .catch((error: unknown) => {
      failure = error
    })
  const first = `SELECT attempt FROM deletions WHERE tenant = {tenant:String} AND rid = {rid:String}
    AND generation = {generation:UInt64} ORDER BY ${ORDER} LIMIT 1`
  const reader = new RowReader(await connection.select(first, { tenant, rid, generation }))
  if (!reader.more()) throw failure ?? unavailable(new Error('a deletion is not seen'))
  return reader.uint64() === attempt
}

/** Takes away all rows of runs that have been ended; the registrations last, so that one that is cut off can be completed. */
export async function purgeRuns(
  connection: Connection,
  tenant: string,
  rid: string,
  ended: readonly FoundRun[],
): Promise<void> {
  if (ended.length === 0) return
  const params = { tenant, rid, registrations: ended.map(({ registration }) => registration) }
  const which = 'tenant = {tenant:String} AND rid = {rid:String} AND registration IN {registrations:Array(String)}'
  for (const table of ['chunks', 'about', 'diagnostics', 'runs'])
    await connection.command(`DELETE FROM ${table} WHERE ${which} ${WHEN_GONE}`, params)
}

/** Live runs, and where each stands in the order of registration; of one rid, with a condition on it. */
export const LIVE = (
  ofRid = '',
) => `SELECT rid, position, first.1 AS registration, first.2 AS created, first.3 AS variables, first.4 AS sample_stats
FROM (
  SELECT rid, min(_block_number) AS position,
    argMin((registration, created, variables, sample_stats), (_block_number, registration)) AS first
  FROM runs WHERE tenant = {tenant:String} ${ofRid} AND (rid, generation) NOT IN
    (SELECT rid, generation FROM deletions WHERE tenant = {tenant:String} ${ofRid})
  GROUP BY rid, generation)`

const OF_LIVE = `tenant = {tenant:String} AND registration IN (SELECT registration FROM (${LIVE()}))`
/** Bytes of the rows of `chunks`: their data, their keys, and the rest of a row. */
const CHUNK_BYTES = `sum(${ROW_BYTES} + bytes + length(tenant) + length(rid) + length(registration) + length(name))`
const USAGE = `SELECT count(), sum(${ROW_BYTES} + length(rid) + length(registration) + length(meta))
  + assumeNotNull((SELECT ${CHUNK_BYTES} FROM chunks WHERE ${OF_LIVE}))
  + assumeNotNull((${ABOUT_BYTES(OF_LIVE)}))
  + assumeNotNull((${STAGED_BYTES}))
FROM runs WHERE ${OF_LIVE}`

export async function usageOf(connection: Connection, tenant: string): Promise<{ runs: number; bytes: number }> {
  const reader = new RowReader(await connection.select(USAGE, { tenant }))
  return { runs: Number(reader.uint64()), bytes: Number(reader.uint64()) }
}
