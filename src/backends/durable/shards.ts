/**
 * The catalogue of a tenant, in shards: each a Durable Object that lists a part of its runs.
 *
 * A tenant has 1, 4, 16 or 64 shards; the first one, its root, keeps the number. A run lies in the shard that its rid gives,
 * by the number that the run was told last. So nothing is copied when the number rises: a run that rests stays where it is
 * listed, and one that is written moves with an announcement.
 */

/** Shards of a tenant at most. Ids of lines have six bits for them, see `placeIn`. */
export const MOST_SHARDS = 64
/** The number of shards rises by this factor. */
export const GROWTH = 4

/** Milliseconds by which lists may lag behind a write: docs/protocol.md §3. They are spent on the pause, the gathering and the call. */
export const LAG_MS = 2000
/** Milliseconds for which announcements are held, so that one statement writes them together. */
export const GATHER_MS = 100
/** Milliseconds allowed for the call, and for the alarm that leads to it. */
const CALL_MS = 100
/** Milliseconds from a run's first write after an announcement to the next one. */
export const REST_MS = LAG_MS - GATHER_MS - CALL_MS
/** The longest such pause, in milliseconds, however many runs are at work. */
export const MOST_REST_MS = 30_000
/** Runs that may be at work in a shard without a longer pause, and without asking for more shards. */
export const CROWD = 256

/** One shard of a tenant; 0 is the root. */
export interface Place {
  readonly tenant: string
  readonly shard: number
}

/** Name of a shard's object. No tenant has a `/`, so that no two shards share a name. */
export function shardName({ tenant, shard }: Place): string {
  return `${tenant}/${shard}`
}

/** Shard of a run, of so many. When their number rises, a run stays in its shard or goes to one that was not there. */
export function shardOf(rid: string, shards: number): number {
  // FNV-1a, and the last step of MurmurHash3, since the lower bits are used: http://www.isthe.com/chongo/tech/comp/fnv/
  let hash = 0x811c9dc5
  for (let i = 0; i < rid.length; i++) hash = Math.imul(hash ^ rid.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % shards
}

/** The next number of shards. */
export function moreThan(shards: number): number {
  return Math.min(MOST_SHARDS, shards * GROWTH)
}

/** The least number of shards of which one is `shard`. */
export function shardsWith(shard: number): number {
  let shards = 1
  while (shards <= shard) shards = moreThan(shards)
  return shards
}

/** Pause of a run in a shard with so many runs at work: the shard is told by as many a second as `crowd` make. */
export function restOf(atWork: number, crowd: number): number {
  return Math.min(MOST_REST_MS, Math.max(REST_MS, Math.ceil((atWork * REST_MS) / crowd)))
}
