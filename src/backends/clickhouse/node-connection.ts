/** ClickHouse through `@clickhouse/client`, on Node. */
import { Readable } from 'node:stream'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import type { Bytes } from '../../core/draws/segment.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import { type Connection, type ConnectionOptions, clientOptions, type Params, type Settings } from './connection.ts'

/** Connections that are open at a time. */
const CONNECTIONS = 32

export class NodeConnection implements Connection {
  private readonly client: ClickHouseClient
  private readonly timeoutMs: number

  constructor(options: ConnectionOptions) {
    const all = clientOptions(options)
    this.timeoutMs = all.request_timeout
    this.client = createClient({ ...all, max_open_connections: CONNECTIONS })
  }

  async select(sql: string, params: Params): Promise<Bytes> {
    const query = `${sql}\nFORMAT RowBinary`
    const { stream } = await this.client.exec({ query, query_params: { ...params } })
    return concatBytes(await this.drain(stream))
  }

  async command(sql: string, params: Params): Promise<void> {
    await this.client.command({ query: sql, query_params: { ...params } })
  }

  async insert(sql: string, rows: readonly Bytes[], settings: Settings): Promise<void> {
    const values = Readable.from(rows, { objectMode: false })
    const { stream } = await this.client.exec({ query: sql, values, clickhouse_settings: { ...settings } })
    await this.drain(stream)
  }

  /** All of an answer, in time: the client's own timeout ends when an answer begins. */
  private async drain(stream: Readable): Promise<Uint8Array[]> {
    const timer = setTimeout(() => stream.destroy(new Error('Timeout error.')), this.timeoutMs)
    try {
      const parts: Uint8Array[] = []
      for await (const part of stream) parts.push(part)
      return parts
    } finally {
      clearTimeout(timer)
    }
  }

  close(): Promise<void> {
    return this.client.close()
  }
}
