/** A tab's side of the hub. */
import * as v from 'valibot'
import { counts, diagnostics } from '../api/shapes.ts'
import type { FromHub, HubEvent, LiveEvent, Port, ToHub, WatchedRun } from './protocol.ts'

/** Milliseconds between two signs of life. */
const HERE_MS = 20_000

let port: Port | undefined
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
  port.postMessage(message)
}

function connect(): Port {
  const end = open()
  end.onmessage = ({ data: { id, event } }: MessageEvent<FromHub>) => listeners.get(id)?.(read(event))
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

function read(event: HubEvent): LiveEvent {
  if (event.type === 'diagnostics') return { type: event.type, diagnostics: v.parse(diagnostics, event.diagnostics) }
  if (event.type === 'counts') return { type: event.type, counts: v.parse(counts, event.counts) }
  return event
}

/** Some browsers of phones have no shared workers: there each tab has a hub of its own. */
function open(): Port {
  // Each is written out, as the build finds workers by how they are made.
  if (typeof SharedWorker !== 'undefined') {
    return new SharedWorker(new URL('./hub.worker.ts', import.meta.url), { type: 'module' }).port
  }
  const worker = new Worker(new URL('./hub.worker.ts', import.meta.url), { type: 'module' })
  const { port1, port2 } = new MessageChannel()
  worker.postMessage('a tab', [port1])
  return port2
}
