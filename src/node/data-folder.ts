/**
 * The folder of a database file: one server owns it, and a database that was there once is not begun anew by mistake.
 *
 * The lock is SQLite's own on an empty database beside the file, so that it ends with the process, however that ends. It
 * keeps other servers away; programs that copy or read the file do not ask for it. https://www.sqlite.org/lockingv3.html
 */
import { statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { CannotOpen } from '../sql/cannot-open.ts'

/** Milliseconds that a server waits for the one before it, which may be finishing what it has accepted. */
const WAIT_MS = 10_000

export class DataFolder {
  private readonly path: string
  private readonly lock: Database.Database
  private readonly marker: string

  /**
   * Waits for the folder of the database at `path`.
   *
   * @throws CannotOpen when another server keeps it, or when a database that was there is not any more
   */
  constructor(path: string) {
    this.path = path
    this.marker = join(dirname(path), 'mcbackend.created')
    this.lock = new Database(join(dirname(path), 'mcbackend.lock'), { timeout: WAIT_MS })
    try {
      // Nothing is ever written there, so it needs no journal on the disk.
      this.lock.pragma('journal_mode = MEMORY')
      this.lock.exec('BEGIN EXCLUSIVE')
      this.requireNothingLost()
    } catch (error) {
      this.lock.close()
      throw error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY') ? inUse(path) : error
    }
  }

  /** Remembers that the database is there. */
  mark(): void {
    if (bytesOf(this.marker) !== undefined) return
    const text = `${basename(this.path)} has been here since ${new Date().toISOString()}, or longer. While this file is here, no server begins an empty one in its place.\n`
    try {
      writeFileSync(this.marker, text)
    } catch (error) {
      // On a full disk the next start makes up for it.
      if (!(error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')))
        throw error
    }
  }

  release(): void {
    this.lock.close()
  }

  private requireNothingLost(): void {
    const bytes = bytesOf(this.path)
    if (bytes !== undefined && bytes > 0) return
    const state = bytes === undefined ? 'is missing' : 'is empty'
    const wayOut = 'put a backup in its place, or, to begin with an empty one, remove'
    // SQLite would delete a log without its database.
    const log = `${this.path}-wal`
    if ((bytesOf(log) ?? 0) > 0) {
      throw new CannotOpen(
        `"${this.path}" ${state}, but its write-ahead log is there; ${wayOut} "${log}" as well as "${this.marker}"`,
      )
    }
    if (bytesOf(this.marker) === undefined) return
    throw new CannotOpen(`"${this.path}" ${state}, but there was a database; ${wayOut} "${this.marker}"`)
  }
}

function inUse(path: string): CannotOpen {
  return new CannotOpen(
    `another server has the folder "${dirname(path)}" and did not leave it within ${WAIT_MS / 1000} s; stop that one, or set MCB_DATA_DIR to another folder`,
  )
}

/** Bytes of a file; undefined when there is none. */
function bytesOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}
