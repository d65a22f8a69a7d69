/** HTTP as bytes on a socket: what clients that behave never send. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export function socketTo(url: string): Socket {
  const { hostname, port } = new URL(url)
  return connect(Number(port), hostname)
}

/** All bytes that a raw request is answered with, until the server closes the connection. */
export async function raw(url: string, text: string): Promise<string> {
  const socket = socketTo(url)
  let answer = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    answer += chunk
  })
  socket.on('error', () => {})
  socket.write(text, 'latin1')
  await once(socket, 'close')
  return answer
}

/** Status and code of what lines that end with `Connection: close` are answered with. */
export async function statusOf(url: string, ...lines: readonly string[]): Promise<readonly [number, string]> {
  const answer = await raw(url, `${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`)
  const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1])
  return [status, /"code":"(\w+)"/.exec(answer)?.[1] ?? '']
}
