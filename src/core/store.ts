/**
 * The narrow waist of storage: the interface that a platform implements to keep the runs of one tenant.
 *
 * Arguments and answers are plain data, so that a store may live behind a thread, a Durable Object or a wire. A run is
 * addressed by its registration, which no other run ever has. All errors are McbError; `run_not_found` for a registration
 * that is gone, `chain_not_found` for a chain that was never created.
 */

import type { ShownAbout } from './about.ts'
import type { RunDiagnostics } from './diagnostics/run-diagnostics.ts'
import type { ElementRanges } from './draws/elements.ts'
import type { Segment } from './draws/segment.ts'
import type { Slice } from './draws/slice.ts'
import { McbError } from './errors.ts'
import type { RunSummary } from './interfaces.ts'

export interface StoredRun {
  readonly registration: string
  /** The registered bytes, with `rid`. */
  readonly meta: Uint8Array<ArrayBuffer>
}

export interface Registration {
  readonly rid: string
  readonly meta: Uint8Array<ArrayBuffer>
  readonly variables: number
  readonly sampleStats: number
  /** Terms by which the attributes are found. */
  readonly terms: readonly string[]
}

/** A line of the list, as a store knows it. */
export interface RunLine extends Omit<RunSummary, 'state'>, Pick<ShownAbout, 'finished' | 'expected'> {
  /** Length of the shortest chain; 0 without chains. */
  readonly shortest: number
}

/** The question for a page of the list of runs, in reverse order of registration. */
export interface ListQuery {
  readonly limit: number
  /** `next` of the page before; absent for the first. */
  readonly before?: string | undefined
  /** Id of the one run that is wanted, for a caller that may see no other. */
  readonly rid?: string | undefined
  /** Part of the rid or the name, folded. */
  readonly part?: string | undefined
  /** Sets of terms, of each of which a run has one. */
  readonly terms: readonly (readonly string[])[]
  /** Milliseconds since 1970: registered from `since` on and before `until`, last written from `updatedSince` on. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  readonly updatedSince?: number | undefined
  /** Absent for runs that are archived and such that are not. */
  readonly archived?: boolean | undefined
}

export interface ListPage {
  readonly runs: readonly RunLine[]
  readonly next?: string
}

/** Names, notes and facts of a run as they are stored, and its line of the list at that moment. */
export interface StoredAbout {
  /** Number of changes. */
  readonly revision: number
  /** Text of the document; empty before the first change. */
  readonly document: string
  readonly line: RunLine
}

export interface AboutChange {
  /** The revision that this change replaces. */
  readonly revision: number
  readonly document: string
  readonly shown: ShownAbout
}

export interface ChainState {
  readonly chain: number
  readonly length: number
  /** Milliseconds since 1970. */
  readonly updatedAt: number
}

/** The question of one read to a chain: some columns over a slice, in the order of the answer. */
export interface Question {
  /** Indices of the columns. */
  readonly columns: readonly number[]
  readonly slice: Slice
  /** Elements of each draw, where `columns` is one column of fixed shape. */
  readonly elements?: ElementRanges | undefined
}

/** Begin of a page, as the page before has told it. */
export interface ReadCursor {
  /** The chain as the first page saw it: the slice is of this length, so that all pages are of one moment. */
  readonly moment: ChainState
  /** Position in `columns`. */
  readonly position: number
  /** Draws of that column that earlier pages hold. */
  readonly done: number
}

/** Consecutive draws of one column of an answer, in its order. Its bytes may be a view, also on memory of the store. */
export interface Stretch {
  readonly position: number
  readonly count: number
  readonly data: Segment
}

/** Some MiB of an answer: column after column, each from where the page before left it. */
export interface ReadPage {
  readonly stretches: readonly Stretch[]
  /** Absent when all columns are complete. */
  readonly next?: ReadCursor
}

export interface Read {
  /** The moment that is answered. */
  readonly state: ChainState
  readonly page: ReadPage
}

/** A listener that is told how a run grows. */
export interface RunWatcher {
  /** A chain has this length now, or has had it a moment ago: lengths may be told twice, and never fall for good. */
  grown(chain: number, length: number): void
  /** The run is deleted; nothing is told after this. */
  deleted(): void
  /** This watch has ended, and sees nothing of the time from here on: another one is needed. */
  lost(): void
}

/** The runs of a tenant, and the bytes that they take. */
export interface Usage {
  readonly runs: number
  /** Bytes of metadata and draws. */
  readonly bytes: number
}

/** `run_not_found` for an append whose body had been handed on: here it is again. */
export class BodyReturned extends McbError {
  readonly body: Uint8Array<ArrayBuffer>

  constructor(detail: string, body: Uint8Array<ArrayBuffer>) {
    super('run_not_found', detail)
    this.body = body
  }
}

export interface Store extends Staging {
  /** True where other processes may write the same runs: then only reading tells what they have written. */
  readonly writersElsewhere: boolean
  /** Registers a run, or finds an equal one; `run_conflict` when a different one has this rid. */
  register(run: Registration): Promise<{ readonly registration: string; readonly created: boolean }>
  find(rid: string): Promise<StoredRun | undefined>
  list(query: ListQuery): Promise<ListPage>
  /** Deletes a run, be it registered or only objects; resolves when nothing of it is left. False when there was nothing. */
  remove(rid: string): Promise<boolean>
  about(registration: string): Promise<StoredAbout>
  /** Replaces the document; false, and nothing is changed, when the revision that it replaces is not the present one. */
  setAbout(registration: string, change: AboutChange): Promise<boolean>
  /**
   * Keeps the figures that the run's line shows; those that were asked for before the present ones change nothing. No revision
   * and no time of a last write moves. @throws McbError `run_not_found`
   */
  setDiagnostics(registration: string, diagnostics: RunDiagnostics): Promise<void>
  createChain(registration: string, chain: number): Promise<ChainState & { readonly created: boolean }>
  chains(registration: string): Promise<ChainState[]>
  chain(registration: string, chain: number): Promise<ChainState | undefined>
  /**
   * Appends an encoded DrawBatch exactly once (the table of docs/protocol.md §3) and resolves, when it is
   * durable, to the chain's length.
   *
   * Consumes `body`: the store may hand its memory on, so that the caller reads nothing of it afterwards. Only a
   * registration that is gone (`run_not_found`) leaves the bytes whole: in `body`, or in the `BodyReturned` that is thrown
   * where they had been handed on already.
   */
  append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number>
  /** A page of an answer. The first one sees the chain and its draws in one moment, which the cursors of the others carry. */
  read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read>
  /** Runs and bytes that the tenant keeps; may lag by seconds. */
  usage(): Promise<Usage>
  /**
   * Deletes everything of this tenant; resolves when nothing of it is left. Writers that are at work on a run meanwhile learn
   * that it is gone; the caller keeps out those that would register new ones.
   */
  clear(): Promise<void>
  /** Rejects when the storage cannot be reached. */
  ping(): Promise<void>
  /**
   * Tells the watcher all chains and then resolves, to a function that ends the watch; until then, tells it which chains have
   * grown. For a store without this method, the backend tells of its own writes, and looks for those of others.
   */
  watch?(registration: string, watcher: RunWatcher): Promise<() => void>
}

/** An object that a writer has sent, by its path. */
export interface StagedObject {
  readonly path: string
  /** Bytes of it. */
  readonly size: number
}

/**
 * Objects of runs: bytes by the id of a run, which need not be registered yet, and a path. Writers that know no batches send
 * them, and they wait here until they are draws. They count as stored bytes, and go with the run.
 */
export interface Staging {
  /** Keeps an object in place of the one that has this path; resolves when it is durable. The bytes stay the caller's. */
  stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void>
  /** Objects of these paths, in their order; undefined for one that is not there. */
  staged(rid: string, paths: readonly string[]): Promise<readonly (Uint8Array<ArrayBuffer> | undefined)[]>
  /** All objects whose paths begin so, by path. */
  listStaged(rid: string, prefix: string): Promise<readonly StagedObject[]>
  /** Forgets objects; one that is not there is no error. */
  unstage(rid: string, paths: readonly string[]): Promise<void>
  /** Forgets all objects of a run. */
  unstageAll(rid: string): Promise<void>
}

/** An observer of stores in one process. */
export interface StoreObserver {
  /** Told when new draws of a batch are durable: how many, and the bytes of the encoded batch. One that was there is not told. */
  appended(draws: number, bytes: number): void
}

/** Opens the store of a tenant; it has no way to name another tenant's runs. */
export type OpenStore = (tenant: string) => Store
