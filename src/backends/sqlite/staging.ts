/** Staged objects on any SQLite: programs for the rows of a run's objects, and the interface on them for one tenant. */
import { crc32 } from 'node:zlib'
import type { Bytes } from '../../core/draws/segment.ts'
import { behindPrefix, requireStagedPath, requireStagedRoom, stagedBytes } from '../../core/staging.ts'
import type { StagedObject, Staging } from '../../core/store.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import {
  bytesIn,
  numberIn,
  type Program,
  type Row,
  type SqlDriver,
  StaleRead,
  type Statement,
  textIn,
} from '../../sql/program.ts'
import { DamagedData } from './checksum.ts'

/** Bytes of a row at most: D1 and Durable Objects allow 2,000,000 bytes, of which base64 takes a third more. */
const PART_BYTES = 1024 * 1024
/** Paths that one program is asked for: as JSON they are a parameter, whose bytes D1 bounds. */
const PATHS_TOGETHER = 256
/** Bytes of rows that are read at a time. */
const READ_BYTES = 4 * 1024 * 1024
/** Objects of a page of a listing. */
export const STAGED_PAGE = 5000
/** Rows that one transaction of a deletion removes. */
const ROWS_PER_PURGE = 64

const STAGE_ID = '(SELECT id FROM stages WHERE tenant = ? AND rid = ? AND deleted = 0)'
const OF_PATHS = 'path IN (SELECT value FROM json_each(?))'
/** Bytes that a row counts for: the first one of an object for its path as well. */
const COUNTED = `size + (part = 0) * (${ROW_BYTES} + octet_length(path))`

export class SqlStaging implements Staging {
  private readonly driver: SqlDriver
  private readonly tenant: string

  constructor(driver: SqlDriver, tenant: string) {
    this.driver = driver
    this.tenant = tenant
  }

  async stage(rid: string, path: string, data: Bytes): Promise<void> {
    requireStagedPath(path)
    const sums = partsOf(data).map((part, i) => partSum(path, i, part))
    await this.driver.run(() => stageObject(this.tenant, rid, path, data, sums), data.length)
  }

  async staged(rid: string, paths: readonly string[]): Promise<(Bytes | undefined)[]> {
    const found: (Bytes | undefined)[] = []
    for (const some of inGroups(paths))
      found.push(...(await this.driver.run(() => readObjects(this.tenant, rid, some))))
    return found
  }

  async listStaged(rid: string, prefix: string): Promise<StagedObject[]> {
    const objects: StagedObject[] = []
    for (;;) {
      const page = await this.listStagedPage(rid, prefix, objects.at(-1)?.path)
      objects.push(...page)
      if (page.length < STAGED_PAGE) return objects
    }
  }

  /** At most `STAGED_PAGE` objects behind the path `after`: fewer when there are no more. */
  listStagedPage(rid: string, prefix: string, after: string | undefined): Promise<StagedObject[]> {
    return this.driver.run(() => listObjects(this.tenant, rid, prefix, after))
  }

  async unstage(rid: string, paths: readonly string[]): Promise<void> {
    for (const some of inGroups(paths)) await this.driver.run(() => forgetObjects(this.tenant, rid, some))
  }

  async unstageAll(rid: string): Promise<void> {
    const id = await this.driver.run(() => hideStage(this.tenant, rid))
    if (id !== undefined) await purgeStage(this.driver, id)
  }

  async clear(): Promise<void> {
    for (;;) {
      const id = await this.driver.run(() => hideNextStage(this.tenant))
      if (id === undefined) return
      await purgeStage(this.driver, id)
    }
  }
}

/** Paths in groups of `PATHS_TOGETHER`. */
export function* inGroups(paths: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < paths.length; at += PATHS_TOGETHER) yield paths.slice(at, at + PATHS_TOGETHER)
}

/** An object without bytes has one part. */
function partsOf(data: Bytes): Bytes[] {
  const parts: Bytes[] = []
  for (let at = 0; at === 0 || at < data.length; at += PART_BYTES) parts.push(data.subarray(at, at + PART_BYTES))
  return parts
}

/** The checksum of a part of an object, over its place as well. */
export function partSum(path: string, part: number, data: Bytes): number {
  return crc32(data, crc32(`${part} ${path}`))
}

function* stageObject(tenant: string, rid: string, path: string, data: Bytes, sums: readonly number[]): Program<void> {
  const [rows] = yield {
    reads: [
      {
        sql: 'SELECT objects, EXISTS (SELECT 1 FROM staged WHERE stage_id = s.id AND path = ?) AS known FROM stages s WHERE tenant = ? AND rid = ?',
        params: [path, tenant, rid],
      },
    ],
  }
  const row = rows?.[0]
  if (row !== undefined && row.known === 0) requireStagedRoom(rid, numberIn(row, 'objects'))
  const former = 'FROM staged WHERE stage_id = stages.id AND path = ?'
  // Each statement finds the stage anew: where others write as well, it may have gone since it was read.
  yield {
    writes: [
      {
        sql: 'INSERT INTO stages (tenant, rid, objects, bytes) VALUES (?, ?, 0, 0) ON CONFLICT DO NOTHING',
        params: [tenant, rid],
      },
      {
        sql:
          `UPDATE stages SET objects = objects + NOT EXISTS (SELECT 1 ${former}), ` +
          `bytes = bytes + ? - (SELECT coalesce(sum(${COUNTED}), 0) ${former}) WHERE tenant = ? AND rid = ?`,
        params: [path, stagedBytes(path, data.length), path, tenant, rid],
      },
      { sql: `DELETE FROM staged WHERE stage_id = ${STAGE_ID} AND path = ?`, params: [tenant, rid, path] },
      ...partsOf(data).map((part, i) => ({
        sql: `INSERT INTO staged (stage_id, path, part, size, sum, data) VALUES (${STAGE_ID}, ?, ?, ?, ?, ?)`,
        params: [tenant, rid, path, i, part.length, sums[i] ?? 0, part],
      })),
    ],
  }
}

/** The place of a row among the parts of all objects. */
interface Place {
  readonly id: number
  readonly path: string
  readonly part: number
  readonly size: number
}

/** Objects of some paths; all of one object is of one moment. */
function* readObjects(tenant: string, rid: string, paths: readonly string[]): Program<(Bytes | undefined)[]> {
  const sql = `SELECT id, path, part, size FROM staged WHERE stage_id = ${STAGE_ID} AND ${OF_PATHS} ORDER BY path, part`
  const [rows = []] = yield { reads: [{ sql, params: [tenant, rid, JSON.stringify(paths)] }] }
  const places = rows.map(placeOf)
  const parts = new Map<number, Bytes>()
  for (const some of readTogether(places)) {
    const byId = new Map(some.map((place) => [place.id, place]))
    const look = (row: Row) => requireIntact(row, byId.get(numberIn(row, 'id')))
    const dataSql = 'SELECT id, sum, data FROM staged WHERE id IN (SELECT value FROM json_each(?))'
    const [found = []] = yield { reads: [{ sql: dataSql, params: [JSON.stringify([...byId.keys()])], look }] }
    if (found.length < some.length) throw new StaleRead('an object has been replaced meanwhile')
    for (const row of found) parts.set(numberIn(row, 'id'), bytesIn(row, 'data'))
  }
  const byPath = Map.groupBy(places, ({ path }) => path)
  return paths.map((path) => {
    const own = byPath.get(path)?.map(({ id }) => parts.get(id) ?? new Uint8Array())
    return own?.length === 1 ? own[0] : own && concatBytes(own)
  })
}

function placeOf(row: Row): Place {
  return {
    id: numberIn(row, 'id'),
    path: textIn(row, 'path'),
    part: numberIn(row, 'part'),
    size: numberIn(row, 'size'),
  }
}

/** The places in groups of `READ_BYTES`, more or less. */
function readTogether(places: readonly Place[]): Place[][] {
  const groups: Place[][] = []
  let left = 0
  for (const place of places) {
    if (left <= 0) {
      groups.push([])
      left = READ_BYTES
    }
    groups.at(-1)?.push(place)
    left -= ROW_BYTES + place.size
  }
  return groups
}

function requireIntact(row: Row, place: Place | undefined): void {
  if (place === undefined) throw new Error('a staged object that was not asked for')
  const { path, part } = place
  if (row.sum !== partSum(path, part, bytesIn(row, 'data'))) throw new DamagedData(`the staged object "${path}"`)
}

function* listObjects(tenant: string, rid: string, prefix: string, after: string | undefined): Program<StagedObject[]> {
  const behind = behindPrefix(prefix)
  const sql =
    `SELECT path, sum(size) AS size FROM staged WHERE stage_id = ${STAGE_ID} AND path ${after === undefined ? '>=' : '>'} ?` +
    `${behind === undefined ? '' : ' AND path < ?'} GROUP BY path ORDER BY path LIMIT ${STAGED_PAGE}`
  const params = [tenant, rid, after ?? prefix, ...(behind === undefined ? [] : [behind])]
  const [rows = []] = yield { reads: [{ sql, params }] }
  return rows.map((row) => ({ path: textIn(row, 'path'), size: numberIn(row, 'size') }))
}

function* forgetObjects(tenant: string, rid: string, paths: readonly string[]): Program<void> {
  const json = JSON.stringify(paths)
  const gone = `FROM staged WHERE stage_id = stages.id AND ${OF_PATHS}`
  yield {
    writes: [
      {
        sql:
          `UPDATE stages SET objects = objects - (SELECT count(*) ${gone} AND part = 0), ` +
          `bytes = bytes - (SELECT coalesce(sum(${COUNTED}), 0) ${gone}) WHERE tenant = ? AND rid = ?`,
        params: [json, json, tenant, rid],
      },
      { sql: `DELETE FROM staged WHERE stage_id = ${STAGE_ID} AND ${OF_PATHS}`, params: [tenant, rid, json] },
      { sql: 'DELETE FROM stages WHERE tenant = ? AND rid = ? AND objects = 0', params: [tenant, rid] },
    ],
  }
}

/** Hides all objects of a run from everybody; their id, for purging, or undefined when there are none. */
function* hideStage(tenant: string, rid: string): Program<number | undefined> {
  const [rows] = yield { reads: [findStage(tenant, rid)] }
  const row = rows?.[0]
  if (row === undefined) return undefined
  const id = numberIn(row, 'id')
  yield { guard: objectsAreThere(id), writes: [hideObjects(id)] }
  return id
}

export function findStage(tenant: string, rid: string): Statement {
  return { sql: 'SELECT id FROM stages WHERE tenant = ? AND rid = ? AND deleted = 0', params: [tenant, rid] }
}

export function hideObjects(id: number): Statement {
  return { sql: "UPDATE stages SET deleted = 1, rid = '/' || id WHERE id = ?", params: [id] }
}

/** Inserts nothing while the objects are there, and violates a NOT NULL constraint otherwise. */
export function objectsAreThere(id: number): Statement {
  return {
    sql: 'INSERT INTO stages (tenant) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM stages WHERE id = ? AND deleted = 0)',
    params: [id],
  }
}

/** The objects of some run of a tenant that is to be cleared, hidden from everybody; undefined when there are none. */
function* hideNextStage(tenant: string): Program<number | undefined> {
  const sql = 'SELECT id, deleted FROM stages WHERE tenant = ? ORDER BY rid LIMIT 1'
  const [rows] = yield { reads: [{ sql, params: [tenant] }] }
  const row = rows?.[0]
  if (row === undefined) return undefined
  const id = numberIn(row, 'id')
  if (row.deleted === 0) yield { writes: [hideObjects(id)] }
  return id
}

/** Objects whose deletion was cut off. */
export function* hiddenStages(): Program<number[]> {
  // Both, so that one flipped bit deletes nothing.
  const sql = "SELECT id FROM stages WHERE deleted = 1 AND rid = '/' || id"
  const [rows = []] = yield { reads: [{ sql, params: [] }] }
  return rows.map((row) => numberIn(row, 'id'))
}

/** Deletes objects that are hidden. */
export async function purgeStage(driver: SqlDriver, id: number): Promise<void> {
  while (await driver.run(() => purgeSome(id)));
}

/** False when nothing is left. */
function* purgeSome(id: number): Program<boolean> {
  const [rows] = yield { reads: [{ sql: 'SELECT 1 FROM staged WHERE stage_id = ? LIMIT 1', params: [id] }] }
  if (rows?.length === 0) {
    yield { writes: [{ sql: 'DELETE FROM stages WHERE id = ?', params: [id] }] }
    return false
  }
  const some = `SELECT id FROM staged WHERE stage_id = ? LIMIT ${ROWS_PER_PURGE}`
  yield { writes: [{ sql: `DELETE FROM staged WHERE id IN (${some})`, params: [id] }] }
  return true
}

/** Bytes that the objects of a tenant count for. */
export const STAGED_BYTES_SQL = '(SELECT coalesce(sum(bytes), 0) FROM stages WHERE tenant = ? AND deleted = 0)'
