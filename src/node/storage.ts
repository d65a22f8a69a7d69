/** Which storage the Node entry uses. */
import { fileURLToPath } from 'node:url'
import { NodeConnection } from '../backends/clickhouse/node.ts'
import { ClickHouseStore } from '../backends/clickhouse/store.ts'
import { MemoryStore } from '../backends/memory.ts'
import { NullStore } from '../backends/null.ts'
import { StoreBackend } from '../backends/stored.ts'
import { openThreadStorage } from '../backends/thread/client.ts'
import type { Store } from '../core/store.ts'
import { clickHouseOptions } from './clickhouse.ts'

export const STORAGES = ['sqlite', 'clickhouse', 'memory', 'null'] as const
export type StorageKind = (typeof STORAGES)[number]

export interface Storage {
  /** One backend a tenant, kept for the life of the process. */
  readonly openBackend: (tenant: string) => StoreBackend
  /** Resolves when the storage has failed for good. */
  readonly failed?: Promise<Error>
  /** Ends what watches runs, and would otherwise never end. */
  endWatches(): void
  close(): Promise<void>
}

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

export async function openStorage(kind: StorageKind, folder: string): Promise<Storage> {
  if (kind === 'memory') return { ...keep(() => new MemoryStore()), close: async () => {} }
  if (kind === 'null') return { ...keep(() => new NullStore()), close: async () => {} }
  if (kind === 'clickhouse') {
    const connection = new NodeConnection(clickHouseOptions(process.env))
    const inserts = process.env.CLICKHOUSE_INSERTS === 'each' ? 'each' : 'gather'
    const openStore = (tenant: string) => new ClickHouseStore(connection, tenant, { inserts })
    return { ...keep(openStore), close: () => connection.close() }
  }
  const thread = await openThreadStorage({ path: `${folder}/mcbackend.sqlite`, migrations: MIGRATIONS })
  return { ...keep(thread.openStore), failed: thread.failed, close: thread.close }
}

function keep(openStore: (tenant: string) => Store): Pick<Storage, 'openBackend' | 'endWatches'> {
  const backends = new Map<string, StoreBackend>()
  const openBackend = (tenant: string) => {
    let backend = backends.get(tenant)
    if (backend === undefined) {
      backend = new StoreBackend(openStore(tenant))
      backends.set(tenant, backend)
    }
    return backend
  }
  return {
    openBackend,
    endWatches: () => {
      for (const { watches } of backends.values()) watches.end()
    },
  }
}
