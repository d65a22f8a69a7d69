/** Chunks that wait until all of their draws are there: which ones, and what is in them. */

import type { Bytes } from '../../core/draws/segment.ts'
import { isMcbError, McbError } from '../../core/errors.ts'
import type { LruMap } from '../../core/lru.ts'
import { stagedBytes } from '../../core/staging.ts'
import type { StagedObject, Store } from '../../core/store.ts'
import { decodeChunk, type Elements, fillChunk } from '../../core/upload/chunk.ts'
import { keyOfChunk } from '../../core/upload/grid.ts'
import type { Node } from '../../core/upload/layout.ts'
import { headOf, SENT } from './objects.ts'

/** Decoded chunks of recent requests by rid and object, for stores that nobody else writes. */
export type DecodedChunks = LruMap<string, Elements>

/** The upload as it is known here is out of date, since another isolate has gone on with it: the request is begun anew. */
export class Outdated extends Error {}

/** Chunks that are forgotten in one commit. */
const DROPPED_AT_ONCE = 500

export class StagedChunks {
  /** Bytes by path; 0 for a chunk that a writer has deleted since it is nothing but fill. */
  readonly sizes = new Map<string, number>()
  /** Bytes that were added to the storage, less those that were taken away, since somebody has counted them. */
  added = 0
  /** The run was deleted by this server: nothing is kept any more. */
  isDeleted = false
  /** Chunks that came before the registration, once there is one. */
  private readonly early = new Set<string>()
  private head = SENT
  private readonly store: Store
  private readonly rid: string
  private readonly decoded: DecodedChunks | undefined
  /** Objects that are not forgotten in the store yet. */
  private readonly dropped = new Set<string>()

  constructor(store: Store, rid: string, decoded: DecodedChunks | undefined) {
    this.store = store
    this.rid = rid
    this.decoded = decoded
  }

  has(path: string): boolean {
    return this.sizes.has(path)
  }

  /** Binds to the run what comes from now on. */
  bind(registration: string): void {
    const head = headOf(registration)
    if (head === this.head) return
    for (const path of this.sizes.keys()) this.early.add(path)
    this.head = head
  }

  /** Takes chunks as they are listed in place of those that were known. */
  replace(listed: Iterable<readonly [path: string, object: StagedObject]>): void {
    this.sizes.clear()
    this.early.clear()
    for (const [path, object] of listed) {
      this.sizes.set(path, object.size)
      if (!object.path.startsWith(this.head)) this.early.add(path)
    }
  }

  /** Keeps a document or a chunk; resolves when it is durable. @throws McbError `run_not_found` where the run was deleted here */
  async keep(path: string, bytes: Bytes): Promise<void> {
    const object = this.head + path
    this.requireLife()
    this.dropped.delete(object)
    await this.store.stage(this.rid, object, bytes)
    this.added += stagedBytes(object, bytes.length) - this.countedFor(path)
    if (!this.isDeleted) return
    await this.store.unstage(this.rid, [object])
    this.requireLife()
  }

  /** Bytes that a chunk counts for already. */
  private countedFor(path: string): number {
    const size = this.sizes.get(path)
    return size === undefined ? 0 : stagedBytes(this.objectOf(path), size)
  }

  private requireLife(): void {
    if (this.isDeleted) throw new McbError('run_not_found', `run "${this.rid}" was deleted`)
  }

  /** Keeps a chunk. @throws McbError as `keep` */
  async stage(path: string, bytes: Bytes, elements?: Elements): Promise<void> {
    await this.keep(path, bytes)
    this.early.delete(path)
    this.sizes.set(path, bytes.length)
    if (elements === undefined) this.decoded?.delete(this.key(path))
    else this.decoded?.set(this.key(path), elements)
  }

  /**
   * Forgets chunks; many at a time if nobody else writes the store, since each commit takes its time. The next server finds those
   * that one which ends has not come to.
   */
  async drop(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      this.added -= this.countedFor(path)
      this.decoded?.delete(this.key(path))
      this.dropped.add(this.objectOf(path))
      this.sizes.delete(path)
      this.early.delete(path)
    }
    if (this.decoded === undefined || this.dropped.size >= DROPPED_AT_ONCE) await this.flush()
  }

  /** Forgets in the store as well what was dropped. */
  async flush(): Promise<void> {
    const objects = [...this.dropped]
    if (objects.length === 0) return
    this.dropped.clear()
    await this.store.unstage(this.rid, objects)
  }

  /** A chunk that is listed. @throws Outdated where it is gone */
  async bytes(path: string): Promise<Bytes> {
    const [bytes] = await this.store.staged(this.rid, [this.objectOf(path)])
    if (bytes === undefined) throw new Outdated(`"${path}" is gone`)
    return bytes
  }

  /** Elements of some chunks of arrays by path; one that is not listed is fill. @throws Outdated where one is gone */
  async read(
    wanted: readonly { readonly node: Node; readonly chunk: readonly number[] }[],
  ): Promise<Map<string, Elements>> {
    const found = new Map<string, Elements>()
    const missing: { path: string; node: Node }[] = []
    for (const { node, chunk } of wanted) {
      const path = pathOfChunk(node, chunk)
      const size = this.sizes.get(path) ?? 0
      const known = size > 0 ? this.decoded?.get(this.key(path)) : fillChunk(node.array)
      if (known !== undefined) found.set(path, known)
      else missing.push({ path, node })
    }
    const read = await this.store.staged(
      this.rid,
      missing.map(({ path }) => this.objectOf(path)),
    )
    for (const [i, { path, node }] of missing.entries()) {
      const bytes = read[i]
      if (bytes === undefined) throw new Outdated(`"${path}" is gone`)
      found.set(path, bytes.length > 0 ? decodeChunk(path, node.array, bytes) : fillChunk(node.array))
    }
    return found
  }

  private key(path: string): string {
    return `${this.rid}/${this.objectOf(path)}`
  }

  private objectOf(path: string): string {
    return (this.early.has(path) ? SENT : this.head) + path
  }
}

export function pathOfChunk({ path, array }: Node, chunk: readonly number[]): string {
  return `${path === '' ? '' : `${path}/`}${keyOfChunk(array, chunk)}`
}

/** True where the run was deleted meanwhile. */
export function isGone(error: unknown): boolean {
  return isMcbError(error, 'run_not_found', 'chain_not_found')
}
