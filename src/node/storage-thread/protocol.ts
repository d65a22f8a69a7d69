/** Messages between the thread that serves HTTP and the thread that owns the SQLite file. */

import type { ControlStore } from '../../access/records.ts'
import type { FolderIndex, IndexedStore } from '../../backends/folder/index-calls.ts'
import type { Outcome } from '../../backends/outcome.ts'
import type { FileOptions, Progress } from '../../sql/file.ts'

export interface HostOptions extends FileOptions {
  /** Folder of the database, of the journal and of the objects. */
  readonly folder: string
}

export type StoreMethod = keyof IndexedStore
export type IndexMethod = Exclude<keyof FolderIndex, 'openStore'>

export interface StoreCall {
  readonly id: number
  readonly tenant: string
  readonly method: StoreMethod
  readonly args: readonly unknown[]
}

/** Asks where draws lie, or changes it. */
export interface IndexCall {
  readonly id: number
  readonly index: IndexMethod
  readonly args: readonly unknown[]
}

/** Tenants and keys lie in the same file; they are asked for once in a while. */
export interface ControlCall {
  readonly id: number
  readonly control: keyof ControlStore
  readonly args: readonly unknown[]
}

/** Asks for the bytes of the file that new data will take first. */
export interface ReusableCall {
  readonly id: number
  readonly reusable: true
}

export type Call = StoreCall | IndexCall | ControlCall | ReusableCall

/** Sent once by the host when the file is open, or when it could not be opened. */
export type Opened = { readonly opened: true } | { readonly opened: false; readonly why: string }

export type Reply = { readonly id: number } & Outcome<unknown> & {
    /** The body of an append to a registration that is gone, which is given back. */
    readonly returned?: Uint8Array<ArrayBuffer>
  }

/** News for the operator, for the log. */
export interface Noticed {
  readonly notice: string
}

export type Notice = (sentence: string) => void

/** The end of a checkpoint in its own thread: its progress, or the reason why the disk did not take it. */
export type CheckpointResult = Progress | { readonly failure: string }
