/** A proxy between driver and server that fails as networks and proxies do: by chance, or once, as a test has it. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'

/**
 * - `cut`: the connection breaks, and the server has seen nothing
 * - `lost`: the server does it, and the connection breaks before the answer
 * - `broken`, `broken chunk`: the connection breaks in the middle of an answer with a length, and of one in chunks
 * - `unavailable`, `busy`, `timeout`, `gateway`: 503 with `Retry-After: 0`, 429, 408 and 502 of something before the server
 * - `late gateway`: the server does it, and the answer is 504
 * - `page`, `late page`: 200 with a page of HTML, before the server has seen it, and after it has done it
 */
export const FAULTS = [
  'cut',
  'lost',
  'broken',
  'broken chunk',
  'unavailable',
  'busy',
  'timeout',
  'gateway',
  'late gateway',
  'page',
  'late page',
] as const
export type Fault = (typeof FAULTS)[number]

/** A request that has arrived. */
export interface Passing {
  readonly method: string
  /** Path and query, as they were sent. */
  readonly target: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Moment of its arrival, in milliseconds. */
  readonly at: number
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** The fate of one request: a fault, or an answer made of the one that the server gives. */
export type Fate = Fault | ((ask: () => Promise<Answer>) => Promise<Answer>)

/** Decides about each request; undefined lets it pass. */
export type Plan = (passing: Passing) => Fate | undefined

const PAGE = '<html><head><title>Sign in</title></head><body>Please sign in to use this network.</body></html>'

/** Answers of something between client and server. */
const CANNED: Partial<Record<Fault, Answer>> = {
  unavailable: { status: 503, headers: { 'retry-after': '0' }, body: Buffer.from('down for a moment') },
  busy: { status: 429, headers: {}, body: Buffer.alloc(0) },
  timeout: { status: 408, headers: {}, body: Buffer.alloc(0) },
  gateway: { status: 502, headers: { 'content-type': 'text/html' }, body: Buffer.from('<h1>Bad gateway</h1>') },
  'late gateway': { status: 504, headers: { 'content-type': 'text/html' }, body: Buffer.from('<h1>Timeout</h1>') },
  page: { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: Buffer.from(PAGE) },
  'late page': { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: Buffer.from(PAGE) },
}
/** Faults of requests that the server has done. */
const AFTER: ReadonlySet<Fault> = new Set(['lost', 'broken', 'broken chunk', 'late gateway', 'late page'])

const RUN = /^\/v1\/runs\/[^/?]+$/

/** Headers that are between two neighbours, and not between client and server. */
const OF_CONNECTIONS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'expect'])

export class FailingProxy {
  /** Address of the proxy, when it has started. */
  url = ''
  /** Paths of the runs that requests have registered, and that were not there. */
  readonly created = new Set<string>()
  /** Faults that requests have met, by kind. */
  readonly injected = new Map<Fault, number>()
  plan: Plan = () => undefined
  private readonly target: URL
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  private constructor(target: string) {
    this.target = new URL(target)
    this.server = createServer((request, response) => {
      this.take(request, response).catch(() => request.socket.destroy())
    })
    this.server.on('connection', (socket) => {
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket))
    })
  }

  static async start(target: string): Promise<FailingProxy> {
    const proxy = new FailingProxy(target)
    proxy.server.listen(0, '127.0.0.1')
    await once(proxy.server, 'listening')
    // An address in text is that of a pipe.
    const { port } = proxy.server.address() as AddressInfo
    proxy.url = `http://127.0.0.1:${port}`
    return proxy
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    const closed = once(this.server, 'close')
    this.server.close()
    await closed
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request
    const passing = { method, target: url, headers, body: await buffer(request), at: performance.now() }
    const fate = this.plan(passing)
    if (typeof fate === 'function') {
      return fate(() => this.forward(passing)).then((answer) => write(response, answer))
    }
    if (fate === undefined) return write(response, await this.forward(passing))
    this.injected.set(fate, (this.injected.get(fate) ?? 0) + 1)
    const answer = AFTER.has(fate) ? await this.forward(passing) : undefined
    const canned = CANNED[fate]
    if (canned !== undefined) write(response, canned)
    else if (answer !== undefined && fate !== 'lost') await writeHalf(response, answer, fate === 'broken')
    else request.socket.destroy()
  }

  private async forward({ method, target, headers, body }: Passing): Promise<Answer> {
    const send = this.target.protocol === 'https:' ? httpsRequest : httpRequest
    const outgoing = send(this.target, {
      method,
      // Names keep their bytes: a path is handed on as it came, behind the one that the server's address has.
      path: this.target.pathname.replace(/\/+$/, '') + target,
      headers: { ...endToEnd(headers), ...(body.length > 0 && { 'content-length': body.length }) },
    })
    outgoing.end(body)
    const [incoming]: IncomingMessage[] = await once(outgoing, 'response')
    if (incoming === undefined) throw new Error('an answer came without a message')
    if (method === 'PUT' && incoming.statusCode === 201 && RUN.test(target)) this.created.add(target)
    return { status: incoming.statusCode ?? 502, headers: endToEnd(incoming.headers), body: await buffer(incoming) }
  }
}

function endToEnd(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_CONNECTIONS.has(name)))
}

function write(response: ServerResponse, { status, headers, body }: Answer): void {
  // The length that an answer to HEAD tells is that of a body which it does not have.
  const hasNoBody = status === 204 || status === 304 || response.req.method === 'HEAD'
  response.writeHead(status, hasNoBody ? headers : { ...headers, 'content-length': body.length })
  response.end(body)
}

/** The first half of an answer, and the end of the connection; half of its head where it has no body. */
async function writeHalf(
  response: ServerResponse,
  { status, headers, body }: Answer,
  hasLength: boolean,
): Promise<void> {
  const { socket } = response
  if (body.length === 0) {
    socket?.end('HTTP/1.1 20')
    return
  }
  const { 'content-length': _length, ...others } = headers
  response.writeHead(status, hasLength ? { ...others, 'content-length': body.length } : others)
  const half = body.subarray(0, Math.floor(body.length / 2))
  await new Promise<void>((resolve) => response.write(half.length > 0 ? half : ' ', () => resolve()))
  socket?.end()
}

/** Faults by chance, the same for the same seed and order of requests. */
export function byChance(probability: number, random: () => number): Plan {
  return () => {
    if (random() >= probability) return undefined
    return FAULTS[Math.floor(random() * FAULTS.length)]
  }
}
