/** One request to the server as often as it takes: attempts, pauses between them, and errors. */

import { deferred } from '../core/deferred.ts'
import { McbError } from '../core/errors.ts'
import { JSON_TYPE, PROBLEM_TYPE, PROTOBUF } from '../core/media-types.ts'
import { after, pause } from './clock.ts'
import { DEFAULT_RETRY, type Fetch, type HttpBackendOptions, type RetryOptions } from './options.ts'
import { errorOf, ForeignAnswer, type WholeAnswer } from './problem.ts'

/** Statuses of failures that may pass. All requests of this client can be repeated without harm. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 429, 502, 503, 504])

export interface ApiRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** Path and query below the server's address, encoded. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** A protobuf message, or text in JSON. */
  readonly body?: Uint8Array<ArrayBuffer> | string
  /** The type that the answer must have; absent when its body does not matter. */
  readonly type?: typeof PROTOBUF | typeof JSON_TYPE
  /** Ends the request and every wait for it; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A request as it goes out: its whole address, and the headers of every request. */
export interface Outgoing {
  readonly url: string
  readonly method: ApiRequest['method']
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer> | string
  readonly signal: AbortSignal
}

/** Sends a request and takes its whole answer, in place of `fetch`: where bytes can be had without copies of them. */
export type TakeAnswer = (request: Outgoing) => Promise<WholeAnswer>

type Outcome<T> = { readonly value: T } | { readonly failure: McbError; readonly isTransient: boolean }

export class Transport {
  private readonly url: string
  private readonly authorization: Readonly<Record<string, string>>
  private readonly fetch: Fetch
  private readonly retry: Required<RetryOptions>
  private readonly signal: AbortSignal | undefined
  private readonly takeAnswer: TakeAnswer
  /** True when the server itself has answered once, so that the address is right. */
  private isKnown = false

  /**
   * @param takeAnswer sends the requests that have whole answers; `fetch` does by default
   * @throws TypeError when the address is no absolute URL, or the token cannot stand in a header
   */
  constructor({ url, token, fetch, retry, signal }: HttpBackendOptions, takeAnswer?: TakeAnswer) {
    this.url = new URL(url).href.replace(/\/+$/, '')
    this.authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    new Headers(this.authorization)
    this.fetch = fetch ?? ((request) => globalThis.fetch(request))
    this.retry = { ...DEFAULT_RETRY, ...retry }
    this.signal = signal
    this.takeAnswer = takeAnswer ?? ((request) => this.fetchWhole(request))
  }

  /**
   * Sends a request until it has a final answer, and gives the result of `read`. An answer that `read` cannot read
   * was damaged on its way, and is asked for again.
   *
   * @param refused gives the result for a refusal, or throws it; on a later attempt than the first, an earlier one
   *   whose answer was lost may be what it is about
   * @throws McbError of the server's refusal, or of the last failure when the time for retries is over
   * @throws the reason of the client's signal, or of the request's
   */
  async send<T>(
    request: ApiRequest,
    read: (answer: WholeAnswer) => T,
    refused: (refusal: McbError, attempt: number) => T = raise,
  ): Promise<T> {
    const deadline = this.deadline()
    const signal = either(this.signal, request.signal)
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.attempt(request, read, signal)
      if ('value' in outcome) return outcome.value
      if (!outcome.isTransient) return refused(outcome.failure, attempt)
      await pause(this.pauseAfter(attempt, outcome.failure, deadline), signal)
    }
  }

  /** The time, as of `performance.now()`, by which a request that begins now must have succeeded. */
  deadline(): number {
    return performance.now() + this.retry.limit
  }

  /** Milliseconds until the attempt after `attempt`. @throws the failure when the time for retries is over */
  pauseAfter(attempt: number, failure: McbError, deadline: number): number {
    const { base, cap } = this.retry
    const left = deadline - performance.now()
    const asked = (failure.fields.retryAfter ?? 0) * 1000
    if (left <= 0 || asked > left) throw failure
    const jittered = Math.random() * Math.min(cap, base * 2 ** (attempt - 1))
    return Math.min(left, Math.max(asked, jittered))
  }

  /** One attempt at an answer that has no end of its own: its body, or the failure. */
  async open(request: ApiRequest, signal: AbortSignal | undefined): Promise<Outcome<ReadableStream<Uint8Array>>> {
    const timeout = new AbortController()
    const cancel = after(this.retry.timeout, () => timeout.abort(new Error('no answer in time')))
    const lasting = [signal, this.signal].flatMap((given) => given ?? [])
    const signals = [timeout.signal, ...lasting]
    try {
      const response = await this.fetch(messageOf(this.compose(request, AbortSignal.any(signals))))
      if (response.status === 200 && response.body !== null) return { value: endedBy(lasting, response.body) }
      const { status, headers } = response
      const bytes = new Uint8Array(await response.arrayBuffer())
      const failure = errorOf({ status, headers, bytes }, `${request.method} ${request.path}`)
      return { failure, isTransient: TRANSIENT.has(status) }
    } catch (error) {
      this.signal?.throwIfAborted()
      signal?.throwIfAborted()
      return { failure: unreachable(this.url, error), isTransient: true }
    } finally {
      cancel()
    }
  }

  private async attempt<T>(
    request: ApiRequest,
    read: (answer: WholeAnswer) => T,
    signal: AbortSignal | undefined,
  ): Promise<Outcome<T>> {
    signal?.throwIfAborted()
    let answer: WholeAnswer
    try {
      answer = await this.exchange(request, signal)
    } catch (error) {
      signal?.throwIfAborted()
      return { failure: unreachable(this.url, error), isTransient: true }
    }
    const what = `${request.method} ${request.path}`
    const type = answer.headers.get('Content-Type')?.split(';', 1)[0]?.trim()
    if (answer.status >= 300) {
      this.isKnown ||= type === PROBLEM_TYPE
      return { failure: errorOf(answer, what), isTransient: TRANSIENT.has(answer.status) }
    }
    if (request.type !== undefined && type !== request.type) {
      return this.foreign(`${what} was answered with ${type ?? 'no type'} instead of ${request.type}`)
    }
    try {
      const value = read(answer)
      this.isKnown = true
      return { value }
    } catch (error) {
      if (error instanceof ForeignAnswer) return this.foreign(`${what} was answered with ${error.message}`)
      if (error instanceof McbError && error.code !== 'invalid_protobuf') throw error
      const failure = new McbError('internal_error', `the answer to ${what} is damaged`, {}, { cause: error })
      return { failure, isTransient: true }
    }
  }

  /** An answer of something else: a proxy's page passes when the address has been right before. */
  private foreign(what: string): { readonly failure: McbError; readonly isTransient: boolean } {
    const detail = `${what}; is ${this.url} the address?`
    return { failure: new McbError('internal_error', detail), isTransient: this.isKnown }
  }

  private compose({ method, path, headers, body, type }: ApiRequest, signal: AbortSignal): Outgoing {
    return {
      url: this.url + path,
      method,
      signal,
      headers: {
        ...headers,
        ...(type === undefined ? {} : { Accept: type }),
        ...(body === undefined ? {} : { 'Content-Type': typeof body === 'string' ? JSON_TYPE : PROTOBUF }),
        ...this.authorization,
      },
      ...(body === undefined ? {} : { body }),
    }
  }

  /** Request and whole answer, within the time of one attempt; also where `fetch` does not heed signals. */
  private async exchange(request: ApiRequest, signal: AbortSignal | undefined): Promise<WholeAnswer> {
    const { timeout } = this.retry
    const controller = new AbortController()
    const ended = deferred<never>()
    const end = (reason: unknown) => {
      controller.abort(reason)
      ended.reject(reason)
    }
    const onAbort = () => end(signal?.reason)
    const cancel = after(timeout, () => end(new McbError('storage_unavailable', `no answer within ${timeout} ms`)))
    signal?.addEventListener('abort', onAbort)
    try {
      return await Promise.race([this.takeAnswer(this.compose(request, controller.signal)), ended.promise])
    } finally {
      cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  private async fetchWhole(request: Outgoing): Promise<WholeAnswer> {
    const response = await this.fetch(messageOf(request))
    const bytes = new Uint8Array(await response.arrayBuffer())
    return { status: response.status, headers: response.headers, bytes }
  }
}

/** A signal that is aborted with the first of two, where there are two. */
function either(one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined {
  return one === undefined || other === undefined ? (one ?? other) : AbortSignal.any([one, other])
}

/**
 * A body that ends with its signals. Node forgets which of them end a request when it has collected the Request as garbage, while
 * its answer is still read.
 */
function endedBy(signals: readonly AbortSignal[], body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let forget = () => {}
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const end = () => {
        const reason = signals.find(({ aborted }) => aborted)?.reason
        controller.error(reason)
        reader.cancel(reason).catch(() => undefined)
      }
      for (const signal of signals) signal.addEventListener('abort', end, { once: true })
      forget = () => {
        for (const signal of signals) signal.removeEventListener('abort', end)
      }
    },
    async pull(controller) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        forget()
        throw error
      })
      if (signals.some(({ aborted }) => aborted)) return
      if (!done) return controller.enqueue(value)
      forget()
      controller.close()
    },
    cancel(reason) {
      forget()
      return reader.cancel(reason)
    },
  })
}

function messageOf({ url, ...init }: Outgoing): Request {
  return new Request(url, init)
}

function raise(error: McbError): never {
  throw error
}

function unreachable(url: string, error: unknown): McbError {
  if (error instanceof McbError) return error
  const reasons = [error, error instanceof Error ? error.cause : undefined]
  const why = reasons.flatMap((reason) => (reason instanceof Error && reason.message !== '' ? [reason.message] : []))
  return new McbError(
    'storage_unavailable',
    `${url} cannot be reached: ${why.join(': ') || String(error)}`,
    {},
    {
      cause: error,
    },
  )
}
