/**
 * A Durable Object with one shard of a tenant's catalogue: the list of a part of its runs, as their objects announce them.
 *
 * News of runs that it knows are gathered and written together. A shard that holds nothing writes nothing, and one whose
 * last run goes empties itself, so that it costs nothing.
 */
import { DurableObject } from 'cloudflare:workers'
import type { D1Database, DurableObjectState } from '@cloudflare/workers-types'
import { drizzle } from 'drizzle-orm/durable-sqlite'
import { migrate } from 'drizzle-orm/durable-sqlite/migrator'
import { McbError } from '../../core/errors.ts'
import { describeError } from '../../core/log-text.ts'
import { LruMap } from '../../core/lru.ts'
import type { ListQuery } from '../../core/store.ts'
import { D1Driver } from '../../sql/d1.ts'
import { newestUnknown } from '../../sql/migrated.ts'
import { DurableDriver } from '../../sql/object.ts'
import { type Outcome, outcomeOf, resultOf } from '../outcome.ts'
import { type CatalogueEntry, type KnownRun, SqlCatalogue, type StagedEntry, type Told } from './catalogue.ts'
import { Crowd } from './crowd.ts'
import { FormerCatalogue, type FormerPage } from './former-catalogue.ts'
import { Gathering } from './gathering.ts'
import { journal, migrations } from './generated/catalogue-migrations.ts'
import { objectName, type RunNamespace } from './protocol.ts'
import type { ShardNamespace, ShardStub } from './shard-protocol.ts'
import { type Place, shardName, shardOf, shardsWith } from './shards.ts'

export interface CatalogueObjectEnv {
  readonly DB: D1Database
  readonly RUNS: RunNamespace
  readonly CATALOGUE: ShardNamespace
}

/** Runs that a shard knows without looking them up. */
const KNOWN_RUNS = 4096
/** Objects that are asked at a time what they hold, and the pause between two times, in milliseconds. */
const SETTLED_TOGETHER = 4
const SETTLE_MS = 1000
/** Milliseconds until an object is asked again that could not say. */
const SETTLE_AGAIN_MS = 60_000

export class CatalogueObject extends DurableObject<CatalogueObjectEnv> implements ShardStub {
  readonly crowd = new Crowd()
  private readonly catalogue: SqlCatalogue
  private readonly gathering: Gathering
  /** Runs as they are listed, but for the news of them that are gathered. */
  private known = new LruMap<string, KnownRun>(KNOWN_RUNS)
  /** Number of writes that may have changed them. */
  private writes = 0
  /** Announcements under way. While there are any, the shard is not empty. */
  private busy = 0
  /** True once the tables are there, and of this version. */
  private prepared = false
  /** Number of the tenant's shards, as far as is known here. */
  private shards = 1
  /** True once the root has taken over what D1 listed. */
  private adopted = false
  private adopting: Promise<void> | undefined
  /** Calls by which other shards have told the root of themselves. */
  private joined = 0
  /** The newest migration that this version does not know: such a shard is left as it is. */
  private unknown: Date | undefined

  constructor(ctx: DurableObjectState, env: CatalogueObjectEnv) {
    super(ctx, env)
    this.catalogue = new SqlCatalogue(new DurableDriver(ctx.storage))
    this.gathering = new Gathering((entries) => this.catalogue.putKnown(entries[0]?.tenant ?? '', entries))
    void ctx.blockConcurrencyWhile(() => this.wake())
  }

  put(at: Place, entry: CatalogueEntry): Promise<Outcome<Told>> {
    return this.announced(at, entry, async () => {
      const known = await this.knownRun(at, entry.rid)
      if (known === undefined && this.belongsElsewhere(at, entry)) return this.told(false)
      const isNew = known?.registration !== entry.registration
      if (isNew && entry.terms === undefined) return this.told(false)
      this.crowd.note(entry.rid)
      if (known !== undefined && !isNew && isGathered(known, entry)) {
        await this.gathering.add(entry)
        this.askForMore(at)
        return this.told(true, entry.place)
      }
      return this.told(true, await this.write(at, entry.rid, () => this.catalogue.put(entry, at.shard)))
    })
  }

  putStaged(at: Place, entry: StagedEntry): Promise<Outcome<Told>> {
    return this.announced(at, entry, async () => {
      const isHere = this.prepared && (await this.catalogue.holds(at.tenant, entry.rid))
      if (!isHere && this.belongsElsewhere(at, entry)) return this.told(false)
      await this.write(at, entry.rid, () => this.catalogue.putStaged(entry))
      return this.told(true)
    })
  }

  remove(at: Place, rid: string, version: number): Promise<Outcome<void>> {
    return this.answer(async () => {
      this.crowd.forget(rid)
      // Else what D1 lists of the run would come back.
      await this.adoptOnce(at)
      if (!this.prepared) return
      this.gathering.flush()
      this.changes(rid)
      await this.catalogue.remove(at.tenant, rid, version)
      await this.endIfEmpty(at)
    })
  }

  leave(_at: Place, rid: string): Promise<Outcome<void>> {
    return this.answer(async () => {
      this.crowd.forget(rid)
      if (!this.prepared) return
      this.gathering.flush()
      await this.catalogue.leave(rid, Date.now())
    })
  }

  list(at: Place, query: ListQuery) {
    return this.answer(async () => {
      await this.adoptOnce(at)
      const rows = this.prepared ? await this.catalogue.list(at.tenant, query, Date.now()) : []
      return { rows, shards: this.shards }
    })
  }

  usage(at: Place) {
    return this.answer(async () => {
      await this.adoptOnce(at)
      const usage = this.prepared ? await this.catalogue.usage(at.tenant) : { runs: 0, bytes: 0 }
      return { ...usage, shards: this.shards }
    })
  }

  held(at: Place, limit: number) {
    return this.answer(async () => {
      await this.adoptOnce(at)
      return { rids: this.prepared ? await this.catalogue.held(at.tenant, limit) : [], shards: this.shards }
    })
  }

  grow(at: Place, shards: number): Promise<Outcome<number>> {
    return this.answer(async () => {
      this.joined++
      if (shards <= this.shards) return this.shards
      // Without a turn in between, in which the shard might empty itself.
      while (!this.prepared) await this.prepare(at)
      this.setShards(Math.max(this.shards, shards))
      return this.shards
    })
  }

  forget(at: Place): Promise<Outcome<boolean>> {
    return this.answer(async () => {
      if (at.shard > 0) return this.endIfEmpty(at)
      const { joined } = this
      const others = Array.from({ length: this.shards - 1 }, (_, i) => ({ ...at, shard: i + 1 }))
      const ended = await Promise.all(others.map((each) => this.shardAt(each).forget(each)))
      // A shard that has begun anew since has told so before it listed anything.
      if (joined !== this.joined || !ended.every((outcome) => resultOf(outcome)) || (await this.holdsAny()))
        return false
      await this.end()
      return true
    })
  }

  adopt(at: Place): Promise<Outcome<void>> {
    return this.answer(() => {
      this.adopted = false
      return this.adoptOnce(at)
    })
  }

  ping(): Promise<Outcome<void>> {
    return this.answer(async () => {
      await this.env.DB.prepare('SELECT 1').run()
    })
  }

  /** Asks some objects that D1 listed what they hold, so that they move, and ghosts go. */
  async alarm(): Promise<void> {
    if (this.unknown !== undefined || !this.prepared) return
    const { tenant, number } = this.ctx.storage.sql
      .exec<{ tenant: string; number: number }>('SELECT tenant, number FROM shard')
      .one()
    const at = { tenant, shard: Number(number) }
    const due = await this.catalogue.unsettled(Date.now(), SETTLED_TOGETHER)
    this.busy++
    try {
      await Promise.all(due.map(({ rid, version }) => this.settle(at, rid, version)))
    } finally {
      this.busy--
    }
    if (!(await this.endIfEmpty(at))) await this.settleLater()
  }

  private async settle(at: Place, rid: string, version: number): Promise<void> {
    try {
      const { isLive, shard } = resultOf(await this.env.RUNS.getByName(objectName(at.tenant, rid)).settle())
      if (isLive && shard === undefined) throw new Error('its object could not tell the catalogue of it')
      // The object's own words since are of later versions.
      if (shard !== at.shard) {
        this.changes(rid)
        await this.catalogue.remove(at.tenant, rid, version + 1)
      }
      await this.catalogue.settled(rid)
    } catch (error) {
      console.warn(`run "${rid}" has not moved from D1's list of runs, and is asked again: ${describeError(error)}`)
      await this.catalogue.notSettled(rid, version, Date.now() + SETTLE_AGAIN_MS)
    }
  }

  /** Sets the alarm for the objects that are still to be asked. */
  private async settleLater(): Promise<void> {
    if (!this.prepared) return
    const due = await this.catalogue.nextUnsettled()
    if (due !== undefined) await this.ctx.storage.setAlarm(Math.max(due, Date.now() + SETTLE_MS))
  }

  private announced(at: Place, entry: { readonly shards: number }, work: () => Promise<Told>): Promise<Outcome<Told>> {
    return this.answer(async () => {
      this.learn(Math.max(entry.shards, at.shard === 0 ? 1 : shardsWith(at.shard)), at)
      this.busy++
      try {
        return await work()
      } finally {
        this.busy--
      }
    })
  }

  /** Shards learn from runs how many there are; the root knows by itself. */
  private learn(shards: number, { shard }: Place): void {
    if (shard === 0 || shards <= this.shards) return
    this.shards = shards
    this.crowd.grown()
  }

  /** True where a run that is not here should be listed by another shard from the beginning. */
  private belongsElsewhere({ shard }: Place, { rid }: { readonly rid: string }): boolean {
    return shard === 0 && shardOf(rid, this.shards) !== 0
  }

  /** The run as it is listed. It is looked up once, and again behind each write that may have changed it. */
  private async knownRun({ tenant }: Place, rid: string): Promise<KnownRun | undefined> {
    if (!this.prepared) return undefined
    const kept = this.known.get(rid)
    if (kept !== undefined) return kept
    const { writes } = this
    const found = await this.catalogue.known(tenant, rid)
    if (found !== undefined && writes === this.writes) this.known.set(rid, found)
    return found
  }

  /** A run is about to change, in this turn. */
  private changes(rid: string): void {
    this.writes++
    this.known.delete(rid)
  }

  /** Writes in the order in which announcements came. */
  private async write<T>(at: Place, rid: string, work: () => Promise<T>): Promise<T> {
    while (!this.prepared) {
      if (at.shard > 0) await this.join(at, shardsWith(at.shard))
      await this.prepare(at)
    }
    this.gathering.flush()
    this.changes(rid)
    const result = await work()
    this.askForMore(at)
    return result
  }

  private told(listed: boolean, place?: number): Told {
    return {
      listed,
      shards: this.shards,
      restMs: this.crowd.restMs(this.shards),
      ...(place !== undefined && { place }),
    }
  }

  private askForMore(at: Place): void {
    const wanted = this.crowd.wanted(this.shards)
    if (wanted === undefined) return
    this.growTo(at, wanted).catch((error) => {
      this.crowd.refused()
      console.warn(`the catalogue of tenant "${at.tenant}" could not get more shards: ${describeError(error)}`)
    })
  }

  private async growTo(at: Place, shards: number): Promise<void> {
    if (at.shard > 0) return this.join(at, shards)
    // Else D1 would list runs that lie in other shards by then.
    if (!this.adopted) await this.adoptOnce(at)
    if (this.prepared && shards > this.shards) this.setShards(shards)
  }

  /** Tells the root that there are so many shards. */
  private async join(at: Place, shards: number): Promise<void> {
    const root = { ...at, shard: 0 }
    this.learn(resultOf(await this.shardAt(root).grow(root, shards)), at)
  }

  private shardAt(at: Place): ShardStub {
    return this.env.CATALOGUE.getByName(shardName(at))
  }

  private setShards(shards: number): void {
    this.ctx.storage.sql.exec('UPDATE shard SET shards = ?', shards)
    this.shards = shards
    this.crowd.grown()
  }

  /** Takes over what D1 lists, before the root answers its first question; one query where that is nothing. */
  private async adoptOnce(at: Place): Promise<void> {
    if (at.shard > 0 || this.adopted) return
    this.adopting ??= this.adoptAll(at).finally(() => {
      this.adopting = undefined
    })
    await this.adopting
  }

  private async adoptAll(at: Place): Promise<void> {
    const former = new FormerCatalogue(new D1Driver(this.env.DB))
    this.busy++
    try {
      for (;;) {
        const page = await former.page(at.tenant)
        if (page === undefined) break
        await this.adoptPage(at, page)
        await former.drop(at.tenant, page)
      }
    } finally {
      this.busy--
    }
    this.adopted = true
    if (!this.prepared) return
    this.ctx.storage.sql.exec('UPDATE shard SET adopted = 1 WHERE adopted = 0')
    await this.settleLater()
  }

  private async adoptPage(at: Place, { runs, staged }: FormerPage): Promise<void> {
    for (const entry of runs) await this.write(at, entry.rid, () => this.catalogue.put(entry, at.shard))
    for (const entry of staged) await this.write(at, entry.rid, () => this.catalogue.putStaged(entry))
    for (const { rid, version } of [...runs, ...staged]) await this.catalogue.notSettled(rid, version, Date.now())
    // Written down before D1 forgets it.
    await this.ctx.storage.sync()
  }

  /** Ends a shard that holds nothing and without which no other is missed; false where it must stay. */
  private async endIfEmpty({ shard }: Place): Promise<boolean> {
    if (await this.holdsAny()) return false
    // The number of shards is known to the root alone.
    if (shard === 0 && this.shards > 1) return false
    await this.end()
    return true
  }

  private async holdsAny(): Promise<boolean> {
    const holds =
      this.prepared && (await this.catalogue.hasRows('catalogue', 'catalogue_stages', 'departed', 'unsettled'))
    return holds || this.busy > 0
  }

  /** Leaves nothing of the object: it costs nothing from here on. */
  private async end(): Promise<void> {
    if (!this.prepared) return
    this.prepared = false
    this.writes++
    this.known = new LruMap(KNOWN_RUNS)
    this.shards = 1
    await this.ctx.storage.deleteAll()
  }

  /** Brings a shard that was used before to the present schema. */
  private async wake(): Promise<void> {
    const tables = this.ctx.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'shard'")
    if (tables.toArray().length === 0) return
    this.unknown = this.newestUnknown()
    if (this.unknown !== undefined) {
      const day = this.unknown.toISOString().slice(0, 10)
      console.error(
        `a shard of the catalogue was written by a newer version (its tables are of ${day}) and is left as it is; deploy that version again`,
      )
      return
    }
    await this.migrate()
    const [row] = this.ctx.storage.sql
      .exec<{ shards: number; adopted: number }>('SELECT shards, adopted FROM shard')
      .toArray()
    if (row === undefined) return
    this.prepared = true
    this.shards = Number(row.shards)
    this.adopted = row.adopted === 1
    if ((await this.ctx.storage.getAlarm()) === null) await this.settleLater()
  }

  private newestUnknown(): Date | undefined {
    const applied = this.ctx.storage.sql.exec<{ at: number }>('SELECT created_at AS at FROM __drizzle_migrations')
    return newestUnknown(
      applied.toArray().map(({ at }) => Number(at)),
      journal.entries.map(({ when }) => when),
    )
  }

  private async prepare({ tenant, shard }: Place): Promise<void> {
    await this.migrate()
    this.ctx.storage.sql.exec(
      'INSERT OR IGNORE INTO shard (id, tenant, number, shards, adopted) VALUES (1, ?, ?, ?, ?)',
      ...[tenant, shard, this.shards, this.adopted ? 1 : 0],
    )
    this.prepared = true
  }

  private async migrate(): Promise<void> {
    await migrate(drizzle(this.ctx.storage), { journal, migrations })
  }

  private answer<T>(work: () => Promise<T>): Promise<Outcome<T>> {
    return outcomeOf(async () => {
      if (this.unknown !== undefined) {
        const detail = 'the list of runs was written by a newer version of this server; nothing was changed'
        throw new McbError('storage_unavailable', detail, { retryAfter: 60 })
      }
      return work()
    })
  }
}

/** True where an announcement changes nothing but what an appended batch changes. */
function isGathered(known: KnownRun, { terms, staged, shown, folded, archived }: CatalogueEntry): boolean {
  if (terms !== undefined || staged !== undefined || known.hasStaged) return false
  return known.shown === shown && known.folded === folded && known.archived === archived
}
