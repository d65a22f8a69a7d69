/** Runs at work in a shard: how long each rests between two announcements, and when there should be more shards. */
import { CROWD, GROWTH, MOST_SHARDS, moreThan, restOf } from './shards.ts'

/** Milliseconds for which a run counts as one at work after an announcement. */
const AT_WORK_MS = 60_000
/** Milliseconds after which those are forgotten that are not at work any more. */
const LOOK_MS = 1000

export class Crowd {
  /** Runs at work beyond which they rest for longer, and there should be more shards. */
  limit = CROWD
  /** Milliseconds since 1970 of each run's last announcement. */
  private readonly told = new Map<string, number>()
  private lookedAt = 0
  /** Milliseconds since 1970 before which no more shards are asked for: runs are still moving to those that came last. */
  private askAfter = 0

  note(rid: string): void {
    const now = Date.now()
    this.told.set(rid, now)
    if (now < this.lookedAt + LOOK_MS) return
    this.lookedAt = now
    for (const [each, at] of this.told) if (at < now - AT_WORK_MS) this.told.delete(each)
  }

  forget(rid: string): void {
    this.told.delete(rid)
  }

  /** Milliseconds until a run's next announcement. While more shards can take runs over, a shard bears as many as they will. */
  restMs(shards: number): number {
    return restOf(this.told.size, shards < MOST_SHARDS ? this.limit * GROWTH : this.limit)
  }

  /** The number of shards that there should be; undefined where there are enough of them, or more were asked for. */
  wanted(shards: number): number | undefined {
    const now = Date.now()
    if (this.told.size <= this.limit || shards >= MOST_SHARDS || now < this.askAfter) return undefined
    this.askAfter = now + AT_WORK_MS
    return moreThan(shards)
  }

  /** The number of shards has risen: there is time for runs to move. */
  grown(): void {
    this.askAfter = Date.now() + AT_WORK_MS
  }

  /** More shards were asked for in vain. */
  refused(): void {
    this.askAfter = Date.now() + LOOK_MS
  }
}
