/** Reasons that a database file cannot be opened, each a sentence that names the file and the way out. */
import { dirname } from 'node:path'

export class CannotOpen extends Error {
  override readonly name = 'CannotOpen'
}

/** The error for people who start the server, from one of SQLite or the file system at the opening of the database at `path`. */
export function cannotOpen(error: unknown, path: string): CannotOpen {
  if (error instanceof CannotOpen) return error
  return new CannotOpen(sentenceOf(error, path), { cause: error })
}

function sentenceOf(error: unknown, path: string): string {
  const why = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return damaged(path, why)
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return `"${path}" is held by another program (${why}); end that one, or set MCB_DATA_DIR to another folder`
  }
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)/.test(code)) {
    return `the disk of "${path}" is full (${why}); make room on it, or set MCB_DATA_DIR to a folder on another one`
  }
  if (/^(SQLITE_IOERR|EIO)/.test(code)) {
    return `the disk of "${path}" fails (${why}); mend it, or set MCB_DATA_DIR to a folder on another one`
  }
  if (/^(SQLITE_(CANTOPEN|READONLY|PERM)|EACCES|EPERM|EROFS|EISDIR|ENOTDIR)/.test(code)) {
    return `the folder "${dirname(path)}" cannot be written (${why}); set MCB_DATA_DIR to one that can`
  }
  return `"${path}" cannot be opened (${why}); mend that, or set MCB_DATA_DIR to another folder`
}

export function damaged(path: string, why: string): string {
  return `"${path}" is damaged, or no database of this server (${why}); move it away and put a backup in its place, or set MCB_DATA_DIR to another folder`
}

/** `unknown` is the time of the newest migration that this version does not know. */
export function newer(path: string, unknown: Date): CannotOpen {
  return new CannotOpen(
    `"${path}" was written by a newer version of this server (its tables are of ${unknown.toISOString().slice(0, 10)}); start that version, or restore the backup from before the upgrade`,
  )
}
