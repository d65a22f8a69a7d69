/**
 * The table that a run object has beside those of the SQLite storage. `npm run migrations` turns a change of this file
 * into a migration, which each object applies to itself.
 */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** State of this run's announcements to the catalogue; one row, and none before the first registration or staged object. */
export const announcement = sqliteTable('announcement', {
  id: integer().primaryKey(),
  tenant: text().notNull(),
  rid: text().notNull(),
  /** 1 while the run is not as the catalogue was told last. */
  dirty: integer().notNull(),
  /** The number of the last announcement. */
  version: integer().notNull(),
  /** Registration and tags whose terms the catalogue has; empty when it has none. */
  told: text().notNull().default(''),
  /** 1 when the catalogue knows that staged objects lie here. */
  toldStaged: integer('told_staged').notNull().default(0),
})
