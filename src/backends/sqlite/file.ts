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
import { McbError } from '../../core/errors.ts'
import type { Cell, Program, Row, SqlDriver, Statement } from './driver.ts'

// As CommonJS, in a tenth of the time: for each of its many ES modules Node reads drizzle's package.json of 180 KB anew.
const require = createRequire(import.meta.url)
const { drizzle }: typeof import('drizzle-orm/better-sqlite3') = require('drizzle-orm/better-sqlite3')
const { migrate }: typeof import('drizzle-orm/better-sqlite3/migrator') = require('drizzle-orm/better-sqlite3/migrator')

export interface FileOptions {
  readonly path: string
  readonly migrations: string
}

interface Job {
  readonly bytes: number
  execute(): void
  settle(failure: unknown): void
}

/** Programs of one transaction at most, so that the first need not wait for very many. */
const JOBS_PER_TRANSACTION = 64
/** What they write together at most: it is held in memory until the commit. */
const BYTES_PER_TRANSACTION = 8 * 1024 * 1024
/** SQLite's page cache, in KiB. */
const CACHE_KIB = 4 * 1024
/** A page costs one write however little of it changed, and large blobs one for each page. */
const PAGE_SIZE = 16 * 1024

export class FileDriver implements SqlDriver {
  private readonly database: Database.Database
  private readonly statements = new Map<string, Database.Statement<unknown[], Row>>()
  private readonly begin: Database.Statement
  private readonly commit: Database.Statement
  private readonly rollback: Database.Statement
  private readonly checkpointState: Database.Statement<[], { log: number }>
  /** Called after each commit with the frames in the write-ahead log, by whoever takes checkpoints over. */
  onCommit: ((frames: number) => void) | undefined
  private jobs: Job[] = []
  private scheduled = false

  constructor({ path, migrations }: FileOptions) {
    this.database = new Database(path)
    this.database.pragma(`page_size = ${PAGE_SIZE}`)
    this.database.pragma('journal_mode = WAL')
    this.database.pragma('synchronous = FULL')
    this.database.pragma(`cache_size = -${CACHE_KIB}`)
    migrate(drizzle(this.database), { migrationsFolder: migrations })
    this.begin = this.database.prepare('BEGIN IMMEDIATE')
    this.commit = this.database.prepare('COMMIT')
    this.rollback = this.database.prepare('ROLLBACK')
    this.checkpointState = this.database.prepare('PRAGMA wal_checkpoint(NOOP)')
  }

  /** Leaves checkpoints to `onCommit`; until then SQLite takes them by itself. */
  leaveCheckpoints(): void {
    this.database.pragma('wal_autocheckpoint = 0')
  }

  checkpointItself(): void {
    this.onCommit = undefined
    this.database.pragma('wal_autocheckpoint = 1000')
  }

  /** Copies what is left of the write-ahead log into the database. */
  checkpoint(): void {
    this.database.pragma('wal_checkpoint(PASSIVE)')
  }

  /** Frames (pages) that the write-ahead log holds. */
  walFrames(): number {
    return this.checkpointState.get()?.log ?? 0
  }

  run<T>(program: () => Program<T>, bytes = 0): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let outcome: { value: T } | { error: unknown } | undefined
      this.jobs.push({
        bytes,
        execute: () => {
          try {
            outcome = { value: this.step(program()) }
          } catch (error) {
            if (isDatabaseError(error)) throw error
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

  /** Waits for nothing: what was accepted must have been awaited before. */
  close(): void {
    this.database.close()
  }

  private flush(): void {
    this.scheduled = false
    const jobs = this.jobs
    this.jobs = []
    let group: Job[] = []
    let bytes = 0
    for (const job of jobs) {
      if (group.length === JOBS_PER_TRANSACTION || (group.length > 0 && bytes + job.bytes > BYTES_PER_TRANSACTION)) {
        this.transact(group)
        group = []
        bytes = 0
      }
      group.push(job)
      bytes += job.bytes
    }
    if (group.length > 0) this.transact(group)
  }

  private transact(jobs: readonly Job[]): void {
    let failure: unknown
    let begun = false
    try {
      this.begin.run()
      begun = true
      for (const job of jobs) job.execute()
      this.commit.run()
    } catch (error) {
      failure = error
      if (this.database.inTransaction) this.rollback.run()
    }
    if (failure === undefined) {
      for (const job of jobs) job.settle(undefined)
      this.announceCommit()
    } else if (jobs.length === 1 || !begun) for (const job of jobs) job.settle(toStorageError(failure))
    // One program met a failure of the database: give each its own transaction, so that the others are not its victims.
    else for (const job of jobs) this.transact([job])
  }

  /** What was committed stays so, also when the log cannot be copied just now. */
  private announceCommit(): void {
    try {
      this.onCommit?.(this.walFrames())
    } catch (error) {
      if (!isDatabaseError(error)) throw error
    }
  }

  private step<T>(program: Program<T>): T {
    let next = program.next([])
    while (!next.done) {
      const { value } = next
      if ('reads' in value) {
        next = program.next(value.reads.map((statement) => this.all(statement)))
      } else {
        for (const { sql, params } of value.writes) this.prepare(sql).run(...params)
        next = program.next([])
      }
    }
    return next.value
  }

  private all({ sql, params }: Statement): Row[] {
    return this.prepare(sql).all(...params)
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

function isDatabaseError(error: unknown): boolean {
  return error instanceof Database.SqliteError
}

/** What the disk or another process is to blame for may pass; everything else is a defect. */
function toStorageError(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  if (!/^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|NOMEM)/.test(error.code)) return error
  const detail = 'the storage cannot take this now; nothing was changed'
  return new McbError('storage_unavailable', detail, { retryAfter: 5 }, { cause: error })
}
