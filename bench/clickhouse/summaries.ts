/** A way to the engine that adds up what its answers say of rows and bytes read (`X-ClickHouse-Summary`). */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request as send } from 'node:http'

export interface Reads {
  queries: number
  rows: number
  bytes: number
}

export interface Summaries {
  readonly url: string
  /** What was read since the last call. */
  take(): Reads
  close(): void
}

export async function openSummaries(target: string): Promise<Summaries> {
  let reads: Reads = { queries: 0, rows: 0, bytes: 0 }
  const server = createServer((request, response) => {
    const { method, url = '/', headers } = request
    const outgoing = send(new URL(url, target), { method, headers }, (answer: IncomingMessage) => {
      const summary: unknown = JSON.parse(String(answer.headers['x-clickhouse-summary'] ?? '{}'))
      reads.queries++
      reads.rows += numberOf(summary, 'read_rows')
      reads.bytes += numberOf(summary, 'read_bytes')
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.once('error', () => response.destroy())
    request.pipe(outgoing)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const take = () => {
    const taken = reads
    reads = { queries: 0, rows: 0, bytes: 0 }
    return taken
  }
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${address.port}`, take, close }
}

function numberOf(summary: unknown, name: string): number {
  const entry =
    typeof summary === 'object' && summary !== null ? Object.entries(summary).find(([key]) => key === name) : undefined
  return Number(entry?.[1] ?? 0)
}
