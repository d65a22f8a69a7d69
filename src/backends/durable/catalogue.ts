/**
 * The list of runs in D1, made of announcements by run objects, so that listing opens none of them.
 *
 * An object numbers its announcements. The one with the highest number stays, in whatever order they arrive.
 */
import type { ListPage, ListQuery, Usage } from '../../core/store.ts'
import { numberIn, type Program, type SqlDriver, type Statement, textIn } from '../../sql/program.ts'
import { type ListTables, pageOfRuns } from '../sqlite/run-list.ts'
import { insertTerms } from '../sqlite/terms.ts'

/** An object as it tells of itself. */
export interface CataloguedObject {
  readonly tenant: string
  readonly rid: string
  readonly version: number
  /** Bytes that its staged objects count for; absent where there are none. */
  readonly staged?: number | undefined
}

/** The run in an object. */
export interface CataloguedRun {
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
  /** Length of the shortest chain; 0 without chains. */
  readonly shortest: number
  /** Columns of the object's own row, see sqlite/tables.ts. */
  readonly shown: string
  readonly folded: string
  readonly archived: number
  readonly finished: number
  readonly expected: number | null
  readonly diagnostics: string | null
  /** Terms by which the run is found; absent when the catalogue has them. */
  readonly terms?: readonly string[]
}

export type CatalogueEntry = CataloguedObject & CataloguedRun

/** The list to which run objects announce themselves. */
export interface Catalogue {
  /** Lists a run, with its staged objects. */
  put(entry: CatalogueEntry): Promise<void>
  /** Notes the bytes of staged objects where there is no run. */
  putStaged(tenant: string, rid: string, version: number, bytes: number): Promise<void>
  /** Notes that there is neither. */
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

  putStaged(tenant: string, rid: string, version: number, bytes: number): Promise<void> {
    return this.driver.run(function* () {
      yield { writes: [...removeRun(tenant, rid, version), noteStaged(tenant, rid, version, bytes)] }
    })
  }

  remove(tenant: string, rid: string, version: number): Promise<void> {
    return this.driver.run(function* () {
      yield { writes: [...removeRun(tenant, rid, version), noteStaged(tenant, rid, version)] }
    })
  }

  /** Runs registered before the one that `before` stands for, newest first. */
  list(tenant: string, query: ListQuery): Promise<ListPage> {
    return this.driver.run(() => pageOfRuns(tenant, query, LIST))
  }

  usage(tenant: string): Promise<Usage> {
    const sql =
      'SELECT count(*) AS runs, coalesce(sum(bytes), 0) + ' +
      '(SELECT coalesce(sum(bytes), 0) FROM catalogue_stages WHERE tenant = ?) AS bytes FROM catalogue WHERE tenant = ?'
    return this.driver.run(function* (): Program<Usage> {
      const [rows] = yield { reads: [{ sql, params: [tenant, tenant] }] }
      const row = rows?.[0] ?? {}
      return { runs: numberIn(row, 'runs'), bytes: numberIn(row, 'bytes') }
    })
  }

  /** Ids of some runs, registered or not, that have staged objects. */
  staged(tenant: string, limit: number): Promise<string[]> {
    const sql = 'SELECT rid FROM catalogue_stages WHERE tenant = ? LIMIT ?'
    return this.driver.run(function* (): Program<string[]> {
      const [rows = []] = yield { reads: [{ sql, params: [tenant, limit] }] }
      return rows.map((row) => textIn(row, 'rid'))
    })
  }

  /** Rejects when the catalogue cannot be reached. */
  async ping(): Promise<void> {
    await this.list('', { limit: 1, terms: [] })
  }
}

/** A run that was registered anew gets a row anew: its place in the list is that of its last registration. */
const FORMER = 'tenant = ? AND rid = ? AND registration <> ? AND version < ?'
const KEPT = [
  ...['updated_at', 'chains', 'draws', 'bytes', 'version', 'shortest'],
  ...['shown', 'folded', 'archived', 'finished', 'expected', 'diagnostics'],
] as const
const COLUMNS = ['tenant', 'rid', 'registration', 'created_at', 'variables', 'sample_stats', ...KEPT]
const PUT_SQL =
  `INSERT INTO catalogue (${COLUMNS.join()}) VALUES (${COLUMNS.map(() => '?').join()}) ON CONFLICT (tenant, rid) DO UPDATE SET ` +
  `${KEPT.map((column) => `${column} = excluded.${column}`).join()} WHERE excluded.version > catalogue.version`
/** The run's row, if this announcement is the one that made it. */
const OWN = 'tenant = ? AND rid = ? AND version = ?'

function removeRun(tenant: string, rid: string, version: number): Statement[] {
  const condition = 'tenant = ? AND rid = ? AND version < ?'
  const params = [tenant, rid, version]
  return [
    { sql: forgetTerms(condition), params },
    { sql: `DELETE FROM catalogue WHERE ${condition}`, params },
  ]
}

/** @param bytes bytes of the staged objects; absent where there are none */
function noteStaged(tenant: string, rid: string, version: number, bytes?: number): Statement {
  if (bytes === undefined) {
    const sql = 'DELETE FROM catalogue_stages WHERE tenant = ? AND rid = ? AND version < ?'
    return { sql, params: [tenant, rid, version] }
  }
  const sql =
    'INSERT INTO catalogue_stages (tenant, rid, version, bytes) VALUES (?, ?, ?, ?) ON CONFLICT (tenant, rid) DO UPDATE ' +
    'SET version = excluded.version, bytes = excluded.bytes WHERE excluded.version > catalogue_stages.version'
  return { sql, params: [tenant, rid, version, bytes] }
}

function forgetTerms(condition: string): string {
  return `DELETE FROM catalogue_terms WHERE run_id IN (SELECT id FROM catalogue WHERE ${condition})`
}

function* putEntry(e: CatalogueEntry): Program<void> {
  const former = [e.tenant, e.rid, e.registration, e.version]
  const own = [e.tenant, e.rid, e.version]
  const head = [e.tenant, e.rid, e.registration, e.createdAt, e.variables, e.sampleStats]
  const kept = [e.updatedAt, e.chains, e.draws, e.bytes, e.version, e.shortest]
  const about = [e.shown, e.folded, e.archived, e.finished, e.expected, e.diagnostics]
  const terms =
    e.terms === undefined
      ? []
      : [
          { sql: forgetTerms(OWN), params: own },
          ...insertTerms(
            { sql: `SELECT id, tenant FROM catalogue WHERE ${OWN}`, params: own },
            e.terms,
            'catalogue_terms',
          ),
        ]
  yield {
    writes: [
      { sql: forgetTerms(FORMER), params: former },
      { sql: `DELETE FROM catalogue WHERE ${FORMER}`, params: former },
      { sql: PUT_SQL, params: [...head, ...kept, ...about] },
      ...terms,
      noteStaged(e.tenant, e.rid, e.version, e.staged),
    ],
  }
}

const LIST: ListTables = {
  runs: 'catalogue',
  index: 'catalogue_for_list',
  terms: 'catalogue_terms',
  live: 'true',
  updated: 'r.updated_at',
  touched: 'r.updated_at',
  lines: (page) =>
    'SELECT r.id, r.rid, r.created_at, r.updated_at, r.variables, r.sample_stats, r.chains, r.draws, r.shown, r.archived, ' +
    `r.finished, r.expected, r.diagnostics, r.shortest FROM (${page}) p CROSS JOIN catalogue r ON r.id = p.id ORDER BY r.id DESC`,
}
