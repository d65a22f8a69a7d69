/**
 * A store that accepts and forgets, for measuring samplers. Runs, chains and their lengths are real, and every batch is
 * validated; its draws are gone, so a retry is believed, and reading draws is an error. Staged objects are kept until they are draws.
 */
import type { RunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
import { overlapOf } from '../core/draws/append-rule.ts'
import type { Schema } from '../core/draws/columns.ts'
import { resolveSlice } from '../core/draws/slice.ts'
import { McbError } from '../core/errors.ts'
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts'
import type {
  AboutChange,
  ChainState,
  ListPage,
  ListQuery,
  Question,
  Read,
  Registration,
  RunLine,
  StagedObject,
  Store,
  StoredAbout,
} from '../core/store.ts'
import { prepareBatch } from '../core/wire/read-batch.ts'
import { parseRunMeta } from '../core/wire/run-meta.ts'
import { MemoryStore } from './memory.ts'

export class NullStore implements Store {
  readonly writersElsewhere = false
  private readonly limits: Limits
  private readonly runs: MemoryStore
  private readonly schemas = new Map<string, Schema>()
  private readonly lengths = new Map<string, { length: number; updatedAt: number }>()

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.limits = limits
    this.runs = new MemoryStore(limits)
  }

  async register(run: Registration): Promise<{ registration: string; created: boolean }> {
    const answer = await this.runs.register(run)
    this.schemas.set(answer.registration, parseRunMeta(run.meta, this.limits).schema)
    return answer
  }

  find(rid: string) {
    return this.runs.find(rid)
  }

  async list(query: ListQuery): Promise<ListPage> {
    const { runs, ...rest } = await this.runs.list(query)
    return { runs: await Promise.all(runs.map((line) => this.withLengths(line))), ...rest }
  }

  async about(registration: string): Promise<StoredAbout> {
    const about = await this.runs.about(registration)
    return { ...about, line: await this.withLengths(about.line) }
  }

  setAbout(registration: string, change: AboutChange): Promise<boolean> {
    return this.runs.setAbout(registration, change)
  }

  setDiagnostics(registration: string, diagnostics: RunDiagnostics): Promise<void> {
    return this.runs.setDiagnostics(registration, diagnostics)
  }

  private async withLengths(line: RunLine): Promise<RunLine> {
    const stored = await this.runs.find(line.rid)
    const chains = stored === undefined ? [] : await this.chains(stored.registration)
    const lengths = chains.map(({ length }) => length)
    return {
      ...line,
      updatedAt: new Date(Math.max(line.updatedAt.getTime(), ...chains.map((c) => c.updatedAt))),
      draws: lengths.reduce((n, length) => n + length, 0),
      shortest: chains.length === 0 ? 0 : Math.min(...lengths),
    }
  }

  async remove(rid: string): Promise<boolean> {
    const run = await this.runs.find(rid)
    if (run !== undefined) {
      for (const { chain } of await this.runs.chains(run.registration))
        this.lengths.delete(key(run.registration, chain))
      this.schemas.delete(run.registration)
    }
    return this.runs.remove(rid)
  }

  async createChain(registration: string, chain: number): Promise<ChainState & { created: boolean }> {
    const state = await this.runs.createChain(registration, chain)
    return { ...state, ...this.lengths.get(key(registration, chain)) }
  }

  async chains(registration: string): Promise<ChainState[]> {
    const states = await this.runs.chains(registration)
    return states.map((state) => ({ ...state, ...this.lengths.get(key(registration, state.chain)) }))
  }

  async chain(registration: string, chain: number): Promise<ChainState | undefined> {
    const state = await this.runs.chain(registration, chain)
    return state && { ...state, ...this.lengths.get(key(registration, chain)) }
  }

  async append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    const schema = this.schemas.get(registration)
    const decode = schema && (await prepareBatch(body, schema, this.limits))
    const state = await this.chain(registration, chain)
    if (state === undefined || decode === undefined) {
      throw new McbError('chain_not_found', `the run has no chain ${chain}`)
    }
    const batch = decode()
    if (!overlapOf(batch, state.length).hasNew) return state.length
    const length = batch.start + batch.count
    this.lengths.set(key(registration, chain), { length, updatedAt: Date.now() })
    return length
  }

  async read(registration: string, chain: number, { columns, slice }: Question): Promise<Read> {
    const state = await this.chain(registration, chain)
    if (state === undefined) throw new McbError('chain_not_found', `the run has no chain ${chain}`)
    const isEmpty = columns.length === 0 || resolveSlice(slice, state.length).count === 0
    if (isEmpty) return { state, page: { stretches: [] } }
    throw new McbError(
      'not_found',
      'this server keeps no draws: its storage is "null", which is for measuring samplers',
    )
  }

  usage() {
    return this.runs.usage()
  }

  async clear(): Promise<void> {
    await this.runs.clear()
    this.schemas.clear()
    this.lengths.clear()
  }

  async ping(): Promise<void> {}

  stage(rid: string, path: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.runs.stage(rid, path, data)
  }

  staged(rid: string, paths: readonly string[]) {
    return this.runs.staged(rid, paths)
  }

  listStaged(rid: string, prefix: string): Promise<StagedObject[]> {
    return this.runs.listStaged(rid, prefix)
  }

  unstage(rid: string, paths: readonly string[]): Promise<void> {
    return this.runs.unstage(rid, paths)
  }

  unstageAll(rid: string): Promise<void> {
    return this.runs.unstageAll(rid)
  }
}

function key(registration: string, chain: number): string {
  return `${registration}/${chain}`
}
