/** A Store whose draws lie in a folder: the journal, objects, and the index of both; for one tenant. */
import { newBlocks, overlapOf } from '../../core/draws/append-rule.ts'
import { isMcbError, McbError } from '../../core/errors.ts'
import { free } from '../../core/free.ts'
import type {
  AboutChange,
  ChainState,
  ListQuery,
  Question,
  Read,
  ReadCursor,
  ReadPage,
  Registration,
  Store,
  StoreObserver,
} from '../../core/store.ts'
import { turn } from '../../core/turn.ts'
import { type Batch, decodeBatch, prepareBatch } from '../../core/wire/read-batch.ts'
import { Journal } from '../../journal/journal.ts'
import type { Place } from '../../journal/segment.ts'
import { repeatedIn, requireSamePage } from '../repeated.ts'
import type { Folder } from './folder.ts'
import type { Head, KnownHead } from './head.ts'
import type { IndexedStore } from './index-calls.ts'
import { readFolderPage } from './read.ts'

/** Bytes of a body from which on it is decoded where the index lives, and goes to chunks at once. */
const LARGE_BYTES = 256 * 1024

export class FolderStore implements Store {
  /** One process owns a folder. */
  readonly writersElsewhere = false
  private readonly folder: Folder
  private readonly tenant: string
  private readonly observer: StoreObserver | undefined
  private readonly indexed: IndexedStore

  constructor(folder: Folder, tenant: string, observer?: StoreObserver) {
    this.folder = folder
    this.tenant = tenant
    this.observer = observer
    this.indexed = folder.index.openStore(tenant)
  }

  register(run: Registration) {
    return this.indexed.register(run)
  }

  find(rid: string) {
    return this.indexed.find(rid)
  }

  async list(query: ListQuery) {
    await this.folder.publish()
    return this.indexed.list(query)
  }

  async remove(rid: string): Promise<boolean> {
    const { run, stage, registration } = await this.folder.index.hide(this.tenant, rid)
    if (registration !== undefined) this.folder.forget((key) => key.registration === registration)
    await this.folder.index.purge({ run, stage })
    return run !== undefined || stage !== undefined
  }

  async about(registration: string) {
    await this.folder.publish()
    return this.indexed.about(registration)
  }

  setAbout(registration: string, change: AboutChange) {
    return this.indexed.setAbout(registration, change)
  }

  setDiagnostics(...args: Parameters<Store['setDiagnostics']>) {
    return this.indexed.setDiagnostics(...args)
  }

  async createChain(registration: string, chain: number) {
    const created = await this.indexed.createChain(registration, chain)
    return { ...created, ...this.stateHere(registration, created) }
  }

  async chains(registration: string): Promise<ChainState[]> {
    const chains = await this.indexed.chains(registration)
    return chains.map((state) => this.stateHere(registration, state))
  }

  async chain(registration: string, chain: number): Promise<ChainState | undefined> {
    // Answers of the disk come in also while somebody asks again and again.
    await turn()
    try {
      return await this.withHead(registration, chain, async (head) => stateOf(head))
    } catch (error) {
      if (isMcbError(error, 'chain_not_found')) return undefined
      throw error
    }
  }

  async append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const bytes = body.length
    const append = (head: KnownHead) =>
      bytes < LARGE_BYTES ? this.appendSmall(head, body) : this.appendLarge(head, body)
    const { length, added } = await this.withHead(registration, chain, append)
    if (added > 0) this.observer?.appended(added, bytes)
    return length
  }

  read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    return this.withHead(registration, chain, async (head) => {
      const state = cursor?.moment ?? stateOf(head)
      const from = cursor ?? { moment: state, position: 0, done: 0 }
      const page = await readFolderPage(this.folder, head, question, from)
      if (page.stretches.length === 0) await turn()
      return { state, page }
    })
  }

  async usage() {
    await this.folder.publish()
    return this.indexed.usage()
  }

  /** Run by run, each forgotten when nobody finds it any more: before, its draws in the journal are still its own. */
  async clear(): Promise<void> {
    const { index } = this.folder
    for (;;) {
      const hidden = await index.hideNext(this.tenant)
      if (hidden === undefined) break
      this.folder.forget((key) => key.registration === hidden.registration)
      await index.purge(hidden)
    }
    await index.clearStaged(this.tenant)
  }

  ping() {
    return this.indexed.ping()
  }

  stage(...args: Parameters<Store['stage']>) {
    return this.indexed.stage(...args)
  }

  staged(...args: Parameters<Store['staged']>) {
    return this.indexed.staged(...args)
  }

  listStaged(...args: Parameters<Store['listStaged']>) {
    return this.indexed.listStaged(...args)
  }

  unstage(...args: Parameters<Store['unstage']>) {
    return this.indexed.unstage(...args)
  }

  unstageAll(rid: string) {
    return this.indexed.unstageAll(rid)
  }

  private withHead<T>(registration: string, chain: number, work: (head: KnownHead) => Promise<T>): Promise<T> {
    return this.folder.withHead({ tenant: this.tenant, registration, chain }, work)
  }

  /** The state of a chain, of which more may be known here than in the index. */
  private stateHere<S extends ChainState>(registration: string, state: S): ChainState {
    const { chain, length, updatedAt } = state
    const head = this.folder.headHere({ tenant: this.tenant, registration, chain })
    return head === undefined ? { chain, length, updatedAt } : stateOf(head)
  }

  private async appendSmall(head: KnownHead, body: Uint8Array<ArrayBuffer>): Promise<Appended> {
    const batch = decodeBatch(body, head.schema, this.folder.limits)
    for (let compared = 0; ; ) {
      requireThere(head)
      if (head.isExclusive) {
        await head.work
        continue
      }
      // Appends on their way may yet fail: a gap, or a batch sent twice, is judged by what is durable.
      if (batch.start !== head.end && head.end > head.length) {
        await head.whenSettled()
        continue
      }
      const { from, to, hasNew } = overlapOf(batch, head.end)
      if (from >= to || compared >= to) break
      await this.requireEqual(head, batch, to)
      if (!hasNew) return { length: head.length, added: 0 }
      compared = to
    }
    return this.appendNew(head, batch, body)
  }

  /** Appends what of a batch lies behind the end, which moves before anything is awaited. */
  private async appendNew(head: KnownHead, batch: Batch, body: Uint8Array<ArrayBuffer>): Promise<Appended> {
    const start = head.end
    const end = batch.start + batch.count
    const segments = newBlocks(head.schema, batch, start).map(({ data }) => data)
    const size = segments.reduce((n, data) => n + (data?.length ?? 0), 0)
    const time = Date.now()
    const record = { chain: head.id, start, count: end - start, time, segments, size }
    if (!Journal.takes(record)) return this.appendLarge(head, body)
    head.begin(end)
    let place: Place
    try {
      place = await this.folder.journal.append(record)
    } finally {
      head.finish()
    }
    free(body)
    if (head.isGone) place.segment.release()
    else {
      head.push({ start, count: end - start, place }, time)
      this.folder.grew(head)
    }
    return { length: end, added: end - start }
  }

  /** Compares a batch with the iterations of it that are stored already. */
  private async requireEqual(head: KnownHead, batch: Batch, to: number): Promise<void> {
    const question = repeatedIn(head.schema, batch, to)
    let cursor: ReadCursor | undefined = { moment: stateOf(head), position: 0, done: 0 }
    while (cursor !== undefined) {
      const page: ReadPage = await readFolderPage(this.folder, head, question, cursor)
      requireSamePage(head.schema, batch, page, cursor)
      cursor = page.next
    }
  }

  /** One at a time for a chain, behind all that is on its way to the journal. */
  private async appendLarge(head: KnownHead, body: Uint8Array<ArrayBuffer>): Promise<Appended> {
    let bytes = body
    for (let compared = 0; ; ) {
      requireThere(head)
      if (head.work !== undefined) {
        await head.work
        continue
      }
      if (head.end > head.length) {
        await head.whenSettled()
        continue
      }
      if (!head.isFoldedAtOnce) {
        await this.folder.foldFirst(head)
        continue
      }
      const { length } = head
      await this.folder.journal.makeSure()
      if (head.work !== undefined || head.end > length) continue
      const outcome = await this.folder.exclusively(head, () =>
        this.folder.index.append({ ...head.job(), length, compared, now: Date.now(), body: bytes }),
      )
      if (!('repeats' in outcome)) return { length: outcome.folded, added: outcome.folded - length }
      bytes = outcome.repeats
      const batch = (await prepareBatch(bytes, head.schema, this.folder.limits))()
      const { to, hasNew } = overlapOf(batch, length)
      await this.requireEqual(head, batch, to)
      if (!hasNew) return { length: head.length, added: 0 }
      compared = to
    }
  }
}

interface Appended {
  /** The chain's new length. */
  readonly length: number
  /** Draws that were not there before. */
  readonly added: number
}

function requireThere(head: Head): void {
  if (head.isGone) throw new McbError('run_not_found', 'the run was deleted')
}

function stateOf({ key, length, updatedAt }: Head): ChainState {
  return { chain: key.chain, length, updatedAt }
}
