/**
 * The table of staged objects. Each object that is sent is a row, and so is the mark of one that is forgotten: of the rows of a
 * path, that of the highest version holds. Versions are times, so that an insert that arrives late replaces nothing newer.
 */
import type { Bytes } from '../../core/draws/segment.ts'
import { LruMap } from '../../core/lru.ts'
import { requireStagedPath, requireStagedRoom, STAGED_OBJECTS } from '../../core/staging.ts'
import type { StagedObject, Staging } from '../../core/store.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { AT_ONCE, ON_SERVER, WHEN_GONE } from './clickhouse-settings.ts'
import { type Commits, SMALL_BYTES } from './commit.ts'
import { type Connection, unavailable } from './connection.ts'
import { literal } from './literal.ts'
import { RowReader, RowWriter } from './row-binary.ts'

const OF_RID = 'tenant = {tenant:String} AND rid = {rid:String}'
const INSERT = 'INSERT INTO staged (tenant, rid, path, version, forgotten, size, data) FORMAT RowBinary'
/** Paths of one statement, and their characters: a server takes statements of 256 KiB. */
const PATHS_TOGETHER = 256
const CHARACTERS_TOGETHER = 32 * 1024
/** Rounds in which a writer looks for a version behind those of others who write the same object. */
const ROUNDS = 8
/** Runs of which it is known about how many rows they have. */
const KNOWN_RUNS = 256
/** Marks of a run at which those that are old are removed. */
const MARKS = 20_000
/** Milliseconds until a mark is old: nothing that was sent before it arrives any more. */
const OLD_MS = 10 * 60_000

interface Rows {
  /** Objects at most; those that took the place of another count twice. */
  objects: number
  /** Marks, more or less. */
  marks: number
}

export class ClickHouseStaging implements Staging {
  /** The connection, private to the language as well: it knows the password. */
  readonly #connection: Connection
  private readonly tenant: string
  private readonly commits: Commits
  private readonly rows = new LruMap<string, Rows>(KNOWN_RUNS)
  /** The last version that was given away. */
  private version = 0

  constructor(connection: Connection, tenant: string, commits: Commits) {
    this.#connection = connection
    this.tenant = tenant
    this.commits = commits
  }

  async stage(rid: string, path: string, data: Bytes): Promise<void> {
    requireStagedPath(path)
    const rows = await this.requireRoom(rid, path)
    let latest = 0
    for (let round = 0; round < ROUNDS; round++) {
      const version = this.versionBehind(latest)
      await this.insert(rid, path, version, data)
      latest = await this.latestVersion(rid, path)
      rows.objects++
      if (latest <= version) return
    }
    throw unavailable(new Error(`others replace the staged object "${path}" all the time`))
  }

  async staged(rid: string, paths: readonly string[]): Promise<(Bytes | undefined)[]> {
    const found = new Map<string, Bytes>()
    for (const some of inGroups(paths)) {
      const latest = `SELECT path, forgotten, data FROM staged WHERE ${OF_RID} AND ${isOneOf(some)}
        ORDER BY path, version DESC LIMIT 1 BY path`
      const reader = await this.select(`SELECT path, data FROM (${latest}) WHERE forgotten = 0`, { rid })
      while (reader.more()) found.set(reader.string(), reader.take(reader.varint()))
    }
    return paths.map((path) => found.get(path))
  }

  async listStaged(rid: string, prefix: string): Promise<StagedObject[]> {
    const sql = `SELECT path, argMax(size, version) FROM staged WHERE ${OF_RID} AND startsWith(path, {prefix:String})
      GROUP BY path HAVING argMax(forgotten, version) = 0 ORDER BY path`
    const reader = await this.select(sql, { rid, prefix })
    const objects: StagedObject[] = []
    while (reader.more()) objects.push({ path: reader.string(), size: Number(reader.uint64()) })
    return objects
  }

  /** The server itself gives marks the versions behind those that it has. */
  async unstage(rid: string, paths: readonly string[]): Promise<void> {
    for (const some of inGroups(paths)) {
      const sql = `INSERT INTO staged (tenant, rid, path, version, forgotten, size, data)
        SELECT tenant, rid, path, max(version) + 1, 1, 0, '' FROM staged WHERE ${OF_RID} AND ${isOneOf(some)}
        GROUP BY tenant, rid, path HAVING argMax(forgotten, version) = 0`
      await this.#connection.command(sql, { tenant: this.tenant, rid })
    }
    const rows = this.rows.get(rid)
    if (rows === undefined) return
    rows.marks += paths.length
    if (rows.marks < MARKS) return
    rows.marks = 0
    // The objects are forgotten, whatever becomes of the marks.
    await this.prune(rid, Date.now() - OLD_MS).catch(() => undefined)
  }

  async unstageAll(rid: string): Promise<void> {
    await this.forget(rid)
  }

  /** Removes all rows of a run; false when there was no object among them. */
  async forget(rid: string): Promise<boolean> {
    this.rows.delete(rid)
    const { objects, marks } = await this.count(rid)
    if (objects + marks > 0) await this.command(`DELETE FROM staged WHERE ${OF_RID} ${WHEN_GONE}`, { rid })
    return objects > 0
  }

  /** Removes marks that are older than `before`, in milliseconds since 1970, and first what they have replaced. */
  async prune(rid: string, before: number): Promise<void> {
    const old = `${OF_RID} AND version < {before:UInt64}`
    const forgotten = `SELECT path FROM staged WHERE ${OF_RID} GROUP BY path HAVING argMax(forgotten, version) = 1`
    const params = { rid, before: before * 1000 }
    await this.command(
      `DELETE FROM staged WHERE ${old} AND forgotten = 0 AND path IN (${forgotten}) ${WHEN_GONE}`,
      params,
    )
    const alone = `path NOT IN (SELECT path FROM staged WHERE ${OF_RID} AND forgotten = 0)`
    await this.command(`DELETE FROM staged WHERE ${old} AND forgotten = 1 AND ${alone} ${WHEN_GONE}`, params)
  }

  private async requireRoom(rid: string, path: string): Promise<Rows> {
    const known = this.rows.get(rid)
    if (known !== undefined && known.objects < STAGED_OBJECTS) return known
    const rows = await this.count(rid)
    this.rows.set(rid, rows)
    if (rows.objects >= STAGED_OBJECTS && (await this.listStaged(rid, path)).every((object) => object.path !== path)) {
      requireStagedRoom(rid, rows.objects)
    }
    return rows
  }

  private async count(rid: string): Promise<Rows> {
    const latest = `SELECT argMax(forgotten, version) AS gone FROM staged WHERE ${OF_RID} GROUP BY path`
    const reader = await this.select(`SELECT countIf(gone = 0), countIf(gone = 1) FROM (${latest})`, { rid })
    return { objects: Number(reader.uint64()), marks: Number(reader.uint64()) }
  }

  private versionBehind(latest: number): number {
    this.version = Math.max(this.version, latest, Date.now() * 1000 + Math.floor(Math.random() * 1000)) + 1
    return this.version
  }

  private async insert(rid: string, path: string, version: number, data: Bytes): Promise<void> {
    const writer = new RowWriter()
    for (const key of [this.tenant, rid, path]) writer.string(key)
    writer.uint64(BigInt(version))
    writer.uint8(0)
    writer.uint64(BigInt(data.length))
    writer.blob(data)
    const settings = this.commits.together && data.length < SMALL_BYTES ? ON_SERVER : AT_ONCE
    await this.#connection.insert(INSERT, writer.finish(), settings)
  }

  private async latestVersion(rid: string, path: string): Promise<number> {
    const sql = `SELECT max(version) FROM staged WHERE ${OF_RID} AND path = {path:String}`
    return Number((await this.select(sql, { rid, path })).uint64())
  }

  private async select(sql: string, params: Readonly<Record<string, string>>): Promise<RowReader> {
    return new RowReader(await this.#connection.select(sql, { ...params, tenant: this.tenant }))
  }

  private command(sql: string, params: Readonly<Record<string, string | number>>): Promise<void> {
    return this.#connection.command(sql, { ...params, tenant: this.tenant })
  }
}

/** Removes what was staged before the last deletion of a run: that deletion was cut off. */
export async function forgetDeleted(connection: Connection, tenant: string, rid: string): Promise<void> {
  const sql = `SELECT toUInt64(toUnixTimestamp64Milli(max(deleted))) FROM deletions WHERE ${OF_RID}`
  const deleted = Number(new RowReader(await connection.select(sql, { tenant, rid })).uint64())
  const params = { tenant, rid, before: deleted * 1000 }
  await connection.command(`DELETE FROM staged WHERE ${OF_RID} AND version <= {before:UInt64} ${WHEN_GONE}`, params)
}

/** Bytes that the objects of a tenant count for. */
export const STAGED_BYTES = `SELECT sum(${ROW_BYTES} + length(path) + bytes) FROM (
  SELECT path, argMax(size, version) AS bytes FROM staged WHERE tenant = {tenant:String}
  GROUP BY rid, path HAVING argMax(forgotten, version) = 0)`

function isOneOf(paths: readonly string[]): string {
  return `path IN (${paths.map(literal).join()})`
}

function* inGroups(paths: readonly string[]): Generator<readonly string[]> {
  let group: string[] = []
  let characters = 0
  for (const path of paths) {
    if (group.length === PATHS_TOGETHER || characters > CHARACTERS_TOGETHER) {
      yield group
      group = []
      characters = 0
    }
    group.push(path)
    characters += path.length
  }
  if (group.length > 0) yield group
}
