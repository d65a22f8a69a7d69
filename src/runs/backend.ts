/** Backend, Run and Chain over any Store; what the routes serve. */

import { RunDescription } from '../core/description.ts'
import type { ColumnSpec, Schema } from '../core/draws/columns.ts'
import type { NdArray } from '../core/draws/ndarray.ts'
import { resolveSlice, type Slice } from '../core/draws/slice.ts'
import { arrayOf, drawAt, drawsOf } from '../core/draws/values.ts'
import { McbError } from '../core/errors.ts'
import { requireSelectionFits } from '../core/formats/answer.ts'
import type { Backend, Chain, DrawBatch, Draws, Run, RunPage, Values } from '../core/interfaces.ts'
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts'
import { LruMap } from '../core/lru.ts'
import { pieces, type ScanColumns, type Selection } from '../core/selection.ts'
import type {
  Ahead,
  ColumnBlocks,
  RunWatcher,
  ScanCursor,
  ScanPage,
  ScanRequest,
  SeenChain,
  Store,
} from '../core/store.ts'
import {
  acceptRunMeta,
  encodeRunMeta,
  isChainNumber,
  isRunId,
  type mcbackend,
  type ParsedMeta,
  parseRunMeta,
  type RunMeta,
} from '../core/wire/run-meta.ts'
import { encodeBatch } from '../core/wire/write-batch.ts'
import { Looks } from './looks.ts'
import { LocalWatches } from './watches.ts'

interface KnownRun {
  readonly registration: string
  readonly parsed: ParsedMeta
}

/** Bytes of parsed runs that are kept. One may be out of date: what is asked of the store under its registration tells. */
const KNOWN_BYTES = 32 * 1024 * 1024

export interface LookOptions {
  /** Looks that one watch takes at a run whose writers may be elsewhere; after them it is lost. Without end when absent. */
  readonly looksPerWatch?: number
}

export class StoreBackend implements Backend {
  readonly store: Store
  readonly limits: Limits
  /** Watches of runs whose store cannot tell of them. */
  readonly watches = new LocalWatches()
  /** At runs that others may write. */
  readonly looks: Looks
  /** Of all reads of this backend. */
  readonly ahead = new PagesAhead()
  private readonly known = new LruMap<string, KnownRun>(KNOWN_BYTES, ({ parsed }) => parsed.weight)
  private retired = false

  constructor(store: Store, limits: Limits = DEFAULT_LIMITS, { looksPerWatch = Infinity }: LookOptions = {}) {
    this.store = store
    this.limits = limits
    this.looks = new Looks(store, this.watches, looksPerWatch)
  }

  async initRun(meta: mcbackend.RunMeta.$Properties): Promise<StoreRun> {
    const rid = meta.rid ?? ''
    if (!isRunId(rid)) throw new McbError('invalid_parameter', `"${rid}" is no run id`)
    return this.register(rid, acceptRunMeta(encodeRunMeta(meta), rid, this.limits))
  }

  /** Registers metadata that was accepted for `rid`. */
  async register(rid: string, parsed: ParsedMeta): Promise<StoreRun> {
    if (this.retired) throw new McbError('unauthorized', 'the tenant was deleted')
    const { registration, created } = await this.store.register({
      rid,
      meta: parsed.bytes,
      variables: parsed.schema.draws.size,
      sampleStats: parsed.schema.stats.size,
    })
    if (!created) return (await this.getRun(rid)) ?? this.register(rid, parsed)
    this.known.set(rid, { registration, parsed })
    return new StoreRun(this, rid, { registration, parsed }, created)
  }

  async getRun(rid: string): Promise<StoreRun | undefined> {
    const row = await this.store.find(rid)
    if (row === undefined) {
      this.known.delete(rid)
      return undefined
    }
    const cached = this.known.get(rid)
    if (cached?.registration === row.registration) return new StoreRun(this, rid, cached, false)
    const known = { registration: row.registration, parsed: parseRunMeta(row.meta, this.limits) }
    this.known.set(rid, known)
    return new StoreRun(this, rid, known, false)
  }

  /**
   * The run as it was last seen here, without asking the store; it may be gone. Whoever uses it must be ready for
   * `run_not_found` from the first thing that it asks.
   */
  async getRunUnchecked(rid: string): Promise<StoreRun | undefined> {
    const known = this.known.get(rid)
    return known === undefined ? this.getRun(rid) : new StoreRun(this, rid, known, false)
  }

  /** @param options.rid of the one run that is wanted */
  async listRuns({
    limit = 100,
    cursor,
    rid,
  }: {
    limit?: number
    cursor?: string
    rid?: string
  } = {}): Promise<RunPage> {
    const { runs, next } = await this.store.list(limit, cursor, rid)
    return next === undefined ? { runs } : { runs, nextCursor: next }
  }

  async deleteRun(rid: string): Promise<boolean> {
    this.known.delete(rid)
    const removed = await this.store.remove(rid)
    this.watches.deleted(rid)
    return removed
  }

  /** Deletes all runs for good: this backend takes no new ones. See `Store.clear`. */
  async retire(): Promise<void> {
    this.retired = true
    await this.store.clear()
    this.watches.allDeleted()
  }
}

export class StoreRun extends RunDescription implements Run {
  readonly rid: string
  readonly registration: string
  readonly schema: Schema
  readonly isNew: boolean
  /** The registered bytes, with `rid`. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly store: Store
  readonly limits: Limits
  readonly ahead: PagesAhead
  private readonly watches: LocalWatches
  private readonly looks: Looks

  constructor(backend: StoreBackend, rid: string, known: KnownRun, isNew: boolean) {
    super(known.parsed.meta)
    this.rid = rid
    this.registration = known.registration
    this.schema = known.parsed.schema
    this.bytes = known.parsed.bytes
    this.isNew = isNew
    this.store = backend.store
    this.limits = backend.limits
    this.ahead = backend.ahead
    this.watches = backend.watches
    this.looks = backend.looks
  }

  declare readonly meta: RunMeta

  async initChain(number: number, { exclusive } = { exclusive: false }): Promise<StoreChain> {
    if (!isChainNumber(number)) throw new McbError('invalid_parameter', `${number} is no chain number`)
    const state = await this.store.createChain(this.registration, number)
    if (exclusive && !state.created) throw new McbError('chain_exists', `chain ${number} exists already`)
    this.watches.grown(this, number, state.length)
    return new StoreChain(this, state, state.created)
  }

  /** @param ahead what will be read of the chain; see `Store.chain` */
  async getChain(number: number, ahead?: Ahead): Promise<StoreChain | undefined> {
    const state = await this.store.chain(this.registration, number, ahead)
    return state && new StoreChain(this, state, false)
  }

  async getChains(): Promise<StoreChain[]> {
    const states = await this.store.chains(this.registration)
    return states.map((state) => new StoreChain(this, state, false))
  }

  /** Appends an encoded DrawBatch; see `Store.append`. */
  async append(chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const length = await this.store.append(this.registration, chain, body)
    this.watches.grown(this, chain, length)
    return length
  }

  /** See `Store.watch`. */
  async watch(watcher: RunWatcher): Promise<() => void> {
    if (this.store.watch !== undefined) return this.store.watch(this.registration, watcher)
    const stop = this.watches.add(this, watcher)
    try {
      for (const { chain, length } of await this.store.chains(this.registration)) watcher.grown(chain, length)
    } catch (error) {
      stop()
      throw error
    }
    if (!this.store.writersElsewhere) return stop
    const rest = this.looks.begin(this, watcher)
    return () => {
      stop()
      rest()
    }
  }
}

export class StoreChain implements Chain {
  readonly run: StoreRun
  readonly number: number
  readonly isNew: boolean
  /** As it was when this handle was made. */
  readonly state: SeenChain

  constructor(run: StoreRun, state: SeenChain, isNew: boolean) {
    this.run = run
    this.number = state.chain
    this.state = state
    this.isNew = isNew
  }

  get rid(): string {
    return this.run.rid
  }

  async append(draw: Values, stats: Values = {}): Promise<void> {
    const { schema } = this.run
    await this.appendBatch({
      count: 1,
      draws: oneDraw(draw, schema.draws),
      stats: oneDraw(stats, schema.stats),
    })
  }

  async appendBatch(batch: DrawBatch): Promise<number> {
    const start = batch.start ?? (await this.length())
    return this.run.append(this.number, encodeBatch(batch, start, this.run.schema))
  }

  async length(): Promise<number> {
    return (await this.now()).state.length
  }

  /** The chain as it is now. */
  private async now(ahead?: Ahead): Promise<StoreChain> {
    const chain = await this.run.getChain(this.number, ahead)
    if (chain === undefined) throw new McbError('chain_not_found', `run "${this.rid}" has no chain ${this.number}`)
    return chain
  }

  async getDraws(name: string, slice: Slice = {}): Promise<Draws> {
    return this.column(this.find(name, 'draws'), slice)
  }

  async getStats(name: string, slice: Slice = {}): Promise<Draws> {
    return this.column(this.find(name, 'stats'), slice)
  }

  async getDrawsAt(index: number, names = [...this.run.schema.draws.keys()]): Promise<Map<string, NdArray>> {
    return this.iteration(
      index,
      names.map((name) => this.find(name, 'draws')),
    )
  }

  async getStatsAt(index: number, names = [...this.run.schema.stats.keys()]): Promise<Map<string, NdArray>> {
    return this.iteration(
      index,
      names.map((name) => this.find(name, 'stats')),
    )
  }

  /** Some columns over a slice of the chain, by default as it was when this handle was made; nothing is read yet. */
  select(columns: readonly ColumnSpec[], slice: Slice, length = this.state.length): Selection {
    return { columns, slice: resolveSlice(slice, length), scan: this.scan }
  }

  private readonly scan: ScanColumns = (columns, from, to) => scanAll(this.run, this.state, { columns, from, to })

  private find(name: string, group: 'draws' | 'stats'): ColumnSpec {
    const spec = this.run.schema[group].get(name)
    if (spec !== undefined) return spec
    const what = group === 'draws' ? 'variable' : 'sampler stat'
    throw new McbError('unknown_variable', `run "${this.rid}" has no ${what} "${name}"`, {
      variable: name,
      status: 404,
    })
  }

  private async column(spec: ColumnSpec, slice: Slice): Promise<Draws> {
    const chain = await this.now({ columns: [spec.index], slice })
    const selection = chain.select([spec], slice)
    requireSelectionFits(selection, this.run.limits)
    const blocks: { data: Uint8Array<ArrayBuffer>; count: number }[] = []
    for await (const piece of pieces(selection)) blocks.push(piece)
    const [only] = blocks
    // A single piece may be the store's own memory, and becomes the caller's; several are joined into new memory.
    if (blocks.length === 1 && only !== undefined) blocks[0] = { ...only, data: only.data.slice() }
    return drawsOf(spec, blocks)
  }

  private async iteration(index: number, columns: readonly ColumnSpec[]): Promise<Map<string, NdArray>> {
    const slice = { start: index, ...(index !== -1 && { stop: index + 1 }) }
    const chain = await this.now({ columns: columns.map((spec) => spec.index), slice })
    const { length } = chain.state
    const at = index < 0 ? index + length : index
    if (at < 0 || at >= length) {
      throw new McbError('invalid_slice', `there is no iteration ${index}; the chain has ${length}`, { length })
    }
    const selection = chain.select(columns, slice)
    requireSelectionFits(selection, this.run.limits)
    const values = new Map<string, NdArray>()
    for await (const piece of pieces(selection)) {
      const spec = columns[piece.position]
      if (spec !== undefined) values.set(spec.name, drawAt(spec, drawsOf(spec, [piece]), 0))
    }
    return values
  }
}

function oneDraw(values: Values, specs: ReadonlyMap<string, ColumnSpec>): Map<string, Draws> {
  const entries = values instanceof Map ? [...values] : Object.entries(values)
  return new Map(
    entries.map(([name, value]) => {
      const spec = specs.get(name)
      if (spec === undefined) {
        throw new McbError('unknown_variable', `the run has no variable or stat "${name}"`, { variable: name })
      }
      const array = arrayOf(spec, value)
      return [name, spec.layout === 'ragged' ? [array] : { ...array, shape: [1, ...array.shape] }]
    }),
  )
}

/**
 * Pages of a scan that are fetched before they are asked for, so that storage and network work at the same time; and those
 * of all scans of a tenant together, since each lies in memory until its reader takes it.
 */
const PAGES_AHEAD = 2
const ALL_PAGES_AHEAD = 16

/** How many pages more may be fetched ahead. */
class PagesAhead {
  left = ALL_PAGES_AHEAD
}

/** All pages of a scan, in order. Nothing is fetched ahead before the first has been taken whole: its reader may not read. */
async function* scanAll(
  { store, registration, ahead }: StoreRun,
  { chain, scanned }: SeenChain,
  request: ScanRequest,
): AsyncGenerator<ColumnBlocks> {
  const fetchPage = (cursor?: ScanCursor) =>
    store.scan(registration, chain, cursor === undefined ? request : { ...request, cursor })
  // A page says where the next begins, so each is asked for when the one before has come.
  const isThere = scanned !== undefined && isSameScan(scanned.request, request)
  const pages: Promise<ScanPage | undefined>[] = []
  const follow = async (before: Promise<ScanPage | undefined>) => {
    const next = (await before)?.next
    return next === undefined ? undefined : fetchPage(next)
  }
  const fetchAhead = (last: Promise<ScanPage | undefined>): void => {
    if (pages.length >= PAGES_AHEAD || ahead.left === 0) return
    ahead.left--
    const page = follow(last)
    // Its rejection is met when its turn comes; it may never come when the reader stops before.
    page.catch(() => undefined)
    pages.push(page)
    fetchAhead(page)
  }
  try {
    let page: ScanPage | undefined = await (isThere ? scanned.page : fetchPage())
    for (let asked: Promise<ScanPage | undefined>; page !== undefined; page = await asked) {
      yield* page.parts
      if (page.next === undefined) return
      const fetched = pages.shift()
      if (fetched !== undefined) ahead.left++
      asked = fetched ?? fetchPage(page.next)
      fetchAhead(pages.at(-1) ?? asked)
    }
  } finally {
    ahead.left += pages.length
  }
}

function isSameScan(a: ScanRequest, b: ScanRequest): boolean {
  const sameColumns = a.columns.length === b.columns.length && a.columns.every((index, i) => index === b.columns[i])
  return sameColumns && a.from === b.from && a.to === b.to
}
