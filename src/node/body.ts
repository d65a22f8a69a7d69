/** A request's body from Node's own stream: the web stream around it costs more than the copy. */
import { IncomingMessage, ServerResponse } from 'node:http'
import { McbError } from '../core/errors.ts'
import { free } from '../core/free.ts'
import { readStandardBody } from '../http/body.ts'
import { Collector, stalled } from '../http/collector.ts'
import type { ReadBody } from '../http/operation.ts'

export const readNodeBody: ReadBody = (c, wish) => {
  const { limit, hold, stallMs } = wish
  const { incoming, outgoing } = messagesOf(c.env)
  if (incoming === undefined) return readStandardBody(c, wish)
  if (incoming.destroyed) return Promise.reject(ended())
  if (outgoing !== undefined && isWaitedFor(incoming)) goOn(outgoing)
  return new Promise((resolve, reject) => {
    const collector = new Collector(Number(incoming.headers['content-length'] ?? 0), limit, hold)
    const timer = setTimeout(() => {
      outgoing?.setHeader('Connection', 'close')
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

/** Takes back what the server says to who sends no body. */
function goOn(outgoing: ServerResponse): void {
  outgoing.removeHeader('Connection')
  outgoing.writeContinue()
}

/** Node's own request and answer, as the server's adapter hands them on. */
export function messagesOf(env: unknown): {
  readonly incoming: IncomingMessage | undefined
  readonly outgoing: ServerResponse | undefined
} {
  const { incoming, outgoing } = isPair(env) ? env : {}
  return {
    incoming: incoming instanceof IncomingMessage ? incoming : undefined,
    outgoing: outgoing instanceof ServerResponse ? outgoing : undefined,
  }
}

function isPair(env: unknown): env is { readonly incoming?: unknown; readonly outgoing?: unknown } {
  return typeof env === 'object' && env !== null
}
