/** The worker of draws: the engine behind a channel. */
import { Engine } from './engine.ts'
import type { ToPage, ToWorker } from './messages.ts'
import { serve } from './serve.ts'

/** A turn without the delay of timers. */
function turns(): () => Promise<void> {
  const waiting: (() => void)[] = []
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => waiting.shift()?.()
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      port2.postMessage(undefined)
    })
}

serve(
  {
    postMessage: (message: ToPage, transfer) => self.postMessage(message, { transfer }),
    addEventListener: (type, listener: (event: { readonly data: ToWorker }) => void) =>
      addEventListener(type, listener),
  },
  new Engine({ turn: turns() }),
)
