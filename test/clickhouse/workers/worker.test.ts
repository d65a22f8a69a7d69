/** The suite inside workerd: the client in front of the worker, which reaches ClickHouse through its client for the web. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { inject } from 'vitest'
import { ClickHouseStore } from '../../../src/backends/clickhouse/clickhouse-store.ts'
import { WebConnection } from '../../../src/backends/clickhouse/web-connection.ts'
import { HttpBackend, HttpChain } from '../../../src/client/index.ts'
import type { Chain } from '../../../src/core/interfaces.ts'
import { createWorker } from '../../../src/worker/handler.ts'
import { conformance } from '../../conformance/index.ts'
import { DECIDED_BEHIND } from '../left-out.ts'

const { CLICKHOUSE_URL: url, CLICKHOUSE_USER: user, ...rest } = inject('clickhouse')
const options = { url, user, password: rest.CLICKHOUSE_PASSWORD, database: rest.CLICKHOUSE_DATABASE }

const bindings = {
  DB: env.DB,
  MCB_AUTH: 'open',
  MCB_HOSTS: 'worker.test',
  MCB_STORAGE: 'clickhouse',
  CLICKHOUSE_INSERTS: 'each',
  ...inject('clickhouse'),
}

/** A worker with caches of its own, as another isolate has them. */
function open(): HttpBackend {
  const worker = createWorker()
  return new HttpBackend({
    url: 'http://worker.test',
    fetch: (request) => worker.fetch(request, bindings, createExecutionContext()),
    // Storage that fails is not what this is about: it shows soon.
    retry: { limit: 10_000 },
  })
}

conformance({
  name: 'client in front of the worker with ClickHouse',
  keepsDraws: true,
  scale: 0.02,
  leftOut: DECIDED_BEHIND,
  open: async () => ({
    backend: open(),
    other: open(),
    store: new ClickHouseStore(new WebConnection(options), 'local'),
    flush: async (chain: Chain) => {
      if (chain instanceof HttpChain) await chain.flush()
    },
    close: async () => {},
  }),
})
