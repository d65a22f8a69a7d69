/**
 * Quotas without asking the storage for each request: the usage that it told last, and all that this process or isolate has
 * let in since.
 *
 * So a tenant may exceed its quota by requests that other isolates have let in since then, and by those under way.
 */
import { LruMap } from '../core/lru.ts'
import type { Usage } from '../core/store.ts'

/** Milliseconds until the storage is asked again. */
const FRESH_MS = 30_000
const COUNTED_TENANTS = 10_000

interface Entry {
  readonly usage: Promise<Usage>
  readonly until: number
  runs: number
  bytes: number
}

export class Quotas {
  private readonly now: () => number
  private readonly entries = new LruMap<string, Entry>(COUNTED_TENANTS)

  constructor(now: () => number) {
    this.now = now
  }

  /** Usage of the tenant as far as it is known here. `read` asks the storage. */
  async usage(tenant: string, read: () => Promise<Usage>): Promise<Usage> {
    let entry = this.entries.get(tenant)
    if (entry === undefined || entry.until <= this.now()) {
      const fresh = { usage: read(), until: this.now() + FRESH_MS, runs: 0, bytes: 0 }
      entry = fresh
      this.entries.set(tenant, fresh)
      fresh.usage.catch(() => this.entries.get(tenant) === fresh && this.entries.delete(tenant))
    }
    const { runs, bytes } = await entry.usage
    return { runs: runs + entry.runs, bytes: bytes + entry.bytes }
  }

  /** Adds runs and bytes that were let in. */
  add(tenant: string, added: Usage): void {
    const entry = this.entries.get(tenant)
    if (entry === undefined) return
    entry.runs += added.runs
    entry.bytes += added.bytes
  }

  /** Forgets the usage of a tenant when something of it was deleted. */
  forget(tenant: string): void {
    this.entries.delete(tenant)
  }
}
