/**
 * Announcements of a run object, which keep the catalogue true.
 *
 * The first write after an announcement marks the object and sets an alarm, in the transaction of that write; those that
 * follow cost nothing. An announcement tells the state as it is now, so one more makes good a registration, an update or a
 * deletion that was interrupted.
 */
import type { DurableObjectStorage, SqlStorageValue } from '@cloudflare/workers-types'
import { describeError } from '../../core/log-text.ts'
import { readShown } from '../sqlite/run-list.ts'
import { RUN_BYTES } from '../sqlite/runs.ts'
import type { Alarm } from './alarm.ts'
import type { Catalogue, CataloguedRun } from './catalogue.ts'
import { type Known, Listing, type ObjectWord } from './listing.ts'

/** Milliseconds before the second attempt to reach the catalogue, at most. */
const PAUSE_MS = 1000
/** Milliseconds after which a catalogue that does not answer is taken for one that failed. */
const CALL_MS = 5000
/** The longest pause between two attempts to reach the catalogue. */
const MAX_PAUSE_MS = 30_000

/**
 * - `nothing`: there is nothing here, and never was
 * - `failed`: the catalogue could not be told
 * - `listed`: it has the run and its staged objects as they are
 * - `unlisted`: it was told that all of it is gone
 * - `forgotten`: it was told so for the second time, and the object may end
 */
export type Announced = 'nothing' | 'failed' | 'listed' | 'unlisted' | 'forgotten'

export class Announcer {
  private readonly storage: DurableObjectStorage
  private readonly alarm: Alarm
  private readonly listing: Listing
  /** True while an alarm is set for a write that is not announced. */
  private marked = false
  /** True once the catalogue knows that staged objects lie here. */
  private staged = false
  private version = 0
  private failures = 0
  private last: Promise<unknown> = Promise.resolve()

  constructor(storage: DurableObjectStorage, alarm: Alarm, catalogue: () => Catalogue) {
    this.storage = storage
    this.alarm = alarm
    this.listing = new Listing(storage, catalogue)
  }

  /** Takes over what an earlier life of the object has left; true when an alarm must go on with it. */
  load(): boolean {
    const row = this.row('SELECT dirty, version, told, told_staged, shard, former FROM announcement')
    this.version = Math.max(this.version, Number(row?.version ?? 0))
    this.marked = row?.dirty === 1
    this.staged = row?.told_staged === 1
    const untold = row === undefined || row.told === ''
    if ((this.hasRun() && untold) || (this.isLive() && row?.shard === null)) {
      // An object of a schema before has never announced its run, or not what it is found by, or not to a shard.
      this.write()
      this.marked = true
    }
    return this.marked || (row !== undefined && (!this.isLive() || row.former !== null))
  }

  /** True while something has been written that is not announced. */
  get isBehind(): boolean {
    return this.marked
  }

  /** Called inside the transaction of every write. */
  mark(): void {
    if (this.marked) return
    this.write()
    this.marked = true
    this.wakeIn(this.listing.restMs)
  }

  /** The object is empty again. */
  reset(): void {
    this.marked = false
    this.staged = false
    this.failures = 0
  }

  /** True where staged objects lie here of which the catalogue may not know. */
  hidesStaged(): boolean {
    return !this.staged && this.stagedBytes() !== undefined
  }

  /** True while there is a run, or staged objects of one that is not registered. */
  isLive(): boolean {
    return this.hasRun() || this.stagedBytes() !== undefined
  }

  private hasRun(): boolean {
    return this.row('SELECT 1 AS ok FROM runs WHERE deleted = 0') !== undefined
  }

  private stagedBytes(): number | undefined {
    const row = this.row('SELECT bytes FROM stages WHERE deleted = 0')
    return row && Number(row.bytes)
  }

  wakeIn(milliseconds: number): void {
    this.alarm.set('announce', milliseconds)
  }

  /** Nothing is left to be told, but to a shard that the run has left: the alarm of the last announcement need not go off. */
  rest(): void {
    if (this.marked) return
    const left = this.listing.leavesIn()
    if (left === undefined) this.alarm.clear('announce')
    else this.wakeIn(left)
  }

  /** Shard of the catalogue that lists what is here; undefined where none does. */
  shard(): number | undefined {
    return this.hasTable() ? this.listing.shard() : undefined
  }

  /** A pause that doubles with every failure in a row, with jitter, in milliseconds. */
  pause(): number {
    return Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** this.failures) * (0.5 + Math.random() / 2)
  }

  /** Tells the catalogue what is here, one announcement after the other. */
  announce(): Promise<Announced> {
    const next = this.last.then(() => this.tell())
    this.last = next.catch(() => undefined)
    return next
  }

  private async tell(): Promise<Announced> {
    if (!this.hasTable()) return 'nothing'
    const row = this.row('SELECT tenant, rid, dirty, told FROM announcement')
    if (row === undefined) return 'nothing'
    const tenant = String(row.tenant)
    const rid = String(row.rid)
    const wasTold = row.dirty === 0
    const live = this.isLive()
    if (live && wasTold && this.listing.leavesIn() !== 0) return 'listed'
    // Later than any version that an earlier life of this object, cut off, may have sent without writing it down.
    const version = Math.max(this.version + 1, Date.now())
    this.version = version
    this.marked = false
    const run = this.hasRun() ? this.summary() : undefined
    const staged = this.stagedBytes()
    const told = run === undefined ? '' : `${run.registration} ${JSON.stringify(readShown(run.shown).tags)}`
    try {
      await within(CALL_MS, this.send({ tenant, rid, version, staged }, run, knownOf(run, told, String(row.told))))
    } catch (error) {
      this.marked = true
      this.failures++
      console.warn(`the catalogue was not told of run "${rid}": ${describeError(error)}`)
      return 'failed'
    }
    this.failures = 0
    if (!this.hasTable()) return 'nothing'
    // A write meanwhile has marked the object again, and set its alarm.
    const dirty = this.marked ? 1 : 0
    this.staged = staged !== undefined
    const values = [dirty, version, told, this.staged ? 1 : 0]
    this.storage.sql.exec('UPDATE announcement SET dirty = ?, version = ?, told = ?, told_staged = ?', ...values)
    if (live || dirty === 1) return 'listed'
    return wasTold ? 'forgotten' : 'unlisted'
  }

  private async send(object: ObjectWord, run: CataloguedRun | undefined, known: Known): Promise<void> {
    const { staged } = object
    if (run !== undefined) await this.listing.put(object, run, () => this.terms(), known)
    else if (staged !== undefined) await this.listing.putStaged({ ...object, staged })
    else return this.listing.remove(object)
    await this.listing.leave(object)
  }

  private summary() {
    const about = 'shown, folded, archived, finished, expected, diagnostics'
    const run = this.row(
      `SELECT id, registration, created_at, variables, sample_stats, ${about}, ${RUN_BYTES} AS bytes FROM runs WHERE deleted = 0`,
    )
    if (run === undefined) throw new Error('there is no run to tell of')
    const sums =
      'SELECT count(*) AS chains, coalesce(sum(length), 0) AS draws, coalesce(min(length), 0) AS shortest, ' +
      'coalesce(max(updated_at), 0) AS at'
    const chains = this.row(`${sums} FROM chains WHERE run_id = ?`, run.id ?? 0)
    const createdAt = Number(run.created_at)
    return {
      registration: String(run.registration),
      createdAt,
      updatedAt: Math.max(createdAt, Number(chains?.at)),
      variables: Number(run.variables),
      sampleStats: Number(run.sample_stats),
      chains: Number(chains?.chains),
      draws: Number(chains?.draws),
      bytes: Number(run.bytes),
      shortest: Number(chains?.shortest),
      shown: String(run.shown),
      folded: String(run.folded),
      archived: Number(run.archived),
      finished: Number(run.finished),
      expected: run.expected === null ? null : Number(run.expected),
      diagnostics: run.diagnostics === null ? null : String(run.diagnostics),
    }
  }

  private terms(): string[] {
    const sql = 'SELECT term FROM terms WHERE run_id = (SELECT id FROM runs WHERE deleted = 0)'
    return this.storage.sql
      .exec<{ term: string }>(sql)
      .toArray()
      .map(({ term }) => term)
  }

  private write(): void {
    const { rowsWritten } = this.storage.sql.exec('UPDATE announcement SET dirty = 1')
    if (rowsWritten > 0) return
    this.storage.sql.exec(
      'INSERT INTO announcement (id, tenant, rid, dirty, version) SELECT 1, tenant, rid, 1, 0 FROM ' +
        '(SELECT tenant, rid FROM runs WHERE deleted = 0 UNION SELECT tenant, rid FROM stages WHERE deleted = 0) LIMIT 1',
    )
  }

  private hasTable(): boolean {
    return this.row("SELECT 1 AS ok FROM sqlite_master WHERE name = 'announcement'") !== undefined
  }

  private row(sql: string, ...params: readonly SqlStorageValue[]): Record<string, SqlStorageValue> | undefined {
    const [row] = this.storage.sql.exec<Record<string, SqlStorageValue>>(sql, ...params).toArray()
    return row
  }
}

/** The attributes of a registration never change, so that its tags tell if the terms are those that were told. */
function knownOf(run: CataloguedRun | undefined, told: string, before: string): Known {
  if (run === undefined || !before.startsWith(`${run.registration} `)) return 'nothing'
  return before === told ? 'terms' : 'registration'
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
