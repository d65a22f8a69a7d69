/**
 * The keys in use, as this process or isolate knows them: most requests ask no database.
 *
 * A key that was looked up is trusted for `FRESH_MS`; after that it is looked up again. So a key that is revoked elsewhere, or
 * whose tenant is suspended there, stops working within that time, and an event stream, which asks at least every 15 s,
 * ends within a minute.
 *
 * A guess costs a checksum or an authentication code (key-format.ts), and never a look-up. The look-ups that are left are of
 * ids that the server has made: nobody who holds a valid key waits for those that hold none.
 */

import { LruMap } from '../core/lru.ts'
import { equalInConstantTime, hashOf, KeyIds, keyIdOf, newSecret } from './key-format.ts'
import type { ControlStore, FoundKey } from './records.ts'

/** Milliseconds that a look-up stays true. */
export const FRESH_MS = 40_000
/** Keys that are kept in mind. */
const KNOWN_KEYS = 10_000
/** Milliseconds between two notes of when a key was used. */
const TOUCH_MS = 60_000

interface Entry {
  readonly found: FoundKey | undefined
  /** The key's text, once it was found right: an equal text need not be hashed again. */
  verified: string | undefined
  usedAt: number
  readonly until: number
}

/** Takes work that nobody waits for. */
export type Defer = (work: Promise<unknown>) => void

export class Keyring {
  private readonly control: ControlStore
  private readonly now: () => number
  private entries = new LruMap<string, Entry>(KNOWN_KEYS)
  private readonly pending = new Map<string, Promise<Entry | undefined>>()
  private ids: Promise<KeyIds> | undefined
  /** Rises when something was changed here, so that a look-up under way is not kept. */
  private generation = 0

  constructor(control: ControlStore, now: () => number) {
    this.control = control
    this.now = now
  }

  /** The key with its tenant, which may be suspended; undefined for one that is unknown, revoked or expired. */
  async find(text: string, defer: Defer): Promise<FoundKey | undefined> {
    const id = keyIdOf(text)
    if (id === undefined) return undefined
    const entry = await this.entryOf(id)
    const now = this.now()
    const { found } = entry ?? {}
    if (entry === undefined || found === undefined) return undefined
    if (!(await isRight(entry, found, text))) return undefined
    if (found.key.expiresAt !== null && found.key.expiresAt <= now) return undefined
    if (now - entry.usedAt >= TOUCH_MS) {
      entry.usedAt = now
      defer(this.control.touchKey(id, now))
    }
    return found
  }

  async newId(): Promise<string> {
    return (await this.ownIds()).make()
  }

  /** Called when keys or tenants were changed through this process. */
  forget(): void {
    this.generation++
    this.entries = new LruMap(KNOWN_KEYS)
  }

  private async entryOf(id: string): Promise<Entry | undefined> {
    const known = this.entries.get(id)
    if (known !== undefined && known.until > this.now()) return known
    let underWay = this.pending.get(id)
    if (underWay === undefined) {
      const begun = known === undefined ? this.lookUpNew(id) : this.lookUp(id, known)
      const done = () => {
        if (this.pending.get(id) === begun) this.pending.delete(id)
      }
      begun.then(done, done)
      this.pending.set(id, begun)
      underWay = begun
    }
    return underWay
  }

  private async lookUpNew(id: string): Promise<Entry | undefined> {
    if (!(await this.ownIds()).isOwn(id)) return undefined
    return this.lookUp(id, undefined)
  }

  private async lookUp(id: string, before: Entry | undefined): Promise<Entry> {
    const { generation } = this
    const until = this.now() + FRESH_MS
    const found = await this.control.findKey(id)
    const verified = found?.hash === before?.found?.hash ? before?.verified : undefined
    const usedAt = Math.max(before?.usedAt ?? 0, found?.key.lastUsedAt ?? 0)
    const entry = { found, verified, usedAt, until }
    if (generation === this.generation) this.entries.set(id, entry)
    return entry
  }

  private ownIds(): Promise<KeyIds> {
    this.ids ??= this.control
      .secret('key ids', newSecret())
      .then((secret) => new KeyIds(secret))
      .catch((error: unknown) => {
        this.ids = undefined
        throw error
      })
    return this.ids
  }
}

async function isRight(entry: Entry, { hash }: FoundKey, text: string): Promise<boolean> {
  if (entry.verified !== undefined) return equalInConstantTime(entry.verified, text)
  if (!equalInConstantTime(await hashOf(text), hash)) return false
  entry.verified = text
  return true
}
