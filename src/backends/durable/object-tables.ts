/**
 * Tables that a run object has beside those of the SQLite storage. `npm run migrations` turns a change of this file
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
  /** Shard of the catalogue that lists the run; null where none was told yet. */
  shard: integer(),
  /** Number of shards that the run was told of. */
  shards: integer().notNull().default(1),
  /** Id of its line, which moves with it. */
  place: integer(),
  /** Shard from which it has moved, and that is to be told so. */
  former: integer(),
  /** Milliseconds since 1970 at which it has moved. */
  movedAt: integer('moved_at'),
})

/**
 * Objects of the bucket that are being put, or may have been: no row of `chunks` names them. The numbers are those of the run
 * object's own, and none is ever given twice: a put that was given up may be done later.
 */
export const moves = sqliteTable('moves', {
  id: integer().primaryKey({ autoIncrement: true }),
  /** Begin of its key in the bucket, which ends with the number. */
  prefix: text().notNull(),
  /** Milliseconds since 1970; 0 once nothing can put the object any more. */
  begunAt: integer('begun_at').notNull(),
})

/** Ends of the chunks of the present run that have moved to the bucket; one row, and none before the first look. */
export const moved = sqliteTable('moved', {
  id: integer().primaryKey(),
  /** The run's id: of another one nothing has moved. */
  runId: integer('run_id').notNull(),
  /** Each chunk up to this id that is not joined any more has moved, or is damaged. */
  grown: integer().notNull(),
  /** Each chunk up to this id has moved, small ones as well, or is damaged. */
  rested: integer().notNull(),
  /** Milliseconds since 1970 at which a run at rest was looked at last; 0 before. */
  lookedAt: integer('looked_at').notNull(),
})
