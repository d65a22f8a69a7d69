/** The catalogue of all tenants as Workers and run objects use it: what is told goes to a shard, a question to all of them. */
import { LruMap } from '../../core/lru.ts'
import type { ListPage, ListQuery, Usage } from '../../core/store.ts'
import { numberIn, type Row, textIn } from '../../sql/program.ts'
import { type Outcome, resultOf } from '../outcome.ts'
import { pageOf } from '../sqlite/run-list.ts'
import type { Catalogue, CatalogueEntry, StagedEntry, Told } from './catalogue.ts'
import { toUnavailable } from './platform-error.ts'
import type { ShardNamespace, ShardStub } from './shard-protocol.ts'
import { type Place, shardName } from './shards.ts'

/** Tenants whose numbers of shards an isolate remembers. */
const TENANTS = 10_000

/** Some runs of which a shard holds anything. */
export interface Held {
  readonly shard: number
  readonly rids: readonly string[]
}

export class ShardedCatalogue implements Catalogue {
  /** Private to the language as well: printing a store would call methods of every name on the shards. */
  readonly #shards: ShardNamespace
  /** Numbers of shards. They may have risen since, which the root then tells. */
  private readonly counts = new LruMap<string, number>(TENANTS)

  constructor(shards: ShardNamespace) {
    this.#shards = shards
  }

  put(shard: number, entry: CatalogueEntry): Promise<Told> {
    return this.ask({ tenant: entry.tenant, shard }, (stub, at) => stub.put(at, entry))
  }

  putStaged(shard: number, entry: StagedEntry): Promise<Told> {
    return this.ask({ tenant: entry.tenant, shard }, (stub, at) => stub.putStaged(at, entry))
  }

  remove(shard: number, tenant: string, rid: string, version: number): Promise<void> {
    return this.ask({ tenant, shard }, (stub, at) => stub.remove(at, rid, version))
  }

  leave(shard: number, tenant: string, rid: string): Promise<void> {
    return this.ask({ tenant, shard }, (stub, at) => stub.leave(at, rid))
  }

  /** Runs registered before the one that `before` stands for, newest first. */
  async list(tenant: string, query: ListQuery): Promise<ListPage> {
    const limit = shareOf(query.limit, this.counts.get(tenant) ?? 1)
    const answers = await this.askAll(tenant, (stub, at) => stub.list(at, { ...query, limit }))
    const rows = answers.map((answer) => answer.rows)
    const first = merged(rows)
    const end = first[query.limit]
    const more = rows.map(async (some, shard) => {
      const last = some[limit]
      // Nothing of the shard that is missing belongs to the page.
      if (last === undefined || limit === query.limit || (end && numberIn(last, 'id') < numberIn(end, 'id'))) return []
      const rest = { ...query, before: String(numberIn(last, 'id')) }
      return (await this.ask({ tenant, shard }, (stub, at) => stub.list(at, rest))).rows
    })
    return pageOf(merged([first, ...(await Promise.all(more))]), query)
  }

  async usage(tenant: string): Promise<Usage> {
    const answers = await this.askAll(tenant, (stub, at) => stub.usage(at))
    return answers.reduce(({ runs, bytes }, each) => ({ runs: runs + each.runs, bytes: bytes + each.bytes }), {
      runs: 0,
      bytes: 0,
    })
  }

  /** Runs, registered or not, of which shards hold anything: at most so many of each. */
  async held(tenant: string, limit: number): Promise<Held[]> {
    const answers = await this.askAll(tenant, (stub, at) => stub.held(at, limit))
    return answers.map(({ rids }, shard) => ({ shard, rids })).filter(({ rids }) => rids.length > 0)
  }

  /** Ends the shards of a tenant, if they hold nothing; false where something is left. */
  async forget(tenant: string): Promise<boolean> {
    const ended = await this.ask({ tenant, shard: 0 }, (stub, at) => stub.forget(at))
    if (ended) this.counts.delete(tenant)
    return ended
  }

  /** Takes over what D1 lists of a tenant. */
  adopt(tenant: string): Promise<void> {
    return this.ask({ tenant, shard: 0 }, (stub, at) => stub.adopt(at))
  }

  /** Rejects when the catalogue cannot be reached. */
  ping(): Promise<void> {
    return this.ask({ tenant: '', shard: 0 }, (stub) => stub.ping())
  }

  /** Asks all shards at once that were known last, and those that the root tells of beside. */
  private async askAll<T extends { readonly shards: number }>(
    tenant: string,
    question: (stub: ShardStub, at: Place) => Promise<Outcome<T>>,
  ): Promise<T[]> {
    const askSome = (from: number, to: number) =>
      Promise.all(Array.from({ length: to - from }, (_, i) => this.ask({ tenant, shard: from + i }, question)))
    const known = this.counts.get(tenant) ?? 1
    const answers = await askSome(0, known)
    const shards = answers[0]?.shards ?? 1
    this.counts.set(tenant, shards)
    return shards > known ? [...answers, ...(await askSome(known, shards))] : answers
  }

  /** Each call has a stub of its own: one that has met a restart is broken for good. */
  private async ask<T>(at: Place, call: (stub: ShardStub, at: Place) => Promise<Outcome<T>>): Promise<T> {
    let outcome: Outcome<T>
    try {
      outcome = await call(this.#shards.getByName(shardName(at)), at)
    } catch (error) {
      throw toUnavailable(error, 'the list of runs')
    }
    return resultOf(outcome)
  }
}

/** Lines that each shard is asked for at first: twice its part of a page, so that 64 shards do not send 64 pages. */
function shareOf(limit: number, shards: number): number {
  return shards === 1 ? limit : Math.min(limit, Math.ceil((2 * limit) / shards) + 4)
}

/** Lines of all shards in their order. A run that is moving is in two of them, of which the later word counts. */
function merged(shards: readonly (readonly Row[])[]): Row[] {
  if (shards.length === 1) return [...(shards[0] ?? [])]
  const latest = new Map<string, Row>()
  for (const row of shards.flat()) {
    const rid = textIn(row, 'rid')
    const other = latest.get(rid)
    if (other === undefined || numberIn(other, 'version') < numberIn(row, 'version')) latest.set(rid, row)
  }
  return [...latest.values()].sort((a, b) => numberIn(b, 'id') - numberIn(a, 'id'))
}
