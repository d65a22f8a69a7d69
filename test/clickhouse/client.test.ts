/** The suite on the client of this project in front of ClickHouse, over HTTP on a real socket. */
import { vi } from 'vitest'
import { createApp } from '../../src/app.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { HttpBackend, HttpChain } from '../../src/client/index.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { conformance } from '../conformance/index.ts'
import { openDatabase } from '../support/clickhouse.ts'
import { DECIDED_BEHIND } from './left-out.ts'

vi.setConfig({ testTimeout: 300_000 })

conformance({
  name: 'client in front of ClickHouse',
  keepsDraws: true,
  scale: 0.02,
  leftOut: DECIDED_BEHIND,
  open: async () => {
    const database = await openDatabase()
    const connection = new NodeConnection(database.options)
    const backend = new StoreBackend(new ClickHouseStore(connection, 'served'))
    const server = await listen(createApp({ openBackend: () => backend, readBody: readNodeBody }), '127.0.0.1', 0)
    return {
      backend: new HttpBackend({ url: server.url }),
      other: new HttpBackend({ url: server.url }),
      store: backend.store,
      flush: async (chain) => {
        if (chain instanceof HttpChain) await chain.flush()
      },
      countRows: database.countRows,
      close: async () => {
        await server.close()
        await connection.close()
        await database.close()
      },
    }
  },
})
