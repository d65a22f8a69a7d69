/**
 * Tables of the SQLite storage. `npm run migrations` turns a change of this file into a migration.
 *
 * A chain's draws lie in two places. The *tail* holds recent small batches, one row a POST with all columns in one blob.
 * When it has grown, it is folded into *chunks*: blobs of one column each. No blob exceeds 1 MiB; a larger draw lies in
 * parts. `chains.folded` says where the tail begins.
 */
import { blob, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const runs = sqliteTable(
  'runs',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    tenant: text().notNull(),
    rid: text().notNull(),
    registration: text().notNull().unique(),
    createdAt: integer('created_at').notNull(),
    variables: integer().notNull(),
    sampleStats: integer('sample_stats').notNull(),
    /** Bytes of the registered RunMeta. */
    metaBytes: integer('meta_bytes').notNull().default(0),
    /**
     * 1 while the run's rows are being deleted; nobody sees it any more, and its `rid` is one that no run can have.
     */
    deleted: integer().notNull().default(0),
  },
  (t) => [uniqueIndex('runs_by_rid').on(t.tenant, t.rid), index('runs_by_age').on(t.tenant, t.id)],
)

/** The registered RunMeta, in parts. */
export const runMeta = sqliteTable(
  'run_meta',
  { runId: integer('run_id').notNull(), part: integer().notNull(), data: blob() },
  (t) => [primaryKey({ columns: [t.runId, t.part] })],
)

export const chains = sqliteTable(
  'chains',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    runId: integer('run_id').notNull(),
    /** -1 - number while the run's rows are being deleted. */
    number: integer().notNull(),
    /** Number of iterations. */
    length: integer().notNull(),
    /** Iterations that lie in chunks; the others lie in the tail. */
    folded: integer().notNull(),
    tailRows: integer('tail_rows').notNull(),
    tailBytes: integer('tail_bytes').notNull(),
    /** Bytes of the chain's rows in the other tables, and 100 more for each row. */
    bytes: integer().notNull().default(0),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [uniqueIndex('chains_by_number').on(t.runId, t.number)],
)

/** `id` is the chain's id × 4096 + the row's place in the tail, so that a tail lies together without an index. */
export const tail = sqliteTable('tail', {
  id: integer().primaryKey(),
  start: integer().notNull(),
  count: integer().notNull(),
  data: blob(),
  /** Checksum of `data`; null in rows of versions before. */
  sum: integer(),
})

/** `data` is null for draws that were never sent (absent sampler stats). */
export const chunks = sqliteTable(
  'chunks',
  {
    id: integer().primaryKey(),
    chainId: integer('chain_id').notNull(),
    col: integer().notNull(),
    start: integer().notNull(),
    part: integer().notNull(),
    count: integer().notNull(),
    data: blob(),
    /** Checksums of `data`, see checksum.ts; null without data, and in rows of versions before. */
    sums: blob(),
  },
  (t) => [uniqueIndex('chunks_by_start').on(t.chainId, t.col, t.start, t.part)],
)

/** The last chunks of a chain that are still small, as JSON; see fold.ts. */
export const levels = sqliteTable('levels', {
  chainId: integer('chain_id').primaryKey(),
  levels: text().notNull(),
})
