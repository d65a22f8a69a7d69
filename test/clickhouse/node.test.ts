/** The suite on ClickHouse through the client for Node. */
import { vi } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { conformance } from '../conformance/index.ts'
import { openDatabase } from '../support/clickhouse.ts'

// Each append is an insert and a query; a race of 200 rounds has many of them.
vi.setConfig({ testTimeout: 300_000 })

conformance({
  name: 'ClickHouse through @clickhouse/client',
  keepsDraws: true,
  scale: 0.02,
  every: 11,
  open: async () => {
    const database = await openDatabase()
    const connections = [new NodeConnection(database.options), new NodeConnection(database.options)] as const
    const open = (connection: NodeConnection) =>
      new StoreBackend(new ClickHouseStore(connection, "a 'tenant\\", { inserts: 'each' }))
    const close = async () => {
      for (const connection of connections) await connection.close()
      await database.close()
    }
    return { backend: open(connections[0]), other: open(connections[1]), countRows: database.countRows, close }
  },
})
