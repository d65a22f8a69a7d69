/** The table in D1 that lists the runs which lie in objects of their own. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const catalogue = sqliteTable(
  'catalogue',
  {
    /** Order of registration. */
    id: integer().primaryKey({ autoIncrement: true }),
    tenant: text().notNull(),
    rid: text().notNull(),
    registration: text().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    variables: integer().notNull(),
    sampleStats: integer('sample_stats').notNull(),
    chains: integer().notNull(),
    /** Sum of the lengths of the chains. */
    draws: integer().notNull(),
    /** Bytes of metadata and draws. */
    bytes: integer().notNull().default(0),
    /** Rises with everything that the run's object tells, so that an older word never replaces a newer one. */
    version: integer().notNull(),
    /** As those of `runs`. */
    shown: text().notNull().default(''),
    folded: text().notNull().default(''),
    archived: integer().notNull().default(0),
    finished: integer().notNull().default(0),
    expected: integer(),
    diagnostics: text(),
    /** Length of the shortest chain. */
    shortest: integer().notNull().default(0),
  },
  (t) => [
    uniqueIndex('catalogue_by_rid').on(t.tenant, t.rid),
    // Without the time of the last write, which would move a run's place in it all the while.
    index('catalogue_for_list').on(t.tenant, t.id, t.archived, t.createdAt, t.rid, t.folded),
  ],
)

/** Terms by which runs are found, as those of `runs`. */
export const catalogueTerms = sqliteTable(
  'catalogue_terms',
  { runId: integer('run_id').notNull(), term: text().notNull(), tenant: text().notNull() },
  (t) => [primaryKey({ columns: [t.runId, t.term] }), index('catalogue_terms_by_term').on(t.tenant, t.term, t.runId)],
)

/** Objects that hold staged objects, of a registered run or of none. */
export const catalogueStages = sqliteTable(
  'catalogue_stages',
  {
    tenant: text().notNull(),
    rid: text().notNull(),
    /** Bytes that they count for. */
    bytes: integer().notNull(),
    /** As that of `catalogue`. */
    version: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenant, t.rid] })],
)
