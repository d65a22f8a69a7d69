/** Messages between tabs and the worker that holds their event streams. */
import type { Counts, Diagnostics } from '../api/shapes.ts'

export interface WatchedRun {
  readonly rid: string
  /** Key of the requests; absent where there are none. */
  readonly key?: string | undefined
}

/** From a tab. `id` names one of its watches. */
export type ToHub =
  | { readonly type: 'watch'; readonly id: number; readonly run: WatchedRun }
  | { readonly type: 'unwatch'; readonly id: number }
  /** A tab says every now and then that it is there, and that it is seen. */
  | { readonly type: 'here'; readonly isSeen: boolean }
  | { readonly type: 'bye' }

/** News of a run, whose figures a tab still has to read: the hub has no code for that, and passes them on. */
export type HubEvent =
  /** Chains that are new or have grown, or all of them at the beginning. */
  | { readonly type: 'chains'; readonly chains: readonly { readonly chain: number; readonly length: number }[] }
  | { readonly type: 'diagnostics'; readonly diagnostics: unknown }
  | { readonly type: 'counts'; readonly counts: unknown }
  /** The stream has begun, or has begun again. */
  | { readonly type: 'connected' }
  /** The server does not answer; it is asked again. */
  | { readonly type: 'away' }
  | { readonly type: 'deleted' }
  /** The server has refused, and is not asked again. */
  | { readonly type: 'refused'; readonly status: number; readonly code: string; readonly detail: string }

/** News of a run as a tab has read them. */
export type LiveEvent =
  | Exclude<HubEvent, { readonly type: 'diagnostics' | 'counts' }>
  | { readonly type: 'diagnostics'; readonly diagnostics: Diagnostics }
  | { readonly type: 'counts'; readonly counts: Counts }

export interface FromHub {
  readonly id: number
  readonly event: HubEvent
}

/** The end of a channel that both sides have. */
export interface Port {
  postMessage(message: unknown): void
  onmessage: ((event: MessageEvent) => void) | null
}
