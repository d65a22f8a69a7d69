/**
 * The list of runs in D1, made of announcements by run objects, so that listing opens none of them.
 *
 * An object numbers its announcements. The one with the highest number stays, in whatever order they arrive.
 */
import type { Usage } from '../../core/store.ts'
import { numberIn, type Program, type SqlDriver } from '../../sql/program.ts'
import { type ListPage, type ListRequest, pageOfRuns } from '../sqlite/run-list.ts'

/** A run as its object tells of it. */
export interface CatalogueEntry {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
  readonly variables: number
  readonly sampleStats: number
  readonly chains: number
  readonly draws: number
  /** Bytes of metadata and draws. */
  readonly bytes: number
  readonly version: number
}

/** The list to which run objects announce themselves. */
export interface Catalogue {
  put(entry: CatalogueEntry): Promise<void>
  remove(tenant: string, rid: string, version: number): Promise<void>
}

export class SqlCatalogue implements Catalogue {
  private readonly driver: SqlDriver

  constructor(driver: SqlDriver) {
    this.driver = driver
  }

  put(entry: CatalogueEntry): Promise<void> {
    return this.driver.run(() => putEntry(entry))
  }

  remove(tenant: string, rid: string, version: number): Promise<void> {
    const sql = 'DELETE FROM catalogue WHERE tenant = ? AND rid = ? AND version < ?'
    return this.driver.run(function* () {
      yield { writes: [{ sql, params: [tenant, rid, version] }] }
    })
  }

  /** Runs registered before the one that `before` stands for, newest first. */
  list(request: ListRequest): Promise<ListPage> {
    return this.driver.run(() => pageOfRuns(request, LIST_SQL))
  }

  usage(tenant: string): Promise<Usage> {
    const sql = 'SELECT count(*) AS runs, coalesce(sum(bytes), 0) AS bytes FROM catalogue WHERE tenant = ?'
    return this.driver.run(function* (): Program<Usage> {
      const [rows] = yield { reads: [{ sql, params: [tenant] }] }
      const row = rows?.[0] ?? {}
      return { runs: numberIn(row, 'runs'), bytes: numberIn(row, 'bytes') }
    })
  }

  /** Rejects when the catalogue cannot be reached. */
  async ping(): Promise<void> {
    await this.list({ tenant: '', limit: 1 })
  }
}

/** A run that was registered anew gets a row anew: its place in the list is that of its last registration. */
const FORGET_FORMER_SQL = 'DELETE FROM catalogue WHERE tenant = ? AND rid = ? AND registration <> ? AND version < ?'
const PUT_SQL =
  'INSERT INTO catalogue (tenant, rid, registration, created_at, updated_at, variables, sample_stats, chains, draws, bytes, version) ' +
  'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, rid) DO UPDATE SET updated_at = excluded.updated_at, ' +
  'chains = excluded.chains, draws = excluded.draws, bytes = excluded.bytes, version = excluded.version WHERE excluded.version > catalogue.version'

function* putEntry(e: CatalogueEntry): Program<void> {
  const times = [e.createdAt, e.updatedAt]
  const counts = [e.variables, e.sampleStats, e.chains, e.draws, e.bytes]
  yield {
    writes: [
      { sql: FORGET_FORMER_SQL, params: [e.tenant, e.rid, e.registration, e.version] },
      { sql: PUT_SQL, params: [e.tenant, e.rid, e.registration, ...times, ...counts, e.version] },
    ],
  }
}

const LIST_SQL = (where: string) =>
  'SELECT id, rid, created_at, updated_at, variables, sample_stats, chains, draws FROM catalogue ' +
  `WHERE ${where} ORDER BY id DESC LIMIT ?`
