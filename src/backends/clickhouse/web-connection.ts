/**
 * ClickHouse through `@clickhouse/client-web`, on Workers and wherever there is `fetch`. Binary inserts go through `fetch`
 * itself: the client's `insert` takes text only, and its `exec` would drop the body.
 */
import { ClickHouseError, createClient } from '@clickhouse/client-web'
import type { Bytes } from '../../core/draws/segment.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import { type Connection, type ConnectionOptions, clientOptions, type Params, type Settings } from './connection.ts'

type Client = ReturnType<typeof createClient>

export class WebConnection implements Connection {
  private readonly options: ConnectionOptions
  private readonly client: Client
  private readonly timeoutMs: number

  constructor(options: ConnectionOptions) {
    const all = clientOptions(options)
    this.options = options
    this.timeoutMs = all.request_timeout
    // workerd's fetch knows no `keepalive`.
    this.client = createClient({ ...all, keep_alive: { enabled: false } })
  }

  async select(sql: string, params: Params): Promise<Bytes> {
    const controller = new AbortController()
    const query = `${sql}\nFORMAT RowBinary`
    const { stream } = await this.client.exec({
      query,
      query_params: { ...params },
      abort_signal: controller.signal,
    })
    // The client's own timeout ends when an answer begins.
    const timer = setTimeout(() => controller.abort(), this.timeoutMs)
    try {
      return new Uint8Array(await new Response(stream).arrayBuffer())
    } finally {
      clearTimeout(timer)
    }
  }

  async command(sql: string, params: Params): Promise<void> {
    await this.client.command({ query: sql, query_params: { ...params } })
  }

  async insert(sql: string, rows: readonly Bytes[], settings: Settings): Promise<void> {
    const { url, user = 'default', password = '', database = 'default' } = this.options
    const address = new URL(url)
    const search = { query: sql, database, ...settings }
    for (const [name, value] of Object.entries(search)) address.searchParams.set(name, String(value))
    const answer = await fetch(address, {
      method: 'POST',
      headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
      body: concatBytes(rows),
      signal: AbortSignal.timeout(this.timeoutMs),
    })
    const text = await answer.text()
    if (answer.ok) return
    const code = answer.headers.get('X-ClickHouse-Exception-Code') ?? String(answer.status)
    throw new ClickHouseError({ message: text.slice(0, 1000), code, type: '' })
  }

  close(): Promise<void> {
    return this.client.close()
  }
}
