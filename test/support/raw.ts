/** HTTP as bytes on a socket, also such as no client that behaves would send. */
import { connect, type Socket } from 'node:net'

/** A client that keeps what it was told, and reads only while it wants to. */
export class Raw {
  readonly socket: Socket
  text = ''
  isClosed = false

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.socket = connect(Number(port), hostname)
    this.socket.setEncoding('latin1')
    this.socket.on('data', (chunk: string) => {
      this.text += chunk
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
  }

  /** Each character of a text is a byte. */
  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes, 'latin1')
    return this
  }

  /** All that the server says until it closes the connection. */
  async whole(): Promise<string> {
    // A reset is an end like another one.
    if (!this.isClosed) await new Promise((resolve) => this.socket.once('close', resolve))
    return this.text
  }

  /** The status lines so far. */
  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  }

  destroy(): void {
    this.socket.destroy()
  }
}

/** All bytes that a raw request is answered with, until the server closes the connection. */
export function raw(url: string, text: string): Promise<string> {
  return new Raw(url).send(text).whole()
}

/** Status and code of the answer to lines that end with `Connection: close`. */
export async function statusOf(url: string, ...lines: readonly string[]): Promise<readonly [number, string]> {
  const answer = await raw(url, `${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`)
  const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1])
  return [status, /"code":"(\w+)"/.exec(answer)?.[1] ?? '']
}
