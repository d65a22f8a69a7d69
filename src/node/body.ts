/** A request's body from Node's own stream: the web stream around it costs more than the copy. */
import { IncomingMessage } from 'node:http'
import { McbError } from '../core/errors.ts'
import { Collector, readStandardBody, tooLarge } from '../routes/body.ts'
import type { ReadBody } from '../routes/context.ts'

export const readNodeBody: ReadBody = (c, limit) => {
  const incoming = incomingOf(c.env)
  if (incoming === undefined) return readStandardBody(c, limit)
  const announced = Number(incoming.headers['content-length'] ?? 0)
  if (announced > limit) return Promise.reject(tooLarge(limit))
  return new Promise((resolve, reject) => {
    const collector = new Collector(announced, limit)
    incoming.on('data', (chunk: Buffer) => {
      try {
        collector.add(chunk)
        release(chunk)
      } catch (error) {
        incoming.removeAllListeners('data')
        incoming.resume()
        reject(error)
      }
    })
    incoming.once('end', () => {
      incoming.off('close', onClose)
      resolve(collector.finish())
    })
    incoming.once('error', () => incoming.destroy())
    const onClose = () => reject(new McbError('invalid_protobuf', 'the body ended before it was complete'))
    incoming.once('close', onClose)
  })
}

/** Frees what was copied: the collector sees only small objects, and lets tens of MiB lie behind them. */
function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}

/** Where the server's adapter puts Node's own request. */
function incomingOf(env: unknown): IncomingMessage | undefined {
  const incoming = typeof env === 'object' && env !== null && 'incoming' in env ? env.incoming : undefined
  return incoming instanceof IncomingMessage ? incoming : undefined
}
