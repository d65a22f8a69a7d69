/** The shared worker in which the hub lives. */
import { Hub } from './hub.ts'

const hub = new Hub()
addEventListener('connect', (event) => {
  const [port] = event instanceof MessageEvent ? event.ports : []
  if (port !== undefined) hub.connect(port)
})
