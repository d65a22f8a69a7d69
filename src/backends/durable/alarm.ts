/**
 * The one alarm that the platform gives an object, shared by the parts of it that have something to do later.
 *
 * https://developers.cloudflare.com/durable-objects/api/alarms/
 */
import type { DurableObjectStorage } from '@cloudflare/workers-types'

/** Work that waits: telling the catalogue of the run, and moving its draws to the bucket. */
export type Purpose = 'announce' | 'move'

const ALL: readonly Purpose[] = ['announce', 'move']

export class Alarm {
  private readonly storage: DurableObjectStorage
  /** Milliseconds since 1970 at which each is to be done. */
  private readonly due = new Map<Purpose, number>()
  /** The time that the platform knows; undefined where it has none, or one that an earlier life of the object has set. */
  private known: number | undefined
  /** True while an earlier life of the object has set it, for purposes that nobody knows any more. */
  private isInherited = false

  constructor(storage: DurableObjectStorage) {
    this.storage = storage
  }

  /** Takes over the time that an earlier life has set, which stays the next one at the latest. */
  inherit(at: number | null): void {
    this.known = at ?? undefined
    this.isInherited = at !== null
  }

  /** Goes off for a purpose in so many milliseconds, in place of the time that was set for it before. */
  set(purpose: Purpose, milliseconds: number): void {
    const at = Date.now() + milliseconds
    this.due.set(purpose, at)
    // A time that is too early costs a look, and no row.
    if (this.known === undefined || at < this.known) this.tell(at)
  }

  /** True where it will go off for a purpose. */
  isSet(purpose: Purpose): boolean {
    return this.due.has(purpose)
  }

  /** Nothing is left to be done for a purpose. */
  clear(purpose: Purpose): void {
    this.due.delete(purpose)
    if (this.due.size > 0 || this.isInherited) return
    this.known = undefined
    void this.storage.deleteAlarm()
  }

  /** It has gone off: purposes whose time has come, which are set no more; all, where an earlier life has set it. */
  ring(): readonly Purpose[] {
    const { known, isInherited } = this
    this.known = undefined
    this.isInherited = false
    const now = Math.max(known ?? 0, Date.now())
    const come = [...this.due].filter(([, at]) => at <= now).map(([purpose]) => purpose)
    for (const purpose of come) this.due.delete(purpose)
    if (this.due.size > 0) this.tell(Math.min(...this.due.values()))
    return known === undefined || isInherited ? ALL : come
  }

  private tell(at: number): void {
    this.known = at
    void this.storage.setAlarm(at)
  }
}
