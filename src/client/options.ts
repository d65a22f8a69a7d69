/** Options of a client, and their defaults. */

/** Times of uploads. Appended draws are sent as soon as one of `count`, `bytes` and `interval` is met. */
export interface FlushOptions {
  /** Draws of a chain that start an upload. @default 1000 */
  readonly count?: number
  /** Bytes of draws of a chain that start an upload, at most `maxRequest`. @default 1 MiB */
  readonly bytes?: number
  /** Milliseconds that a draw waits for company at most; Infinity leaves the time out of it. @default 1000 */
  readonly interval?: number
  /** Bytes of draws of a chain that may wait for their acknowledgement; beyond it `append` pends. @default 32 MiB */
  readonly maxBuffered?: number
  /** Bytes of draws that one request aims at; fewer once a server or a proxy refuses one as too large (413). @default 8 MiB */
  readonly maxRequest?: number
}

/** Retries after failures that may pass: no network, no answer in time, 408, 429, 502, 503, 504. */
export interface RetryOptions {
  /** Milliseconds after the first attempt within which another may begin; 0 never retries, Infinity always. @default 300 000 */
  readonly limit?: number
  /** Milliseconds that the first pause has at most; each further one has twice as many (full jitter). @default 250 */
  readonly base?: number
  /** Milliseconds that any pause has at most, unless the server's `Retry-After` says more. @default 15 000 */
  readonly cap?: number
  /** Milliseconds until one attempt, answer included, is given up; Infinity waits. @default 120 000 */
  readonly timeout?: number
}

/** Anything that answers a request: the platform's `fetch`, or an application in the same process. */
export type Fetch = (request: Request) => Response | Promise<Response>

export interface HttpBackendOptions {
  /** Address of the server without `/v1`: `http://127.0.0.1:8787`. */
  readonly url: string
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string
  /** @default the platform's `fetch` */
  readonly fetch?: Fetch
  readonly flush?: FlushOptions
  readonly retry?: RetryOptions
  /** Ends every request and every wait of this client; they reject with the signal's reason. */
  readonly signal?: AbortSignal
}

const MIB = 1024 * 1024

const DEFAULT_FLUSH: Required<FlushOptions> = {
  count: 1000,
  bytes: MIB,
  interval: 1000,
  maxBuffered: 32 * MIB,
  maxRequest: 8 * MIB,
}

export const DEFAULT_RETRY: Required<RetryOptions> = { limit: 300_000, base: 250, cap: 15_000, timeout: 120_000 }

export function completeFlush(given: FlushOptions = {}): Required<FlushOptions> {
  const flush = { ...DEFAULT_FLUSH, ...given }
  return { ...flush, bytes: Math.min(flush.bytes, flush.maxRequest) }
}
