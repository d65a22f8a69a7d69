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
    /** Name and tags as lists show them, a list in JSON; empty without both. */
    shown: text().notNull().default(''),
    /** The name, folded for searching. */
    folded: text().notNull().default(''),
    archived: integer().notNull().default(0),
    /** 1 when the facts say that the run has finished. */
    finished: integer().notNull().default(0),
    /** Draws of each chain after which it is complete; null when the facts do not say. */
    expected: integer(),
    /** Number of changes of the row in `about`. */
    revision: integer().notNull().default(0),
    /** Figures that lists show, in JSON; null where they were never computed. */
    diagnostics: text(),
    /** Bytes of the row in `about`. */
    aboutBytes: integer('about_bytes').notNull().default(0),
    /** A moment of the minute of the last write, or later: a list need not look at the chains of a run that is older. */
    touchedAt: integer('touched_at').notNull().default(0),
    /** 1 when the attributes of its metadata are in `terms`; 0 for a run of a version before, until `indexSome` comes to it. */
    indexed: integer().notNull().default(0),
  },
  (t) => [
    uniqueIndex('runs_by_rid').on(t.tenant, t.rid),
    // All that a list judges a run by lies in the index, so that it looks up only those that it shows.
    index('runs_for_list').on(t.tenant, t.id, t.deleted, t.archived, t.createdAt, t.touchedAt, t.rid, t.folded),
  ],
)

/** Names, tags, notes and facts of a run, in JSON; a run that has none of them has no row. */
export const about = sqliteTable('about', {
  runId: integer('run_id').primaryKey(),
  document: text().notNull(),
  /** Checksum of the row; null in rows of versions before. */
  sum: integer(),
})

/** Terms by which runs are found: of their tags, and of the attributes of their metadata. */
export const terms = sqliteTable(
  'terms',
  { runId: integer('run_id').notNull(), term: text().notNull(), tenant: text().notNull() },
  (t) => [primaryKey({ columns: [t.runId, t.term] }), index('terms_by_term').on(t.tenant, t.term, t.runId)],
)

/** The registered RunMeta, in parts. */
export const runMeta = sqliteTable(
  'run_meta',
  {
    runId: integer('run_id').notNull(),
    part: integer().notNull(),
    data: blob(),
    /** Checksum of the row; null in rows of versions before. */
    sum: integer(),
  },
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
    /** Number of the chain's newest object, and the bytes of it that rows of `chunks` name; 0 before the first. */
    object: integer().notNull().default(0),
    objectEnd: integer('object_end').notNull().default(0),
    /** Checksum of the row; null in rows of versions before. */
    sum: integer(),
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

/**
 * Draws of one column: in `data`, or in an object of the chain. Without both they were never sent (absent sampler stats).
 */
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
    /** Checksums of the draws' bytes, see checksum.ts; null without them, and in rows of versions before. */
    sums: blob(),
    /** Number of the object that holds the bytes, where they begin in it, and how many they are; null where `data` has them. */
    object: integer(),
    at: integer(),
    size: integer(),
    /** Checksum of the row but for `data` and `sums`, which guard each other; null in rows of versions before. */
    sum: integer(),
  },
  (t) => [uniqueIndex('chunks_by_start').on(t.chainId, t.col, t.start, t.part)],
)

/** The staged objects of a run together, by its id: it need not be registered, and no registration has them. */
export const stages = sqliteTable(
  'stages',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    tenant: text().notNull(),
    rid: text().notNull(),
    objects: integer().notNull(),
    /** Bytes that they count for. */
    bytes: integer().notNull(),
    /** 1 while the objects are being deleted; `rid` is one that no run can have then. */
    deleted: integer().notNull().default(0),
  },
  (t) => [uniqueIndex('stages_by_rid').on(t.tenant, t.rid)],
)

/** Parts of staged objects, of 1 MiB at most each. */
export const staged = sqliteTable(
  'staged',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    stageId: integer('stage_id').notNull(),
    path: text().notNull(),
    part: integer().notNull(),
    /** Bytes of `data`. */
    size: integer().notNull(),
    /** Checksum of `data`. */
    sum: integer().notNull(),
    data: blob(),
  },
  // With the size, so that a listing reads no data.
  (t) => [index('staged_by_path').on(t.stageId, t.path, t.part, t.size)],
)

/** The last chunks of a chain that are still small, as JSON; see fold.ts. */
export const levels = sqliteTable('levels', {
  chainId: integer('chain_id').primaryKey(),
  levels: text().notNull(),
  /** Checksum of the row; null in rows of versions before. */
  sum: integer(),
})
