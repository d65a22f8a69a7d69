/**
 * A SQLite file through better-sqlite3, in WAL mode with synchronous=FULL: a commit survives a power cut.
 *
 * Programs that arrive while others run share one transaction and so one wait for the disk. A program judges before it
 * writes, so that a refused one leaves the others of its transaction alone.
 *
 * https://github.com/WiseLibs/better-sqlite3/blob/master/docs/api.md
 */
import { createRequire } from 'node:module'
import Database from 'better-sqlite3'
import { McbError } from '../core/errors.ts'
import { CannotOpen, cannotOpen, damaged, newer } from './cannot-open.ts'
import { newestUnknown } from './migrated.ts'
import { type Cell, type Program, type Row, runAtOnce, type SqlDriver, type Statement } from './program.ts'

// As CommonJS, in a tenth of the time: for each of its many ES modules Node reads drizzle's package.json of 180 KB anew.
const require = createRequire(import.meta.url)
const { drizzle }: typeof import('drizzle-orm/better-sqlite3') = require('drizzle-orm/better-sqlite3')
const { migrate }: typeof import('drizzle-orm/better-sqlite3/migrator') = require('drizzle-orm/better-sqlite3/migrator')
const { readMigrationFiles }: typeof import('drizzle-orm/migrator') = require('drizzle-orm/migrator')

export interface FileOptions {
  readonly path: string
  readonly migrations: string
}

/** Frames (pages) in the write-ahead log, and how many of them are in the database; -1 while another process copies. */
export interface Progress {
  readonly log: number
  readonly checkpointed: number
}

interface Job {
  readonly bytes: number
  execute(): void
  settle(failure: unknown): void
}

/** Programs of one transaction at most, so that the first need not wait for very many. */
const JOBS_PER_TRANSACTION = 64
/** Bytes that they write together at most: they are held in memory until the commit. */
const BYTES_PER_TRANSACTION = 8 * 1024 * 1024
/** SQLite's page cache, in KiB. */
const CACHE_KIB = 4 * 1024
/** Bytes of a page. It costs one write however little of it changed, and a large blob one for each of its pages. */
const PAGE_SIZE = 16 * 1024
/** Bytes of the disk that the write-ahead log keeps when it begins anew. */
const LOG_BYTES = 128 * 1024 * 1024

export class FileDriver implements SqlDriver {
  readonly isShared = false
  private readonly database: Database.Database
  private readonly statements = new Map<string, Database.Statement<unknown[], Row>>()
  private readonly begin: Database.Statement
  private readonly commit: Database.Statement
  private readonly rollback: Database.Statement
  private readonly checkpointState: Database.Statement<[], Progress>
  private readonly passive: Database.Statement<[], Progress>
  /** Called after each commit with the frames in the write-ahead log. It is set by the part that takes checkpoints over. */
  onCommit: ((frames: number) => void) | undefined
  /** Called with the seconds that a commit of writes has taken: the wait for the disk. */
  onTimed: ((seconds: number) => void) | undefined
  private jobs: Job[] = []
  private scheduled = false
  /** True where the program that runs has written something. */
  private wrote = false
  /** True where a program of the present transaction has. */
  private hasWrites = false
  private refusal: string | undefined

  /** @throws CannotOpen with the obstacle: the file, the disk or another program */
  constructor({ path, migrations }: FileOptions) {
    this.database = openDatabase(path, migrations)
    this.begin = this.database.prepare('BEGIN IMMEDIATE')
    this.commit = this.database.prepare('COMMIT')
    this.rollback = this.database.prepare('ROLLBACK')
    // https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    this.checkpointState = this.database.prepare('PRAGMA wal_checkpoint(NOOP)')
    this.passive = this.database.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  }

  /** Leaves checkpoints to `onCommit`; until then SQLite takes them by itself. */
  leaveCheckpoints(): void {
    this.database.pragma('wal_autocheckpoint = 0')
  }

  checkpointItself(): void {
    this.onCommit = undefined
    this.database.pragma('wal_autocheckpoint = 1000')
  }

  /** Copies the rest of the write-ahead log into the database, as far as no reader needs the pages that it would replace. */
  checkpoint(): Progress {
    return this.passive.get() ?? { log: 0, checkpointed: 0 }
  }

  /** Refuses all writes from now on, for this reason; undefined allows them again. Reads go on. */
  refuse(why: string | undefined): void {
    this.refusal = why
  }

  /** Frames (pages) that the write-ahead log holds. */
  walFrames(): number {
    return this.checkpointState.get()?.log ?? 0
  }

  /** Bytes of the file that deletions have left, and that new rows take first. https://www.sqlite.org/pragma.html#pragma_freelist_count */
  reusableBytes(): number {
    const pages = Number(this.database.pragma('freelist_count', { simple: true }))
    return pages * Number(this.database.pragma('page_size', { simple: true }))
  }

  run<T>(program: () => Program<T>, bytes = 0): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let outcome: { value: T } | { error: unknown } | undefined
      this.jobs.push({
        bytes,
        execute: () => {
          this.wrote = false
          try {
            outcome = { value: this.step(program()) }
          } catch (error) {
            // A program that has written a part must not be committed, whatever its error.
            if (this.wrote || isDatabaseError(error)) throw error
            outcome = { error }
          }
        },
        settle: (failure) => {
          if (failure !== undefined) reject(failure)
          else if (outcome !== undefined && 'value' in outcome) resolve(outcome.value)
          else reject(outcome?.error)
        },
      })
      if (this.scheduled) return
      this.scheduled = true
      setImmediate(() => this.flush())
    })
  }

  /** Waits for nothing: programs that were accepted must have been awaited before. */
  close(): void {
    this.database.close()
  }

  private flush(): void {
    this.scheduled = false
    const jobs = this.jobs
    this.jobs = []
    let group: Job[] = []
    let bytes = 0
    const groups = [group]
    for (const job of jobs) {
      if (group.length === JOBS_PER_TRANSACTION || (group.length > 0 && bytes + job.bytes > BYTES_PER_TRANSACTION)) {
        group = []
        bytes = 0
        groups.push(group)
      }
      group.push(job)
      bytes += job.bytes
    }
    this.transactEach(groups)
  }

  /** Gives back the failure where a transaction could not begin: each of the others would wait as long for the file. */
  private transactEach(groups: readonly (readonly Job[])[]): unknown {
    let held: unknown
    for (const group of groups) {
      if (held === undefined) held = this.transact(group)
      else fail(group, held)
    }
    return held
  }

  /** Settles the jobs; as `transactEach`. */
  private transact(jobs: readonly Job[]): unknown {
    let begun = false
    try {
      // A rollback that the disk has refused is made good first.
      if (this.database.inTransaction) this.rollback.run()
      this.begin.run()
      begun = true
      this.hasWrites = false
      for (const job of jobs) job.execute()
      this.commitTimed()
    } catch (error) {
      this.rollBack()
      if (jobs.length === 1 || !begun) fail(jobs, error)
      // One program met a failure of the database: give each its own transaction, so that the others are not its victims.
      else return this.transactEach(jobs.map((job) => [job]))
      return begun ? undefined : error
    }
    for (const job of jobs) job.settle(undefined)
    this.announceCommit()
    return undefined
  }

  private commitTimed(): void {
    if (this.onTimed === undefined || !this.hasWrites) {
      this.commit.run()
      return
    }
    const begun = performance.now()
    this.commit.run()
    this.onTimed((performance.now() - begun) / 1000)
  }

  private rollBack(): void {
    try {
      if (this.database.inTransaction) this.rollback.run()
    } catch (error) {
      if (!isDatabaseError(error)) throw error
    }
  }

  /** Tells of a commit; it stays one, also when the log cannot be copied just now. */
  private announceCommit(): void {
    try {
      this.onCommit?.(this.walFrames())
    } catch (error) {
      if (!isDatabaseError(error)) throw error
    }
  }

  private step<T>(program: Program<T>): T {
    return runAtOnce(
      program,
      (statement) => this.all(statement),
      (statements) => this.write(statements),
    )
  }

  private write(statements: readonly Statement[]): void {
    if (this.refusal !== undefined && statements.length > 0) throw unavailable(new Error(this.refusal))
    for (const { sql, params } of statements) {
      this.wrote = true
      this.hasWrites = true
      this.prepare(sql).run(...params)
    }
  }

  private all({ sql, params, look }: Statement): Row[] {
    const statement = this.prepare(sql)
    if (look === undefined) return statement.all(...params)
    const rows: Row[] = []
    for (const row of statement.iterate(...params)) {
      look(row)
      rows.push(row)
    }
    return rows
  }

  private prepare(sql: string): Database.Statement<unknown[], Row> {
    let statement = this.statements.get(sql)
    if (statement === undefined) {
      statement = this.database.prepare<unknown[], { [column: string]: Cell }>(sql)
      this.statements.set(sql, statement)
    }
    return statement
  }
}

function openDatabase(path: string, migrations: string): Database.Database {
  let database: Database.Database | undefined
  try {
    database = new Database(path)
    requireKnown(database, path, migrations)
    database.pragma(`page_size = ${PAGE_SIZE}`)
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.pragma(`cache_size = -${CACHE_KIB}`)
    database.pragma(`journal_size_limit = ${LOG_BYTES}`)
    migrate(drizzle(database), { migrationsFolder: migrations })
    return database
  } catch (error) {
    database?.close()
    throw cannotOpen(error, path)
  }
}

/** Looks at the beginning of each table: a file of another kind or version is left as it is. */
function requireKnown(database: Database.Database, path: string, migrations: string): void {
  const names = database
    .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .map(({ name }) => name)
  if (names.length === 0) return
  if (!names.includes('__drizzle_migrations')) throw new CannotOpen(damaged(path, `it holds other tables: ${names[0]}`))
  for (const name of names) database.prepare(`SELECT 1 FROM "${name.replaceAll('"', '""')}" NOT INDEXED LIMIT 1`).get()
  const applied = database.prepare<[], { at: number }>('SELECT created_at AS at FROM __drizzle_migrations').all()
  const known = readMigrationFiles({ migrationsFolder: migrations }).map(({ folderMillis }) => folderMillis)
  const unknown = newestUnknown(
    applied.map(({ at }) => Number(at)),
    known,
  )
  if (unknown !== undefined) throw newer(path, unknown)
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Database.SqliteError
}

function fail(jobs: readonly Job[], failure: unknown): void {
  for (const job of jobs) job.settle(toStorageError(failure))
}

/** Failures of the disk, or by another process, may pass; everything else is a defect. */
function toStorageError(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(error.code))
    return new Error(`the database file is damaged: ${error.message}`, { cause: error })
  if (!/^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|NOMEM)/.test(error.code)) return error
  return unavailable(error)
}

function unavailable(cause: Error): McbError {
  const detail = 'the storage cannot take this now; nothing was changed'
  return new McbError('storage_unavailable', detail, { retryAfter: 5 }, { cause })
}
