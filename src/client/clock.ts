/** Time for a client on any platform: pauses that can be ended, and turns of the event loop. */
import { deferred } from '../core/deferred.ts'

/** Calls back sooner than a timer, in the environments that have it. */
declare const setImmediate: ((callback: () => void) => unknown) | undefined

import { turn } from '../core/turn.ts'

/** Longest delay that timers take; a longer one would fire at once. */
const MAX_DELAY = 2 ** 31 - 1

/** Calls back once after `ms` milliseconds unless the returned function is called before; Infinity never does. */
export function after(ms: number, callback: () => void): () => void {
  if (ms === Number.POSITIVE_INFINITY) return () => undefined
  const timer = setTimeout(callback, Math.min(Math.max(ms, 0), MAX_DELAY))
  return () => clearTimeout(timer)
}

/** Waits `ms` milliseconds; rejects with the signal's reason when that is aborted. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = deferred<void>()
  const onAbort = () => reject(signal?.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const cancel = after(ms, resolve)
  return promise.finally(() => {
    cancel()
    signal?.removeEventListener('abort', onAbort)
  })
}

/** Milliseconds that a sampler may keep the thread before the event loop gets a turn. */
const TURN_EVERY = 10

let lastTurn = performance.now()

/**
 * True where the event loop should get a turn. A loop over `await append(…)` with promises that are resolved already never
 * gives it one, and without turns no timer fires and no byte is sent.
 */
export function isTurnDue(): boolean {
  return performance.now() - lastTurn > TURN_EVERY
}

/** Resolves in the next turn of the event loop. */
export async function nextTurn(): Promise<void> {
  await turn()
  lastTurn = performance.now()
}
