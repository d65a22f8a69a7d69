/** `npm run clickhouse`: ClickHouse's HTTP interface on the real engine, for development and tests. */
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Engine } from './engine.ts'
import { Inserts } from './inserts.ts'
import { serve } from './server.ts'

const HELP = `ClickHouse's HTTP interface on the real engine, in one process: a development tool, not a server for the world.

usage: npm run clickhouse

environment
  PORT                port to listen on; 0 picks a free one   [8123]
  HOST                address to listen on                    [127.0.0.1]
  MCB_DATA_DIR        folder of the data; one process each    [./data/clickhouse]
  CLICKHOUSE_USER     who may ask; anybody where it is not set
  CLICKHOUSE_PASSWORD and with which password                 []

SIGTERM or SIGINT stops it.`

if (process.argv.includes('--help')) {
  console.log(HELP)
  process.exit(0)
}

const { PORT = '8123', HOST = '127.0.0.1', MCB_DATA_DIR = './data/clickhouse' } = process.env
const { CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password = '' } = process.env
mkdirSync(MCB_DATA_DIR, { recursive: true })
const engine = new Engine(resolve(MCB_DATA_DIR))
const inserts = new Inserts(engine, mkdtempSync(join(tmpdir(), 'mcbackend-clickhouse-')))
const server = serve(engine, inserts, user === undefined ? undefined : { user, password })
server.once('error', (error) => {
  console.error(`clickhouse: cannot listen on ${HOST}:${PORT} (${error.message}); set HOST and PORT.`)
  process.exit(1)
})
server.listen(Number(PORT), HOST, () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : PORT
  console.log(`ClickHouse listening on http://${HOST}:${port} (data: ${MCB_DATA_DIR})`)
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close(() => {
      engine.close()
      process.exit(0)
    })
    server.closeAllConnections()
  })
}
