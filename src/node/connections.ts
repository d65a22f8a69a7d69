/** The open connections: one request of each at a time, and the end of those that do nothing. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { isWaitedFor } from './body.ts'
import { drain, type Exchange } from './exchange.ts'
import { CountedRequest } from './messages.ts'

/**
 * Requests that were sent before the one before them was answered, on all connections. Node has read them before they can be
 * stopped, as many as fit into one piece of a socket; a connection that would add more is ended, and its client sends again.
 */
const MOST_WAITING = 10_000

/** Looks at a connection in the time that its answer may stall. */
const LOOKS = 8

/** Milliseconds that a body is read on behalf of its client when its answer has gone. */
const DRAIN_MS = 30_000

export interface ConnectionsOptions {
  /** Milliseconds after which a connection ends whose client takes nothing of an answer, or asks for nothing. */
  readonly stallMs: number
}

export class Connections {
  private readonly open = new Map<Socket, Connection>()
  private readonly stallMs: number
  private readonly timer: NodeJS.Timeout
  private waiting = 0
  private closing = false

  constructor({ stallMs }: ConnectionsOptions) {
    this.stallMs = stallMs
    this.timer = setInterval(() => this.look(), stallMs / LOOKS).unref()
  }

  add(socket: Socket): void {
    this.open.set(socket, new Connection(socket, Math.min(this.stallMs, DRAIN_MS), (change) => this.count(change)))
    socket.once('close', () => {
      this.open.get(socket)?.forget()
      this.open.delete(socket)
    })
  }

  /** Calls `answer` when all that came before on this connection is answered. */
  request(request: IncomingMessage, response: ServerResponse, answer: () => void): void {
    const begin = () => {
      // A client that keeps its connection busy would otherwise be served on and on while the server stops. One that still
      // waits for "100 Continue" when it is answered sends no body, and nothing can follow on its connection.
      if (this.closing || isWaitedFor(request)) response.setHeader('Connection', 'close')
      answer()
    }
    const connection = this.open.get(request.socket)
    const isQueued = connection?.add({ request, response, begin }) === true
    if (!isQueued || this.waiting <= MOST_WAITING) return
    // At once, and not when the socket has closed: those that others send meanwhile find room.
    connection.forget()
    request.socket.destroy()
  }

  /** True for a socket on which a body comes that may take as long as its sender wishes. */
  isFollowed(socket: unknown): boolean {
    return socket instanceof Socket && this.open.get(socket)?.isFollowed === true
  }

  /** Answers malformed bytes in their turn: `text` never stands where a client looks for another answer. */
  malformed(socket: Socket, text: string): void {
    this.open.get(socket)?.end(text)
  }

  /** Takes over a socket that Node's server has let go of, as it does behind CONNECT, until its last answer is said. */
  left(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    socket.on('timeout', () => this.rested(socket))
    socket.on('drain', () => this.open.get(socket)?.goOn())
  }

  /** Nothing has come or gone on a socket for `stallMs`, or its time between two requests is over. */
  rested(socket: Socket): void {
    if (this.open.get(socket)?.isIdle !== false) socket.destroy()
  }

  /** Ends connections at rest, and all others as soon as they are. */
  close(): void {
    this.closing = true
    clearInterval(this.timer)
    for (const connection of this.open.values()) connection.closeWhenIdle()
  }

  /** Ends connections whose answer stalls, whatever their client sends meanwhile. */
  private look(): void {
    const now = performance.now()
    for (const [socket, connection] of this.open) if (connection.stallOf(now) >= this.stallMs) socket.destroy()
  }

  private count(change: number): void {
    this.waiting += change
  }
}

/** Bytes that wait to be taken by the network: Node's own count, which falls while one long write is on its way. */
function pendingBytes(socket: Socket): number {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined
  const inHandle = typeof handle === 'object' && handle !== null && 'writeQueueSize' in handle && handle.writeQueueSize
  return socket.writableLength + (typeof inHandle === 'number' ? inHandle : 0)
}

class Connection {
  private readonly socket: Socket
  private readonly patience: number
  private readonly count: (change: number) => void
  private current: Exchange | undefined
  private waiting: Exchange[] = []
  /** The last one that was answered, if its body has not come whole. */
  private unread: Exchange | undefined
  /** Text that is said behind all answers, before the end. */
  private last: string | undefined
  private isClosing = false
  /** Bytes that waited at the last look; `movedAt` is the time since which nothing has moved. */
  private pending = 0
  private written = 0
  private movedAt = 0

  constructor(socket: Socket, patience: number, count: (change: number) => void) {
    this.socket = socket
    this.patience = patience
    this.count = count
  }

  get isIdle(): boolean {
    return this.current === undefined && this.unread?.request.complete !== false
  }

  /** Milliseconds since a byte has left, while there are bytes to send. */
  stallOf(now: number): number {
    const pending = this.socket.writableLength === 0 ? 0 : pendingBytes(this.socket)
    const { bytesWritten } = this.socket
    if (pending === 0 || pending !== this.pending || bytesWritten !== this.written) this.movedAt = now
    this.pending = pending
    this.written = bytesWritten
    return now - this.movedAt
  }

  /** True when the request has to wait for others. None is begun whose answer could not be sent any more. */
  add(exchange: Exchange): boolean {
    if (this.last !== undefined || !this.socket.writable) return false
    if (this.current === undefined) {
      this.begin(exchange)
      return false
    }
    this.waiting.push(exchange)
    this.count(1)
    this.socket.pause()
    return true
  }

  end(text: string): void {
    if (this.last !== undefined) return
    const youngest = this.waiting.at(-1) ?? this.current ?? this.unread
    if (youngest?.request.complete === false) {
      // Its body is malformed: the answer takes its place.
      if (this.waiting.pop() !== undefined) this.count(-1)
      else if (youngest.response.headersSent) {
        this.socket.destroy()
        return
      } else this.current = undefined
    }
    this.last = text
    this.socket.pause()
    if (this.current === undefined) this.sayLast(text)
  }

  /** True while a body comes that goes on for as long as its sender wishes. */
  get isFollowed(): boolean {
    const request = this.current?.request
    return request instanceof CountedRequest && request.onStop !== undefined
  }

  closeWhenIdle(): void {
    this.isClosing = true
    const request = this.current?.request
    if (request instanceof CountedRequest) request.onStop?.()
    if (this.current === undefined) this.socket.destroySoon()
  }

  /** The network takes more of the answer that is being written. */
  goOn(): void {
    this.current?.response.emit('drain')
  }

  /** The connection ends: nobody waits any more. */
  forget(): void {
    this.count(-this.waiting.length)
    this.waiting = []
  }

  private begin(exchange: Exchange): void {
    this.current = exchange
    this.unread = undefined
    // It comes when the last byte has been handed to the network, or the connection has closed.
    exchange.response.once('close', () => this.answered(exchange))
    exchange.begin()
  }

  private answered(exchange: Exchange): void {
    if (this.current !== exchange) return
    this.current = undefined
    if (!this.socket.writable) {
      // Behind an answer that says "Connection: close" nothing is done any more (RFC 9112, section 9.6): Node has ended the
      // socket before it tells that the answer is out.
      this.forget()
      return
    }
    if (!exchange.request.complete) {
      this.unread = exchange
      drain(exchange, this.patience)
    }
    const next = this.waiting.shift()
    if (next !== undefined) {
      this.count(-1)
      this.begin(next)
      if (this.waiting.length === 0 && this.last === undefined) this.socket.resume()
    } else if (this.last !== undefined) this.sayLast(this.last)
    else if (this.isClosing) this.socket.destroySoon()
  }

  private sayLast(text: string): void {
    const { socket } = this
    if (socket.writable) socket.end(text, () => socket.destroy())
    else socket.destroy()
  }
}
