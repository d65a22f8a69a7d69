/** A connection that asks, for each query, how many rows the engine reads for it (`EXPLAIN ESTIMATE`: whole granules). */
import type { Connection, Params } from '../../src/backends/clickhouse/connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'

export class Estimating implements Connection {
  queries = 0
  /** Of the table `chunks`. */
  rows = 0
  private readonly inner: Connection
  readonly insert: Connection['insert']
  readonly command: Connection['command']

  constructor(inner: Connection) {
    this.inner = inner
    this.insert = inner.insert.bind(inner)
    this.command = inner.command.bind(inner)
  }

  async select(sql: string, params: Params) {
    const reader = new RowReader(await this.inner.select(`EXPLAIN ESTIMATE ${sql}`, params))
    this.queries++
    while (reader.more()) {
      reader.string()
      const table = reader.string()
      reader.uint64()
      const rows = Number(reader.uint64())
      reader.uint64()
      if (table === 'chunks') this.rows += rows
    }
    return this.inner.select(sql, params)
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}
