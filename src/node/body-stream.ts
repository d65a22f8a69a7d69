/** A request's body as a stream, from Node's own. */

import type { Socket } from 'node:net'
import { McbError } from '../core/errors.ts'
import { brokenOff, openStandardBody } from '../http/body-stream.ts'
import type { BodyStream, OpenBody } from '../http/context.ts'
import { goOn, isWaitedFor } from './body.ts'
import { type Messages, messagesIn } from './messages.ts'

/** Milliseconds of silence behind which the system asks whether the sender is still there: it may be silent for a day. */
const ALIVE_MS = 60_000

/** Milliseconds for which what a sender still sends is read when its answer has gone. */
const LINGER_MS = 2000

export const openNodeBody: OpenBody = (c) => {
  const messages = messagesIn(c.env)
  return messages === undefined ? openStandardBody(c) : new NodeBodyStream(messages)
}

class NodeBodyStream implements BodyStream {
  private readonly messages: Messages
  private hasBegun = false
  /** Ends the wait for more. */
  private wake: () => void = () => {}
  private isStopping = false
  private readonly onChange = () => this.wake()

  constructor(messages: Messages) {
    this.messages = messages
    const { request } = messages
    request.on('readable', this.onChange).on('end', this.onChange).on('close', this.onChange)
    request.once('error', () => request.destroy())
    request.onStop = () => {
      this.isStopping = true
      this.wake()
    }
  }

  async next(): Promise<Uint8Array | undefined> {
    const { request, response } = this.messages
    if (!this.hasBegun) {
      this.hasBegun = true
      request.socket.setKeepAlive(true, ALIVE_MS)
      if (isWaitedFor(request)) goOn(response)
    }
    for (;;) {
      const piece: unknown = request.read()
      if (piece instanceof Uint8Array) return piece
      if (request.readableEnded) return undefined
      if (request.destroyed) throw brokenOff()
      if (this.isStopping) {
        throw new McbError('storage_unavailable', 'the server stops; send the file again', { retryAfter: 1 })
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  leave(): void {
    const { request, response } = this.messages
    request.off('readable', this.onChange).off('end', this.onChange).off('close', this.onChange)
    request.onStop = undefined
    if (request.readableEnded) return
    // The sender of a body that may have no end is to stop, and to look at the answer.
    if (!response.headersSent) response.setHeader('Connection', 'close')
    request.resume()
    linger(request.socket)
  }
}

/**
 * Lets a connection end in two steps (RFC 9112, section 9.6): to close it at once while bytes come would reset it, and with that
 * the answer may be lost.
 */
function linger(socket: Socket): void {
  socket.destroySoon = () => {
    socket.end()
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(timer))
  }
}
