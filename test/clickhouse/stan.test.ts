/** The suite of stan.csv on ClickHouse. */
import { createApp } from '../../src/app.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { openNodeBody } from '../../src/node/body-stream.ts'
import { listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { stan } from '../stan/suite.ts'
import { openDatabase } from '../support/clickhouse.ts'

stan({
  name: 'ClickHouse',
  open: async () => {
    const database = await openDatabase()
    const connection = new NodeConnection(database.options)
    const backend = new StoreBackend(new ClickHouseStore(connection, 'local'))
    const server = await listen(createApp({ openBackend: () => backend, openBody: openNodeBody }), '127.0.0.1', 0)
    return {
      url: server.url,
      fetch: (request) => fetch(request),
      close: async () => {
        await server.close()
        await connection.close()
        await database.close()
      },
    }
  },
})
