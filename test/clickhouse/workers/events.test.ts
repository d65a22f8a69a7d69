/** Events from a worker over ClickHouse, which looks for writes of another one. */
import { env } from 'cloudflare:workers'
import { inject } from 'vitest'
import { events } from '../../events/suite.ts'
import { openWorker } from '../../workers/local.ts'

const bindings = {
  DB: env.DB,
  MCB_AUTH: 'open',
  MCB_HOSTS: 'worker.test',
  MCB_STORAGE: 'clickhouse',
  ...inject('clickhouse'),
}

const url = 'http://worker.test'
const fetch = openWorker(bindings)
const other = openWorker(bindings)

events(() => ({ name: 'worker with ClickHouse', url, fetch, writer: { url, fetch: other }, looks: true }))
