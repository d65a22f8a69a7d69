/** A connection to ClickHouse that hands everything on, for tests that count, lose or hold back some of it. */
import type { Connection, Params, Settings } from '../../src/backends/clickhouse/connection.ts'

export class Relay implements Connection {
  protected readonly inner: Connection

  constructor(inner: Connection) {
    this.inner = inner
  }

  select(sql: string, params: Params): Promise<Uint8Array<ArrayBuffer>> {
    return this.inner.select(sql, params)
  }

  command(sql: string, params: Params): Promise<void> {
    return this.inner.command(sql, params)
  }

  insert(sql: string, rows: readonly Uint8Array<ArrayBuffer>[], settings: Settings): Promise<void> {
    return this.inner.insert(sql, rows, settings)
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}

/** Counts queries and the bytes of their answers. */
export class Counting extends Relay {
  selects = 0
  /** Bytes of all answers, and of the largest. */
  bytes = 0
  largest = 0

  override async select(sql: string, params: Params): Promise<Uint8Array<ArrayBuffer>> {
    this.selects++
    const answer = await super.select(sql, params)
    this.bytes += answer.length
    this.largest = Math.max(this.largest, answer.length)
    return answer
  }
}
