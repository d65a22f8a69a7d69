/** Listening and stopping on Node. */
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
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
/** How often a server that stops looks for connections that have become idle. */
const IDLE_MS = 50

export function listen(app: Hono<AppEnv>, host: string, port: number): Promise<Listening> {
  const answer = getRequestListener(app.fetch)
  let closing = false
  const server = createServer((request, response) => {
    // A client that keeps its connection busy would otherwise be served on and on while the server stops.
    if (closing) response.setHeader('Connection', 'close')
    void answer(request, response)
  })
  const unused = unusedSockets(server)
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
        return close(server, unused)
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

/** Connections that were opened in advance, as browsers and other clients do: Node does not count them as idle. */
function unusedSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('request', ({ socket }) => sockets.delete(socket))
  return sockets
}

function close(server: Server, unused: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS)
    // A connection whose answer began before this is idle when that has ended, and would be kept alive.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_MS)
    server.close(() => {
      clearTimeout(timer)
      clearInterval(idle)
      resolve()
    })
    server.closeIdleConnections()
    for (const socket of unused) socket.destroy()
  })
}
