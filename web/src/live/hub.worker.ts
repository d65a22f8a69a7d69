/** The worker in which the hub lives: shared by all tabs, or a tab's own where browsers share none. */
import { Hub } from './hub.ts'

const hub = new Hub()
const join = (event: Event) => {
  const [port] = event instanceof MessageEvent ? event.ports : []
  if (port !== undefined) hub.connect(port)
}
// A shared worker is told of its tabs by `connect`; another one is sent the end of a channel.
addEventListener('connect', join)
addEventListener('message', join)
