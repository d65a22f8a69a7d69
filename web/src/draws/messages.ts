/** Messages between the page and its worker of draws. */
import { ApiProblem } from '../api/http.ts'
import type { Answer, Ask, Kind, OpenedRun } from './questions.ts'
import { TooLarge } from './too-large.ts'

/** A question with its kind. */
export interface Question<K extends Kind = Kind> {
  readonly kind: K
  readonly ask: Ask<K>
}

/** `run` and `id` are numbers that the page gives. */
export type ToWorker =
  | { readonly type: 'open'; readonly run: number; readonly opened: OpenedRun }
  | { readonly type: 'grow'; readonly run: number; readonly lengths: ReadonlyMap<number, number> }
  | { readonly type: 'ask'; readonly run: number; readonly id: number; readonly question: Question }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'close'; readonly run: number }

export type ToPage =
  | { readonly id: number; readonly answer: Answer<Kind> }
  | { readonly id: number; readonly failure: Failure }

/** An error as it travels: of its class there is left what tells it. */
export interface Failure {
  readonly kind: 'api' | 'too large' | 'aborted' | 'other'
  readonly message: string
  readonly status?: number
  readonly code?: string
  readonly retryAfter?: number | undefined
}

/** One end of a channel, as a worker and its page have it. */
export interface End<Sent, Received> {
  postMessage(message: Sent, transfer: ArrayBuffer[]): void
  addEventListener(type: 'message', listener: (event: { readonly data: Received }) => void): void
}

export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof TooLarge) return { kind: 'too large', message }
  if (error instanceof DOMException && error.name === 'AbortError') return { kind: 'aborted', message }
  if (!(error instanceof ApiProblem)) return { kind: 'other', message }
  const { status, code, retryAfter } = error
  return { kind: 'api', message, status, code, retryAfter }
}

export function errorOf({ kind, message, status = 0, code = 'away', retryAfter }: Failure): Error {
  if (kind === 'api') return new ApiProblem(status, code, message, retryAfter)
  if (kind === 'aborted') return new DOMException(message, 'AbortError')
  return kind === 'too large' ? new TooLarge(message) : new Error(message)
}
