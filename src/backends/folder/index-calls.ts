/**
 * The index of a folder: which runs and chains there are, and where their draws lie. Arguments and answers are plain data,
 * so that it may live in a thread of its own.
 */
import type { Store } from '../../core/store.ts'
import type { ChunkSpans } from '../sqlite/read.ts'

/** Methods of a Store that ask for nothing but the index. */
export type IndexedStore = Pick<
  Store,
  | 'register'
  | 'find'
  | 'list'
  | 'about'
  | 'setAbout'
  | 'setDiagnostics'
  | 'createChain'
  | 'chains'
  | 'usage'
  | 'ping'
  | 'stage'
  | 'staged'
  | 'listStaged'
  | 'unstage'
  | 'unstageAll'
>

/** A chain as the index has it. */
export interface IndexedChain {
  /** Id of the chain, which no other one ever has. */
  readonly id: number
  readonly runId: number
  /** Iterations that lie in chunks. */
  readonly folded: number
  /** Iterations that the index knows of: those behind `folded` are in the journal. */
  readonly length: number
  readonly updatedAt: number
  /** Bytes that count as the chain's, without those in the journal. */
  readonly bytes: number
}

/** A chain whose draws the journal may have. */
export interface RecoveredChain extends IndexedChain {
  readonly tenant: string
  readonly registration: string
  readonly chain: number
}

/** The key of a chain. */
export interface ChainKey {
  readonly tenant: string
  readonly registration: string
  readonly runId: number
  readonly id: number
}

/** Numbers of a record in a `FoldJob`. */
export const RECORD_NUMBERS = 7

/** A chain whose tail is to be folded. */
export interface FoldJob extends ChainKey {
  readonly folded: number
  /** For each record of the tail: slot, sequence and seed of its segment, its place, its bytes, its first iteration and its count. */
  readonly records: Float64Array<ArrayBuffer>
}

/** A large batch, which goes to chunks together with the tail before it. */
export interface LargeAppend extends FoldJob {
  readonly length: number
  /** Iterations that were compared with what is stored already. */
  readonly compared: number
  /** Milliseconds since 1970. */
  readonly now: number
  readonly body: Uint8Array<ArrayBuffer>
}

export interface Folded {
  readonly folded: number
  readonly bytes: number
}

/** The outcome of a fold; where it failed, the reason, and whether the run is gone. */
export type FoldOutcome = Folded | { readonly failure: string; readonly isGone: boolean }

/** The outcome of a large append; where it repeats what is stored, the body comes back to be compared. */
export type Appended = Folded | { readonly repeats: Uint8Array<ArrayBuffer> }

/** Lengths that the journal has made true. */
export interface ChainGrowth {
  readonly id: number
  readonly runId: number
  readonly length: number
  readonly updatedAt: number
  /** Bytes that its records count for. */
  readonly tailBytes: number
}

export interface ChunkQuestion extends ChainKey {
  /** Indices of the columns that the spans name by their place. */
  readonly columns: readonly number[]
  readonly spans: ChunkSpans
}

/** Draws of chunks: bytes that are here already, and such that are to be read from objects. */
export interface Chunks {
  /** For each block its place, first iteration, count and bytes; -1 bytes when the draws were never sent, -2 when they are far. */
  readonly layout: Float64Array<ArrayBuffer>
  /** The bytes of the near blocks, one after the other. */
  readonly near: Uint8Array<ArrayBuffer>
  /** For each far block object, place, length, and bytes before the draws, of the draws and of its checksums. */
  readonly far: Float64Array<ArrayBuffer>
  readonly sums: Uint8Array<ArrayBuffer>
}

/** A run that nobody finds any more, and what is left of it. */
export interface Hidden {
  readonly run: number | undefined
  readonly stage: number | undefined
  readonly registration: string | undefined
}

export interface FolderIndex {
  openStore(tenant: string): IndexedStore
  /** @throws McbError `run_not_found` */
  run(tenant: string, registration: string): Promise<{ readonly id: number; readonly meta: Uint8Array<ArrayBuffer> }>
  /** Undefined where the run has no such chain. @throws McbError `run_not_found` */
  chain(key: Omit<ChainKey, 'id'>, chain: number): Promise<IndexedChain | undefined>
  /** Chains of these ids that are there, and all others of which the index knows that the journal has draws. */
  recover(ids: readonly number[]): Promise<readonly RecoveredChain[]>
  chunks(question: ChunkQuestion): Promise<Chunks>
  fold(jobs: readonly FoldJob[]): Promise<readonly FoldOutcome[]>
  append(append: LargeAppend): Promise<Appended>
  publish(growth: readonly ChainGrowth[]): Promise<void>
  /** Hides a run and its staged objects. */
  hide(tenant: string, rid: string): Promise<Hidden>
  /** Removes what is hidden; resolves when nothing is left. */
  purge(hidden: Pick<Hidden, 'run' | 'stage'>): Promise<void>
  /** Hides the next run of a tenant that is to be cleared; undefined when there is none. */
  hideNext(tenant: string): Promise<Hidden | undefined>
  /** Removes the staged objects of a tenant. */
  clearStaged(tenant: string): Promise<void>
}
