/** Clients of a store that do anything at random, several at a time, and hold its answers against the model. */
import { isMcbError } from '../../../src/core/errors.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import type { Store } from '../../../src/core/store.ts'
import { acceptRunMeta } from '../../../src/core/wire/run-meta.ts'
import type { Random } from '../../disk/random.ts'
import { runMeta } from '../../http/api.ts'
import { bodyOf, columnsOf } from './content.ts'
import { type Attempt, type ChainModel, RunModel, Violation } from './model.ts'
import { readAndCompare } from './reading.ts'

/** Numbers of a draw: one draw of the last has 16 KiB, so that some of them are a large batch. */
const WIDTHS = [1, 1, 5, 40, 300, 2000]
const RIDS = ['a', 'b', 'c']
const MOST_CHAINS = 3

export interface Sizes {
  /** Clients at a time, and steps of each. */
  readonly clients: number
  readonly steps: number
  /** Bytes of a batch at most, roughly. */
  readonly bytes: number
}

export interface WorldOptions {
  /** Numbers of a draw in each run. */
  readonly widths?: readonly number[]
  /** Told of each outcome, in one line. */
  readonly trace?: (line: string) => void
}

export class World {
  /** True while the list of runs may say less than what was acknowledged. */
  mayLag = false
  private readonly random: Random
  private readonly widths: readonly number[]
  private readonly trace: (line: string) => void
  /** Runs that were ever registered, the newest of a rid last. */
  private readonly runs: RunModel[] = []
  private origins = 0

  constructor(random: Random, { widths = WIDTHS, trace = () => {} }: WorldOptions = {}) {
    this.random = random
    this.widths = widths
    this.trace = trace
  }

  /** Lets clients work with a store until all have done their steps. @throws Violation */
  async work(store: Store, { clients, steps, bytes }: Sizes): Promise<void> {
    const client = async () => {
      for (let step = 0; step < steps; step++) await this.step(store, bytes)
    }
    await Promise.all(Array.from({ length: clients }, client))
  }

  private async step(store: Store, bytes: number): Promise<void> {
    const run = this.current()
    if (run === undefined || this.random.chance(0.02)) return this.register(store)
    const chain = this.random.below(MOST_CHAINS)
    if (!run.chains.has(chain)) return this.createChain(store, run, chain)
    const choice = this.random.below(100)
    if (choice < 70) return this.append(store, run, chain, bytes)
    if (choice < 80) return this.read(store, run, chain)
    if (choice < 86) return this.look(store, run, chain)
    if (choice < 92) return this.list(store)
    if (choice < 94) return this.remove(store, run)
    // Several batches that do not wait for each other, as a client in a hurry sends them.
    await Promise.all(Array.from({ length: this.random.between(2, 8) }, () => this.append(store, run, chain, bytes)))
  }

  private current(): RunModel | undefined {
    const there = this.runs.filter(({ state }) => state === 'there' || state === 'leaving')
    return there.length === 0 ? undefined : this.random.pick(there)
  }

  private async register(store: Store): Promise<void> {
    const rid = this.random.pick(RIDS)
    if (this.runs.some((run) => run.rid === rid && run.state !== 'gone')) return
    const { schema, bytes } = acceptRunMeta(runMeta(columnsOf(this.random.pick(this.widths))), rid, DEFAULT_LIMITS)
    const run = new RunModel(rid, schema, bytes)
    this.runs.push(run)
    const { length } = schema.columns
    const registration = { rid, meta: bytes, variables: length - 1, sampleStats: 1, terms: [] }
    const made = await unlessUnavailable(store.register(registration))
    if (made === undefined) return
    this.trace(`registered ${rid}`)
    run.registration = made.registration
    if (run.state === 'sent') run.state = 'there'
  }

  private async createChain(store: Store, run: RunModel, chain: number): Promise<void> {
    run.sentChains.add(chain)
    const made = await this.ofRun(run, store.createChain(run.registration ?? '', chain))
    if (made !== undefined) run.chainOf(chain)
  }

  private async append(store: Store, run: RunModel, number: number, bytes: number): Promise<void> {
    const chain = run.chainOf(number)
    const attempt = this.batchFor(chain, run, bytes)
    const least = chain.length
    chain.send(attempt)
    const name = `${chain.name}: ${attempt.start} to ${attempt.start + attempt.origins.length} of ${attempt.origins.at(-1)}`
    try {
      const body = bodyOf(run.schema, attempt.start, attempt.origins)
      const length = await this.ofRun(run, store.append(run.registration ?? '', number, body))
      this.trace(`${length === undefined ? 'unknown' : 'acknowledged'} ${name}`)
      if (length !== undefined) chain.acknowledge(attempt, length)
    } catch (error) {
      this.trace(`refused ${name} ${error}`)
      if (isMcbError(error, 'draw_gap')) {
        if (attempt.start <= least) throw new Violation(`${name} was called a gap, and ${least} were there`)
      } else if (isMcbError(error, 'draw_conflict')) {
        if (!chain.mayConflict(attempt)) throw new Violation(`${name} was called a conflict, and is none`)
      } else throw error
      chain.refused(attempt)
    }
  }

  /** The next batch mostly; else one that was sent before, one that overlaps, one that differs, or one behind a gap. */
  private batchFor(chain: ChainModel, run: RunModel, bytes: number): Attempt {
    const { random } = this
    const each = run.schema.columns.reduce((n, spec) => n + ('stride' in spec ? spec.stride : 8), 0)
    const most = Math.min(400, Math.max(1, Math.floor(bytes / each)))
    const count = random.pick([1, random.between(1, Math.min(most, 4)), random.between(1, most)])
    const fresh = (n: number) => new Array<number>(n).fill(++this.origins)
    const choice = random.below(20)
    if (choice < 12) return { start: chain.most, origins: fresh(count) }
    if (choice < 14) return { start: chain.length, origins: fresh(count) }
    const unsettled = chain.unsettled
    if (choice < 16 && unsettled.length > 0) return random.pick(unsettled)
    const start = random.below(chain.length + 1)
    const to = random.between(start, Math.min(chain.length, start + count))
    const known = chain.knownIn(start, to)
    if (known !== undefined && choice < 18) {
      const origins = to === chain.length ? [...known, ...fresh(random.below(count + 1))] : known
      if (origins.length > 0) return { start, origins }
    }
    return random.chance(0.5)
      ? { start, origins: fresh(count) }
      : { start: chain.most + random.below(3), origins: fresh(count) }
  }

  private async read(store: Store, run: RunModel, chain: number): Promise<void> {
    const { random } = this
    const { most } = run.chainOf(chain)
    const bound = () => random.pick([undefined, random.between(-most - 1, most + 1)])
    const step = random.pick([undefined, 1, 2, 7, -1, -3])
    const columns = random.shuffle(run.schema.columns.keys()).filter((column) => column !== 0)
    const some = columns.slice(0, random.below(columns.length + 1))
    await this.ofRun(run, readAndCompare(store, run, chain, { start: bound(), stop: bound(), step }, some))
  }

  /** Reads all of a chain. */
  private async look(store: Store, run: RunModel, chain: number): Promise<void> {
    const columns = [...run.schema.columns.keys()].slice(1)
    await this.ofRun(run, readAndCompare(store, run, chain, {}, columns))
  }

  private async list(store: Store): Promise<void> {
    const there = this.runs.filter(({ state }) => state === 'there')
    const least = new Map(there.map((run) => [run, drawsOf(run)]))
    const page = await unlessUnavailable(store.list({ limit: 100, terms: [] }))
    if (page === undefined) return
    for (const run of there) {
      const line = page.runs.find(({ rid }) => rid === run.rid)
      if (line === undefined && run.state === 'there')
        throw new Violation(`the run "${run.rid}" is missing in the list`)
      const isBehind = line !== undefined && line.draws < (least.get(run) ?? 0)
      if (isBehind && run.state === 'there' && !this.mayLag) {
        throw new Violation(`the list says ${line.draws} draws of "${run.rid}", which has ${least.get(run)}`)
      }
    }
  }

  private async remove(store: Store, run: RunModel): Promise<void> {
    run.state = 'leaving'
    const removed = await unlessUnavailable(store.remove(run.rid))
    this.trace(`removed ${run.rid} ${removed}`)
    if (removed !== undefined) run.state = 'gone'
  }

  /** The answer of a call about a run; undefined when the storage could not be reached, or the run may be gone. */
  private async ofRun<T>(run: RunModel, call: Promise<T>): Promise<T | undefined> {
    try {
      return await unlessUnavailable(call)
    } catch (error) {
      const isGone = isMcbError(error, 'run_not_found') && (run.state === 'leaving' || run.state === 'gone')
      if (!isGone) throw error
      return undefined
    }
  }

  /**
   * Holds all that a store has against the model, after a start. Damage may keep a chain from being read.
   *
   * @throws Violation
   */
  async verify(store: Store, isDamage: (error: unknown) => boolean = () => false): Promise<void> {
    for (const rid of RIDS) {
      const found = await store.find(rid)
      for (const run of this.runs) {
        if (run.rid !== rid || run.state === 'gone') continue
        const isThere = found !== undefined && (run.registration ?? found.registration) === found.registration
        if (!isThere && run.state === 'there') throw new Violation(`the run "${rid}" is gone`)
        if (isThere) run.registration = found.registration
        run.state = isThere ? 'there' : 'gone'
      }
      const known = this.runs.find((run) => run.registration === found?.registration)
      if (found !== undefined && known?.state !== 'there') throw new Violation(`the run "${rid}" has come back`)
      if (known?.state === 'there') await this.verifyRun(store, known, isDamage)
    }
  }

  private async verifyRun(store: Store, run: RunModel, isDamage: (error: unknown) => boolean): Promise<void> {
    const chains = await store.chains(run.registration ?? '')
    for (const { chain, length } of chains) {
      if (!run.chains.has(chain) && !run.sentChains.has(chain)) throw new Violation(`chain ${chain} was never made`)
      run.chainOf(chain).tell(length, run.chainOf(chain).length)
    }
    for (const [number, chain] of run.chains) {
      if (!chains.some((state) => state.chain === number)) throw new Violation(`${chain.name} is gone`)
      try {
        await this.verifyChain(store, run, number)
      } catch (error) {
        if (!isDamage(error)) throw error
      }
    }
    run.sentChains.clear()
  }

  private async verifyChain(store: Store, run: RunModel, number: number): Promise<void> {
    const chain = run.chainOf(number)
    const got = await readAndCompare(store, run, number, {}, [...run.schema.columns.keys()].slice(1))
    chain.forgetAttempts()
    const state = await store.chain(run.registration ?? '', number)
    if (state?.length !== got) throw new Violation(`${chain.name} has ${got} draws, and says ${state?.length}`)
  }

  /** Draws that were acknowledged. */
  get draws(): number {
    const there = this.runs.filter(({ state }) => state === 'there')
    return there.reduce((n, run) => n + drawsOf(run), 0)
  }
}

function drawsOf({ chains }: RunModel): number {
  return [...chains.values()].reduce((n, { length }) => n + length, 0)
}

async function unlessUnavailable<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (isMcbError(error, 'storage_unavailable')) return undefined
    throw error
  }
}
