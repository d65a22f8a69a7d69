/** The table of the figures that lists show. Each computation is a row; that of the latest moment holds, and merges remove the others. */
import { type RunDiagnostics, readRunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import { parseJson } from '../../core/json.ts'
import { OF_RUN, type RunKey, requireLive, runParams } from './chains.ts'
import { AT_ONCE, WHEN_GONE } from './clickhouse-settings.ts'
import type { Connection } from './connection.ts'
import { RowReader, RowWriter } from './row-binary.ts'

/** Figures of the runs of `page`, by registration. */
export const FIGURES = (ofRid: string) => `SELECT registration, argMax(figures, at) AS figures FROM diagnostics
  WHERE tenant = {tenant:String} ${ofRid} AND registration IN (SELECT registration FROM page) GROUP BY registration`

const DELETED = 'SELECT max(generation) FROM deletions WHERE tenant = {tenant:String} AND rid = {rid:String}'

/** The text of a row of `FIGURES`, empty for a run without one. */
export function readFigures(text: string): RunDiagnostics | null {
  return text === '' ? null : readRunDiagnostics(parseJson(text))
}

/** See `Store.setDiagnostics`. @throws McbError `run_not_found` */
export async function changeDiagnostics(
  connection: Connection,
  run: RunKey,
  diagnostics: RunDiagnostics,
): Promise<void> {
  requireLive(run, await lastDeleted(connection, run))
  const writer = new RowWriter()
  for (const key of [run.tenant, run.rid, run.registration]) writer.string(key)
  writer.int64(Date.parse(diagnostics.at))
  writer.string(JSON.stringify(diagnostics))
  const sql = 'INSERT INTO diagnostics (tenant, rid, registration, at, figures) FORMAT RowBinary'
  await connection.insert(sql, writer.finish(), AT_ONCE)
  const deleted = await lastDeleted(connection, run)
  if (deleted < run.generation) return
  await connection.command(`DELETE FROM diagnostics WHERE ${OF_RUN} ${WHEN_GONE}`, runParams(run))
  requireLive(run, deleted)
}

/** The last generation of the rid that was deleted; 0 when none was. */
async function lastDeleted(connection: Connection, { tenant, rid }: RunKey): Promise<number> {
  return Number(new RowReader(await connection.select(DELETED, { tenant, rid })).uint64())
}
