/** Chunks that wait until all of their draws are there: which ones, and what is in them. */

import type { Bytes } from '../../core/draws/segment.ts'
import type { LruMap } from '../../core/lru.ts'
import type { Store } from '../../core/store.ts'
import { decodeChunk, type Elements, fillChunk } from '../../core/upload/chunk.ts'
import { keyOfChunk } from '../../core/upload/grid.ts'
import type { Node } from '../../core/upload/layout.ts'

/** Head of the paths of what writers send. */
export const SENT = 'z/'

/** Decoded chunks of recent requests by rid and path, for stores that nobody else writes. */
export type DecodedChunks = LruMap<string, Elements>

/** The upload as it is known here is out of date, since another isolate has gone on with it: the request is begun anew. */
export class Outdated extends Error {}

/** Chunks that are forgotten in one commit. */
const DROPPED_AT_ONCE = 500

export class StagedChunks {
  /** Bytes by path; 0 for a chunk that a writer has deleted since it is nothing but fill. */
  readonly sizes = new Map<string, number>()
  private readonly store: Store
  private readonly rid: string
  private readonly decoded: DecodedChunks | undefined
  private dropped: string[] = []

  constructor(store: Store, rid: string, decoded: DecodedChunks | undefined) {
    this.store = store
    this.rid = rid
    this.decoded = decoded
  }

  has(path: string): boolean {
    return this.sizes.has(path)
  }

  /** Keeps a chunk; resolves when it is durable. */
  async stage(path: string, bytes: Bytes, elements?: Elements): Promise<void> {
    await this.store.stage(this.rid, SENT + path, bytes)
    this.sizes.set(path, bytes.length)
    if (elements === undefined) this.decoded?.delete(this.key(path))
    else this.decoded?.set(this.key(path), elements)
  }

  /**
   * Forgets chunks. Where nobody else writes the store this is done for many at a time, since each commit takes its time; what a
   * server that ends has not come to, the next one finds.
   */
  async drop(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      this.sizes.delete(path)
      this.decoded?.delete(this.key(path))
      this.dropped.push(SENT + path)
    }
    if (this.decoded === undefined || this.dropped.length >= DROPPED_AT_ONCE) await this.flush()
  }

  /** Forgets in the store as well what was dropped. */
  async flush(): Promise<void> {
    const paths = this.dropped
    if (paths.length === 0) return
    this.dropped = []
    await this.store.unstage(this.rid, paths)
  }

  /** A chunk that is listed. @throws Outdated where it is gone */
  async bytes(path: string): Promise<Bytes> {
    const [bytes] = await this.store.staged(this.rid, [SENT + path])
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
      missing.map(({ path }) => SENT + path),
    )
    for (const [i, { path, node }] of missing.entries()) {
      const bytes = read[i]
      if (bytes === undefined) throw new Outdated(`"${path}" is gone`)
      found.set(path, bytes.length > 0 ? decodeChunk(path, node.array, bytes) : fillChunk(node.array))
    }
    return found
  }

  private key(path: string): string {
    return `${this.rid}/${path}`
  }
}

export function pathOfChunk({ path, array }: Node, chunk: readonly number[]): string {
  return `${path === '' ? '' : `${path}/`}${keyOfChunk(array, chunk)}`
}
