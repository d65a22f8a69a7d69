/** ClickHouse through `@clickhouse/client`, on Node. */
import { addAbortSignal, Readable } from 'node:stream'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import type { Bytes } from '../../core/segment.ts'
import { concatBytes } from '../../core/wire.ts'
import {
  type Connection,
  type ConnectionOptions,
  DEFAULT_TIMEOUT_MS,
  type Params,
  type Settings,
} from './connection.ts'

/** Connections that are open at a time. */
const CONNECTIONS = 32

export class NodeConnection implements Connection {
  private readonly client: ClickHouseClient
  private readonly timeoutMs: number

  constructor({ url, user, password, database, timeoutMs = DEFAULT_TIMEOUT_MS }: ConnectionOptions) {
    this.timeoutMs = timeoutMs
    this.client = createClient({
      url,
      ...(user !== undefined && { username: user }),
      ...(password !== undefined && { password }),
      ...(database !== undefined && { database }),
      request_timeout: timeoutMs,
      max_open_connections: CONNECTIONS,
      log: { level: 127 },
    })
  }

  async select(sql: string, params: Params): Promise<Bytes> {
    const query = `${sql}\nFORMAT RowBinary`
    const { stream } = await this.client.exec({ query, query_params: { ...params } })
    const parts: Uint8Array[] = []
    for await (const part of this.inTime(stream)) parts.push(part)
    return concatBytes(parts)
  }

  async command(sql: string, params: Params): Promise<void> {
    await this.client.command({ query: sql, query_params: { ...params } })
  }

  async insert(sql: string, rows: readonly Bytes[], settings: Settings): Promise<void> {
    const values = Readable.from(rows, { objectMode: false })
    const { stream } = await this.client.exec({ query: sql, values, clickhouse_settings: { ...settings } })
    for await (const _ of this.inTime(stream));
  }

  /** The client's own timeout ends when an answer begins. */
  private inTime(stream: Readable): Readable {
    return addAbortSignal(AbortSignal.timeout(this.timeoutMs), stream)
  }

  close(): Promise<void> {
    return this.client.close()
  }
}
