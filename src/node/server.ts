/** Listening and stopping on Node. */
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import type { AppEnv } from '../routes/context.ts'

export interface Listening {
  readonly url: string
  /** Takes no new request and resolves when those that were accepted are answered. */
  close(): Promise<void>
}

/** Requests that are still sending after this long are cut off when the server stops. */
const GRACE_MS = 10_000

export function listen(app: Hono<AppEnv>, host: string, port: number): Promise<Listening> {
  const answer = getRequestListener(app.fetch)
  let closing = false
  const server = createServer((request, response) => {
    // A client that keeps its connection busy would otherwise be served on and on while the server stops.
    if (closing) response.setHeader('Connection', 'close')
    void answer(request, response)
  })
  // A body of 64 MiB over a slow line takes minutes; headers need not.
  server.requestTimeout = 15 * 60_000
  server.headersTimeout = 60_000
  server.keepAliveTimeout = 65_000
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const stop = () => {
        closing = true
        return close(server)
      }
      resolve({ url: urlOf(server, host), close: stop })
    })
  })
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}
