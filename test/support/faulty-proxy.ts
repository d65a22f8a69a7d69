/**
 * A network between the store and ClickHouse that fails: an HTTP proxy on real sockets, which does to each insert of draws
 * what its list says next and lets everything else pass.
 */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'

/**
 * - `refused`: all connections break, and new ones are refused until `reopen`
 * - `reset`: the insert is applied, and the connection is reset instead of an answer
 * - `silent`: the insert is applied, and nothing ever answers
 * - `late`: nothing ever answers, and the insert arrives when the client has given up
 * - `failed`: the insert is applied, and answered with a 500
 */
export const FAULTS = ['refused', 'reset', 'silent', 'late', 'failed'] as const
export type Fault = (typeof FAULTS)[number]

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export class FaultyProxy {
  /** Faults that inserts have met, by kind. */
  readonly injected = new Map<Fault, number>()
  private readonly target: URL
  private readonly plan: (Fault | undefined)[]
  private readonly late: Promise<unknown>[] = []
  private server: Server
  private port = 0
  private opening = false
  private readonly sockets = new Set<Socket>()
  private readonly silent = new WeakSet<Socket>()

  /** `plan` is what happens to the inserts, in the order of their arrival; undefined lets one pass. */
  constructor(target: string, plan: readonly (Fault | undefined)[]) {
    this.target = new URL(target)
    this.plan = [...plan]
    this.server = this.newServer()
  }

  /** Listens, and resolves to its address. */
  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    // An address in text is that of a pipe.
    const address = this.server.address() as AddressInfo
    this.port = address.port
    return `http://127.0.0.1:${this.port}`
  }

  /** Faults that are still to come. */
  get left(): number {
    return this.plan.filter((fault) => fault !== undefined).length
  }

  /** Ends the time in which connections are refused. */
  reopen(): void {
    // A server listens only a moment after it was told to: several who were refused reopen one.
    if (this.server.listening || this.opening) return
    this.opening = true
    this.server = this.newServer()
    const opened = () => {
      this.opening = false
    }
    // Somebody else may have the port for a moment; the next who is refused reopens again.
    this.server.once('error', opened).listen(this.port, '127.0.0.1', opened)
  }

  /** Resolves when all inserts that were late have arrived. */
  async settled(): Promise<void> {
    await Promise.all(this.late)
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    await closed
  }

  private newServer(): Server {
    const server = createServer((request, response) => {
      this.pass(request, response).catch(() => request.socket.destroy())
    })
    return server.on('connection', (socket) => {
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket))
    })
  }

  /** Breaks all connections but those that are silent, and must be until the client gives up. */
  private shut(): void {
    this.server.close()
    for (const socket of this.sockets) if (!this.silent.has(socket)) socket.destroy()
  }

  private async pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = new URL(request.url ?? '/', this.target).searchParams.get('query') ?? ''
    const fault = query.startsWith('INSERT INTO chunks') ? this.plan.shift() : undefined
    if (fault !== undefined) this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1)
    if (fault === 'refused') return this.shut()
    if (fault === 'silent' || fault === 'late') this.silent.add(request.socket)
    // A request that is cut off does not arrive.
    const body = await buffer(request)
    if (fault === 'late') {
      this.late.push(this.forwardLate(request, body))
      return
    }
    const { status, headers, body: answer } = await this.forward(request, body)
    if (fault === 'silent') return
    if (fault === 'reset') {
      request.socket.resetAndDestroy()
      return
    }
    if (fault === 'failed') {
      response.writeHead(500, { 'X-ClickHouse-Exception-Code': '241' })
      response.end('Code: 241. DB::Exception: Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)\n')
      return
    }
    response.writeHead(status, headers)
    response.end(answer)
  }

  private async forwardLate(request: IncomingMessage, body: Buffer): Promise<void> {
    if (!request.socket.destroyed) await once(request.socket, 'close')
    await this.forward(request, body)
  }

  private async forward({ method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    const { host: _host, 'transfer-encoding': _chunked, connection: _connection, ...kept } = headers
    const send = this.target.protocol === 'https:' ? httpsRequest : httpRequest
    const outgoing = send(new URL(url ?? '/', this.target), {
      method,
      headers: { ...kept, 'content-length': body.length },
    })
    outgoing.end(body)
    const [incoming]: IncomingMessage[] = await once(outgoing, 'response')
    if (incoming === undefined) throw new Error('an answer came without a message')
    const { statusCode = 502, headers: given } = incoming
    const { 'transfer-encoding': _coding, connection: _kept, 'keep-alive': _time, ...answered } = given
    return { status: statusCode, headers: answered, body: await buffer(incoming) }
  }
}
