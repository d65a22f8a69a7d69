/** Backend, Run and Chain over any Store, which the routes serve. */

import { type AboutPatch, applyPatch, plainPatch, readAbout, shownOf, utf8Length, writeAbout } from '../core/about.ts'
import { plainAttributes } from '../core/attributes.ts'
import { RunDescription } from '../core/description.ts'
import type { RunChecks } from '../core/diagnostics/checks/check.ts'
import type { Trace, TraceQuestion } from '../core/diagnostics/traced.ts'
import type { ColumnSpec, Schema } from '../core/draws/columns.ts'
import { type Elements, elementsColumn, resolveElements } from '../core/draws/elements.ts'
import type { NdArray } from '../core/draws/ndarray.ts'
import { resolveSlice, type Slice } from '../core/draws/slice.ts'
import { arrayOf, drawAt, drawsOf } from '../core/draws/values.ts'
import { McbError } from '../core/errors.ts'
import { attributeTerms } from '../core/finding.ts'
import { requireSelectionFits } from '../core/formats/answer.ts'
import type {
  AboutOptions,
  Backend,
  Chain,
  DrawBatch,
  Draws,
  Run,
  RunAbout,
  RunPage,
  RunQuery,
  Values,
} from '../core/interfaces.ts'
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts'
import { LruMap } from '../core/lru.ts'
import { Queues } from '../core/queues.ts'
import { pieces, type Selection } from '../core/selection.ts'
import type { ChainState, Question, ReadPage, RunWatcher, Store, StoredAbout } from '../core/store.ts'
import type { CheckOptions } from '../core/summary/check-options.ts'
import { examineSource } from '../core/summary/examine.ts'
import type { SummaryOptions } from '../core/summary/options.ts'
import { summariseSource } from '../core/summary/summarise.ts'
import type { Summary } from '../core/summary/summary.ts'
import { turn } from '../core/turn.ts'
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
import { drawSourceOf } from './draw-source.ts'
import { conditionsOf, requireETag, summaryOf } from './lines.ts'
import { Looks } from './looks.ts'
import { MomentRead, PageRoom } from './pages.ts'
import { traceOf } from './trace.ts'
import { Trees } from './trees.ts'
import { Warmups } from './warmups.ts'
import { LocalWatches } from './watches.ts'

interface KnownRun {
  readonly registration: string
  readonly parsed: ParsedMeta
}

/** Bytes of parsed runs that are kept. One may be out of date: the store's answers under its registration tell. */
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
  /** Looks at runs that others may write. */
  readonly looks: Looks
  /** Changes of names, notes and facts that are at work, by registration. */
  readonly changes = new Queues()
  /** Room for pages of all reads of this backend. */
  readonly room = new PageRoom()
  readonly trees = new Trees()
  private readonly warmups = new Warmups()
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
      terms: attributeTerms(parsed.meta),
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
   * The run as it was last seen here, without asking the store; it may be gone. Its user must be ready for
   * `run_not_found` from the first call.
   */
  async getRunUnchecked(rid: string): Promise<StoreRun | undefined> {
    const known = this.known.get(rid)
    return known === undefined ? this.getRun(rid) : new StoreRun(this, rid, known, false)
  }

  /** Draws of each chain of a run that are warmup, as of the lengths of `states`. */
  warmupOf(run: StoreRun, states: readonly ChainState[]): Promise<readonly number[]> {
    return this.warmups.of(run, states)
  }

  /** @param query.rid id of the one run that is wanted */
  async listRuns({ limit = 100, cursor, rid, ...filter }: RunQuery & { readonly rid?: string } = {}): Promise<RunPage> {
    const { runs, next } = await this.store.list({ limit, before: cursor, rid, ...conditionsOf(filter) })
    const now = Date.now()
    const lines = runs.map((line) => summaryOf(line, now))
    return next === undefined ? { runs: lines } : { runs: lines, nextCursor: next }
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
  private readonly room: PageRoom
  private readonly changes: Queues
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
    this.room = backend.room
    this.changes = backend.changes
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

  async getChain(number: number): Promise<StoreChain | undefined> {
    const state = await this.store.chain(this.registration, number)
    return state && new StoreChain(this, state, false)
  }

  async getChains(): Promise<StoreChain[]> {
    const states = await this.store.chains(this.registration)
    return states.map((state) => new StoreChain(this, state, false))
  }

  /**
   * Some columns over a slice of a chain as it is now; its first page is read with it.
   *
   * @throws McbError `chain_not_found`, and `invalid_parameter` for elements that a column has not
   */
  async read(chain: number, columns: readonly ColumnSpec[], asked: Asked = {}): Promise<Selection> {
    const question = questionOf(columns, asked)
    const { state, page } = await this.store.read(this.registration, chain, question)
    return this.selection(state, columns, question, page)
  }

  /** Some columns over a slice of several chains, by default of all, each as it is now; nothing is read yet. */
  async readChains(
    columns: readonly ColumnSpec[],
    asked: Asked = {},
    chains?: readonly number[],
  ): Promise<Selection[]> {
    const states = await this.chainStates(chains)
    return states.map((state) => this.select(state, columns, asked))
  }

  /** Some chains, by default all by number, as they are at one moment. @throws McbError `chain_not_found` */
  async chainStates(chains?: readonly number[]): Promise<ChainState[]> {
    const states = await this.store.chains(this.registration)
    if (chains === undefined) return states
    const byNumber = new Map(states.map((state) => [state.chain, state]))
    return chains.map((chain) => byNumber.get(chain) ?? this.noChain(chain))
  }

  async trace(question: TraceQuestion = {}): Promise<Trace> {
    return traceOf(this, question)
  }

  async summary(options: SummaryOptions = {}): Promise<Summary> {
    return summariseSource(drawSourceOf(this), options)
  }

  async checks(options: CheckOptions = {}): Promise<RunChecks> {
    return examineSource(drawSourceOf(this), await this.about(), options)
  }

  async about(): Promise<RunAbout> {
    return this.describe(await this.store.about(this.registration))
  }

  /** Etag of the names, notes and facts as they are now. */
  async aboutETag(): Promise<string> {
    return this.etag(await this.store.about(this.registration))
  }

  async setAbout(patch: AboutPatch, options: AboutOptions = {}): Promise<RunAbout> {
    return this.changeAbout(plainPatch(patch), options)
  }

  /**
   * Applies a patch that was parsed. Those to one run take turns where no other process writes it, so that none is worked on in vain.
   *
   * @param options.admit rejects when the bytes that the change adds are too many; negative when it takes some away
   */
  async changeAbout(patch: AboutPatch, options: AdmittedChange = {}): Promise<RunAbout> {
    const change = () => this.change(patch, options)
    return this.store.writersElsewhere ? change() : this.changes.run(this.registration, change)
  }

  private async change(patch: AboutPatch, { ifMatch, admit }: AdmittedChange): Promise<RunAbout> {
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt++) {
      await pauseOf(attempt)
      const before = await this.store.about(this.registration)
      if (ifMatch !== undefined) requireETag(ifMatch, this.etag(before))
      const about = applyPatch(readAbout(before.document), patch)
      const document = writeAbout(about)
      await admit?.(utf8Length(document) - utf8Length(before.document))
      const change = { revision: before.revision, document, shown: shownOf(about) }
      // Another change came between: with a condition it decides, without one this patch follows it.
      if (!(await this.store.setAbout(this.registration, change))) continue
      const { name, tags, archived, finished, expected } = change.shown
      const line = { ...before.line, name, tags, archived, finished, expected }
      return this.describe({ revision: change.revision + 1, document, line })
    }
    const detail = `names, notes and facts of run "${this.rid}" are changed by many at once; send it again`
    throw new McbError('storage_unavailable', detail, { retryAfter: 1 })
  }

  private etag({ revision }: Pick<StoredAbout, 'revision'>): string {
    return `"${this.registration}-${revision}"`
  }

  private describe(stored: StoredAbout): RunAbout {
    return {
      ...summaryOf(stored.line, Date.now()),
      ...readAbout(stored.document),
      attributes: plainAttributes(this.meta),
      etag: this.etag(stored),
    }
  }

  /** Some columns over a slice of a chain as it was seen; nothing is read yet. */
  select(state: ChainState, columns: readonly ColumnSpec[], asked: Asked = {}): Selection {
    return this.selection(state, columns, questionOf(columns, asked))
  }

  private selection(
    moment: ChainState,
    columns: readonly ColumnSpec[],
    question: Question,
    first?: ReadPage,
  ): Selection {
    const { store, registration, room } = this
    const { elements } = question
    const slice = resolveSlice(question.slice, moment.length)
    const read = new MomentRead({ store, registration, room, moment }, question, first)
    return {
      chain: moment.chain,
      columns: elements === undefined ? columns : columns.map((spec) => elementsColumn(spec, elements)),
      slice,
      read: (positions, part) => read.read(slice, positions, part),
    }
  }

  private noChain(number: number): never {
    throw new McbError('chain_not_found', `run "${this.rid}" has no chain ${number}`)
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

/** Attempts at one change, and milliseconds of the longest pause before the second, which grows with each. */
const CHANGE_ATTEMPTS = 30
const CHANGE_PAUSE_MS = 10

/** A turn for others, and behind an attempt that was in vain some time, so that those who race do not meet again. */
function pauseOf(attempt: number): Promise<void> {
  if (attempt === 0) return turn()
  return new Promise((resolve) => setTimeout(resolve, Math.random() * CHANGE_PAUSE_MS * attempt))
}

interface AdmittedChange extends AboutOptions {
  readonly admit?: (bytes: number) => Promise<void>
}

/** Draws and elements of columns that are asked for. */
export interface Asked {
  readonly slice?: Slice
  /** Elements of the one column that is asked for. */
  readonly elements?: Elements | undefined
}

/** @throws McbError `invalid_parameter` for elements that the column has not, or of more columns than one */
function questionOf(columns: readonly ColumnSpec[], { slice = {}, elements }: Asked): Question {
  const indices = columns.map((spec) => spec.index)
  if (elements === undefined) return { columns: indices, slice }
  const [spec] = columns
  if (spec === undefined || columns.length > 1) {
    throw new McbError('invalid_parameter', `elements are read of one variable, not of ${columns.length}`)
  }
  return { columns: indices, slice, elements: resolveElements(spec, elements) }
}

export class StoreChain implements Chain {
  readonly run: StoreRun
  readonly number: number
  readonly isNew: boolean
  /** State of the chain when this handle was made. */
  readonly state: ChainState

  constructor(run: StoreRun, state: ChainState, isNew: boolean) {
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
    const chain = await this.run.getChain(this.number)
    if (chain === undefined) throw new McbError('chain_not_found', `run "${this.rid}" has no chain ${this.number}`)
    return chain.state.length
  }

  async getDraws(name: string, slice: Slice = {}, elements?: Elements): Promise<Draws> {
    return this.column(this.find(name, 'draws'), { slice, elements })
  }

  async getStats(name: string, slice: Slice = {}, elements?: Elements): Promise<Draws> {
    return this.column(this.find(name, 'stats'), { slice, elements })
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

  /** Some columns over a slice of the chain as it was when this handle was made; nothing is read yet. */
  select(columns: readonly ColumnSpec[], asked: Asked = {}): Selection {
    return this.run.select(this.state, columns, asked)
  }

  private find(name: string, group: 'draws' | 'stats'): ColumnSpec {
    const spec = this.run.schema[group].get(name)
    if (spec !== undefined) return spec
    const what = group === 'draws' ? 'variable' : 'sampler stat'
    throw new McbError('unknown_variable', `run "${this.rid}" has no ${what} "${name}"`, {
      variable: name,
      status: 404,
    })
  }

  private async column(spec: ColumnSpec, asked: Asked): Promise<Draws> {
    const selection = await this.run.read(this.number, [spec], asked)
    requireSelectionFits(selection, this.run.limits)
    const blocks: { data: Uint8Array<ArrayBuffer>; count: number }[] = []
    for await (const piece of pieces(selection)) blocks.push(piece)
    const [only] = blocks
    // A single piece may be the store's own memory, and becomes the caller's; several are joined into new memory.
    if (blocks.length === 1 && only !== undefined) blocks[0] = { ...only, data: only.data.slice() }
    return drawsOf(selection.columns[0] ?? spec, blocks)
  }

  private async iteration(index: number, columns: readonly ColumnSpec[]): Promise<Map<string, NdArray>> {
    const slice = { start: index, ...(index !== -1 && { stop: index + 1 }) }
    const selection = await this.run.read(this.number, columns, { slice })
    if (selection.slice.count === 0) {
      const length = await this.length()
      throw new McbError('invalid_slice', `there is no iteration ${index}; the chain has ${length}`, { length })
    }
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
