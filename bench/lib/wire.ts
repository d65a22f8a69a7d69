/** Requests and answers on bare sockets, so that the load costs as little as it can. */
import { connect, type Socket } from 'node:net'

export interface Reply {
  readonly status: number
  /** Bytes of the body. */
  readonly length: number
  /** The body's beginning, for messages. */
  readonly text: string
}

/** One keep-alive connection; one request at a time. */
export class Connection {
  /** The key that requests on it carry, where the server wants one. */
  token: string | undefined
  private readonly socket: Socket
  private head: Buffer = Buffer.alloc(0)
  private remaining = -1
  private length = 0
  private status = 0
  private text = ''
  private resolve: ((reply: Reply) => void) | undefined
  private reject: ((error: Error) => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('error', (error) => this.reject?.(error))
    socket.on('close', () => this.reject?.(new Error('the server closed the connection')))
  }

  static open(url: URL): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(url.port), url.hostname, () => resolve(new Connection(socket)))
      socket.once('error', reject)
    })
  }

  send(...parts: readonly Uint8Array[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the server has closed the connection'))
      this.resolve = resolve
      this.reject = reject
      this.socket.cork()
      for (const part of parts) this.socket.write(part)
      this.socket.uncork()
    })
  }

  close(): void {
    this.reject = undefined
    this.socket.destroy()
  }

  private take(chunk: Buffer): void {
    let body = chunk
    if (this.remaining < 0) {
      this.head = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk])
      const end = this.head.indexOf('\r\n\r\n')
      if (end < 0) return
      const text = this.head.toString('latin1', 0, end)
      this.status = Number(text.slice(9, 12))
      const length = /content-length: *(\d+)/i.exec(text)?.[1]
      if (length === undefined) throw new Error(`an answer without Content-Length: ${text}`)
      this.remaining = Number(length)
      this.length = this.remaining
      body = this.head.subarray(end + 4)
      this.head = Buffer.alloc(0)
      this.text = body.toString('utf8', 0, 300)
    }
    this.remaining -= body.length
    if (this.remaining > 0) return
    this.remaining = -1
    this.reject = undefined
    this.resolve?.({ status: this.status, length: this.length, text: this.text })
  }
}

export function requestHead(method: string, path: string, length: number, token?: string): Buffer {
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${authorization}Content-Type: application/x-protobuf\r\nContent-Length: ${length}\r\n\r\n`,
  )
}

export async function expectStatus(reply: Promise<Reply>, ...statuses: readonly number[]): Promise<Reply> {
  const { status, length, text } = await reply
  if (!statuses.includes(status)) throw new Error(`status ${status}: ${text}`)
  return { status, length, text }
}
