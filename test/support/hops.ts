/** Calls to the storage thread, and the bytes that come back with them: of the messages themselves, by any sender. */
import { Worker } from 'node:worker_threads'
import { bytesIn } from './bytes-in.ts'

export interface Hops {
  calls: number
  /** Bytes of whole buffers: a view takes all of its buffer along. */
  bytes: number
}

/** Counts until it is ended. */
export function countHops(): { readonly hops: Hops; end(): void } {
  const hops: Hops = { calls: 0, bytes: 0 }
  const { emit, postMessage } = Worker.prototype
  Worker.prototype.postMessage = function (...args: Parameters<typeof postMessage>) {
    hops.calls++
    return Reflect.apply(postMessage, this, args)
  }
  Worker.prototype.emit = function (name: string | symbol, ...args: unknown[]) {
    if (name === 'message') hops.bytes += bytesIn(args[0])
    return Reflect.apply(emit, this, [name, ...args])
  }
  const end = () => Object.assign(Worker.prototype, { emit, postMessage })
  return { hops, end }
}
