/** What passes between the thread that serves HTTP and the thread that owns the SQLite file. */
import type { Store } from '../../core/store.ts'
import type { Outcome } from '../remote.ts'

export type Method = Exclude<keyof Store, 'watch'>

export interface Call {
  readonly id: number
  readonly tenant: string
  readonly method: Method
  readonly args: readonly unknown[]
}

/** Sent once by the host when the file is open, or when it could not be opened. */
export type Opened = { readonly opened: true } | { readonly opened: false; readonly why: string }

export type Reply = { readonly id: number } & Outcome<unknown>
