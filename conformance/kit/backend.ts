/** The three interfaces on a driver, so that test/conformance runs on a client in any language as it is. */

import { TestRunner } from 'vitest'
import { RunDescription } from '../../src/core/description.ts'
import type { Schema } from '../../src/core/draws/columns.ts'
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import type { Slice } from '../../src/core/draws/slice.ts'
import { arrayOf } from '../../src/core/draws/values.ts'
import type { Backend, Chain, DrawBatch, Draws, Run, RunPage, RunQuery, Values } from '../../src/core/interfaces.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { encodeRunMeta, type mcbackend, parseRunMeta } from '../../src/core/wire/run-meta.ts'
import type { Driver } from './driver.ts'
import type { RawServer } from './duties/raw.ts'
import { Lacks, type Skip } from './lacks.ts'
import { isRecord, ProtocolError, shown } from './protocol.ts'
import { arraysFromWire, arrayToWire, drawsFromWire, drawsToWire, isList, type WireArray } from './wire.ts'

/** Commands that write draws or read them: a test with one of them has tested something. */
const OF_DRAWS = new Set(['append', 'appendBatch', 'getDraws', 'getStats', 'getDrawsAt', 'getStatsAt'])

/** A driver, and what its client lacks. */
export class Client {
  readonly lacks: Lacks
  driver: Driver

  /** The server without the client. */
  readonly raw: RawServer

  constructor(driver: Driver, reasons: ReadonlyMap<string, string>, skip: Skip, raw: RawServer) {
    this.driver = driver
    this.raw = raw
    this.lacks = new Lacks(reasons, skip)
  }

  /** The result of a command, as `read` understands it. */
  async ask<T>(op: string, members: object, read: (ok: unknown) => T): Promise<T> {
    this.lacks.need(op)
    const ok = await this.driver.ask(op, members)
    if (OF_DRAWS.has(op)) Object.assign(TestRunner.getCurrentTest()?.meta ?? {}, { hasDraws: true })
    try {
      return read(ok)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new ProtocolError(`the driver's answer to ${op}: ${why}\n${shown(JSON.stringify(ok) ?? 'nothing')}`)
    }
  }
}

export class DriverBackend implements Backend {
  private readonly client: Client

  constructor(client: Client) {
    this.client = client
  }

  async initRun(meta: mcbackend.RunMeta.$Properties): Promise<DriverRun> {
    this.client.lacks.need('writing')
    this.client.lacks.needRun(meta)
    const base64 = Buffer.from(encodeRunMeta(meta)).toString('base64')
    return this.client.ask('initRun', { meta: base64 }, (ok) => new DriverRun(this.client, ok))
  }

  async getRun(rid: string): Promise<DriverRun | undefined> {
    return this.client.ask('getRun', { rid }, (ok) => (ok === null ? undefined : new DriverRun(this.client, ok)))
  }

  async listRuns(query: RunQuery = {}): Promise<RunPage> {
    const { lacks } = this.client
    if (query.cursor !== undefined) lacks.need('cursor')
    const page = await this.client.ask('listRuns', query, readPage)
    // Behind a full page there may be more: asked for, it is lacked.
    const isFull = lacks.has('cursor') && page.runs.length === query.limit
    return isFull ? { ...page, nextCursor: 'lacked' } : page
  }

  async deleteRun(rid: string): Promise<boolean> {
    return this.client.ask('deleteRun', { rid }, (ok) => {
      if (typeof ok === 'boolean') return ok
      throw new ProtocolError('true or false was expected')
    })
  }
}

export class DriverRun extends RunDescription implements Run {
  readonly rid: string
  readonly registration: string
  readonly isNew: boolean
  readonly schema: Schema
  readonly handle: number
  private readonly client: Client

  constructor(client: Client, ok: unknown) {
    const { run, meta, registration = '', isNew = false } = recordOf(ok)
    if (typeof meta !== 'string') throw new ProtocolError('"meta" is a RunMeta in base64')
    const parsed = parseRunMeta(new Uint8Array(Buffer.from(meta, 'base64')), DEFAULT_LIMITS)
    super(parsed.meta)
    this.schema = parsed.schema
    this.rid = parsed.meta.rid ?? ''
    this.handle = handleOf(run, 'run')
    this.registration = String(registration)
    this.isNew = isNew === true
    this.client = client
  }

  async initChain(number: number, { exclusive } = { exclusive: false }): Promise<DriverChain> {
    const { lacks } = this.client
    if (exclusive) lacks.need('exclusive')
    if (!Number.isInteger(number)) return lacks.notAnArray()
    const members = { run: this.handle, number, ...(exclusive && { exclusive }) }
    return this.client.ask('initChain', members, (ok) => this.chain(ok))
  }

  async getChain(number: number): Promise<DriverChain | undefined> {
    const members = { run: this.handle, number }
    return this.client.ask('getChain', members, (ok) => (ok === null ? undefined : this.chain(ok)))
  }

  async getChains(): Promise<DriverChain[]> {
    return this.client.ask('getChains', { run: this.handle }, (ok) => listOf(ok).map((chain) => this.chain(chain)))
  }

  about(): never {
    return notForClients('about')
  }

  setAbout(): never {
    return notForClients('setAbout')
  }

  trace(): never {
    return notForClients('trace')
  }

  summary(): never {
    return notForClients('summary')
  }

  checks(): never {
    return notForClients('checks')
  }

  private chain(ok: unknown): DriverChain {
    return new DriverChain(this.client, this, ok)
  }
}

export class DriverChain implements Chain {
  readonly rid: string
  readonly number: number
  readonly isNew: boolean
  private readonly client: Client
  private readonly schema: Schema
  private readonly chain: number

  constructor(client: Client, { rid, schema }: DriverRun, ok: unknown) {
    const { chain, number, isNew = false } = recordOf(ok)
    this.client = client
    this.rid = rid
    this.schema = schema
    this.chain = handleOf(chain, 'chain')
    this.number = handleOf(number, 'number')
    this.isNew = isNew === true
  }

  async append(draw: Values, stats: Values = {}): Promise<void> {
    const draws = this.valuesToWire('draws', draw)
    this.client.raw.note(this.rid, this.number, 1)
    await this.client.ask('append', { chain: this.chain, draws, stats: this.valuesToWire('stats', stats) }, nothing)
  }

  async appendBatch(batch: DrawBatch): Promise<number> {
    this.client.lacks.needBatch(batch)
    for (const [group, columns] of [['draws', batch.draws] as const, ['stats', batch.stats] as const]) {
      for (const [name, draws] of columns ?? []) this.needForm(group, name, draws)
    }
    const members = {
      chain: this.chain,
      count: batch.count,
      draws: columnsToWire(batch.draws),
      stats: columnsToWire(batch.stats ?? new Map()),
    }
    const start = await this.startToSend(batch.start)
    this.client.raw.note(this.rid, this.number, batch.count)
    return this.client.ask('appendBatch', { ...members, ...(start !== undefined && { start }) }, numberOf)
  }

  async flush(): Promise<void> {
    await this.client.ask('flush', { chain: this.chain }, nothing)
  }

  async length(): Promise<number> {
    return this.client.ask('length', { chain: this.chain }, numberOf)
  }

  getDraws(name: string, slice: Slice = {}): Promise<Draws> {
    return this.column('getDraws', name, slice)
  }

  getStats(name: string, slice: Slice = {}): Promise<Draws> {
    return this.column('getStats', name, slice)
  }

  getDrawsAt(index: number, names?: readonly string[]): Promise<Map<string, NdArray>> {
    return this.iteration('getDrawsAt', index, names)
  }

  getStatsAt(index: number, names?: readonly string[]): Promise<Map<string, NdArray>> {
    return this.iteration('getStatsAt', index, names)
  }

  /** Draws of a fixed shape are one array: goes on unless they are a list. */
  private needForm(group: 'draws' | 'stats', name: string, draws: Draws): void {
    const isFixed = this.schema[group].get(name)?.layout === 'rigid'
    if (isFixed && isList(draws)) this.client.lacks.noList()
  }

  /** The start of a batch, where the client takes one; a client that does not appends at the end. */
  private async startToSend(start: number | undefined): Promise<number | undefined> {
    if (start === undefined || !this.client.lacks.has('start')) return start
    if (start !== (await this.length())) {
      // A chain may have another length since the client has appended draws twice: that is no matter of skipping.
      await this.client.raw.expectNoneTwice(this.rid, this.number)
      this.client.lacks.need('start')
    }
    return undefined
  }

  private async column(op: string, name: string, { start, stop, step }: Slice): Promise<Draws> {
    this.client.lacks.needSlice(start, stop, step)
    const slice = { start: start?.toString(), stop: stop?.toString(), step: step?.toString() }
    return this.client.ask(op, { chain: this.chain, name, ...slice }, drawsFromWire)
  }

  private async iteration(op: string, index: number, names: readonly string[] | undefined) {
    const given = names === undefined ? {} : { names }
    return this.client.ask(op, { chain: this.chain, index, ...given }, arraysFromWire)
  }

  /** One iteration: numbers and bare arrays become arrays of the registered dtype. */
  private valuesToWire(group: 'draws' | 'stats', values: Values): Record<string, WireArray> {
    const { lacks } = this.client
    const entries = values instanceof Map ? [...values] : Object.entries(values)
    return byName(
      entries.map(([name, value]) => {
        const spec = this.schema[group].get(name)
        const array = spec === undefined ? lacks.notAnArray() : this.arrayOr(() => arrayOf(spec, value))
        lacks.needArray(array)
        return [name, arrayToWire(array)] as const
      }),
    )
  }

  private arrayOr(make: () => NdArray): NdArray {
    try {
      return make()
    } catch {
      return this.client.lacks.notAnArray()
    }
  }
}

function columnsToWire(columns: ReadonlyMap<string, Draws>): Record<string, unknown> {
  return byName([...columns].map(([name, draws]) => [name, drawsToWire(draws)] as const))
}

/** An object with these members as its own, also one named `__proto__`. */
function byName<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries)
}

function recordOf(ok: unknown): Readonly<Record<string, unknown>> {
  if (isRecord(ok)) return ok
  throw new ProtocolError('an object was expected')
}

function listOf(ok: unknown): readonly unknown[] {
  if (Array.isArray(ok)) return ok
  throw new ProtocolError('a list was expected')
}

function numberOf(ok: unknown): number {
  if (typeof ok === 'number') return ok
  throw new ProtocolError('a number was expected')
}

function handleOf(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new ProtocolError(`"${name}" is a whole number from 0 on`)
}

/** The members of a run's line that the command has; others are no matter of drivers. */
function readPage(ok: unknown): RunPage {
  const { runs, nextCursor } = recordOf(ok)
  const lines = listOf(runs).map((line) => {
    const { rid, createdAt, updatedAt, variables, sampleStats, chains, draws } = recordOf(line)
    const counts = { variables: numberOf(variables), sampleStats: numberOf(sampleStats), chains: numberOf(chains) }
    const times = { createdAt: new Date(String(createdAt)), updatedAt: new Date(String(updatedAt)) }
    const untold = { name: null, tags: [], archived: false, state: 'done', diagnostics: null } as const
    return { rid: String(rid), ...times, ...counts, draws: numberOf(draws), ...untold }
  })
  return typeof nextCursor === 'string' ? { runs: lines, nextCursor } : { runs: lines }
}

function notForClients(what: string): never {
  throw new ProtocolError(`drivers have no command for ${what}`)
}

function nothing(): void {}
