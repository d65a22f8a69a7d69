/** One request of a connection and its answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Answers it. */
  readonly begin: () => void
}

/** Bytes of a body that no one wanted which are read on behalf of its client: many look for an answer only behind it. */
const DRAIN_BYTES = 128 * 1024 * 1024
const LOOK_MS = 250

/**
 * Lets Node throw away what an answer left of its request's body, and ends the connection of one that goes on too long.
 *
 * @param patience milliseconds at most
 */
export function drain({ request }: Exchange, patience: number): void {
  const { socket } = request
  const until = performance.now() + patience
  const most = socket.bytesRead + DRAIN_BYTES
  const timer = setInterval(
    () => {
      const isOver = performance.now() >= until || socket.bytesRead > most
      if (isOver) socket.destroy()
      if (isOver || request.complete || socket.destroyed) clearInterval(timer)
    },
    Math.min(LOOK_MS, patience),
  )
}
