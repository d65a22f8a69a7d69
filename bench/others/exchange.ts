/** Requests and replies of others' protocols on bare sockets, one at a time, so that each store has a client as small as ours. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Tells if all of a reply has come. */
export type IsWhole = (received: Buffer) => boolean

export class Exchange {
  private readonly socket: Socket
  private readonly isWhole: IsWhole
  private received: Buffer = Buffer.alloc(0)
  private resolve: ((reply: Buffer) => void) | undefined
  private reject: ((error: Error) => void) | undefined

  private constructor(socket: Socket, isWhole: IsWhole) {
    this.socket = socket
    this.isWhole = isWhole
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('error', (error) => this.reject?.(error))
    socket.on('close', () => this.reject?.(new Error('the server closed the connection')))
  }

  static async open({ port, hostname }: URL, isWhole: IsWhole): Promise<Exchange> {
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    return new Exchange(socket, isWhole)
  }

  send(...parts: readonly Uint8Array[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the server has closed the connection'))
      this.resolve = resolve
      this.reject = reject
      this.socket.cork()
      for (const part of parts) this.socket.write(part)
      this.socket.uncork()
    })
  }

  private take(chunk: Buffer): void {
    const reply = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    const isWhole = this.isWhole(reply)
    this.received = isWhole ? Buffer.alloc(0) : reply
    if (isWhole) this.resolve?.(reply)
  }
}
