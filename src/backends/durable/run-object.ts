/**
 * A Durable Object with one run of one tenant: its draws in the object's own SQLite, one writer by construction.
 *
 * An object that was only asked for a run which does not exist writes nothing, so that it costs nothing; one whose run was
 * deleted empties itself once the catalogue has been told twice.
 */
import { DurableObject } from 'cloudflare:workers'
import type { DurableObjectState, R2Bucket, WebSocket } from '@cloudflare/workers-types'
import { drizzle } from 'drizzle-orm/durable-sqlite'
import { migrate } from 'drizzle-orm/durable-sqlite/migrator'
import type { RunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import { McbError } from '../../core/errors.ts'
import { type LimitVariables, limitsOf, objectBytesOf } from '../../core/limit-settings.ts'
import { describeError } from '../../core/log-text.ts'
import type { AboutChange, Question, ReadCursor, Registration } from '../../core/store.ts'
import type { Circumstances } from '../../core/summary/examination.ts'
import type { Objects } from '../../objects/objects.ts'
import { R2Objects } from '../../objects/r2-objects.ts'
import { newestUnknown } from '../../sql/migrated.ts'
import { DurableDriver } from '../../sql/object.ts'
import { type Outcome, outcomeOf } from '../outcome.ts'
import { newRegistration } from '../registration.ts'
import { hiddenRuns, hideRun } from '../sqlite/runs.ts'
import { indexRuns, SqliteStore } from '../sqlite/sqlite-store.ts'
import { hiddenStages } from '../sqlite/staging.ts'
import { Alarm } from './alarm.ts'
import { Announcer } from './announcer.ts'
import { readFarFrom } from './bucket-draws.ts'
import type { Catalogue } from './catalogue.ts'
import { journal, migrations } from './generated/migrations.ts'
import { CONFIRM_MS } from './listing.ts'
import { Mover } from './mover.ts'
import { ObjectDiagnostics, type SentQuestion } from './object-diagnostics.ts'
import { doubled } from './pause.ts'
import { gather, type RunStub, sendObjects, sendRead } from './protocol.ts'
import { purgeRuns, purgeStages } from './purge.ts'
import type { ShardNamespace } from './shard-protocol.ts'
import { ShardedCatalogue } from './sharded-catalogue.ts'
import { Watchers } from './watchers.ts'

export interface RunObjectEnv extends LimitVariables {
  readonly CATALOGUE: ShardNamespace
  /** The bucket that folded draws move to; without it, the object keeps all of them. */
  readonly DRAWS?: R2Bucket
}

/** A global of workerd. */
declare const WebSocketPair: new () => { 0: WebSocket; 1: WebSocket }

interface WebSocketResponseInit extends ResponseInit {
  readonly webSocket: WebSocket
}

/** Milliseconds that a registration or a deletion waits for the catalogue; after that, an alarm goes on. */
const PATIENCE_MS = 3000
/** Pauses after healing that failed, in milliseconds: the first one, doubled each time, and the longest. */
const SETBACK_MS = 1000
const MAX_SETBACK_MS = 5 * 60_000
/** Bytes above the limit that staged objects may take: they do not move, and draws that do are made of them. */
const STAGED_ROOM = 128 * 1024 * 1024
/** Milliseconds after which a new life of the object announces what an earlier one has not. */
const RESUME_MS = 1000
/** Milliseconds until an object of a newer version looks whether that version is back. */
const UNKNOWN_MS = 10 * 60_000

export class RunObject extends DurableObject<RunObjectEnv> implements Omit<RunStub, 'fetch'> {
  /** The list in which this run is announced. */
  catalogue: Catalogue
  /** The bucket of folded draws; undefined where none is bound. */
  bucket: Objects | undefined
  private readonly driver: DurableDriver
  private readonly clock: Alarm
  private readonly announcer: Announcer
  private readonly mover: Mover
  private readonly watchers: Watchers
  private readonly stores = new Map<string, SqliteStore>()
  private readonly diagnostics: ObjectDiagnostics
  private telling: Promise<void> | undefined
  /** True once the tables are there, and of this version. */
  private prepared = false
  /** True when the object may end as soon as the bucket has nothing of it any more. */
  private isEnding = false
  /** Times in a row that healing failed. */
  private setbacks = 0
  /** The newest migration that this version does not know: such an object is left as it is. */
  private unknown: Date | undefined

  constructor(ctx: DurableObjectState, env: RunObjectEnv) {
    super(ctx, env)
    this.catalogue = new ShardedCatalogue(env.CATALOGUE)
    this.clock = new Alarm(ctx.storage)
    this.announcer = new Announcer(ctx.storage, this.clock, () => this.catalogue)
    this.bucket = env.DRAWS && new R2Objects(env.DRAWS)
    this.mover = new Mover({
      storage: ctx.storage,
      alarm: this.clock,
      bucket: () => this.bucket,
      limit: objectBytesOf(env),
      foldTail: ({ tenant, registration }, chain) => this.store(tenant).foldTail(registration, chain),
      emptied: () => {
        if (this.isEnding && !this.announcer.isLive()) this.announcer.wakeIn(0)
      },
    })
    this.driver = new DurableDriver(ctx.storage, () => this.announcer.mark())
    this.watchers = new Watchers(ctx)
    this.diagnostics = new ObjectDiagnostics(limitsOf(env))
    void ctx.blockConcurrencyWhile(() => this.wake())
  }

  register(tenant: string, run: Registration) {
    return this.answer(async () => {
      await this.prepare()
      const answer = await this.store(tenant).register(run)
      if (answer.created) await this.healSoon()
      return answer
    })
  }

  find(tenant: string, rid: string) {
    return this.answer(async () => (this.prepared ? this.store(tenant).find(rid) : undefined))
  }

  remove(tenant: string, rid: string) {
    return this.answer(async () => {
      if (!this.prepared) return false
      const { run, stage } = await this.driver.run(() => hideRun(tenant, rid))
      if (run === undefined && stage === undefined) return false
      this.watchers.deleted()
      await this.healSoon()
      return true
    })
  }

  about(tenant: string, registration: string) {
    return this.ask(tenant, (store) => store.about(registration))
  }

  setAbout(tenant: string, registration: string, change: AboutChange) {
    return this.ask(tenant, (store) => store.setAbout(registration, change))
  }

  setDiagnostics(tenant: string, registration: string, diagnostics: RunDiagnostics) {
    return this.ask(tenant, (store) => store.setDiagnostics(registration, diagnostics))
  }

  createChain(tenant: string, registration: string, chain: number) {
    return this.ask(tenant, async (store) => {
      const state = await store.createChain(registration, chain)
      this.watchers.grown(chain, state.length)
      return state
    })
  }

  chains(tenant: string, registration: string) {
    return this.ask(tenant, (store) => store.chains(registration))
  }

  chain(tenant: string, registration: string, chain: number) {
    return this.ask(tenant, (store) => store.chain(registration, chain))
  }

  append(
    tenant: string,
    registration: string,
    chain: number,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  ) {
    return this.ask(tenant, async (store) => {
      const bytes = body instanceof Uint8Array ? body : await gather(body)
      this.mover.requireRoom(bytes.length)
      const length = await store.append(registration, chain, bytes)
      this.mover.grown()
      this.watchers.grown(chain, length)
      this.diagnostics.appends++
      return length
    })
  }

  read(tenant: string, registration: string, chain: number, question: Question, cursor?: ReadCursor) {
    return this.ask(tenant, async (store) => sendRead(await store.read(registration, chain, question, cursor)))
  }

  /** The catalogue learns of the first staged object before its sender does: a tenant that is cleared must be rid of it. */
  stage(tenant: string, rid: string, path: string, body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>) {
    return this.answer(async () => {
      const bytes = body instanceof Uint8Array ? body : await gather(body)
      // Without a turn in between, in which the object might empty itself.
      if (!this.prepared) await this.prepare()
      this.mover.requireRoom(bytes.length - STAGED_ROOM)
      await this.store(tenant).stage(rid, path, bytes)
      if (this.announcer.hidesStaged()) await this.tellStaged()
    })
  }

  staged(tenant: string, rid: string, paths: readonly string[]) {
    return this.answer(async () =>
      sendObjects(this.prepared ? await this.store(tenant).staged(rid, paths) : paths.map(() => undefined)),
    )
  }

  listStaged(tenant: string, rid: string, prefix: string, after?: string) {
    return this.answer(async () => (this.prepared ? this.store(tenant).objects.listStagedPage(rid, prefix, after) : []))
  }

  unstage(tenant: string, rid: string, paths: readonly string[]) {
    return this.answer(async () => {
      if (this.prepared) await this.store(tenant).unstage(rid, paths)
    })
  }

  unstageAll(tenant: string, rid: string) {
    return this.answer(async () => {
      if (this.prepared) await this.store(tenant).unstageAll(rid)
    })
  }

  /** A summary as far as one shift of computing gets; see `DurableStore.summarise`. */
  summarise(tenant: string, registration: string, question: SentQuestion, waitMs: number) {
    return this.ask(tenant, (store) => this.diagnostics.summarise(store, registration, question, waitMs))
  }

  /** The checks as far as one shift gets. */
  check(tenant: string, registration: string, run: Circumstances, waitMs: number) {
    return this.ask(tenant, (store) => this.diagnostics.check(store, registration, run, waitMs))
  }

  /** Tells the catalogue what is here, where it does not know it yet. */
  settle() {
    return this.answer(async () => {
      await this.healSoon()
      if (!this.prepared) return { isLive: false }
      return { isLive: this.announcer.isLive(), shard: this.announcer.shard() }
    })
  }

  /** A WebSocket that tells how the run grows; see `watchUrl`. */
  async fetch({ url }: { readonly url: string }): Promise<Response> {
    const { searchParams } = new URL(url)
    const chains = await this.chains(searchParams.get('tenant') ?? '', searchParams.get('registration') ?? '')
    if ('failure' in chains) return new Response(null, { status: chains.failure.code === 'run_not_found' ? 404 : 503 })
    const { 0: client, 1: server } = new WebSocketPair()
    this.watchers.add(server, chains.value)
    const init: WebSocketResponseInit = { status: 101, webSocket: client }
    return new Response(null, init)
  }

  /** Watchers have nothing to say. */
  webSocketMessage(): void {}

  async alarm(): Promise<void> {
    const come = this.clock.ring()
    if (this.unknown !== undefined) {
      this.announcer.wakeIn(UNKNOWN_MS)
      return
    }
    if (this.prepared) this.mover.look()
    if (come.includes('announce')) await this.heal()
  }

  private ask<T>(tenant: string, use: (store: SqliteStore) => Promise<T>): Promise<Outcome<T>> {
    return this.answer(async () => {
      try {
        if (this.prepared) return await use(this.store(tenant))
      } catch (error) {
        if (this.prepared) throw error
      }
      // Perhaps meanwhile, and with it the tables.
      throw new McbError('run_not_found', 'the run was deleted')
    })
  }

  private answer<T>(work: () => Promise<T>): Promise<Outcome<T>> {
    return outcomeOf(async () => {
      if (this.unknown !== undefined) {
        const detail = 'the run was written by a newer version of this server; nothing was changed'
        throw new McbError('storage_unavailable', detail, { retryAfter: 60 })
      }
      return work()
    })
  }

  private store(tenant: string): SqliteStore {
    let store = this.stores.get(tenant)
    if (store === undefined) {
      const readFar = readFarFrom(() => this.bucket, this.driver, tenant)
      const tailBytes = () => this.mover.tailBytes()
      store = new SqliteStore(this.driver, tenant, limitsOf(this.env), { newRegistration, readFar, tailBytes })
      this.stores.set(tenant, store)
    }
    return store
  }

  /** Brings an object that was used before to the present schema, and goes on with work that was cut off. */
  private async wake(): Promise<void> {
    const tables = this.ctx.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'runs'")
    if (tables.toArray().length === 0) return
    this.unknown = this.newestUnknown()
    if (this.unknown !== undefined) {
      console.error(
        `a run object was written by a newer version (its tables are of ${this.unknown.toISOString().slice(0, 10)}) and is left as it is; deploy that version again`,
      )
      return
    }
    await this.prepare()
    await indexRuns(this.driver)
    const unannounced = this.announcer.load()
    const hidden = [...(await this.driver.run(hiddenRuns)), ...(await this.driver.run(hiddenStages))]
    const alarm = await this.ctx.storage.getAlarm()
    this.clock.inherit(alarm)
    if ((unannounced || hidden.length > 0) && alarm === null) this.announcer.wakeIn(0)
    // A crash while it announced has left the alarm of a move, which may be minutes away.
    else if (this.announcer.isBehind) this.announcer.wakeIn(RESUME_MS)
    this.mover.resume()
  }

  private newestUnknown(): Date | undefined {
    const applied = this.ctx.storage.sql.exec<{ at: number }>('SELECT created_at AS at FROM __drizzle_migrations')
    return newestUnknown(
      applied.toArray().map(({ at }) => Number(at)),
      journal.entries.map(({ when }) => when),
    )
  }

  private async prepare(): Promise<void> {
    if (this.prepared) return
    await migrate(drizzle(this.ctx.storage), { journal, migrations })
    this.prepared = true
  }

  /** One announcement for all who wait for the first. */
  private tellStaged(): Promise<void> {
    this.telling ??= this.healSoon().finally(() => {
      this.telling = undefined
    })
    return this.telling
  }

  /** As `heal`, but the caller does not wait for a catalogue that does not answer. */
  private async healSoon(): Promise<void> {
    const patience = Promise.withResolvers<void>()
    const timer = setTimeout(patience.resolve, PATIENCE_MS)
    await Promise.race([this.heal(), patience.promise])
    clearTimeout(timer)
  }

  /** Takes each thing that may have been cut off to its end, or sets an alarm for the next attempt. */
  private async heal(): Promise<void> {
    if (!this.prepared) return
    try {
      await purgeStages(this.driver)
      if (this.mover.holdsHidden()) this.mover.look()
      else await purgeRuns(this.driver)
      const announced = await this.announcer.announce()
      if (announced === 'failed') this.announcer.wakeIn(this.announcer.pause())
      else if (announced === 'unlisted') this.announcer.wakeIn(CONFIRM_MS)
      else if (announced === 'listed') this.announcer.rest()
      else if (this.prepared && !this.announcer.isLive()) await this.forget()
      this.setbacks = 0
    } catch (error) {
      console.error(`a run object could not finish its work, and tries again: ${describeError(error)}`)
      this.announcer.wakeIn(doubled(SETBACK_MS, this.setbacks++, MAX_SETBACK_MS))
    }
  }

  /** Leaves nothing of the object: it costs nothing from here on. */
  private async forget(): Promise<void> {
    this.isEnding = true
    if (!(await this.mover.end()) || this.announcer.isLive()) return
    this.prepared = false
    this.isEnding = false
    this.mover.reset()
    this.stores.clear()
    this.announcer.reset()
    this.clock.clear('announce')
    this.clock.clear('move')
    await this.ctx.storage.deleteAll()
  }
}
