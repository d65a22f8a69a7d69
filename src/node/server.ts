/** Listening and stopping on Node. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import type { AppEnv } from '../routes/context.ts'
import { MAX_HEADER_BYTES, malformed, refuse } from './malformed.ts'
import { CountedRequest, CountedResponse } from './messages.ts'

export interface Listening {
  readonly url: string
  /** Takes no new request and resolves when those that were accepted are answered. */
  close(): Promise<void>
}

/** What the log and the throttle of keys know a request by. */
const COUNTED = { IncomingMessage: CountedRequest, ServerResponse: CountedResponse }

/** Requests that are still sending after this long are cut off when the server stops. */
const GRACE_MS = 10_000

export function listen(app: Hono<AppEnv>, host: string, port: number): Promise<Listening> {
  // Probes of load balancers speak HTTP/1.0, and name no host.
  const answer = getRequestListener(app.fetch, { hostname: 'localhost', errorHandler: refuse })
  const connections = new Connections()
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, ...COUNTED }, (request, response) => {
    connections.begin(request, response)
    void answer(request, response)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    void malformed(error).then((answer) => {
      if (socket instanceof Socket && connections.mayAnswer(socket)) socket.end(answer, () => socket.destroy())
      else socket.destroy()
    })
  })
  server.on('connection', (socket) => connections.add(socket))
  // A body of 64 MiB over a slow line takes minutes; headers need not.
  server.requestTimeout = 15 * 60_000
  server.headersTimeout = 60_000
  server.keepAliveTimeout = 65_000
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve({ url: urlOf(server, host), close: () => close(server, connections) })
    })
  })
}

/**
 * The open connections, and how many requests each has under way. Node's own notion of an idle connection leaves out those
 * that have sent nothing yet, and a client may hold some of them.
 */
class Connections {
  private readonly requests = new Map<Socket, number>()
  /** The last response of each connection. */
  private readonly responses = new WeakMap<Socket, ServerResponse>()
  private closing = false

  add(socket: Socket): void {
    this.requests.set(socket, 0)
    socket.once('close', () => this.requests.delete(socket))
  }

  begin({ socket }: IncomingMessage, response: ServerResponse): void {
    // A client that keeps its connection busy would otherwise be served on and on while the server stops.
    if (this.closing) response.setHeader('Connection', 'close')
    this.count(socket, 1)
    this.responses.set(socket, response)
    response.once('close', () => this.count(socket, -1))
  }

  /** Whether an answer that no request has asked for would stand where a client looks for one. */
  mayAnswer(socket: Socket): boolean {
    const last = this.responses.get(socket)
    return socket.writable && (last === undefined || last.writableFinished || !last.headersSent)
  }

  /** Ends what is at rest, and everything else as soon as it is. */
  close(): void {
    this.closing = true
    for (const [socket, requests] of this.requests) if (requests === 0) socket.destroySoon()
  }

  private count(socket: Socket, change: 1 | -1): void {
    const before = this.requests.get(socket)
    if (before === undefined) return
    this.requests.set(socket, before + change)
    if (this.closing && before + change === 0) socket.destroySoon()
  }
}

function urlOf(server: Pick<Server, 'address'>, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

interface Closable {
  close(done: () => void): unknown
  closeAllConnections(): void
}

function close(server: Closable, connections: Connections): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    connections.close()
  })
}
