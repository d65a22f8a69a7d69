/**
 * The shard in which a run is listed, and its way from one to another: it is put into the new shard, which is written down; then
 * the former one learns that the run counts there no longer; and half a minute later it is removed from it, when nothing that
 * was sent to it before is still under way. The object's row says how to go on, whatever cuts that off.
 */
import type { DurableObjectStorage, SqlStorageValue } from '@cloudflare/workers-types'
import { describeError } from '../../core/log-text.ts'
import type { Catalogue, CataloguedObject, CataloguedRun, Told } from './catalogue.ts'
import { REST_MS, shardOf } from './shards.ts'

/** Milliseconds after which nothing that was sent before is still under way. */
export const CONFIRM_MS = 30_000
/** Answers of shards that an announcement takes: of the root, of the shard that it names, and of one that lacks the terms. */
const ANSWERS = 4

interface Standing {
  /** Shard that lists the run. */
  readonly shard: number | undefined
  readonly shards: number
  readonly place: number | undefined
  readonly former: number | undefined
  /** Milliseconds since 1970. */
  readonly movedAt: number
}

/** Word of an object, without what the listing adds. */
export type ObjectWord = Omit<CataloguedObject, 'shards'>

/** Knowledge of the shard that lists the run: nothing, this registration, or its terms as well. */
export type Known = 'nothing' | 'registration' | 'terms'

export class Listing {
  /** Milliseconds until the next announcement, as the catalogue has told last. */
  restMs = REST_MS
  private readonly storage: DurableObjectStorage
  private readonly catalogue: () => Catalogue

  constructor(storage: DurableObjectStorage, catalogue: () => Catalogue) {
    this.storage = storage
    this.catalogue = catalogue
  }

  /** Shard that lists the run; undefined where none was told of it. */
  shard(): number | undefined {
    return this.standing().shard
  }

  /** Milliseconds until the former shard is to be told; undefined where there is none. */
  leavesIn(): number | undefined {
    const { former, movedAt } = this.standing()
    return former === undefined ? undefined : Math.max(0, movedAt + CONFIRM_MS - Date.now())
  }

  /** Lists a run. */
  async put(object: ObjectWord, run: CataloguedRun, terms: () => string[], known: Known): Promise<void> {
    await this.tell((standing, refused) => {
      const { shard, former, shards } = standing
      // One move after the other.
      const target = shard !== undefined && former !== undefined ? shard : shardOf(object.rid, shards)
      const hasTerms = known === 'terms' && target === shard && !refused
      const place = known === 'nothing' ? undefined : standing.place
      const entry = { ...object, ...run, shards, place, ...(!hasTerms && { terms: terms() }) }
      return [target, this.catalogue().put(target, entry)]
    })
  }

  /** Removes the run from the shard that it has left, once the time has come. */
  async leave({ tenant, rid, version }: ObjectWord): Promise<void> {
    const { former } = this.standing()
    if (former === undefined || this.leavesIn() !== 0) return
    // One that cannot be reached is told later: the shard that lists the run has its word.
    this.write('moved_at = ?', Date.now())
    try {
      await this.catalogue().remove(former, tenant, rid, version)
    } catch (error) {
      console.warn(`shard ${former} could not remove run "${rid}", which it lists no longer: ${describeError(error)}`)
      return
    }
    if (this.hasRow()) this.write('former = NULL, moved_at = NULL')
  }

  /** Notes the bytes of staged objects where there is no run. */
  async putStaged(object: ObjectWord & { readonly staged: number }): Promise<void> {
    await this.tell(({ shard, shards }) => {
      const target = shard ?? shardOf(object.rid, shards)
      return [target, this.catalogue().putStaged(target, { ...object, shards })]
    })
  }

  /** Removes the run wherever a word of it may be. */
  async remove({ tenant, rid, version }: ObjectWord): Promise<void> {
    const { shard, shards, former } = this.standing()
    const told = new Set([shard, former, shardOf(rid, shards)].filter((each) => each !== undefined))
    await Promise.all([...told].map((each) => this.catalogue().remove(each, tenant, rid, version)))
  }

  /** Tells one shard after the other until one has listed the run. */
  private async tell(
    send: (standing: Standing, refused: boolean) => [shard: number, told: Promise<Told>],
  ): Promise<void> {
    for (let answers = 0; answers < ANSWERS; answers++) {
      const [shard, sent] = send(this.standing(), answers > 0)
      const told = await sent
      // The object may have ended meanwhile.
      if (!this.hasRow()) return
      if (told.shards > this.standing().shards) this.write('shards = ?', told.shards)
      if (!told.listed) continue
      this.restMs = told.restMs
      await this.listedIn(shard, told.place)
      return
    }
    throw new Error(`no shard has listed the run within ${ANSWERS} answers`)
  }

  private async listedIn(shard: number, place: number | undefined): Promise<void> {
    const before = this.standing()
    if (before.shard !== shard || before.place !== place) this.write('shard = ?, place = ?', shard, place ?? null)
    if (before.shard === undefined || before.shard === shard) return
    this.write('former = ?, moved_at = ?', before.shard, Date.now())
    const { tenant, rid } = this.row('SELECT tenant, rid FROM announcement') ?? {}
    try {
      await this.catalogue().leave(before.shard, String(tenant), String(rid))
    } catch (error) {
      // It counts twice until it is removed there.
      console.warn(`shard ${before.shard} was not told that run "${rid}" has moved: ${describeError(error)}`)
    }
  }

  private standing(): Standing {
    const row = this.row('SELECT shard, shards, place, former, moved_at FROM announcement')
    const number = (column: string) => (typeof row?.[column] === 'number' ? row[column] : undefined)
    return {
      shard: number('shard'),
      shards: number('shards') ?? 1,
      place: number('place'),
      former: number('former'),
      movedAt: number('moved_at') ?? 0,
    }
  }

  private write(change: string, ...params: readonly SqlStorageValue[]): void {
    this.storage.sql.exec(`UPDATE announcement SET ${change}`, ...params)
  }

  private hasRow(): boolean {
    const table = this.row("SELECT 1 AS ok FROM sqlite_master WHERE name = 'announcement'")
    return table !== undefined && this.row('SELECT 1 AS ok FROM announcement') !== undefined
  }

  private row(sql: string, ...params: readonly SqlStorageValue[]): Record<string, SqlStorageValue> | undefined {
    const [row] = this.storage.sql.exec<Record<string, SqlStorageValue>>(sql, ...params).toArray()
    return row
  }
}
