/**
 * Cloudflare D1 behind the programs of this folder: every set of reads is one batch, and so are the writes behind their
 * guard. A batch is one transaction and one round trip, but nothing holds between two of them: a guard that fails, a
 * constraint that another writer was first to meet, and reads that do not fit together all mean that the program is run
 * again on what is there now. That is also right for a write whose answer was lost: the program then finds its own work.
 *
 * Bytes cross the binding as base64 text: as a blob they would travel as a JSON array of numbers, which is ten times as
 * slow. So columns of bytes hold text here, a third longer than their bytes.
 *
 * https://developers.cloudflare.com/d1/worker-api/d1-database/#batch
 * https://developers.cloudflare.com/d1/observability/debug-d1/#error-list
 */
import type { D1Database } from '@cloudflare/workers-types'
import { McbError } from '../core/errors.ts'
import {
  BYTE_COLUMNS,
  type Param,
  type Program,
  type Row,
  type SqlDriver,
  StaleRead,
  type Statement,
} from './program.ts'

/** D1's limits. Workerd's own D1 allows more, so exceeding them would show only once deployed. */
const MAX_PARAMS = 100
const MAX_SQL_BYTES = 100_000
/** 2,000,000 bytes a string and a row, less some room for the row's other columns. */
const MAX_TEXT_BYTES = 1_999_000

/** Runs of a program at most, and the longest pause before the second run; it doubles from run to run. */
const RUNS = {
  race: { limit: 10, pauseMs: 5 },
  transient: { limit: 4, pauseMs: 100 },
} as const

type Again = keyof typeof RUNS

/** Verdicts on failures of D1 by their messages; the first match counts. A failure without a match passes by itself. */
const VERDICTS: readonly (readonly [RegExp, Again | 'unavailable' | 'unprepared' | 'defect'])[] = [
  [/(UNIQUE|NOT NULL) constraint failed/, 'race'],
  [/no such (table|column)/, 'unprepared'],
  [/SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|NOMEM|INTERRUPT)/, 'unavailable'],
  [/SQLITE_|D1_TYPE_ERROR|D1_COLUMN_NOTFOUND|No SQL statements/, 'defect'],
  [/overloaded|exceeded|too many (api |sub)?requests/i, 'unavailable'],
]

const UNPREPARED =
  'the D1 database lacks tables of this version; apply the migrations: ' +
  'wrangler d1 migrations apply DB --remote (for local storage: --local, with the --persist-to of wrangler dev)'

/** A batch that D1 did not carry out, or whose answer was lost. */
class BatchFailure extends Error {
  override readonly name = 'BatchFailure'
}

/** The part of a database that the driver uses. */
export type BatchDatabase = Pick<D1Database, 'prepare' | 'batch'>

export class D1Driver implements SqlDriver {
  readonly isShared = true
  private readonly database: BatchDatabase

  constructor(database: BatchDatabase) {
    this.database = database
  }

  async run<T>(program: () => Program<T>): Promise<T> {
    const runs = { race: 0, transient: 0 }
    for (;;) {
      try {
        return await this.step(program())
      } catch (error) {
        const again = whyAgain(error)
        runs[again]++
        const { limit, pauseMs } = RUNS[again]
        if (runs[again] === limit) throw unavailable(error)
        await pause(Math.random() * pauseMs * 2 ** (runs[again] - 1))
      }
    }
  }

  private async step<T>(program: Program<T>): Promise<T> {
    let next = program.next([])
    while (!next.done) {
      const { value } = next
      if ('reads' in value) {
        next = program.next(await this.batch(value.reads))
      } else {
        await this.batch(value.guard === undefined ? value.writes : [value.guard, ...value.writes])
        next = program.next([])
      }
    }
    return next.value
  }

  private async batch(statements: readonly Statement[]): Promise<Row[][]> {
    if (statements.length === 0) return []
    const prepared = statements.map(({ sql: plain, base64Sql: sql = plain, params }) => {
      requireFits(sql, params.length)
      return this.database.prepare(sql).bind(...params.map(toCell))
    })
    const results = await this.database.batch<{ [column: string]: string | number | null }>(prepared).catch((error) => {
      throw new BatchFailure(error instanceof Error ? error.message : String(error), { cause: error })
    })
    return results.map(({ results: cells }, i) => {
      const rows = cells.map(toRow)
      const look = statements[i]?.look
      if (look !== undefined) rows.forEach(look)
      return rows
    })
  }
}

function requireFits(sql: string, params: number): void {
  if (params > MAX_PARAMS) throw new Error(`a statement has ${params} parameters, D1 takes ${MAX_PARAMS}`)
  // Statements are ASCII: users' text travels in parameters.
  if (sql.length > MAX_SQL_BYTES) throw new Error(`a statement has ${sql.length} bytes, D1 takes ${MAX_SQL_BYTES}`)
}

function toCell(param: Param): string | number | null {
  if (param === null || typeof param === 'number') return param
  const text = typeof param === 'string' ? param : param.toBase64()
  // A code unit has three bytes at most, so hardly any text must be encoded to learn its length.
  const bytes = text.length * 3 > MAX_TEXT_BYTES && typeof param === 'string' ? utf8Bytes(text) : text.length
  if (bytes > MAX_TEXT_BYTES) throw new Error(`a cell has ${bytes} bytes, D1 takes ${MAX_TEXT_BYTES}`)
  return text
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length
}

function toRow(row: { readonly [column: string]: string | number | null }): Row {
  let decoded: Row = row
  for (const column of BYTE_COLUMNS) {
    const cell = row[column]
    if (typeof cell === 'string') decoded = { ...decoded, [column]: Uint8Array.fromBase64(cell) }
  }
  return decoded
}

/** Reason to run a program again. @throws the error for the caller when there is none */
function whyAgain(error: unknown): Again {
  if (error instanceof StaleRead) return 'race'
  if (!(error instanceof BatchFailure)) throw error
  const verdict = VERDICTS.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'transient'
  if (verdict === 'defect') throw error.cause
  if (verdict === 'unprepared') throw unavailable(new Error(UNPREPARED, { cause: error.cause }))
  if (verdict === 'unavailable') throw unavailable(error)
  return verdict
}

function unavailable(cause: unknown): McbError {
  const detail = 'the storage cannot take this now; send it again later'
  return new McbError('storage_unavailable', detail, { retryAfter: 5 }, { cause })
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
