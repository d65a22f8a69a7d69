/** Listening and stopping on Node. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { McbError } from '../core/errors.ts'
import { DEFAULT_BOUNDS } from '../core/limits.ts'
import type { WhenAnswered } from '../http/context.ts'
import { Connections } from './connections.ts'
import type { Fetching } from './front.ts'
import {
  defectOf,
  MAX_HEADER_BYTES,
  malformed,
  noTunnel,
  onTheWire,
  refuse,
  refuseBefore,
  unexpected,
} from './malformed.ts'
import { CountedRequest, CountedResponse, messagesIn } from './messages.ts'

export interface Listening {
  readonly url: string
  /** Takes no new request and resolves when those that were accepted are answered. */
  close(): Promise<void>
}

/** Request and answer that count their bytes, for the log. */
const COUNTED = { IncomingMessage: CountedRequest, ServerResponse: CountedResponse }

/** A body of 64 MiB over a slow line takes minutes. */
const REQUEST_MS = 15 * 60_000
const CHECKS_MS = 30_000

/** Requests that are still sending after this long are cut off when the server stops. */
const GRACE_MS = 10_000

export interface ListenOptions {
  /** Milliseconds after which a connection ends whose client takes nothing of an answer. */
  readonly stallMs?: number
  /** Milliseconds in which a request is to come whole, unless its body is a stream. */
  readonly requestMs?: number
  /** Learns of answers that are given without the application, as to bytes that are no request. */
  readonly refused?: (error: McbError) => void
}

export function listen(
  app: Fetching,
  host: string,
  port: number,
  { stallMs = DEFAULT_BOUNDS.stallMs, requestMs = REQUEST_MS, refused = () => {} }: ListenOptions = {},
): Promise<Listening> {
  const fetch = getRequestListener(app.fetch, {
    hostname: 'localhost',
    errorHandler: (error) => refuse(error, refused),
    autoCleanupIncoming: false,
  })
  const connections = new Connections({ stallMs })
  // Node's own check of the Host header answers without a word.
  const connectionsCheckingInterval = Math.min(CHECKS_MS, requestMs)
  const checks = { maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false, connectionsCheckingInterval }
  const server = createServer({ ...checks, ...COUNTED })
  const answer = (request: IncomingMessage, response: ServerResponse, known?: McbError) => {
    const defect = defectOf(request) ?? known
    connections.request(request, response, () => {
      if (defect !== undefined) refused(defect)
      void (defect === undefined ? fetch(request, response) : refuseBefore(response, defect))
    })
  }
  server.on('request', answer)
  const end = async (socket: Duplex, error: McbError) => {
    const text = await onTheWire(error)
    if (socket instanceof Socket && socket.writable) {
      refused(error)
      connections.malformed(socket, text)
    } else socket.destroy()
  }
  // Left to itself, Node says "100 Continue" before anything is looked at; here the reader of the body says it.
  server.on('checkContinue', answer)
  server.on('checkExpectation', (request, response) => answer(request, response, unexpected(request)))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Node says it once of a request, and takes its time no more.
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && connections.isFollowed(socket)) return
    void end(socket, malformed(error))
  })
  server.on('connect', (_request, socket) => {
    // Without a listener Node ends the connection, and with it the answers that come before.
    if (socket instanceof Socket) connections.left(socket)
    void end(socket, noTunnel())
  })
  server.on('connection', (socket) => connections.add(socket))
  server.on('timeout', (socket) => connections.rested(socket))
  server.timeout = stallMs
  server.requestTimeout = requestMs
  server.headersTimeout = Math.min(60_000, requestMs)
  server.keepAliveTimeout = 65_000
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve({ url: urlOf(server, host), close: () => close(server, connections) })
    })
  })
}

/** Calls `ended` when an answer has left, or its connection has closed. */
export const whenNodeAnswered: WhenAnswered = (c, ended) => {
  const outgoing = messagesIn(c.env)?.response
  if (outgoing === undefined) return false
  if (outgoing.closed) ended()
  else outgoing.once('close', ended)
  return true
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
