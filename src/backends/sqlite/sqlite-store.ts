/** A Store on any SQLite: the programs of this folder behind the interface, for one tenant. */

import type { RunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import { overlapOf } from '../../core/draws/append-rule.ts'
import type { Schema } from '../../core/draws/columns.ts'
import { McbError } from '../../core/errors.ts'
import type { Limits } from '../../core/limits.ts'
import { LruMap } from '../../core/lru.ts'
import type {
  AboutChange,
  ChainState,
  ListPage,
  ListQuery,
  Question,
  Read,
  ReadCursor,
  Registration,
  StagedObject,
  Store,
  StoredAbout,
  StoredRun,
  StoreObserver,
  Usage,
} from '../../core/store.ts'
import { turn } from '../../core/turn.ts'
import { type Batch, prepareBatch } from '../../core/wire/read-batch.ts'
import { parseRunMeta } from '../../core/wire/run-meta.ts'
import type { SqlDriver } from '../../sql/program.ts'
import { repeatedIn, requireSamePage } from '../repeated.ts'
import { aboutOf, changeAbout, changeDiagnostics } from './about.ts'
import { appendBatch, foldTail, TAIL_BYTES } from './append.ts'
import { findChain, requireChain, requireRun } from './chain.ts'
import { FarDraws, type ReadFar } from './far.ts'
import { findPage, pageWith } from './read.ts'
import {
  createChain,
  findRun,
  hiddenRuns,
  hideNext,
  hideRun,
  listChains,
  listRuns,
  purgeSome,
  registerRun,
  usageOf,
} from './runs.ts'
import { hiddenStages, purgeStage, SqlStaging } from './staging.ts'
import { indexSome } from './terms.ts'

interface KnownRun {
  readonly id: number
  readonly schema: Schema
  /** Bytes that it takes, at most. */
  readonly weight: number
}

/** Bytes of schemas that are kept; one stays true for ever, since a registration never changes. */
const KNOWN_BYTES = 32 * 1024 * 1024

export interface SqliteStoreOptions {
  readonly newRegistration?: (rid: string) => string
  readonly observer?: StoreObserver | undefined
  /** Absent where all draws lie in rows. */
  readonly readFar?: ReadFar
  /** Bytes of a tail at most, asked for at each append. @default 1 MiB */
  readonly tailBytes?: () => number
}

export class SqliteStore implements Store {
  readonly writersElsewhere: boolean
  readonly objects: SqlStaging
  private readonly driver: SqlDriver
  private readonly tenant: string
  private readonly limits: Limits
  private readonly newRegistration: (rid: string) => string
  private readonly observer: StoreObserver | undefined
  private readonly readFar: ReadFar
  private readonly tailBytes: () => number
  private readonly known = new LruMap<string, KnownRun>(KNOWN_BYTES, ({ weight }) => weight)

  constructor(
    driver: SqlDriver,
    tenant: string,
    limits: Limits,
    {
      newRegistration = () => crypto.randomUUID(),
      observer,
      readFar = noFar,
      tailBytes = () => TAIL_BYTES,
    }: SqliteStoreOptions = {},
  ) {
    this.writersElsewhere = driver.isShared
    this.driver = driver
    this.tenant = tenant
    this.limits = limits
    this.newRegistration = newRegistration
    this.observer = observer
    this.readFar = readFar
    this.tailBytes = tailBytes
    this.objects = new SqlStaging(driver, tenant)
  }

  register(run: Registration): Promise<{ registration: string; created: boolean }> {
    const registration = this.newRegistration(run.rid)
    return this.driver.run(() => registerRun(this.tenant, run, registration, Date.now()))
  }

  async find(rid: string): Promise<StoredRun | undefined> {
    const row = await this.driver.run(() => findRun(this.tenant, 'rid', rid))
    return row === undefined ? undefined : { registration: row.registration, meta: row.meta }
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.driver.run(() => listRuns(this.tenant, query))
  }

  async remove(rid: string): Promise<boolean> {
    const { run, stage } = await this.driver.run(() => hideRun(this.tenant, rid))
    if (stage !== undefined) await purgeStage(this.driver, stage)
    if (run !== undefined) await purge(this.driver, run)
    return run !== undefined || stage !== undefined
  }

  async about(registration: string): Promise<StoredAbout> {
    const { id } = await this.run(registration)
    return this.driver.run(() => aboutOf(id))
  }

  async setAbout(registration: string, change: AboutChange): Promise<boolean> {
    const { id } = await this.run(registration)
    return this.driver.run(() => changeAbout(id, change), change.document.length)
  }

  async setDiagnostics(registration: string, diagnostics: RunDiagnostics): Promise<void> {
    const { id } = await this.run(registration)
    return this.driver.run(() => changeDiagnostics(id, diagnostics))
  }

  async createChain(registration: string, chain: number): Promise<ChainState & { created: boolean }> {
    const { id } = await this.run(registration)
    return this.driver.run(() => createChain(id, chain, this.limits.chains, Date.now()))
  }

  async chains(registration: string): Promise<ChainState[]> {
    const { id } = await this.run(registration)
    return this.driver.run(() => listChains(id))
  }

  async chain(registration: string, chain: number): Promise<ChainState | undefined> {
    const { id } = await this.run(registration)
    return this.driver.run(function* () {
      const row = yield* findChain(id, chain)
      if (row === undefined) yield* requireRun(id)
      return row && { chain, length: row.length, updatedAt: row.updatedAt }
    })
  }

  async append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const { id: runId, schema } = this.known.get(registration) ?? (await this.run(registration))
    const decode = await prepareBatch(body, schema, this.limits)
    const bytes = body.length
    const at = { runId, number: chain, schema, decode, tailBytes: this.tailBytes() }
    for (let compared = 0; ; ) {
      const program = () => appendBatch({ ...at, now: Date.now(), compared })
      try {
        const { length, added } = await this.driver.run(program, bytes)
        if (added > 0) this.observer?.appended(added, bytes)
        return length
      } catch (error) {
        if (!(error instanceof FarDraws)) throw error
        compared = await this.compare(registration, chain, schema, decode())
      }
    }
  }

  /** Folds the tail of a chain before it is as long as it may be. */
  async foldTail(registration: string, chain: number): Promise<void> {
    const { id, schema } = await this.run(registration)
    return this.driver.run(() => foldTail(id, chain, schema))
  }

  async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    const { id, schema } = await this.run(registration)
    const { state, found, page } = await this.driver.run(function* () {
      const row = yield* requireChain(id, chain)
      const state = cursor?.moment ?? { chain, length: row.length, updatedAt: row.updatedAt }
      const found = yield* findPage(row, schema, question, cursor ?? { moment: state, position: 0, done: 0 })
      // Inside, so that a read of two moments is made again.
      return { state, found, page: found.far.length === 0 ? pageWith(found, []) : undefined }
    })
    if (page !== undefined) return { state, page }
    const blocks = found.far.map(({ block }) => block)
    return { state, page: pageWith(found, await this.readFar(registration, blocks)) }
  }

  /** Compares the iterations that a batch repeats with those that are stored; resolves to their end. */
  private async compare(registration: string, chain: number, schema: Schema, batch: Batch): Promise<number> {
    const state = await this.chain(registration, chain)
    if (state === undefined) throw new McbError('chain_not_found', `the run has no chain ${chain}`)
    const { to } = overlapOf(batch, state.length)
    const question = repeatedIn(schema, batch, to)
    let cursor: ReadCursor | undefined = { moment: state, position: 0, done: 0 }
    while (cursor !== undefined) {
      const { page }: Read = await this.read(registration, chain, question, cursor)
      requireSamePage(schema, batch, page, cursor)
      cursor = page.next
    }
    return to
  }

  usage(): Promise<Usage> {
    return this.driver.run(() => usageOf(this.tenant))
  }

  async clear(): Promise<void> {
    for (;;) {
      const id = await this.driver.run(() => hideNext(this.tenant))
      if (id === undefined) break
      await purge(this.driver, id)
    }
    await this.objects.clear()
  }

  stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.objects.stage(rid, path, data)
  }

  staged(rid: string, paths: readonly string[]) {
    return this.objects.staged(rid, paths)
  }

  listStaged(rid: string, prefix: string): Promise<StagedObject[]> {
    return this.objects.listStaged(rid, prefix)
  }

  unstage(rid: string, paths: readonly string[]): Promise<void> {
    return this.objects.unstage(rid, paths)
  }

  unstageAll(rid: string): Promise<void> {
    return this.objects.unstageAll(rid)
  }

  async ping(): Promise<void> {
    await this.driver.run(() => findRun(this.tenant, 'rid', ''))
  }

  private async run(registration: string): Promise<KnownRun> {
    const known = this.known.get(registration)
    if (known !== undefined) return known
    const row = await this.driver.run(() => findRun(this.tenant, 'registration', registration))
    if (row === undefined) throw new McbError('run_not_found', 'the run was deleted')
    const { schema, weight } = parseRunMeta(row.meta, this.limits)
    const run = { id: row.id, schema, weight }
    this.known.set(registration, run)
    return run
  }
}

function noFar(): never {
  throw new FarDraws()
}

async function purge(driver: SqlDriver, runId: number): Promise<void> {
  while (await driver.run(() => purgeSome(runId)));
}

/** Indexes what versions before have registered, with a turn for others behind each step. */
export async function indexRuns(driver: SqlDriver): Promise<void> {
  for (let last: number | undefined = 0; last !== undefined; await turn()) {
    const behind: number = last
    last = await driver.run(() => indexSome(behind))
  }
}

/** Completes deletions that were cut off when the process before this one ended. */
export async function purgeHidden(driver: SqlDriver): Promise<void> {
  for (const id of await driver.run(hiddenRuns)) await purge(driver, id)
  for (const id of await driver.run(hiddenStages)) await purgeStage(driver, id)
}
