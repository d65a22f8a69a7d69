/** The suite on ClickHouse, through each of the official clients, as two API servers have it. */
import { vi } from 'vitest'
import type { Connection, ConnectionOptions } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/store.ts'
import { WebConnection } from '../../src/backends/clickhouse/web.ts'
import { StoreBackend } from '../../src/backends/stored.ts'
import { openDatabase } from '../support/clickhouse.ts'
import { conformance } from './index.ts'

const CLIENTS: Readonly<Record<string, (options: ConnectionOptions) => Connection>> = {
  '@clickhouse/client': (options) => new NodeConnection(options),
  '@clickhouse/client-web': (options) => new WebConnection(options),
}

// Each append is an insert and a query; a race of 200 rounds has many of them.
vi.setConfig({ testTimeout: 300_000 })

for (const [name, connect] of Object.entries(CLIENTS)) {
  conformance({
    name: `ClickHouse through ${name}`,
    keepsDraws: true,
    scale: 0.03,
    open: async () => {
      const database = await openDatabase()
      const connections = [connect(database.options), connect(database.options)] as const
      const [backend, other] = connections.map((connection) => {
        return new StoreBackend(new ClickHouseStore(connection, "a 'tenant\\"))
      })
      if (backend === undefined || other === undefined) throw new Error('there are two connections')
      const close = async () => {
        for (const connection of connections) await connection.close()
        await database.close()
      }
      return { backend, other, countRows: database.countRows, close }
    },
  })
}
