/** The worker of filters: an expression that takes for ever is ended with it, and the page goes on. */
import { filterOf, matcherOf } from './filter.ts'

let labels: readonly string[] = []

addEventListener('message', ({ data }: MessageEvent<readonly string[] | string>) => {
  if (typeof data === 'string') {
    const matches = matcherOf(filterOf(data))
    const found = Uint8Array.from(labels, (label) => (matches(label) ? 1 : 0))
    postMessage(found, { transfer: [found.buffer] })
  } else labels = data
})
