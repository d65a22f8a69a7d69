/** Events from a server over ClickHouse, which looks for writes of another server. */
import { afterAll, beforeAll, describe } from 'vitest'
import { createApp } from '../../src/app.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { type Listening, listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { events } from '../events/suite.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'

interface Server extends Listening {
  readonly connection: NodeConnection
}

let database: TestDatabase
let servers: readonly [Server, Server]

async function serve(): Promise<Server> {
  const connection = new NodeConnection(database.options)
  const backend = new StoreBackend(new ClickHouseStore(connection, 'local'))
  const app = createApp({ openBackend: () => backend, readBody: readNodeBody })
  return { ...(await listen(app, '127.0.0.1', 0)), connection }
}

beforeAll(async () => {
  database = await openDatabase()
  servers = [await serve(), await serve()]
})

const send = (request: Request) => fetch(request)

describe('written by the server that is watched', () =>
  events(() => ({ name: 'ClickHouse', url: servers[0].url, fetch: send })))

describe('written by another server', () =>
  events(() => ({
    name: 'ClickHouse',
    url: servers[0].url,
    fetch: send,
    writer: { url: servers[1].url, fetch: send },
    looks: true,
  })))

afterAll(async () => {
  for (const { close, connection } of servers) {
    await close()
    await connection.close()
  }
  await database.close()
})
