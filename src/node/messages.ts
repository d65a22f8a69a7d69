/** Node's own request and response, which count the bytes of their bodies as they cross the wire. */
import { IncomingMessage, ServerResponse } from 'node:http'
import { freeSent, isLastUse } from '../core/free.ts'

type Done = (error: Error | null | undefined) => void

export class CountedRequest extends IncomingMessage {
  /** Bytes of the body that have come, as they were sent. */
  received = 0
  /** Told that the server stops; there for a body that goes on for as long as its sender wishes. */
  onStop: (() => void) | undefined

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk instanceof Uint8Array) this.received += chunk.byteLength
    return super.push(chunk, encoding)
  }
}

export class CountedResponse extends ServerResponse<CountedRequest> {
  /** Bytes of the body that were handed to the connection. */
  sent = 0

  override write(chunk: unknown, done?: Done): boolean
  override write(chunk: unknown, encoding: BufferEncoding, done?: Done): boolean
  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    this.count(chunk)
    const told = typeof encoding === 'string' ? done : encoding
    const written = chunk instanceof Uint8Array && isLastUse(chunk) ? freeing(chunk, told) : told
    return typeof encoding === 'string' ? super.write(chunk, encoding, written) : super.write(chunk, written)
  }

  override end(done?: () => void): this
  override end(chunk: unknown, done?: () => void): this
  override end(chunk: unknown, encoding: BufferEncoding, done?: () => void): this
  override end(chunk?: unknown, encoding?: BufferEncoding | (() => void), done?: () => void): this {
    this.count(chunk)
    return typeof encoding === 'string' ? super.end(chunk, encoding, done) : super.end(chunk, encoding)
  }

  private count(chunk: unknown): void {
    // The answer to HEAD has no body, whatever is written.
    if (this.req.method === 'HEAD') return
    if (typeof chunk === 'string') this.sent += Buffer.byteLength(chunk)
    else if (chunk instanceof Uint8Array) this.sent += chunk.byteLength
  }
}

/** Frees bytes that the system has taken. */
function freeing(bytes: Uint8Array, done: Done | undefined): Done {
  return (error) => {
    // After a failure it is not known whether the system still reads them.
    if (error === null || error === undefined) freeSent(bytes)
    done?.(error)
  }
}

export interface Messages {
  readonly request: CountedRequest
  readonly response: CountedResponse
}

/** Request and response, as the server's adapter hands them on. */
export function messagesIn(env: unknown): Messages | undefined {
  if (typeof env !== 'object' || env === null || !('incoming' in env) || !('outgoing' in env)) return undefined
  const { incoming: request, outgoing: response } = env
  return request instanceof CountedRequest && response instanceof CountedResponse ? { request, response } : undefined
}
