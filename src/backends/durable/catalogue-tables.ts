/** The table in D1 that lists the runs which lie in objects of their own. */
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

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
  },
  (t) => [uniqueIndex('catalogue_by_rid').on(t.tenant, t.rid), index('catalogue_by_age').on(t.tenant, t.id)],
)
