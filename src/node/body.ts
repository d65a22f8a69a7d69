/** A request's body from Node's own stream: the web stream around it costs more than the copy. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { McbError } from '../core/errors.ts'
import { free } from '../core/free.ts'
import { readStandardBody } from '../http/body.ts'
import { Collector, stalled } from '../http/collector.ts'
import type { ReadBody } from '../http/context.ts'
import { messagesIn } from './messages.ts'

export const readNodeBody: ReadBody = (c, wish) => {
  const { limit, hold, stallMs } = wish
  const messages = messagesIn(c.env)
  if (messages === undefined) return readStandardBody(c, wish)
  const { request: incoming, response: outgoing } = messages
  if (incoming.destroyed) return Promise.reject(ended())
  if (isWaitedFor(incoming)) goOn(outgoing)
  return new Promise((resolve, reject) => {
    const collector = new Collector(Number(incoming.headers['content-length'] ?? 0), limit, hold)
    const timer = setTimeout(() => {
      outgoing.setHeader('Connection', 'close')
      fail(stalled(stallMs))
    }, stallMs)
    const settle = () => {
      clearTimeout(timer)
      hold.onCut = undefined
      incoming.off('data', onData).off('end', onEnd).off('close', onClose)
    }
    const fail = (error: unknown) => {
      settle()
      collector.drop()
      reject(error)
    }
    const onData = (chunk: Buffer) => {
      timer.refresh()
      try {
        collector.add(chunk)
        free(chunk)
      } catch (error) {
        fail(error)
      }
    }
    const onEnd = () => {
      settle()
      try {
        resolve(collector.finish())
      } catch (error) {
        reject(error)
      }
    }
    const onClose = () => fail(ended())
    hold.onCut = fail
    incoming.on('data', onData).once('end', onEnd).once('close', onClose)
    incoming.once('error', () => incoming.destroy())
  })
}

function ended(): McbError {
  return new McbError('invalid_protobuf', 'the body ended before it was complete')
}

/** True for a client that sends its body only when it is told to go on (RFC 9110, section 10.1.1). */
export function isWaitedFor({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion === '1.1' && /(?:^|\W)100-continue(?:$|\W)/i.test(headers.expect ?? '')
}

/** Lets the client send its body, and takes back the header for one that sends none. */
export function goOn(outgoing: ServerResponse): void {
  outgoing.removeHeader('Connection')
  outgoing.writeContinue()
}
