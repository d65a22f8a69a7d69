/** A tab's side of the hub. */
import type { FromHub, LiveEvent, Port, ToHub, WatchedRun } from './protocol.ts'

/** Milliseconds between two signs of life. */
const HERE_MS = 20_000

let port: Promise<Port> | undefined
let nextId = 1
const listeners = new Map<number, (event: LiveEvent) => void>()

/** Tells the news of a run until the function that is given back is called. */
export function watchRun(run: WatchedRun, tell: (event: LiveEvent) => void): () => void {
  const id = nextId++
  listeners.set(id, tell)
  say({ type: 'watch', id, run })
  return () => {
    listeners.delete(id)
    say({ type: 'unwatch', id })
  }
}

function say(message: ToHub): void {
  port ??= connect()
  void port.then((end) => end.postMessage(message))
}

async function connect(): Promise<Port> {
  const end = await open()
  end.onmessage = ({ data: { id, event } }: MessageEvent<FromHub>) => listeners.get(id)?.(event)
  const here = () => say({ type: 'here', isSeen: document.visibilityState === 'visible' })
  document.addEventListener('visibilitychange', here)
  setInterval(here, HERE_MS)
  addEventListener('pagehide', () => say({ type: 'bye' }))
  // A page that comes back out of the browser's cache has been forgotten.
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) location.reload()
  })
  return end
}

/** Some browsers of phones have no shared workers: there each tab has a hub of its own. */
async function open(): Promise<Port> {
  if (typeof SharedWorker !== 'undefined') {
    const worker = new SharedWorker(new URL('./hub.worker.ts', import.meta.url), { type: 'module' })
    return worker.port
  }
  const { Hub } = await import('./hub.ts')
  const { port1, port2 } = new MessageChannel()
  new Hub().connect(port1)
  return port2
}
