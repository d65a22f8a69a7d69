/**
 * A folder: the journal that makes small batches durable, the index, and the objects; shared by the stores of all tenants.
 *
 * Journal and heads live where requests are answered, so that a small append goes through no other thread. When a tail has
 * grown, or the journal has, the index folds it in the background.
 */

import type { Schema } from '../../core/draws/columns.ts'
import { McbError } from '../../core/errors.ts'
import type { Limits } from '../../core/limits.ts'
import { LruMap } from '../../core/lru.ts'
import { parseRunMeta } from '../../core/wire/run-meta.ts'
import { Journal, type JournalSize } from '../../journal/journal.ts'
import { DamagedJournal, type Found, type FoundRecord, replay } from '../../journal/replay.ts'
import type { Segment } from '../../journal/segment.ts'
import type { Disk } from '../../objects/disk.ts'
import type { Objects } from '../../objects/objects.ts'
import { Folding } from './folding.ts'
import { type FoldSize, Head, type HeadKey, type KnownHead } from './head.ts'
import type { Appended, FolderIndex } from './index-calls.ts'
import { LastDraws } from './last-draws.ts'

/** Heads without draws in the journal that are kept. */
const IDLE_HEADS = 4096
/** Bytes of schemas that are kept. */
const KNOWN_BYTES = 32 * 1024 * 1024

export interface FolderOptions {
  readonly index: FolderIndex
  readonly objects: Objects
  readonly disk: Disk
  readonly folder: string
  readonly limits: Limits
  readonly notice?: ((sentence: string) => void) | undefined
  /** Called with the seconds that a group of small appends, or a large one, has waited for the disk. */
  readonly timed?: ((seconds: number) => void) | undefined
  /** Other sizes of the journal and of a fold, for tests. */
  readonly journalSize?: JournalSize | undefined
  readonly foldSize?: FoldSize | undefined
}

interface KnownRun {
  readonly id: number
  readonly schema: Schema
  readonly weight: number
}

export class Folder {
  readonly index: FolderIndex
  readonly objects: Objects
  readonly journal: Journal
  readonly lastDraws = new LastDraws()
  readonly limits: Limits
  private readonly folding: Folding
  private readonly timed: FolderOptions['timed']
  private readonly foldSize: FolderOptions['foldSize']
  private readonly heads = new Map<string, Head>()
  private readonly loading = new Map<string, Promise<void>>()
  private readonly known = new LruMap<string, KnownRun>(KNOWN_BYTES, ({ weight }) => weight)
  /** Heads whose length the index does not know. */
  private readonly grown = new Set<Head>()
  /** Counts deletions: what is loaded meanwhile is loaded again. */
  private deletions = 0

  private constructor(
    { index, objects, disk, folder, limits, notice, timed, journalSize, foldSize }: FolderOptions,
    found: Found,
  ) {
    this.index = index
    this.objects = objects
    this.limits = limits
    this.timed = timed
    this.foldSize = foldSize
    this.journal = new Journal({
      disk,
      folder: `${folder}/journal`,
      state: found.state,
      lost: () => {
        for (const head of this.heads.values()) head.giveUp()
      },
      pressed: (oldest) => this.folding.press(this.heads.values(), oldest),
      timed,
      size: journalSize,
    })
    this.folding = new Folding(index, notice ?? (() => {}), {
      isBusy: () => this.journal.isBusy,
      gone: (head) => this.left(head),
      folded: (head) => void this.grown.add(head),
    })
  }

  /** @throws DamagedJournal when draws that were acknowledged may be missing */
  static async open(options: FolderOptions): Promise<Folder> {
    const found = await replay(options.disk, `${options.folder}/journal`)
    const folder = new Folder(options, found)
    await folder.recover(found)
    return folder
  }

  /** Works with the head of a chain, which is kept meanwhile. @throws McbError `run_not_found`, `chain_not_found` */
  async withHead<T>(key: HeadKey, work: (head: KnownHead) => Promise<T>): Promise<T> {
    let head = this.headHere(key)
    // One that was loaded may have been put aside for others before its turn came; never may there be two of a chain.
    while (head === undefined || !isKnown(head)) {
      await this.load(key)
      head = this.headHere(key)
    }
    head.users++
    try {
      return await work(head)
    } finally {
      head.users--
    }
  }

  /** The head of a chain where it is here already. */
  headHere(key: HeadKey): Head | undefined {
    return this.heads.get(nameOf(key))
  }

  /** A head whose chain has grown. */
  grew(head: Head): void {
    this.grown.add(head)
    this.folding.grew(head)
  }

  /** Folds the first part of a tail at once. @throws McbError `storage_unavailable` */
  foldFirst(head: Head): Promise<void> {
    return this.folding.foldFirst(head)
  }

  /** Does a large append, during which nothing else is appended to the chain. */
  async exclusively(head: Head, work: () => Promise<Appended>): Promise<Appended> {
    const done = Promise.withResolvers<void>()
    head.work = done.promise
    head.isExclusive = true
    const begun = performance.now()
    try {
      const outcome = await work()
      this.timed?.((performance.now() - begun) / 1000)
      if (!('repeats' in outcome) && !head.isGone) {
        head.fold(outcome)
        this.folding.forget(head)
        head.updatedAt = Math.max(head.updatedAt, Date.now())
      }
      return outcome
    } finally {
      head.isExclusive = false
      head.work = undefined
      done.resolve()
    }
  }

  /** Tells the index of all lengths, for what is asked of it. A disk that takes nothing leaves those that it was told last. */
  async publish(): Promise<void> {
    const heads = [...this.grown]
    this.grown.clear()
    if (heads.length === 0) return
    // The index may have folded a tail that is still counted here: it is told once more when that is known.
    const worked = heads.filter(({ work }) => work !== undefined)
    const growth = heads.map((head) => {
      const { id, runId, length, updatedAt, tailBytes } = head
      return { id, runId, length, updatedAt, tailBytes }
    })
    try {
      await this.index.publish(growth)
      for (const [i, head] of heads.entries()) head.published = Math.max(head.published, growth[i]?.length ?? 0)
      for (const head of worked) if (this.headHere(head.key) === head) this.grown.add(head)
    } catch (error) {
      for (const head of heads) if (!head.isGone) this.grown.add(head)
      if (!(error instanceof McbError)) throw error
    }
  }

  /** Forgets the heads of a run that nobody finds any more. */
  forget(belongs: (key: HeadKey) => boolean): void {
    this.deletions++
    for (const [name, head] of this.heads) {
      if (!belongs(head.key)) continue
      head.forget()
      this.folding.forget(head)
      this.grown.delete(head)
      this.heads.delete(name)
    }
  }

  async close(): Promise<void> {
    await this.journal.close()
    await this.folding.close()
    await this.publish()
  }

  private async load(key: HeadKey): Promise<void> {
    const name = nameOf(key)
    const known = this.loading.get(name)
    if (known !== undefined) return known
    const loading = this.loadFresh(key).finally(() => this.loading.delete(name))
    this.loading.set(name, loading)
    return loading
  }

  private async loadFresh(key: HeadKey): Promise<void> {
    for (;;) {
      const { deletions } = this
      const run = await this.runOf(key)
      const known = this.headHere(key)
      if (known !== undefined) {
        known.schema = run.schema
        return
      }
      const indexed = await this.index.chain({ ...key, runId: run.id }, key.chain)
      if (deletions !== this.deletions) continue
      if (indexed === undefined) throw new McbError('chain_not_found', `the run has no chain ${key.chain}`)
      if (indexed.length > indexed.folded) throw missing(indexed, key)
      const head = new Head(key, indexed, this.foldSize)
      head.schema = run.schema
      this.keep(head)
      return
    }
  }

  private async runOf({ tenant, registration }: Pick<HeadKey, 'tenant' | 'registration'>): Promise<KnownRun> {
    const name = `${tenant}/${registration}`
    const known = this.known.get(name)
    if (known !== undefined) return known
    const { id, meta } = await this.index.run(tenant, registration)
    const { schema, weight } = parseRunMeta(meta, this.limits)
    const run = { id, schema, weight }
    this.known.set(name, run)
    return run
  }

  private keep(head: Head): void {
    this.heads.set(nameOf(head.key), head)
    if (this.heads.size <= IDLE_HEADS) return
    // A few steps each time; those that are needed go to the end.
    let steps = 4
    for (const [name, old] of this.heads) {
      if (steps-- === 0) break
      this.heads.delete(name)
      if (!old.isIdle || old === head) this.heads.set(name, old)
    }
  }

  private left(head: Head): void {
    this.heads.delete(nameOf(head.key))
    this.grown.delete(head)
    head.forget()
  }

  private async recover({ segments }: Found): Promise<void> {
    const ids = new Set(segments.flatMap(({ records }) => records.map(({ chain }) => chain)))
    const heads = new Map<number, Head>()
    const chains = await this.index.recover([...ids])
    for (const chain of chains) {
      const { tenant, registration, chain: number } = chain
      const head = new Head({ tenant, registration, chain: number }, chain, this.foldSize)
      heads.set(chain.id, head)
      this.heads.set(nameOf(head.key), head)
    }
    for (const found of segments) {
      const segment = this.journal.adopt(found)
      for (const record of found.records) restore(heads.get(record.chain), segment, record)
      segment.finish()
    }
    for (const chain of chains) {
      const head = heads.get(chain.id)
      if (head === undefined) continue
      if (head.length < chain.length) throw missing({ ...chain, folded: head.length }, chain)
      if (head.hasTail) this.grew(head)
    }
  }
}

function isKnown(head: Head): head is KnownHead {
  return head.schema !== undefined
}

/** Gives a chain a record that was found, unless it is folded already or its run is gone. */
function restore(head: Head | undefined, segment: Segment, { start, count, time, at, bytes }: FoundRecord): void {
  // One that begins before that was refused when the disk failed, and reached it all the same; other draws took its place.
  if (head === undefined || start < head.folded) return
  if (start !== head.length) {
    const { registration, chain } = head.key
    throw new DamagedJournal(
      `the journal is damaged: of chain ${chain} of the run ${registration} it has iteration ${start}, and none from ${head.length} on. Restore the folder from a backup`,
    )
  }
  segment.hold()
  head.push({ start, count, place: { segment, at, bytes } }, time)
}

function missing(
  { folded, length }: { folded: number; length: number },
  { registration, chain }: HeadKey,
): DamagedJournal {
  return new DamagedJournal(
    `iterations ${folded} to ${length} of chain ${chain} of the run ${registration} were acknowledged, and the journal has not got them. Restore the folder from a backup`,
  )
}

/** With the tenant: to know a registration of another one helps nobody. */
function nameOf({ tenant, registration, chain }: HeadKey): string {
  return `${tenant}/${registration}/${chain}`
}
