/** Messages between Workers or run objects and the shards of the catalogue, with errors as data. */
import type { ListQuery, Usage } from '../../core/store.ts'
import type { Row } from '../../sql/program.ts'
import type { Outcome } from '../outcome.ts'
import type { CatalogueEntry, StagedEntry, Told } from './catalogue.ts'
import type { Place } from './shards.ts'

/** The number of shards, as far as the one that is asked knows. Only the root's is always right. */
interface Counted {
  readonly shards: number
}

/** A shard as Workers and run objects see it. `at` is always that of its name. */
export interface ShardStub {
  put(at: Place, entry: CatalogueEntry): Promise<Outcome<Told>>
  putStaged(at: Place, entry: StagedEntry): Promise<Outcome<Told>>
  remove(at: Place, rid: string, version: number): Promise<Outcome<void>>
  leave(at: Place, rid: string): Promise<Outcome<void>>
  list(at: Place, query: ListQuery): Promise<Outcome<Counted & { readonly rows: readonly Row[] }>>
  usage(at: Place): Promise<Outcome<Counted & Usage>>
  /** Some rids of which the shard holds anything. */
  held(at: Place, limit: number): Promise<Outcome<Counted & { readonly rids: readonly string[] }>>
  /** Tells the root that there are at least so many shards; it answers with their number. */
  grow(at: Place, shards: number): Promise<Outcome<number>>
  /** Ends a shard that holds nothing, the root with all others; false where something is left. */
  forget(at: Place): Promise<Outcome<boolean>>
  /** Takes the tenant's runs over from the list of the version before. */
  adopt(at: Place): Promise<Outcome<void>>
  /** Rejects where the shard cannot be reached, or D1 cannot. */
  ping(): Promise<Outcome<void>>
}

/** The binding of the shards. */
export interface ShardNamespace {
  getByName(name: string): ShardStub
}
