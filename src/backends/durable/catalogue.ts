/**
 * The list of runs in a shard, made of announcements by run objects, so that listing opens none of them.
 *
 * An object numbers its announcements. The one with the highest number stays, in whatever order they arrive.
 */
import type { ListQuery, Usage } from '../../core/store.ts'
import { numberIn, type Program, type Row, type SqlDriver, type Statement, textIn } from '../../sql/program.ts'
import { type ListTables, linesOfRuns } from '../sqlite/run-list.ts'
import { insertTerms } from '../sqlite/terms.ts'
import { LAG_MS, MOST_SHARDS } from './shards.ts'

/** An object as it tells of itself. */
export interface CataloguedObject {
  readonly tenant: string
  readonly rid: string
  readonly version: number
  /** Number of shards that it was told of. */
  readonly shards: number
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
  /** Terms by which the run is found; absent when the shard has them. */
  readonly terms?: readonly string[]
  /** Id of its line in another shard; absent where none has listed this registration. */
  readonly place?: number | undefined
}

export type CatalogueEntry = CataloguedObject & CataloguedRun

/** An object with staged objects, and no run. */
export type StagedEntry = CataloguedObject & { readonly staged: number }

/** Answer of a shard to an announcement. */
export interface Told {
  /** False where the run belongs to another shard, of more, or where its terms are missing: it is not listed here. */
  readonly listed: boolean
  /** Number of the tenant's shards, as far as the shard knows. */
  readonly shards: number
  /** Pause until the next announcement, in milliseconds. */
  readonly restMs: number
  /** Id of the run's line. */
  readonly place?: number
}

/** The catalogue as run objects see it. */
export interface Catalogue {
  /** Lists a run in a shard, with its staged objects. */
  put(shard: number, entry: CatalogueEntry): Promise<Told>
  /** Notes the bytes of staged objects where there is no run. */
  putStaged(shard: number, entry: StagedEntry): Promise<Told>
  /** Notes that there is neither. */
  remove(shard: number, tenant: string, rid: string, version: number): Promise<void>
  /** Notes that another shard lists the run as well, so that it counts there. */
  leave(shard: number, tenant: string, rid: string): Promise<void>
}

/** A run as a shard knows it before an announcement. */
export interface KnownRun {
  readonly registration: string
  readonly shown: string
  readonly folded: string
  readonly archived: number
  readonly hasStaged: boolean
}

/** The tables of a shard. */
export class SqlCatalogue {
  private readonly driver: SqlDriver

  constructor(driver: SqlDriver) {
    this.driver = driver
  }

  known(tenant: string, rid: string): Promise<KnownRun | undefined> {
    const sql =
      'SELECT registration, shown, folded, archived, EXISTS (SELECT 1 FROM catalogue_stages s WHERE s.tenant = c.tenant ' +
      'AND s.rid = c.rid) AS staged FROM catalogue c WHERE tenant = ? AND rid = ?'
    return this.driver.run(function* (): Program<KnownRun | undefined> {
      const [rows] = yield { reads: [{ sql, params: [tenant, rid] }] }
      const row = rows?.[0]
      return (
        row && {
          registration: textIn(row, 'registration'),
          shown: textIn(row, 'shown'),
          folded: textIn(row, 'folded'),
          archived: numberIn(row, 'archived'),
          hasStaged: row.staged === 1,
        }
      )
    })
  }

  /** @returns the id of the run's line */
  put(entry: CatalogueEntry, shard: number): Promise<number> {
    return this.driver.run(() => putEntry(entry, shard))
  }

  /** Takes over the news of runs that are listed, by one statement. */
  putKnown(tenant: string, entries: readonly CatalogueEntry[]): Promise<void> {
    const news = entries.map((entry) => [entry.rid, entry.registration, ...GATHERED.map((key) => entry[key])])
    return this.driver.run(function* () {
      yield { writes: [{ sql: PUT_KNOWN_SQL, params: [JSON.stringify(news), tenant] }] }
    })
  }

  putStaged({ tenant, rid, version, staged }: StagedEntry): Promise<void> {
    return this.driver.run(function* () {
      yield { writes: [...removeRun(tenant, rid, version), noteStaged(tenant, rid, version, staged)] }
    })
  }

  remove(tenant: string, rid: string, version: number): Promise<void> {
    const gone = 'rid = ?1 AND NOT EXISTS (SELECT 1 FROM catalogue WHERE tenant = ?2 AND rid = ?1)'
    const params = [rid, tenant]
    return this.driver.run(function* () {
      yield {
        writes: [
          ...removeRun(tenant, rid, version),
          noteStaged(tenant, rid, version),
          { sql: `DELETE FROM departed WHERE ${gone}`, params },
          // Its object has told so itself, or has nothing.
          { sql: `DELETE FROM unsettled WHERE ${gone}`, params },
        ],
      }
    })
  }

  /** The run is listed elsewhere as well since then, in milliseconds since 1970: it counts no longer, and soon is hidden. */
  leave(rid: string, at: number): Promise<void> {
    const sql =
      'INSERT OR IGNORE INTO departed (rid, at) SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM catalogue WHERE rid = ?1) ' +
      'OR EXISTS (SELECT 1 FROM catalogue_stages WHERE rid = ?1)'
    return this.driver.run(function* () {
      yield { writes: [{ sql, params: [rid, at] }] }
    })
  }

  /** Rows of runs registered before the one that `before` stands for, newest first, and of one more than the limit. */
  async list(tenant: string, query: ListQuery, now: number): Promise<readonly Row[]> {
    const departing = await this.hasRows('departed')
    return this.driver.run(() => linesOfRuns(tenant, query, departing ? listWithout(now - LAG_MS) : LIST))
  }

  usage(tenant: string): Promise<Usage> {
    const there = 'WHERE tenant = ? AND rid NOT IN (SELECT rid FROM departed)'
    const sql =
      'SELECT count(*) AS runs, coalesce(sum(bytes), 0) + ' +
      `(SELECT coalesce(sum(bytes), 0) FROM catalogue_stages ${there}) AS bytes FROM catalogue ${there}`
    return this.driver.run(function* (): Program<Usage> {
      const [rows] = yield { reads: [{ sql, params: [tenant, tenant] }] }
      const row = rows?.[0] ?? {}
      return { runs: numberIn(row, 'runs'), bytes: numberIn(row, 'bytes') }
    })
  }

  /** Some rids of which anything is here, be it a run or staged objects. */
  held(tenant: string, limit: number): Promise<string[]> {
    const sql =
      'SELECT rid FROM catalogue WHERE tenant = ?1 UNION SELECT rid FROM catalogue_stages WHERE tenant = ?1 LIMIT ?2'
    return this.driver.run(function* (): Program<string[]> {
      const [rows = []] = yield { reads: [{ sql, params: [tenant, limit] }] }
      return rows.map((row) => textIn(row, 'rid'))
    })
  }

  /** True where anything of a run is here. */
  holds(tenant: string, rid: string): Promise<boolean> {
    const where = 'WHERE tenant = ?1 AND rid = ?2'
    const sql = `SELECT 1 FROM catalogue ${where} UNION SELECT 1 FROM catalogue_stages ${where}`
    return this.driver.run(function* (): Program<boolean> {
      const [rows = []] = yield { reads: [{ sql, params: [tenant, rid] }] }
      return rows.length > 0
    })
  }

  /** Some runs, taken over from D1, whose objects are to be asked what they hold. */
  unsettled(now: number, limit: number): Promise<{ readonly rid: string; readonly version: number }[]> {
    const sql = 'SELECT rid, version FROM unsettled WHERE due <= ? ORDER BY due LIMIT ?'
    return this.driver.run(function* (): Program<{ readonly rid: string; readonly version: number }[]> {
      const [rows = []] = yield { reads: [{ sql, params: [now, limit] }] }
      return rows.map((row) => ({ rid: textIn(row, 'rid'), version: numberIn(row, 'version') }))
    })
  }

  /** When the next of them is due, in milliseconds since 1970. */
  nextUnsettled(): Promise<number | undefined> {
    return this.driver.run(function* (): Program<number | undefined> {
      const [rows] = yield { reads: [{ sql: 'SELECT min(due) AS due FROM unsettled', params: [] }] }
      const due = rows?.[0]?.due
      return typeof due === 'number' ? due : undefined
    })
  }

  notSettled(rid: string, version: number, due: number): Promise<void> {
    const sql =
      'INSERT INTO unsettled (rid, version, due) VALUES (?, ?, ?) ON CONFLICT (rid) DO UPDATE SET ' +
      'version = max(version, excluded.version), due = excluded.due'
    return this.driver.run(function* () {
      yield { writes: [{ sql, params: [rid, version, due] }] }
    })
  }

  settled(rid: string): Promise<void> {
    return this.driver.run(function* () {
      yield { writes: [{ sql: 'DELETE FROM unsettled WHERE rid = ?', params: [rid] }] }
    })
  }

  /** True where one of the tables has a row. */
  hasRows(...tables: readonly ('catalogue' | 'catalogue_stages' | 'departed' | 'unsettled')[]): Promise<boolean> {
    const sql = tables.map((table) => `EXISTS (SELECT 1 FROM ${table})`).join(' OR ')
    return this.driver.run(function* (): Program<boolean> {
      const [rows] = yield { reads: [{ sql: `SELECT ${sql} AS ok`, params: [] }] }
      return rows?.[0]?.ok === 1
    })
  }
}

/** A run that was registered anew gets a row anew: its place in the list is that of its last registration. */
const FORMER = 'tenant = ? AND rid = ? AND registration <> ? AND version < ?'
const KEPT = [
  ...['updated_at', 'chains', 'draws', 'bytes', 'version', 'shortest'],
  ...['shown', 'folded', 'archived', 'finished', 'expected', 'diagnostics'],
] as const
const COLUMNS = ['id', 'tenant', 'rid', 'registration', 'created_at', 'variables', 'sample_stats', ...KEPT]
const PUT_SQL =
  `INSERT INTO catalogue (${COLUMNS.join()}) VALUES (${COLUMNS.map(() => '?').join()}) ON CONFLICT (tenant, rid) DO UPDATE SET ` +
  `${KEPT.map((column) => `${column} = excluded.${column}`).join()} WHERE excluded.version > catalogue.version`
/** Fields that change while a run grows; none of them is in an index. */
const GATHERED = [
  ...['version', 'updatedAt', 'chains', 'draws', 'bytes', 'shortest', 'finished', 'expected', 'diagnostics'],
] as const
const GATHERED_COLUMNS = GATHERED.map((key) => (key === 'updatedAt' ? 'updated_at' : key))
const newsAt = (i: number) => `json_extract(j.value, '$[${i}]')`
const PUT_KNOWN_SQL =
  `UPDATE catalogue SET ${GATHERED_COLUMNS.map((column, i) => `${column} = ${newsAt(i + 2)}`).join()} FROM json_each(?) j ` +
  `WHERE tenant = ? AND rid = ${newsAt(0)} AND registration = ${newsAt(1)} AND version < ${newsAt(2)}`
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
  // A later word of the run may have told that there are none.
  const sql =
    'INSERT INTO catalogue_stages (tenant, rid, version, bytes) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS ' +
    '(SELECT 1 FROM catalogue WHERE tenant = ?1 AND rid = ?2 AND version > ?3) ON CONFLICT (tenant, rid) DO UPDATE ' +
    'SET version = excluded.version, bytes = excluded.bytes WHERE excluded.version > catalogue_stages.version'
  return { sql, params: [tenant, rid, version, bytes] }
}

function forgetTerms(condition: string): string {
  return `DELETE FROM catalogue_terms WHERE run_id IN (SELECT id FROM catalogue WHERE ${condition})`
}

/** Ids in a millisecond of registration: as many runs of each of the shards as fit. */
const PLACES = 4096

/**
 * Id of a line: the millisecond of its registration, a number among those of that millisecond, and the shard that has
 * listed it first, so that no other shard gives it and that it stays when the run moves.
 */
function* placeIn(shard: number, { createdAt, place }: CatalogueEntry): Program<number> {
  const taken = 'SELECT max(id) AS id FROM catalogue WHERE id >= ? AND id < ?'
  if (place !== undefined) {
    const [rows] = yield { reads: [{ sql: taken, params: [place, place + 1] }] }
    if (rows?.[0]?.id === null) return place
  }
  for (let first = createdAt * PLACES; ; first += PLACES) {
    const own = { sql: `${taken} AND id % ${MOST_SHARDS} = ?`, params: [first, first + PLACES, shard] }
    const [rows] = yield { reads: [own] }
    const last = rows?.[0]?.id
    const next = typeof last === 'number' ? last + MOST_SHARDS : first + shard
    if (next < first + PLACES) return next
  }
}

function* putEntry(e: CatalogueEntry, shard: number): Program<number> {
  const id = yield* placeIn(shard, e)
  const former = [e.tenant, e.rid, e.registration, e.version]
  const own = [e.tenant, e.rid, e.version]
  const head = [id, e.tenant, e.rid, e.registration, e.createdAt, e.variables, e.sampleStats]
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
  const [rows] = yield {
    reads: [{ sql: 'SELECT id FROM catalogue WHERE tenant = ? AND rid = ?', params: [e.tenant, e.rid] }],
  }
  return numberIn(rows?.[0] ?? {}, 'id')
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
    `r.finished, r.expected, r.diagnostics, r.shortest, r.version FROM (${page}) p CROSS JOIN catalogue r ON r.id = p.id ORDER BY r.id DESC`,
}

/** The list without runs that have departed before a time, in milliseconds since 1970: a list that began earlier may still need them. */
function listWithout(before: number): ListTables {
  return { ...LIST, live: `NOT EXISTS (SELECT 1 FROM departed d WHERE d.rid = r.rid AND d.at < ${before})` }
}
