/**
 * The runs of one tenant, each in a Durable Object of its own, with their list in others.
 *
 * An object that restarts, is overloaded or cannot be reached is `storage_unavailable`, which clients ride over: every
 * call may be repeated.
 *
 * https://developers.cloudflare.com/durable-objects/best-practices/error-handling/
 */

import type { RunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import { McbError } from '../../core/errors.ts'
import type {
  AboutChange,
  ChainState,
  ListPage,
  ListQuery,
  Question,
  Read,
  ReadCursor,
  Registration,
  RunWatcher,
  StagedObject,
  StoredAbout,
  StoredRun,
  Usage,
} from '../../core/store.ts'
import type { DiagnosingStore } from '../../core/summary/diagnosing-store.ts'
import type { Circumstances, Examination } from '../../core/summary/examination.ts'
import type { SummaryQuestion } from '../../core/summary/question.ts'
import type { Summary } from '../../core/summary/summary.ts'
import { type Outcome, resultOf } from '../outcome.ts'
import { ridOf } from '../registration.ts'
import { inGroups, STAGED_PAGE } from '../sqlite/staging.ts'
import { toUnavailable } from './platform-error.ts'
import {
  objectName,
  packBody,
  type RunNamespace,
  type RunStub,
  receiveObjects,
  receiveRead,
  watchUrl,
} from './protocol.ts'
import type { ShardedCatalogue } from './sharded-catalogue.ts'
import { watchSocket } from './watchers.ts'

/** Objects that are asked at once to empty themselves; a Worker waits for six connections at a time. */
const CLEARED_TOGETHER = 6
/** Runs that each shard names at a time. Requests have a limited number of calls: few are to go into asking. */
const NAMED_TOGETHER = 60
/** Attempts at ending the shards, and the pause between two, in milliseconds: a word of a run may be under way to them. */
const ENDINGS = 5
const ENDING_MS = 200

export class DurableStore implements DiagnosingStore {
  readonly writersElsewhere = true
  /** Private to the language as well: printing a store would call methods of every name on the objects. */
  readonly #objects: RunNamespace
  private readonly catalogue: ShardedCatalogue
  private readonly tenant: string

  constructor(objects: RunNamespace, catalogue: ShardedCatalogue, tenant: string) {
    this.#objects = objects
    this.catalogue = catalogue
    this.tenant = tenant
  }

  register(run: Registration): Promise<{ registration: string; created: boolean }> {
    return this.call(run.rid, (object) => object.register(this.tenant, run))
  }

  find(rid: string): Promise<StoredRun | undefined> {
    return this.call(rid, (object) => object.find(this.tenant, rid))
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.catalogue.list(this.tenant, query)
  }

  remove(rid: string): Promise<boolean> {
    return this.call(rid, (object) => object.remove(this.tenant, rid))
  }

  about(registration: string): Promise<StoredAbout> {
    return this.callRun(registration, (object) => object.about(this.tenant, registration))
  }

  setAbout(registration: string, change: AboutChange): Promise<boolean> {
    return this.callRun(registration, (object) => object.setAbout(this.tenant, registration, change))
  }

  setDiagnostics(registration: string, diagnostics: RunDiagnostics): Promise<void> {
    return this.callRun(registration, (object) => object.setDiagnostics(this.tenant, registration, diagnostics))
  }

  createChain(registration: string, chain: number): Promise<ChainState & { created: boolean }> {
    return this.callRun(registration, (object) => object.createChain(this.tenant, registration, chain))
  }

  chains(registration: string): Promise<ChainState[]> {
    return this.callRun(registration, (object) => object.chains(this.tenant, registration))
  }

  chain(registration: string, chain: number): Promise<ChainState | undefined> {
    return this.callRun(registration, (object) => object.chain(this.tenant, registration, chain))
  }

  append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const message = packBody(body)
    return this.callRun(registration, (object) => object.append(this.tenant, registration, chain, message))
  }

  async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    return receiveRead(
      await this.callRun(registration, (object) => object.read(this.tenant, registration, chain, question, cursor)),
    )
  }

  stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    const message = packBody(data)
    return this.call(rid, (object) => object.stage(this.tenant, rid, path, message))
  }

  async staged(rid: string, paths: readonly string[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    const found: (Uint8Array<ArrayBuffer> | undefined)[] = []
    for (const some of inGroups(paths)) {
      const sent = await this.call(rid, (object) => object.staged(this.tenant, rid, some))
      found.push(...(await receiveObjects(sent)))
    }
    return found
  }

  async listStaged(rid: string, prefix: string): Promise<StagedObject[]> {
    const objects: StagedObject[] = []
    for (;;) {
      const after = objects.at(-1)?.path
      const page = await this.call(rid, (object) => object.listStaged(this.tenant, rid, prefix, after))
      objects.push(...page)
      if (page.length < STAGED_PAGE) return objects
    }
  }

  async unstage(rid: string, paths: readonly string[]): Promise<void> {
    for (const some of inGroups(paths)) await this.call(rid, (object) => object.unstage(this.tenant, rid, some))
  }

  unstageAll(rid: string): Promise<void> {
    return this.call(rid, (object) => object.unstageAll(this.tenant, rid))
  }

  summarise(registration: string, { specs, ...question }: SummaryQuestion, waitMs: number): Promise<Summary> {
    const sent = { ...question, specs: specs.map(({ index }) => index) }
    const ask = (object: RunStub, left: number) => object.summarise(this.tenant, registration, sent, left)
    return this.inShifts(registration, waitMs, ask, (summary) => summary)
  }

  check(registration: string, run: Circumstances, waitMs: number): Promise<Examination> {
    const ask = (object: RunStub, left: number) => object.check(this.tenant, registration, run, left)
    return this.inShifts(registration, waitMs, ask, ({ checks }) => checks)
  }

  /** Asks the run's object shift after shift, each of which has a request's time of its processor. */
  private async inShifts<T>(
    registration: string,
    waitMs: number,
    ask: (object: RunStub, leftMs: number) => Promise<Outcome<T>>,
    told: (answer: T) => { readonly progress?: number },
  ): Promise<T> {
    const until = performance.now() + waitMs
    for (;;) {
      const left = Math.max(0, until - performance.now())
      const answer = await this.callRun(registration, (object) => ask(object, left))
      if (told(answer).progress === undefined || performance.now() >= until) return answer
    }
  }

  usage(): Promise<Usage> {
    return this.catalogue.usage(this.tenant)
  }

  async clear(): Promise<void> {
    for (let endings = 0; endings < ENDINGS; ) {
      const held = await this.catalogue.held(this.tenant, NAMED_TOGETHER)
      const all = held.flatMap(({ shard, rids }) => rids.map((rid) => ({ shard, rid })))
      for (let i = 0; i < all.length; i += CLEARED_TOGETHER) {
        await Promise.all(all.slice(i, i + CLEARED_TOGETHER).map(({ shard, rid }) => this.clearRun(shard, rid)))
      }
      if (all.length > 0) continue
      if (await this.catalogue.forget(this.tenant)) return
      endings++
      await new Promise((resolve) => setTimeout(resolve, ENDING_MS))
    }
    throw new McbError('storage_unavailable', 'the list of runs is still told of some; send the request again', {
      retryAfter: 1,
    })
  }

  /** Deletes a run, also from the catalogue: its object may be unable to tell it, or hold no run although one is listed. */
  private async clearRun(shard: number, rid: string): Promise<void> {
    await this.remove(rid)
    await this.catalogue.remove(shard, this.tenant, rid, Number.MAX_SAFE_INTEGER)
  }

  ping(): Promise<void> {
    return this.catalogue.ping()
  }

  async watch(registration: string, watcher: RunWatcher): Promise<() => void> {
    const socket = await this.callRun(registration, async (object) => {
      const url = watchUrl(this.tenant, registration)
      const { status, webSocket } = await object.fetch(url, { headers: { Upgrade: 'websocket' } })
      if (webSocket === null && status !== 404) throw new Error(`a run object answered a watch with ${status}`)
      return { value: webSocket }
    })
    if (socket === null) throw new McbError('run_not_found', 'the run was deleted')
    return watchSocket(socket, watcher)
  }

  private async callRun<T>(registration: string, call: (object: RunStub) => Promise<Outcome<T>>): Promise<T> {
    return this.call(ridOf(registration), call)
  }

  /** Each call has a stub of its own: one that has met a restart is broken for good. */
  private async call<T>(rid: string, call: (object: RunStub) => Promise<Outcome<T>>): Promise<T> {
    let outcome: Outcome<T>
    try {
      outcome = await call(this.#objects.getByName(objectName(this.tenant, rid)))
    } catch (error) {
      throw toUnavailable(error, "the run's storage")
    }
    return resultOf(outcome)
  }
}
