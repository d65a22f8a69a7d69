/** Tables that a shard of the catalogue has beside those of the list, see catalogue-tables.ts. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The shard itself; one row. */
export const shard = sqliteTable('shard', {
  id: integer().primaryKey(),
  tenant: text().notNull(),
  /** Its number; 0 is the root. */
  number: integer().notNull(),
  /** Number of the tenant's shards; kept by the root. */
  shards: integer().notNull(),
  /** 1 once the root has taken over what D1 listed. */
  adopted: integer().notNull().default(0),
})

/** Runs that are listed in another shard as well, and are to be removed here. */
export const departed = sqliteTable('departed', {
  rid: text().primaryKey(),
  /** Milliseconds since 1970 at which it was told. */
  at: integer().notNull(),
})

/** Runs that were taken over from D1, and whose objects have not said yet what they hold. */
export const unsettled = sqliteTable(
  'unsettled',
  {
    rid: text().primaryKey(),
    /** Version of the line that was taken over. */
    version: integer().notNull(),
    /** Milliseconds since 1970 before which the object is not asked. */
    due: integer().notNull(),
  },
  (t) => [index('unsettled_by_due').on(t.due)],
)
