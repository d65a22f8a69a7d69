/** Which storage the Node entry uses. */
import { fileURLToPath } from 'node:url'
import { MemoryStore } from '../backends/memory.ts'
import { NullStore } from '../backends/null.ts'
import { StoreBackend } from '../backends/stored.ts'
import { openThreadStorage } from '../backends/thread/client.ts'
import type { Store } from '../core/store.ts'

export const STORAGES = ['sqlite', 'memory', 'null'] as const
export type StorageKind = (typeof STORAGES)[number]

export interface Storage {
  /** One backend a tenant, kept for the life of the process. */
  readonly openBackend: (tenant: string) => StoreBackend
  /** Resolves when the storage has failed for good. */
  readonly failed?: Promise<Error>
  close(): Promise<void>
}

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

export async function openStorage(kind: StorageKind, folder: string): Promise<Storage> {
  if (kind === 'memory') return { openBackend: keep(() => new MemoryStore()), close: async () => {} }
  if (kind === 'null') return { openBackend: keep(() => new NullStore()), close: async () => {} }
  const thread = await openThreadStorage({ path: `${folder}/mcbackend.sqlite`, migrations: MIGRATIONS })
  return { openBackend: keep(thread.openStore), failed: thread.failed, close: thread.close }
}

function keep(openStore: (tenant: string) => Store): (tenant: string) => StoreBackend {
  const backends = new Map<string, StoreBackend>()
  return (tenant) => {
    let backend = backends.get(tenant)
    if (backend === undefined) {
      backend = new StoreBackend(openStore(tenant))
      backends.set(tenant, backend)
    }
    return backend
  }
}
