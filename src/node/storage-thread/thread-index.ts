/** The index as the thread of HTTP sees it: a message for each call. */
import type { FolderIndex, IndexedStore, LargeAppend } from '../../backends/folder/index-calls.ts'
import { type PackedSegments, unpackObjects } from '../../backends/packing.ts'
import type { Call, IndexMethod, StoreMethod } from './protocol.ts'

/** Bytes from which on memory is handed over; less is copied sooner. */
const TRANSFER_BYTES = 16 * 1024

type Unnumbered<C> = C extends Call ? Omit<C, 'id'> : never

/** Sends a call; buffers in `transfer` are handed over. */
export interface Caller {
  call<T>(call: Unnumbered<Call>, transfer?: readonly ArrayBuffer[]): Promise<T>
}

export class ThreadIndex implements FolderIndex {
  private readonly calls: Caller

  constructor(calls: Caller) {
    this.calls = calls
  }

  openStore(tenant: string): IndexedStore {
    return new ThreadStore(this.calls, tenant)
  }

  run(...args: Parameters<FolderIndex['run']>) {
    return this.call('run', args)
  }

  chain(...args: Parameters<FolderIndex['chain']>) {
    return this.call('chain', args)
  }

  recover(...args: Parameters<FolderIndex['recover']>) {
    return this.call('recover', args)
  }

  chunks(...args: Parameters<FolderIndex['chunks']>) {
    return this.call('chunks', args)
  }

  fold(...args: Parameters<FolderIndex['fold']>) {
    return this.call('fold', args)
  }

  append(append: LargeAppend) {
    const { body } = append
    const isWhole = body.length >= TRANSFER_BYTES && body.length === body.buffer.byteLength
    return this.call('append', [append], isWhole ? [body.buffer] : [])
  }

  publish(...args: Parameters<FolderIndex['publish']>) {
    return this.call('publish', args)
  }

  hide(...args: Parameters<FolderIndex['hide']>) {
    return this.call('hide', args)
  }

  purge(...args: Parameters<FolderIndex['purge']>) {
    return this.call('purge', args)
  }

  hideNext(...args: Parameters<FolderIndex['hideNext']>) {
    return this.call('hideNext', args)
  }

  clearStaged(...args: Parameters<FolderIndex['clearStaged']>) {
    return this.call('clearStaged', args)
  }

  private call<M extends IndexMethod>(
    index: M,
    args: Parameters<FolderIndex[M]>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<FolderIndex[M]>>> {
    return this.calls.call({ index, args }, transfer)
  }
}

class ThreadStore implements IndexedStore {
  private readonly calls: Caller
  private readonly tenant: string

  constructor(calls: Caller, tenant: string) {
    this.calls = calls
    this.tenant = tenant
  }

  register(...args: Parameters<IndexedStore['register']>) {
    return this.call('register', args)
  }

  find(...args: Parameters<IndexedStore['find']>) {
    return this.call('find', args)
  }

  list(...args: Parameters<IndexedStore['list']>) {
    return this.call('list', args)
  }

  about(...args: Parameters<IndexedStore['about']>) {
    return this.call('about', args)
  }

  setAbout(...args: Parameters<IndexedStore['setAbout']>) {
    return this.call('setAbout', args)
  }

  setDiagnostics(...args: Parameters<IndexedStore['setDiagnostics']>) {
    return this.call('setDiagnostics', args)
  }

  createChain(...args: Parameters<IndexedStore['createChain']>) {
    return this.call('createChain', args)
  }

  chains(...args: Parameters<IndexedStore['chains']>) {
    return this.call('chains', args)
  }

  usage() {
    return this.call('usage', [])
  }

  ping() {
    return this.call('ping', [])
  }

  stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    // A copy: the bytes stay the caller's, and a message takes all of the memory that a view is on.
    const copy = data.slice()
    return this.call('stage', [rid, path, copy], copy.length >= TRANSFER_BYTES ? [copy.buffer] : [])
  }

  async staged(...args: Parameters<IndexedStore['staged']>): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return unpackObjects(await this.calls.call<PackedSegments>({ tenant: this.tenant, method: 'staged', args }))
  }

  listStaged(...args: Parameters<IndexedStore['listStaged']>) {
    return this.call('listStaged', args)
  }

  unstage(...args: Parameters<IndexedStore['unstage']>) {
    return this.call('unstage', args)
  }

  unstageAll(...args: Parameters<IndexedStore['unstageAll']>) {
    return this.call('unstageAll', args)
  }

  private call<M extends Exclude<StoreMethod, 'staged'>>(
    method: M,
    args: Parameters<IndexedStore[M]>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<IndexedStore[M]>>> {
    return this.calls.call({ tenant: this.tenant, method, args }, transfer)
  }
}
