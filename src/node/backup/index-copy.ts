/**
 * The index of a copy: a snapshot of the database, which is made to fit the journal that was copied before it.
 *
 * VACUUM INTO reads one moment, and writers do not wait for it. https://www.sqlite.org/lang_vacuum.html#vacuuminto
 */
import { statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { chainAsFound, isChainIntact } from '../../backends/sqlite/chain.ts'
import { chainSum, withId } from '../../backends/sqlite/checksum.ts'
import { hiddenRuns, purgeSome } from '../../backends/sqlite/runs.ts'
import { type Cell, type Program, runAtOnce, type Statement } from '../../sql/program.ts'
import { BackupError } from './manifest.ts'

/** Milliseconds after a write in which another one might leave the same time behind. */
const SETTLED_MS = 2_000

type Row = { readonly [column: string]: Cell }

/** A text that changes with every write to a database; null where it was written to just now. */
export function stampOf(path: string): string | null {
  const now = BigInt(Date.now()) * 1_000_000n
  const parts: string[] = []
  for (const file of [path, `${path}-wal`]) {
    const stat = statSync(file, { throwIfNoEntry: false, bigint: true })
    // A log without content comes and goes with whoever reads.
    if (stat === undefined || stat.size === 0n) continue
    if (now - stat.mtimeNs < BigInt(SETTLED_MS) * 1_000_000n) return null
    parts.push(`${stat.ino} ${stat.size} ${stat.mtimeNs}`)
  }
  return parts.join(', ')
}

/** True where a database has the tables of this version: those before keep all draws in rows. */
export function namesObjects(database: Database.Database): boolean {
  return database.prepare("SELECT 1 FROM pragma_table_info('chunks') WHERE name = 'object'").get() !== undefined
}

/** True where its rows have all the checksums of this version. */
export function isOfThisVersion(database: Database.Database): boolean {
  return database.prepare("SELECT 1 FROM pragma_table_info('levels') WHERE name = 'sum'").get() !== undefined
}

/** Writes a snapshot of the database at `path`. @throws BackupError */
export function snapshot(path: string, target: string): void {
  const database = new Database(path, { readonly: true, fileMustExist: true })
  try {
    database.prepare('VACUUM INTO ?').run(target)
  } finally {
    database.close()
  }
  const copy = new Database(target)
  try {
    const verdict = copy.pragma('quick_check(1)', { simple: true })
    if (verdict !== 'ok') throw new BackupError(`"${path}" is damaged: ${verdict}`)
    // A copy of nothing is well-formed, too.
    const runs = copy.prepare("SELECT 1 FROM sqlite_master WHERE name = 'runs'").get()
    if (runs === undefined) throw new BackupError(`"${path}" is empty, or no database of a server`)
  } finally {
    copy.close()
  }
}

/** A snapshot that is made ready. */
export class CopiedIndex {
  private readonly database: Database.Database

  constructor(path: string) {
    this.database = new Database(path, { fileMustExist: true })
    // A copy that was cut off is made anew; the file is synced when it is whole.
    this.database.pragma('synchronous = OFF')
  }

  /**
   * Makes each chain as long as the copy has draws of it: the server tells its index of lengths when they are asked for, so
   * the snapshot may know of more draws than the journal that was copied before, or of fewer.
   */
  fit(ends: ReadonlyMap<number, number>): void {
    if (!namesObjects(this.database)) return
    const candidates = this.database.prepare<[string], Row>(
      'SELECT * FROM chains WHERE tail_rows = 0 AND number >= 0 ' +
        'AND (length > folded OR tail_bytes > 0 OR id IN (SELECT value FROM json_each(?)))',
    )
    const update = this.database.prepare(
      'UPDATE chains SET length = ?, bytes = max(0, bytes - tail_bytes), tail_bytes = 0, sum = ? WHERE id = ?',
    )
    this.database.transaction(() => {
      for (const row of candidates.all(JSON.stringify([...ends.keys()]))) {
        const chain = chainAsFound(row)
        // A damaged row is copied as it is, so that it is found.
        if (!isChainIntact(row, chain)) continue
        const length = Math.max(chain.folded, ends.get(chain.id) ?? 0)
        update.run(length, withId(chainSum({ ...chain, length }), chain.id), chain.id)
      }
    })()
  }

  /** Removes runs whose deletion was under way: their objects go first. */
  removeHidden(): void {
    for (const id of this.run(hiddenRuns())) this.removeRun(id)
  }

  removeRun(id: number): void {
    this.database.transaction(() => {
      while (this.run(purgeSome(id)));
    })()
  }

  close(): void {
    this.database.close()
  }

  private run<T>(program: Program<T>): T {
    const statementOf = ({ sql }: Statement) => this.database.prepare<unknown[], Row>(sql)
    return runAtOnce(
      program,
      (statement) => statementOf(statement).all(...statement.params),
      (statements) => {
        for (const statement of statements) statementOf(statement).run(...statement.params)
      },
    )
  }
}
