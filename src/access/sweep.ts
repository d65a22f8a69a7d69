/** Completes deletions of tenants: those that were cut off, and of rows that an unaware writer has left since. */
import type { ControlStore } from './records.ts'

/** Milliseconds after which nothing can be under way any more that knew the tenant. */
const REMEMBER_MS = 7 * 24 * 3600_000

/** Keeps the runs of one tenant. */
interface Retirable {
  /** Deletes them for good, and takes no new ones. */
  retire(): Promise<void>
}

export interface Sweep {
  readonly control: ControlStore
  readonly openBackend: (storage: string) => Retirable
  /** Forgets the backend that `openBackend` keeps. */
  readonly closeBackend: (storage: string) => void
}

export async function sweepTenants({ control, openBackend, closeBackend }: Sweep, now: number): Promise<void> {
  for (const { id, storage, retiredAt } of await control.retiredTenants()) {
    await openBackend(storage).retire()
    closeBackend(storage)
    await control.releaseName(id)
    if (retiredAt < now - REMEMBER_MS) await control.dropTenant(id)
  }
}
