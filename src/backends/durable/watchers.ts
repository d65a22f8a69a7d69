/**
 * Watchers of a run object, each through a WebSocket that hibernates: while nothing happens, neither the object nor
 * its watchers cost anything.
 *
 * https://developers.cloudflare.com/durable-objects/best-practices/websockets/
 */
import type { DurableObjectState, WebSocket } from '@cloudflare/workers-types'
import type { ChainState, RunWatcher } from '../../core/store.ts'

/** Milliseconds between two messages about one chain. */
const REST_MS = 100

/** A message to a watcher; `chains` comes first. */
export type WatchMessage =
  | { readonly chains: readonly (readonly [chain: number, length: number])[] }
  | { readonly chain: number; readonly length: number }
  | { readonly deleted: true }

/** The object's side. */
export class Watchers {
  private readonly ctx: DurableObjectState
  /** Chains that were told of a moment ago, with their length if they have grown since. */
  private readonly resting = new Map<number, number | undefined>()

  constructor(ctx: DurableObjectState) {
    this.ctx = ctx
  }

  add(socket: WebSocket, chains: readonly ChainState[]): void {
    this.ctx.acceptWebSocket(socket)
    send(socket, { chains: chains.map(({ chain, length }) => [chain, length]) })
  }

  grown(chain: number, length: number): void {
    if (this.resting.has(chain)) {
      this.resting.set(chain, length)
      return
    }
    const sockets = this.ctx.getWebSockets()
    if (sockets.length === 0) return
    for (const socket of sockets) send(socket, { chain, length })
    this.resting.set(chain, undefined)
    setTimeout(() => {
      const since = this.resting.get(chain)
      this.resting.delete(chain)
      if (since !== undefined) this.grown(chain, since)
    }, REST_MS)
  }

  deleted(): void {
    this.resting.clear()
    for (const socket of this.ctx.getWebSockets()) {
      send(socket, { deleted: true })
      socket.close(1000, 'deleted')
    }
  }
}

function send(socket: WebSocket, message: WatchMessage): void {
  try {
    socket.send(JSON.stringify(message))
  } catch {
    // The watcher has left; the runtime drops its socket.
  }
}

/** The Worker's side: resolves, when the watcher has been told all chains, to a function that ends the watch. */
export async function watchSocket(socket: WebSocket, watcher: RunWatcher): Promise<() => void> {
  const begun = Promise.withResolvers<void>()
  const lost = () => {
    watcher.lost()
    begun.resolve()
  }
  socket.addEventListener('message', ({ data }) => {
    const message: WatchMessage = JSON.parse(String(data))
    if ('deleted' in message) watcher.deleted()
    else if ('chain' in message) watcher.grown(message.chain, message.length)
    else {
      for (const [chain, length] of message.chains) watcher.grown(chain, length)
      begun.resolve()
    }
  })
  socket.addEventListener('close', lost)
  socket.addEventListener('error', lost)
  socket.accept()
  await begun.promise
  return () => socket.close(1000, 'enough')
}
