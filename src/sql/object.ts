/**
 * A Durable Object's own SQLite. It answers at once, and nobody else writes it: a program is one transaction.
 *
 * A write is durable before anybody learns of it, since the runtime holds answers back until then (output gates).
 *
 * https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
 */
import type { DurableObjectStorage, SqlStorageValue } from '@cloudflare/workers-types'
import { McbError } from '../core/errors.ts'
import { type Program, type Row, runAtOnce, type SqlDriver, type Statement } from './program.ts'

export class DurableDriver implements SqlDriver {
  readonly isShared = false
  private readonly storage: DurableObjectStorage
  /** Called at the end of each transaction that writes, inside it. */
  private readonly onWrite: () => void

  constructor(storage: DurableObjectStorage, onWrite: () => void = () => {}) {
    this.storage = storage
    this.onWrite = onWrite
  }

  async run<T>(program: () => Program<T>): Promise<T> {
    try {
      return this.storage.transactionSync(() => this.step(program()))
    } catch (error) {
      throw toStorageError(error)
    }
  }

  private step<T>(program: Program<T>): T {
    let wrote = false
    const all = (statement: Statement) => this.all(statement)
    const result = runAtOnce(program, all, (statements) => {
      for (const { sql, params } of statements) this.storage.sql.exec(sql, ...params)
      wrote ||= statements.length > 0
    })
    if (wrote) this.onWrite()
    return result
  }

  private all({ sql, params, look }: Statement): Row[] {
    const rows = this.storage.sql
      .exec<Record<string, SqlStorageValue>>(sql, ...params)
      .toArray()
      .map(toRow)
    if (look !== undefined) rows.forEach(look)
    return rows
  }
}

function toRow(row: Readonly<Record<string, SqlStorageValue>>): Row {
  const cells = Object.entries(row).map(([name, cell]) => [
    name,
    cell instanceof ArrayBuffer ? new Uint8Array(cell) : cell,
  ])
  return Object.fromEntries(cells)
}

/** Failures of the disk may pass, and so may a run that has outgrown its object; all else is a defect. */
function toStorageError(error: unknown): unknown {
  if (error instanceof McbError || !(error instanceof Error)) return error
  if (!/SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|NOMEM)/.test(error.message)) return error
  const detail = 'the storage cannot take this now; nothing was changed'
  return new McbError('storage_unavailable', detail, { retryAfter: 5 }, { cause: error })
}
