/**
 * The store's connection to ClickHouse, over any client: binary answers, binary inserts, and errors told apart.
 *
 * https://clickhouse.com/docs/interfaces/http
 */

import type { Bytes } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'

export type Params = Readonly<Record<string, string | number | readonly string[]>>
export type Settings = Readonly<Record<string, string | number>>

export interface ConnectionOptions {
  readonly url: string
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** Milliseconds after which a request counts as unanswered; it may be applied all the same. 30,000 when absent. */
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 30_000

/** A level above all others: the clients log nothing. */
const LOG = { level: 127 } as const

/** Options that the clients for Node and for the web share. They log nothing: failures are thrown. */
export function clientOptions({ url, user, password, database, timeoutMs = DEFAULT_TIMEOUT_MS }: ConnectionOptions) {
  return {
    url,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
    request_timeout: timeoutMs,
    log: LOG,
  }
}

export interface Connection {
  /** The answer of a query in RowBinary. */
  select(sql: string, params: Params): Promise<Bytes>
  /** A statement without an answer. */
  command(sql: string, params: Params): Promise<void>
  /** Rows in RowBinary for `INSERT INTO … FORMAT RowBinary`, in pieces that follow each other. */
  insert(sql: string, rows: readonly Bytes[], settings: Settings): Promise<void>
  close(): Promise<void>
}

/** Codes of ClickHouse for missing things that a migration makes: identifiers, tables, columns, databases. */
const MISSING = ['16', '47', '60', '81']

/** Messages of an error and of its causes: `fetch` tells the reason only there. */
function reasonsOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)]
  return error.cause instanceof Error ? [error.message, ...reasonsOf(error.cause)] : [error.message]
}

/** A retryable error. Its cause, which only the log shows, says what is wrong. */
export function unavailable(error: unknown): McbError {
  if (error instanceof McbError) return error
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  const why = reasonsOf(error).join(': ')
  const what = MISSING.includes(code)
    ? `ClickHouse misses its migrations (npm run clickhouse:migrate): ${why}`
    : code === '516' || code === '194'
      ? `ClickHouse refuses the user or the password (CLICKHOUSE_USER, CLICKHOUSE_PASSWORD): ${why}`
      : /^\d+$/.test(code)
        ? `ClickHouse failed: ${why}`
        : `ClickHouse cannot be reached (CLICKHOUSE_URL): ${why}`
  const detail = 'the database does not answer; send the request again'
  return new McbError('storage_unavailable', detail, { retryAfter: 1 }, { cause: new Error(what, { cause: error }) })
}
