/** The storage of the Node entry, as its environment chooses it. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ControlStore } from '../access/records.ts'
import { SqlControl } from '../access/sql/sql-control.ts'
import { clickHouseOptions } from '../backends/clickhouse/clickhouse-settings.ts'
import { ClickHouseStore } from '../backends/clickhouse/clickhouse-store.ts'
import { commitsOf, insertsOf } from '../backends/clickhouse/commit.ts'
import { NodeConnection } from '../backends/clickhouse/node-connection.ts'
import { MemoryStore } from '../backends/memory.ts'
import { NullStore } from '../backends/null.ts'
import type { Store, StoreObserver } from '../core/store.ts'
import { StoreBackend } from '../runs/backend.ts'
import { FileDriver } from '../sql/file.ts'
import { openOwned } from './owned-database.ts'
import { openFolderStorage } from './storage-thread/folder-storage.ts'
import type { Tally } from './tally.ts'

export const STORAGES = ['sqlite', 'clickhouse', 'memory', 'null'] as const
export type StorageKind = (typeof STORAGES)[number]

export interface Storage {
  /** One backend a tenant, kept for the life of the process. */
  readonly openBackend: (tenant: string) => StoreBackend
  /** Forgets the backend of a tenant that is gone. */
  readonly closeBackend: (tenant: string) => void
  /** Tenants and keys. */
  readonly control: ControlStore
  /** Bytes of the file that deletions have left, and that new data takes first; absent where there is no such file. */
  readonly reusable?: () => Promise<number>
  /** Resolves when the storage has failed for good. */
  readonly failed?: Promise<Error>
  /** Ends watches of runs, which would otherwise never end. */
  endWatches(): void
  close(): Promise<void>
}

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

/**
 * `notice` learns of events that the operator of the server should know; `tally` counts what is stored.
 *
 * @throws Error whose message tells why it cannot be opened, and the way out
 */
export async function openStorage(
  kind: StorageKind,
  folder: string,
  notice: (sentence: string) => void = console.error,
  tally?: Tally,
): Promise<Storage> {
  if (kind === 'memory') return { ...keep(() => new MemoryStore(undefined, tally)), ...controlInMemory() }
  if (kind === 'null') return { ...keep(() => new NullStore()), ...controlInMemory() }
  if (kind === 'clickhouse') return openClickHouse(folder, tally)
  const opened = await openFolderStorage({ path: pathIn(folder), migrations: MIGRATIONS }, notice, tally)
  const { control, reusable, failed, close } = opened
  return { ...keep(opened.openStore), control, reusable, failed, close }
}

/** Files of the storage in a folder, by their part. */
export function filesIn(folder: string): Readonly<Record<'database' | 'log', string>> {
  return { database: pathIn(folder), log: `${pathIn(folder)}-wal` }
}

function pathIn(folder: string): string {
  return join(folder, 'mcbackend.sqlite')
}

/** The draws in ClickHouse; tenants and keys in a SQLite file of this machine. */
function openClickHouse(folder: string, observer: StoreObserver | undefined): Storage {
  const connection = new NodeConnection(clickHouseOptions(process.env))
  // One for all tenants: their inserts go together.
  const inserts = commitsOf(connection, insertsOf(process.env.CLICKHOUSE_INSERTS))
  const file = openOwned({ path: pathIn(folder), migrations: MIGRATIONS })
  const close = async () => {
    await connection.close()
    file.close()
  }
  return {
    ...keep((tenant) => new ClickHouseStore(connection, tenant, { inserts, observer })),
    control: new SqlControl(file.driver),
    close,
  }
}

/** Tenants and keys that end with the process, as the draws beside them do. */
export function controlInMemory(): Pick<Storage, 'control' | 'close'> {
  const driver = new FileDriver({ path: ':memory:', migrations: MIGRATIONS })
  return { control: new SqlControl(driver), close: async () => driver.close() }
}

function keep(openStore: (tenant: string) => Store): Pick<Storage, 'openBackend' | 'closeBackend' | 'endWatches'> {
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
    closeBackend: (tenant) => void backends.delete(tenant),
    endWatches: () => {
      for (const { watches } of backends.values()) watches.end()
    },
  }
}
