/** The runs of one tenant in ClickHouse, in tables that all tenants share (migrations/clickhouse). */

import type { RunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import type { Schema } from '../../core/draws/columns.ts'
import { McbError } from '../../core/errors.ts'
import { DEFAULT_LIMITS, type Limits } from '../../core/limits.ts'
import { LruMap } from '../../core/lru.ts'
import { Flights, Queues } from '../../core/queues.ts'
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
} from '../../core/store.ts'
import { prepareBatch } from '../../core/wire/read-batch.ts'
import { parseRunMeta } from '../../core/wire/run-meta.ts'
import { newRegistration, ridOf } from '../registration.ts'
import { changeAbout } from './about.ts'
import { appendBatch, createChain } from './append.ts'
import { chainSince, findChain, listChains, type RunKey, requireChain } from './chains.ts'
import { WHEN_GONE } from './clickhouse-settings.ts'
import { type Commits, commitsOf, type Inserts } from './commit.ts'
import { type Connection, unavailable } from './connection.ts'
import { changeDiagnostics } from './diagnostics.ts'
import { readAt, readPage, readSince } from './read.ts'
import { findAbout, listRuns } from './run-list.ts'
import { endGeneration, type FoundRun, findRun, purgeRuns, registerRun, usageOf } from './runs.ts'
import { ClickHouseStaging } from './staging.ts'

const KNOWN_RUNS = 256
const KNOWN_GENERATIONS = 4096
const KNOWN_CHAINS = 4096
const LIST_PAGE = 1000

export interface ClickHouseOptions {
  readonly limits?: Limits
  /** Way to bring small inserts together: `gather` when absent. Stores of one process share one result of `commitsOf`. */
  readonly inserts?: Inserts | Commits
  readonly observer?: StoreObserver | undefined
}

export class ClickHouseStore implements Store {
  readonly writersElsewhere = true
  /** The connection, private to the language as well: it knows the password. */
  readonly #connection: Connection
  private readonly objects: ClickHouseStaging
  private readonly tenant: string
  private readonly limits: Limits
  private readonly commits: Commits
  private readonly observer: StoreObserver | undefined
  /** Generations and schemas by registration; an entry stays true for ever. */
  private readonly generations = new LruMap<string, number>(KNOWN_GENERATIONS)
  private readonly schemas = new LruMap<string, Schema>(KNOWN_RUNS)
  /** Chains as they were last seen; each was so once, and has at most grown. */
  private readonly states = new LruMap<string, ChainState>(KNOWN_CHAINS)
  private readonly queues = new Queues()
  private readonly lists = new Flights<ChainState[]>()

  constructor(connection: Connection, tenant: string, { limits, inserts, observer }: ClickHouseOptions = {}) {
    this.#connection = connection
    this.tenant = tenant
    this.limits = limits ?? DEFAULT_LIMITS
    this.observer = observer
    this.commits = typeof inserts === 'object' ? inserts : commitsOf(connection, inserts ?? 'gather')
    this.objects = new ClickHouseStaging(connection, tenant, this.commits)
  }

  register(run: Registration): Promise<{ registration: string; created: boolean }> {
    const own = newRegistration(run.rid)
    return retryable(async () => {
      const { registration, generation, created } = await registerRun(this.#connection, this.tenant, run, own)
      this.generations.set(registration, generation)
      return { registration, created }
    })
  }

  find(rid: string): Promise<StoredRun | undefined> {
    return retryable(() => this.findRun(rid))
  }

  list(query: ListQuery): Promise<ListPage> {
    return retryable(() => listRuns(this.#connection, this.tenant, query))
  }

  remove(rid: string): Promise<boolean> {
    return retryable(async () => {
      const { run, all } = await findRun(this.#connection, this.tenant, rid)
      const isOurs = run !== undefined && (await endGeneration(this.#connection, this.tenant, rid, run))
      // Also rows that another deletion has left, or that one has left which was cut off: the caller finds nothing left.
      await purgeRuns(this.#connection, this.tenant, rid, all)
      const hadObjects = await this.objects.forget(rid)
      return isOurs || (run === undefined && hadObjects)
    })
  }

  about(registration: string): Promise<StoredAbout> {
    return retryable(() => findAbout(this.#connection, this.tenant, registration))
  }

  setAbout(registration: string, change: AboutChange): Promise<boolean> {
    return retryable(async () => changeAbout(this.#connection, await this.runOf(registration), change))
  }

  setDiagnostics(registration: string, diagnostics: RunDiagnostics): Promise<void> {
    return retryable(async () => changeDiagnostics(this.#connection, await this.runOf(registration), diagnostics))
  }

  createChain(registration: string, chain: number): Promise<ChainState & { created: boolean }> {
    const key = `${registration}/${chain}`
    return this.queues.run(key, () =>
      retryable(async () => {
        const run = await this.runOf(registration)
        // A list that others have begun a moment ago will do: rows that it misses are found by the insert, or looked for anew.
        const list = () => listChains(this.#connection, run)
        const chains = await (this.commits.shared ? this.lists.run(registration, list) : list())
        const existing = chains.find((state) => state.chain === chain)
        if (existing !== undefined) {
          const state = this.commits.shared ? await chainSince(this.#connection, run, existing) : existing
          return { ...state, created: false }
        }
        if (chains.length >= this.limits.chains) {
          const limit = this.limits.chains
          throw new McbError('invalid_run_meta', `a run has at most ${limit} chains`, { limit })
        }
        const { state, created } = await createChain({
          connection: this.#connection,
          run,
          chain,
          commits: this.commits,
        })
        this.states.set(key, state)
        return { ...state, created }
      }),
    )
  }

  chains(registration: string): Promise<ChainState[]> {
    return retryable(async () => listChains(this.#connection, await this.runOf(registration)))
  }

  async chain(registration: string, chain: number): Promise<ChainState | undefined> {
    const key = `${registration}/${chain}`
    return retryable(async () => {
      const run = await this.runOf(registration)
      const known = this.states.get(key)
      const state =
        known === undefined
          ? await findChain(this.#connection, run, chain)
          : await chainSince(this.#connection, run, known)
      if (state !== undefined) this.remember(key, state)
      return state
    })
  }

  async append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const key = `${registration}/${chain}`
    const bytes = body.length
    return this.queues.run(key, () =>
      retryable(async () => {
        const run = await this.runOf(registration)
        const schema = await this.schemaOf(run)
        const known = this.states.get(key) ?? (await requireChain(this.#connection, run, chain))
        const target = {
          connection: this.#connection,
          run,
          schema,
          chain,
          limits: this.limits,
          commits: this.commits,
          added: (draws: number) => this.observer?.appended(draws, bytes),
        }
        try {
          const state = await appendBatch(target, (await prepareBatch(body, schema, this.limits))(), known)
          this.states.set(key, state)
          return state.length
        } catch (error) {
          this.states.delete(key)
          throw error
        }
      }),
    )
  }

  read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    return retryable(async () => {
      const run = await this.runOf(registration)
      const schema = await this.schemaOf(run)
      const source = { connection: this.#connection, run, schema, chain, limits: this.limits }
      if (cursor !== undefined) return { state: cursor.moment, page: await readPage(source, question, cursor) }
      const key = `${registration}/${chain}`
      const known = this.states.get(key)
      const read =
        known === undefined
          ? await readAt(source, await requireChain(this.#connection, run, chain), question)
          : await readSince(source, known, question)
      this.remember(key, read.state)
      return read
    })
  }

  ping(): Promise<void> {
    return retryable(async () => {
      await this.#connection.select('SELECT count() FROM runs WHERE tenant = {tenant:String} AND 0', { tenant: '' })
    })
  }

  /** Runs of the tenant, and bytes of their metadata, draws, names, notes and facts, and of staged objects. */
  usage(): Promise<{ readonly runs: number; readonly bytes: number }> {
    return retryable(() => usageOf(this.#connection, this.tenant))
  }

  /**
   * Deletes everything of the tenant. The marks of its deletions stay, as those of single runs do: without them a
   * registration that arrives late would bring a run back, and the server would take a new one for an old one sent again.
   */
  async clear(): Promise<void> {
    for (;;) {
      const { runs } = await this.list({ limit: LIST_PAGE, terms: [] })
      for (const { rid } of runs) await this.remove(rid)
      if (runs.length === 0) break
    }
    await retryable(async () => {
      for (const table of ['chunks', 'about', 'diagnostics', 'staged', 'runs']) {
        const sql = `DELETE FROM ${table} WHERE tenant = {tenant:String} ${WHEN_GONE}`
        await this.#connection.command(sql, { tenant: this.tenant })
      }
    })
  }

  stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    return retryable(() => this.objects.stage(rid, path, data))
  }

  staged(rid: string, paths: readonly string[]) {
    return retryable(() => this.objects.staged(rid, paths))
  }

  listStaged(rid: string, prefix: string): Promise<StagedObject[]> {
    return retryable(() => this.objects.listStaged(rid, prefix))
  }

  unstage(rid: string, paths: readonly string[]): Promise<void> {
    return retryable(() => this.objects.unstage(rid, paths))
  }

  unstageAll(rid: string): Promise<void> {
    return retryable(() => this.objects.unstageAll(rid))
  }

  /** Remembers a chain as it was read. Chains only grow: the longer of two reads at once is the newer one. */
  private remember(key: string, state: ChainState): void {
    if (state.length >= (this.states.get(key)?.length ?? 0)) this.states.set(key, state)
  }

  private async findRun(rid: string): Promise<FoundRun | undefined> {
    const { run } = await findRun(this.#connection, this.tenant, rid)
    if (run === undefined) return undefined
    this.generations.set(run.registration, run.generation)
    // A run that is found is read next: its metadata is not asked for again.
    if (this.schemas.get(run.registration) === undefined) {
      this.schemas.set(run.registration, parseRunMeta(run.meta, this.limits).schema)
    }
    return run
  }

  /** The run under a registration, asked for where it is not known. @throws McbError `run_not_found` */
  private async requireRun(registration: string): Promise<FoundRun> {
    const found = await this.findRun(ridOf(registration))
    if (found?.registration !== registration) throw new McbError('run_not_found', 'the run was deleted')
    return found
  }

  private async runOf(registration: string): Promise<RunKey> {
    const generation = this.generations.get(registration) ?? (await this.requireRun(registration)).generation
    return { tenant: this.tenant, rid: ridOf(registration), registration, generation }
  }

  private async schemaOf({ registration }: RunKey): Promise<Schema> {
    const known = this.schemas.get(registration)
    if (known !== undefined) return known
    const { schema } = parseRunMeta((await this.requireRun(registration)).meta, this.limits)
    this.schemas.set(registration, schema)
    return schema
  }
}

/** Makes failures of the database, and of the way to it, errors after which the same call may succeed. */
async function retryable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    // A RangeError is of a reader of rows: a defect.
    throw error instanceof RangeError ? error : unavailable(error)
  }
}
