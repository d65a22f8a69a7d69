/**
 * The list of runs as versions before have kept it: in D1, for all tenants together. It is taken over page by page, each of
 * which is deleted once it lies in a shard.
 */
import { numberIn, type Program, type Row, type SqlDriver, textIn } from '../../sql/program.ts'
import type { CatalogueEntry, StagedEntry } from './catalogue.ts'

/** Runs, or objects without a run, of one page. A request may ask D1 a thousand times, and a page takes six. */
const PAGE = 100
/** Tenants that one call names. */
const TENANTS = 20

/** Lines of a page, and what it takes to delete them. */
export interface FormerPage {
  readonly runs: readonly CatalogueEntry[]
  /** Objects that hold staged objects alone; only where no run is left. */
  readonly staged: readonly StagedEntry[]
}

const OF_TENANT = 'SELECT id FROM catalogue WHERE tenant = ? ORDER BY id LIMIT ?'
const RUNS_SQL =
  'SELECT c.*, s.bytes AS staged FROM catalogue c LEFT JOIN catalogue_stages s ON s.tenant = c.tenant AND s.rid = c.rid ' +
  `WHERE c.id IN (${OF_TENANT}) ORDER BY c.id`
const TERMS_SQL = `SELECT run_id, term FROM catalogue_terms WHERE run_id IN (${OF_TENANT})`
const STAGED_SQL =
  'SELECT s.rid, s.bytes, s.version FROM catalogue_stages s LEFT JOIN catalogue c ON c.tenant = s.tenant AND c.rid = s.rid ' +
  'WHERE s.tenant = ? AND c.id IS NULL LIMIT ?'
/** Those of a page that nobody has told anything of since. */
const SAME =
  "FROM json_each(?) j CROSS JOIN catalogue c ON c.tenant = ? AND c.rid = json_extract(j.value, '$[0]') " +
  "AND c.version = json_extract(j.value, '$[1]')"
const STAGES_SAME =
  "FROM json_each(?) j CROSS JOIN catalogue_stages s ON s.tenant = ? AND s.rid = json_extract(j.value, '$[0]') " +
  "AND s.version <= json_extract(j.value, '$[1]')"

export class FormerCatalogue {
  private readonly driver: SqlDriver

  constructor(driver: SqlDriver) {
    this.driver = driver
  }

  /** The tenant's next page; undefined where nothing is left. */
  page(tenant: string): Promise<FormerPage | undefined> {
    const params = [tenant, PAGE]
    return this.driver.run(function* (): Program<FormerPage | undefined> {
      const [runs = [], terms = [], staged = []] = yield {
        reads: [RUNS_SQL, TERMS_SQL, STAGED_SQL].map((sql) => ({ sql, params })),
      }
      if (runs.length + staged.length === 0) return undefined
      const termsOf = Map.groupBy(terms, (row) => numberIn(row, 'run_id'))
      return {
        runs: runs.map((row) => entryIn(row, termsOf.get(numberIn(row, 'id')) ?? [])),
        staged: staged.map((row) => ({
          tenant,
          rid: textIn(row, 'rid'),
          version: numberIn(row, 'version'),
          shards: 1,
          staged: numberIn(row, 'bytes'),
        })),
      }
    })
  }

  /** Deletes a page, but for what was told meanwhile. */
  drop(tenant: string, { runs, staged }: FormerPage): Promise<void> {
    const params = [JSON.stringify([...runs, ...staged].map(({ rid, version }) => [rid, version])), tenant]
    return this.driver.run(function* () {
      yield {
        writes: [
          `DELETE FROM catalogue_stages WHERE rowid IN (SELECT s.rowid ${STAGES_SAME})`,
          `DELETE FROM catalogue_terms WHERE run_id IN (SELECT c.id ${SAME})`,
          `DELETE FROM catalogue WHERE id IN (SELECT c.id ${SAME})`,
        ].map((sql) => ({ sql, params })),
      }
    })
  }

  /** Some tenants of which anything is left. */
  tenants(): Promise<string[]> {
    const sql = 'SELECT tenant FROM catalogue UNION SELECT tenant FROM catalogue_stages LIMIT ?'
    return this.driver.run(function* (): Program<string[]> {
      const [rows = []] = yield { reads: [{ sql, params: [TENANTS] }] }
      return rows.map((row) => textIn(row, 'tenant'))
    })
  }
}

function entryIn(row: Row, terms: readonly Row[]): CatalogueEntry {
  return {
    tenant: textIn(row, 'tenant'),
    rid: textIn(row, 'rid'),
    version: numberIn(row, 'version'),
    shards: 1,
    staged: row.staged === null ? undefined : numberIn(row, 'staged'),
    registration: textIn(row, 'registration'),
    createdAt: numberIn(row, 'created_at'),
    updatedAt: numberIn(row, 'updated_at'),
    variables: numberIn(row, 'variables'),
    sampleStats: numberIn(row, 'sample_stats'),
    chains: numberIn(row, 'chains'),
    draws: numberIn(row, 'draws'),
    bytes: numberIn(row, 'bytes'),
    shortest: numberIn(row, 'shortest'),
    shown: textIn(row, 'shown'),
    folded: textIn(row, 'folded'),
    archived: numberIn(row, 'archived'),
    finished: numberIn(row, 'finished'),
    expected: row.expected === null ? null : numberIn(row, 'expected'),
    diagnostics: row.diagnostics === null ? null : textIn(row, 'diagnostics'),
    terms: terms.map((term) => textIn(term, 'term')),
  }
}
