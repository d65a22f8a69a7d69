/** Completes the deletion of tenants: what was cut off, and what a writer that did not know yet has left since. */
import type { StoreBackend } from '../backends/stored.ts'
import type { ControlStore } from '../core/tenants.ts'

/** Milliseconds after which nothing can be under way any more that knew the tenant. */
const REMEMBER_MS = 7 * 24 * 3600_000

export async function sweepTenants(
  control: ControlStore,
  openBackend: (storage: string) => StoreBackend,
  now: number,
): Promise<void> {
  for (const { id, storage, retiredAt } of await control.retiredTenants()) {
    await openBackend(storage).retire()
    await control.releaseName(id)
    if (retiredAt < now - REMEMBER_MS) await control.dropTenant(id)
  }
}
