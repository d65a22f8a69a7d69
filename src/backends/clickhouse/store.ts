/** The runs of one tenant in ClickHouse, in tables that all tenants share (migrations/clickhouse). */
import { decodeBatch } from '../../core/batch.ts'
import { McbError } from '../../core/errors.ts'
import type { RunSummary } from '../../core/interfaces.ts'
import { DEFAULT_LIMITS, type Limits } from '../../core/limits.ts'
import { LruMap } from '../../core/lru.ts'
import { parseRunMeta } from '../../core/meta.ts'
import type { Schema } from '../../core/schema.ts'
import type { ChainState, Registration, ScanPage, ScanRequest, Store, StoredRun } from '../../core/store.ts'
import { appendBatch, newAttempt } from './append.ts'
import { appendsFrom, chainSince, discard, findChain, listChains, type RunKey } from './chains.ts'
import { INSERT_CHUNKS, writeAppend } from './chunk.ts'
import { type Connection, unavailable } from './connection.ts'
import { Queues } from './queues.ts'
import { RowWriter } from './row-binary.ts'
import { endGeneration, findRun, listRuns, purgeRun, registerRun, usageOf } from './runs.ts'
import { scanPage } from './scan.ts'

const KNOWN_RUNS = 256
const KNOWN_CHAINS = 4096
const LIST_PAGE = 1000

export interface ClickHouseOptions {
  readonly limits?: Limits
  /**
   * `gather` (when absent): the server gathers small inserts with those of others. `each`: every insert is one of its own
   * with a deduplication token, which replicated tables need for exactly-once.
   */
  readonly inserts?: 'gather' | 'each'
}

export class ClickHouseStore implements Store {
  /** Private to the language as well: it knows the password. */
  readonly #connection: Connection
  private readonly tenant: string
  private readonly limits: Limits
  private readonly inserts: 'gather' | 'each'
  /** Schemas by registration; an entry stays true for ever. */
  private readonly schemas = new LruMap<string, Schema>(KNOWN_RUNS)
  /** Chains as they were last seen; each was so once, and has at most grown. */
  private readonly states = new LruMap<string, ChainState>(KNOWN_CHAINS)
  private readonly queues = new Queues()

  constructor(connection: Connection, tenant: string, { limits, inserts }: ClickHouseOptions = {}) {
    this.#connection = connection
    this.tenant = tenant
    this.limits = limits ?? DEFAULT_LIMITS
    this.inserts = inserts ?? 'gather'
  }

  register(run: Registration): Promise<{ registration: string; created: boolean }> {
    const registration = `${crypto.randomUUID()}.${run.rid}`
    return retryable(() => registerRun(this.#connection, this.tenant, run, registration))
  }

  find(rid: string): Promise<StoredRun | undefined> {
    return retryable(async () => (await findRun(this.#connection, this.tenant, rid)).run)
  }

  list(limit: number, before: string | undefined): Promise<{ runs: RunSummary[]; next?: string }> {
    return retryable(() => listRuns(this.#connection, this.tenant, limit, before))
  }

  remove(rid: string): Promise<boolean> {
    return retryable(async () => {
      const { run } = await findRun(this.#connection, this.tenant, rid)
      if (run === undefined || !(await endGeneration(this.#connection, this.tenant, rid, run))) return false
      await purgeRun(this.#connection, this.tenant, rid, run)
      return true
    })
  }

  createChain(registration: string, chain: number): Promise<ChainState & { created: boolean }> {
    const run = this.keyOf(registration)
    return this.queues.run(`${registration}/${chain}`, () =>
      retryable(async () => {
        const chains = await listChains(this.#connection, run)
        const existing = chains.find((state) => state.chain === chain)
        if (existing !== undefined) return { ...existing, created: false }
        if (chains.length >= this.limits.chains) {
          const limit = this.limits.chains
          throw new McbError('invalid_run_meta', `a run has at most ${limit} chains`, { limit })
        }
        return this.insertChain(run, chain)
      }),
    )
  }

  chains(registration: string): Promise<ChainState[]> {
    return retryable(() => listChains(this.#connection, this.keyOf(registration)))
  }

  async chain(registration: string, chain: number): Promise<ChainState | undefined> {
    const run = this.keyOf(registration)
    const key = `${registration}/${chain}`
    return retryable(async () => {
      const known = this.states.get(key)
      const state = await (known ? chainSince(this.#connection, run, known) : findChain(this.#connection, run, chain))
      // Chains only grow: of two that were read at once the longer one is newer.
      if (state !== undefined && state.length >= (this.states.get(key)?.length ?? 0)) this.states.set(key, state)
      return state
    })
  }

  async append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const run = this.keyOf(registration)
    const key = `${registration}/${chain}`
    return this.queues.run(key, () =>
      retryable(async () => {
        const schema = await this.schemaOf(run)
        const known = this.states.get(key) ?? (await this.requireKnown(run, chain))
        const target = { connection: this.#connection, run, schema, chain, limits: this.limits, gather: this.inserts }
        try {
          const state = await appendBatch(target, decodeBatch(body, schema, this.limits), known)
          this.states.set(key, state)
          return state.length
        } catch (error) {
          this.states.delete(key)
          throw error
        }
      }),
    )
  }

  scan(registration: string, chain: number, request: ScanRequest): Promise<ScanPage> {
    const run = this.keyOf(registration)
    return retryable(async () => {
      const schema = await this.schemaOf(run)
      return scanPage({ connection: this.#connection, run, schema, chain, limits: this.limits }, request)
    })
  }

  ping(): Promise<void> {
    return retryable(async () => {
      await this.#connection.select('SELECT count() FROM runs WHERE tenant = {tenant:String} AND 0', { tenant: '' })
    })
  }

  /** Runs of the tenant, and bytes of their metadata and draws. */
  usage(): Promise<{ readonly runs: number; readonly bytes: number }> {
    return retryable(() => usageOf(this.#connection, this.tenant))
  }

  /**
   * Deletes everything of the tenant. The marks of its deletions stay for 30 days, as those of single runs do: without them
   * a registration that arrives late would bring a run back, and the server would take a new one for an old one sent again.
   */
  async clear(): Promise<void> {
    for (;;) {
      const { runs } = await this.list(LIST_PAGE, undefined)
      for (const { rid } of runs) await this.remove(rid)
      if (runs.length === 0) break
    }
    await retryable(async () => {
      for (const table of ['chunks', 'runs']) {
        const sql = `DELETE FROM ${table} WHERE tenant = {tenant:String} SETTINGS lightweight_deletes_sync = 2`
        await this.#connection.command(sql, { tenant: this.tenant })
      }
    })
  }

  private async requireKnown(run: RunKey, chain: number): Promise<ChainState> {
    const state = await findChain(this.#connection, run, chain)
    if (state === undefined) throw new McbError('chain_not_found', `run "${run.rid}" has no chain ${chain}`)
    return state
  }

  private async insertChain(run: RunKey, chain: number): Promise<ChainState & { created: boolean }> {
    const attempt = newAttempt()
    const writer = new RowWriter()
    // Iteration -1, so that a chain without draws ends at 0.
    writeAppend(writer, { ...run, chain, head: -1, attempt, written: Date.now() }, 1)
    const settings = { async_insert: 0, insert_deduplication_token: `${run.registration}/${chain}/-1` }
    let failure: unknown
    await this.#connection.insert(INSERT_CHUNKS, writer.finish(), settings).catch((error: unknown) => {
      failure = error
    })
    const { appends, live } = await appendsFrom(this.#connection, run, chain, -1)
    if (!live) {
      await discard(this.#connection, run, attempt)
      throw new McbError('run_not_found', 'the run was deleted')
    }
    const [first] = appends
    const last = appends.at(-1)
    if (first?.start !== -1 || last === undefined) throw failure ?? new Error('a chain that was created is not seen')
    return {
      chain,
      length: last.start + last.count,
      updatedAt: last.written,
      created: first.attempt === attempt,
    }
  }

  private async schemaOf(run: RunKey): Promise<Schema> {
    const known = this.schemas.get(run.registration)
    if (known !== undefined) return known
    const { run: found } = await findRun(this.#connection, this.tenant, run.rid)
    if (found?.registration !== run.registration) throw new McbError('run_not_found', 'the run was deleted')
    const { schema } = parseRunMeta(found.meta, this.limits)
    this.schemas.set(run.registration, schema)
    return schema
  }

  /** A registration carries its rid, so that it leads to its rows. */
  private keyOf(registration: string): RunKey {
    return { tenant: this.tenant, rid: registration.slice(registration.indexOf('.') + 1), registration }
  }
}

/** Whatever the database or the way to it throws may be met again with success. */
async function retryable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    // What a reader of rows throws is a defect.
    throw error instanceof RangeError ? error : unavailable(error)
  }
}
