/** A store in this process's memory: for tests, demonstrations and short runs. It ends with the process. */
import { NO_ABOUT, type ShownAbout, shownOf } from '../core/about.ts'
import type { RunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
import { clipBlocks, newBlocks, overlapOf, requireSame } from '../core/draws/append-rule.ts'
import type { ColumnSpec, Schema } from '../core/draws/columns.ts'
import { type Block, joinSegments, weightOf } from '../core/draws/segment.ts'
import { type ResolvedSlice, rangeOf, resolveSlice, subSlice } from '../core/draws/slice.ts'
import { McbError } from '../core/errors.ts'
import { tagTerm } from '../core/finding.ts'
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts'
import type {
  AboutChange,
  ChainState,
  ListPage,
  ListQuery,
  Question,
  Read,
  ReadCursor,
  Registration,
  RunLine,
  StagedObject,
  Store,
  StoredAbout,
  StoredRun,
  StoreObserver,
  Stretch,
  Usage,
} from '../core/store.ts'
import { ROW_BYTES } from '../core/usage.ts'
import { prepareBatch } from '../core/wire/read-batch.ts'
import { equalRunMeta, parseRunMeta } from '../core/wire/run-meta.ts'
import { MemoryStaging } from './memory-staging.ts'
import { answeredWeight, countOf, nextCursor, stretchesOf, wantedAt } from './stretches.ts'

/** Weight, in bytes, up to which neighbouring small blocks are joined, as the digits of a binary counter are carried. */
const GROWN_BYTES = 64 * 1024

interface MemoryChain {
  length: number
  /** Bytes of its blocks, with the bytes that a row of each takes in other storages. */
  bytes: number
  updatedAt: number
  readonly columns: Block[][]
}

interface MemoryRun extends Registration {
  readonly order: number
  readonly registration: string
  readonly createdAt: number
  readonly schema: Schema
  readonly chains: Map<number, MemoryChain>
  revision: number
  document: string
  shown: ShownAbout
  diagnostics: RunDiagnostics | null
}

export class MemoryStore implements Store {
  readonly writersElsewhere: boolean = false
  private readonly limits: Limits
  private readonly observer: StoreObserver | undefined
  /** Runs by rid, in the order of registration. */
  private readonly runs = new Map<string, MemoryRun>()
  private readonly byRegistration = new Map<string, MemoryRun>()
  private readonly objects = new MemoryStaging()
  private registered = 0

  constructor(limits: Limits = DEFAULT_LIMITS, observer?: StoreObserver) {
    this.limits = limits
    this.observer = observer
  }

  async register(run: Registration): Promise<{ registration: string; created: boolean }> {
    const existing = this.runs.get(run.rid)
    if (existing !== undefined) {
      if (equalRunMeta(existing.meta, run.meta)) return { registration: existing.registration, created: false }
      throw new McbError('run_conflict', `run "${run.rid}" is registered with different metadata`)
    }
    const registration = crypto.randomUUID()
    const { schema } = parseRunMeta(run.meta, this.limits)
    const order = ++this.registered
    const about = { revision: 0, document: '', shown: shownOf(NO_ABOUT), diagnostics: null }
    const entry = { ...run, order, registration, createdAt: Date.now(), schema, chains: new Map(), ...about }
    this.runs.set(run.rid, entry)
    this.byRegistration.set(registration, entry)
    return { registration, created: true }
  }

  async find(rid: string): Promise<StoredRun | undefined> {
    return this.runs.get(rid)
  }

  async list(query: ListQuery): Promise<ListPage> {
    const { before, rid, limit } = query
    const bound = before === undefined ? Number.POSITIVE_INFINITY : Number(before)
    const only = rid === undefined ? undefined : this.runs.get(rid)
    const all = rid === undefined ? [...this.runs.values()].reverse() : only === undefined ? [] : [only]
    const found = all.filter((run) => run.order < bound && isFound(run, query))
    const runs = found.slice(0, limit).map(lineOf)
    const last = found[limit - 1]
    return found.length > limit && last !== undefined ? { runs, next: String(last.order) } : { runs }
  }

  async remove(rid: string): Promise<boolean> {
    const run = this.runs.get(rid)
    const hadObjects = this.objects.forget(rid)
    if (run === undefined) return hadObjects
    this.runs.delete(rid)
    this.byRegistration.delete(run.registration)
    return true
  }

  async about(registration: string): Promise<StoredAbout> {
    const run = this.run(registration)
    return { revision: run.revision, document: run.document, line: lineOf(run) }
  }

  async setAbout(registration: string, { revision, document, shown }: AboutChange): Promise<boolean> {
    const run = this.run(registration)
    if (run.revision !== revision) return false
    run.revision++
    run.document = document
    run.shown = shown
    return true
  }

  async setDiagnostics(registration: string, diagnostics: RunDiagnostics): Promise<void> {
    const run = this.run(registration)
    if (run.diagnostics === null || run.diagnostics.at <= diagnostics.at) run.diagnostics = diagnostics
  }

  async createChain(registration: string, number: number): Promise<ChainState & { created: boolean }> {
    const run = this.run(registration)
    const existing = run.chains.get(number)
    if (existing !== undefined) return { ...stateOf(number, existing), created: false }
    if (run.chains.size >= this.limits.chains) {
      throw new McbError('invalid_run_meta', `a run has at most ${this.limits.chains} chains`, {
        limit: this.limits.chains,
      })
    }
    const chain = { length: 0, bytes: 0, updatedAt: Date.now(), columns: run.schema.columns.map(() => []) }
    run.chains.set(number, chain)
    return { ...stateOf(number, chain), created: true }
  }

  async chains(registration: string): Promise<ChainState[]> {
    const states = [...this.run(registration).chains].map(([number, chain]) => stateOf(number, chain))
    return states.sort((a, b) => a.chain - b.chain)
  }

  async chain(registration: string, number: number): Promise<ChainState | undefined> {
    const chain = this.run(registration).chains.get(number)
    return chain && stateOf(number, chain)
  }

  async append(registration: string, number: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const run = this.run(registration)
    this.requireChain(run, number)
    const decode = await prepareBatch(body, run.schema, this.limits)
    // The run may be gone meanwhile, and the chain longer.
    const chain = this.requireChain(this.run(registration), number)
    const batch = decode()
    const before = chain.length
    const { from, to, hasNew } = overlapOf(batch, before)
    for (const spec of run.schema.columns) {
      for (const block of clipBlocks(chain.columns[spec.index] ?? [], spec, from, to)) {
        requireSame(spec, batch, block, chain.length)
      }
    }
    if (!hasNew) return chain.length
    for (const [index, block] of newBlocks(run.schema, batch, chain.length).entries()) {
      const spec = run.schema.columns[index]
      const blocks = chain.columns[index]
      // A copy: the body of a request may lie in memory that somebody else goes on using.
      if (spec === undefined || blocks === undefined) continue
      const blocksBefore = blocks.length
      blocks.push({ ...block, data: block.data?.slice() ?? null })
      carry(spec, blocks)
      chain.bytes += (block.data?.length ?? 0) + (blocks.length - blocksBefore) * ROW_BYTES
    }
    chain.length = batch.start + batch.count
    chain.updatedAt = Date.now()
    this.observer?.appended(chain.length - before, body.length)
    return chain.length
  }

  async read(registration: string, number: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    const run = this.run(registration)
    const chain = this.requireChain(run, number)
    const state = cursor?.moment ?? stateOf(number, chain)
    const slice = resolveSlice(question.slice, state.length)
    return { state, page: pageOf(run, chain, question, slice, cursor ?? { moment: state, position: 0, done: 0 }) }
  }

  async usage(): Promise<Usage> {
    let bytes = this.objects.bytes()
    for (const { rid, registration, meta, chains, document } of this.runs.values()) {
      bytes += ROW_BYTES + rid.length + registration.length + meta.length
      if (document !== '') bytes += ROW_BYTES + new TextEncoder().encode(document).length
      for (const chain of chains.values()) bytes += ROW_BYTES + chain.bytes
    }
    return { runs: this.runs.size, bytes }
  }

  async clear(): Promise<void> {
    this.runs.clear()
    this.byRegistration.clear()
    this.objects.clear()
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

  async ping(): Promise<void> {}

  private run(registration: string): MemoryRun {
    const run = this.byRegistration.get(registration)
    if (run === undefined) throw new McbError('run_not_found', 'the run was deleted')
    return run
  }

  private requireChain(run: MemoryRun, number: number): MemoryChain {
    const chain = run.chains.get(number)
    if (chain === undefined) throw new McbError('chain_not_found', `run "${run.rid}" has no chain ${number}`)
    return chain
  }
}

/** Bytes of one page, more or less; draws that are read with a step are copied. */
const PAGE_BYTES = 2 * 1024 * 1024

function pageOf(run: MemoryRun, chain: MemoryChain, question: Question, slice: ResolvedSlice, cursor: ReadCursor) {
  const stretches: Stretch[] = []
  if (slice.count === 0) return { stretches }
  let left = PAGE_BYTES
  for (let position = cursor.position; position < question.columns.length; position++) {
    const column = question.columns[position] ?? -1
    const spec = run.schema.columns[column]
    if (spec === undefined) throw new Error('a read names a column that the schema has not')
    const wanted = wantedAt(spec, slice, question, cursor, position)
    const before = slice.count - wanted.slice.count
    const most = Math.max(1, Math.floor(left / Math.max(1, answeredWeight(wanted))))
    const part = subSlice(wanted.slice, 0, most)
    const { from: low, to } = rangeOf(part)
    const blocks = within(chain.columns[column] ?? [], low, to)
    const own = stretchesOf(position, { ...wanted, slice: part }, blocks)
    stretches.push(...own)
    for (const { count, data } of own) left -= weightOf(count, data?.length ?? 0)
    // Elements may be fewer than were planned.
    const done = before + countOf(own)
    if (done < slice.count || left <= 0)
      return { stretches, ...nextCursor(question, cursor, position, done, slice.count) }
  }
  return { stretches }
}

function stateOf(number: number, chain: MemoryChain): ChainState {
  return { chain: number, length: chain.length, updatedAt: chain.updatedAt }
}

function lineOf(run: MemoryRun): RunLine {
  const chains = [...run.chains.values()]
  const lengths = chains.map((c) => c.length)
  const { name, tags, archived, finished, expected } = run.shown
  return {
    rid: run.rid,
    createdAt: new Date(run.createdAt),
    updatedAt: new Date(Math.max(run.createdAt, ...chains.map((c) => c.updatedAt))),
    variables: run.variables,
    sampleStats: run.sampleStats,
    chains: chains.length,
    draws: lengths.reduce((n, length) => n + length, 0),
    shortest: chains.length === 0 ? 0 : Math.min(...lengths),
    ...{ name, tags, archived, finished, expected },
    diagnostics: run.diagnostics,
  }
}

function isFound(run: MemoryRun, { part, terms, since, until, updatedSince, archived }: ListQuery): boolean {
  const { shown, rid, createdAt } = run
  if (archived !== undefined && shown.archived !== archived) return false
  if (createdAt < (since ?? Number.NEGATIVE_INFINITY) || createdAt >= (until ?? Number.POSITIVE_INFINITY)) return false
  if (part !== undefined && !rid.toLowerCase().includes(part) && !shown.folded.includes(part)) return false
  if (updatedSince !== undefined && lineOf(run).updatedAt.getTime() < updatedSince) return false
  const own = new Set([...run.terms, ...shown.tags.map(tagTerm)])
  return terms.every((any) => any.some((term) => own.has(term)))
}

/** The blocks that hold iterations `index … to`. */
function within(blocks: readonly Block[], index: number, to: number): readonly Block[] {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    const block = blocks[middle]
    if (block !== undefined && block.start + block.count <= index) low = middle + 1
    else high = middle
  }
  let end = low
  while ((blocks[end]?.start ?? to) < to) end++
  return blocks.slice(low, end)
}

/** Joins the last blocks while the one before is not larger than what follows it. */
function carry(spec: ColumnSpec, blocks: Block[]): void {
  for (;;) {
    const before = blocks.at(-2)
    const last = blocks.at(-1)
    if (before === undefined || last === undefined) return
    const joined = joinBlocks(spec, before, last)
    if (joined === undefined) return
    blocks.splice(-2, 2, joined)
  }
}

/** One block for two neighbours, or undefined where they stay apart. */
function joinBlocks(spec: ColumnSpec, before: Block, last: Block): Block | undefined {
  const { start } = before
  const count = before.count + last.count
  if (before.data === null || last.data === null) {
    return before.data === last.data ? { start, count, data: null } : undefined
  }
  const weight = weightOf(last.count, last.data.length)
  if (weightOf(before.count, before.data.length) > weight || weight >= GROWN_BYTES) return undefined
  const parts = [
    { data: before.data, count: before.count },
    { data: last.data, count: last.count },
  ]
  return { start, count, data: joinSegments(spec, parts) }
}
