/** The suite on the store itself inside workerd, through the client for the web. */
import { inject } from 'vitest'
import { ClickHouseStore } from '../../../src/backends/clickhouse/clickhouse-store.ts'
import { WebConnection } from '../../../src/backends/clickhouse/web-connection.ts'
import { StoreBackend } from '../../../src/runs/backend.ts'
import { conformance } from '../../conformance/index.ts'
import { SAME_AS_ON_NODE } from '../left-out.ts'

const { CLICKHOUSE_URL: url, CLICKHOUSE_USER: user, ...rest } = inject('clickhouse')
const options = { url, user, password: rest.CLICKHOUSE_PASSWORD, database: rest.CLICKHOUSE_DATABASE }

/** With caches of its own, as another isolate has them. */
function open(): StoreBackend {
  return new StoreBackend(new ClickHouseStore(new WebConnection(options), 'workerd', { inserts: 'server' }))
}

conformance({
  name: 'ClickHouse through @clickhouse/client-web',
  keepsDraws: true,
  scale: 0.02,
  leftOut: SAME_AS_ON_NODE,
  open: async () => ({ backend: open(), other: open(), close: async () => {} }),
})
