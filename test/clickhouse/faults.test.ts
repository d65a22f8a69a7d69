/**
 * Ingest through a network that fails in each way 50 times: every acknowledged draw is there, in order and once. And what
 * a server says, and logs, whose ClickHouse is away or not prepared.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import type { Inserts } from '../../src/backends/clickhouse/commit.ts'
import type { Connection, ConnectionOptions } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { WebConnection } from '../../src/backends/clickhouse/web-connection.ts'
import { type Fetch, HttpBackend } from '../../src/client/index.ts'
import type { Chain } from '../../src/core/interfaces.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { type Fault, FaultyProxy } from '../support/faulty-proxy.ts'

const CHAINS = 4
/** Faults of each kind and way, 50 and more over all ways; a silence counts the same for inserts that arrive at once or late. */
const EACH: Readonly<Record<Fault, number>> = { refused: 17, reset: 17, silent: 9, late: 8, failed: 17 }
const PASSING = 30
/** Milliseconds after which the store takes silence for a failure; 30,000 where it is not told, which takes half an hour here. */
const TIMEOUT_MS = Number(process.env.MCB_TEST_SILENCE_MS ?? 1000)
const PATIENCE_MS = 240_000 + 60 * TIMEOUT_MS

let database: TestDatabase
let direct: Connection

beforeAll(async () => {
  database = await openDatabase()
  direct = new NodeConnection(database.options)
}, 300_000)

afterAll(async () => {
  await direct?.close()
  await database?.close()
})

type Connect = (options: ConnectionOptions) => Connection

const WAYS: readonly (readonly [name: string, connect: Connect, inserts: Inserts])[] = [
  ['@clickhouse/client, inserts gathered', (options) => new NodeConnection(options), 'gather'],
  ['@clickhouse/client-web, inserts gathered by the server', (options) => new WebConnection(options), 'server'],
  ['@clickhouse/client-web, each insert with a token', (options) => new WebConnection(options), 'each'],
]

describe('ingest through faults', () => {
  it.for(WAYS)('loses and doubles nothing through %s', { timeout: PATIENCE_MS }, async ([name, connect, inserts]) => {
    const proxy = new FaultyProxy(database.options.url, shuffled(planOf(EACH, PASSING)))
    const connection = connect({ ...database.options, url: await proxy.start(), timeoutMs: TIMEOUT_MS })
    let refusals = 0
    const app = createApp({
      openBackend: keep(new StoreBackend(new ClickHouseStore(connection, 'faults', { inserts }))),
      report: (_, error) => {
        if (!inspect(error).includes('ECONNREFUSED')) return
        refusals++
        proxy.reopen()
      },
    })
    const rid = `faults-${inserts}`
    const meta = { rid, variables: [{ name: 'x', dtype: 'float64' }] }
    const writer = new HttpBackend({
      url: 'http://api.test',
      fetch: withoutWaiting((request) => app.fetch(request)),
      retry: { base: 10, cap: 100 },
    })
    const run = await writer.initRun(meta)
    const lengths = await Promise.all(
      Array.from({ length: CHAINS }, async (_, number) => write(await run.initChain(number), proxy)),
    )
    const stored = await new StoreBackend(new ClickHouseStore(direct, 'faults')).getRun(rid)
    const check = async () => {
      for (const [number, length] of lengths.entries()) {
        const chain = await stored?.getChain(number)
        expect(await chain?.getDraws('x')).toEqual(drawsOf(number, 0, length))
      }
    }
    await check()
    // An insert that arrives when all is done changes nothing.
    await proxy.settled()
    await check()
    expect(Object.fromEntries(proxy.injected)).toEqual(EACH)
    expect(refusals, name).toBeGreaterThanOrEqual(EACH.refused)
    await connection.close()
    await proxy.stop()
  })
})

it.for(WAYS)('an answer that stops in the middle ends through %s', async ([, connect]) => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Length': 16 })
    response.write(new Uint8Array(8))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const connection = connect({ url: `http://127.0.0.1:${address.port}`, timeoutMs: 100 })
  await expect(connection.select('SELECT 1', {})).rejects.toThrow()
  await expect(connection.insert('INSERT INTO t FORMAT RowBinary', [new Uint8Array(1)], {})).rejects.toThrow()
  await connection.close()
  server.close()
  server.closeAllConnections()
})

/** Appends small batches until the network has no fault left, and gives the length that was acknowledged. */
async function write(chain: Chain, proxy: FaultyProxy): Promise<number> {
  let length = 0
  for (let batch = 0; proxy.left > 0 || batch === 0; batch++) {
    const count = 1 + (batch % 5)
    const acknowledged = await chain.appendBatch({
      start: length,
      count,
      draws: new Map([['x', drawsOf(chain.number, length, count)]]),
    })
    length += count
    expect(acknowledged).toBe(length)
  }
  return length
}

/** Every draw of every chain is another number. */
function drawsOf(chain: number, start: number, count: number) {
  const data = Float64Array.from({ length: count }, (_, i) => chain * 1e6 + start + i)
  return { dtype: 'float64', shape: [count], data } as const
}

/** The database is back as soon as a test wants it: the writer takes the second that it is asked to wait as over. */
function withoutWaiting(fetch: Fetch): Fetch {
  return async (request) => {
    const answer = await fetch(request)
    if (answer.status === 503) {
      expect(answer.headers.get('Retry-After')).toBe('1')
      answer.headers.delete('Retry-After')
    }
    return answer
  }
}

function planOf(each: Readonly<Record<Fault, number>>, passing: number): (Fault | undefined)[] {
  const { refused, reset, silent, late, failed } = each
  return [
    ...Array<Fault>(refused).fill('refused'),
    ...Array<Fault>(reset).fill('reset'),
    ...Array<Fault>(silent).fill('silent'),
    ...Array<Fault>(late).fill('late'),
    ...Array<Fault>(failed).fill('failed'),
    ...Array<undefined>(passing),
  ]
}

/** In an order that is the same each time. */
function shuffled<T>(items: readonly T[]): T[] {
  let state = 20
  const next = () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state
  }
  return items
    .map((item) => [next(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

function keep(backend: StoreBackend): () => StoreBackend {
  return () => backend
}

describe('a ClickHouse that cannot serve', async () => {
  const CASES = [
    ['is away', { url: await closedAddress() }, /ClickHouse cannot be reached \(CLICKHOUSE_URL\).*ECONNREFUSED/],
    ['has no database', { database: 'nowhere' }, /misses its migrations \(npm run clickhouse:migrate\)/],
    ['has no tables', { database: 'default' }, /misses its migrations \(npm run clickhouse:migrate\)/],
  ] as const

  for (const [client, connect] of WAYS) {
    it.for(CASES)(`is answered 503 and named in the log when it %s, through ${client}`, async ([, options, line]) => {
      const connection = connect({ ...database.options, ...options })
      const log: unknown[] = []
      const app = createApp({
        openBackend: keep(new StoreBackend(new ClickHouseStore(connection, 'local'))),
        report: (_, error) => log.push(error),
      })
      for (const path of ['/healthz', '/v1/runs', '/v1/runs/absent']) {
        const answer = await app.request(path)
        expect(answer.status).toBe(503)
        expect(answer.headers.get('Retry-After')).toBe('1')
        const problem = await answer.text()
        expect(problem).toContain('"storage_unavailable"')
        // The address and the state of the database are for the log alone.
        expect(problem).not.toMatch(/127\.0\.0\.1|nowhere|migrat/)
        expect(inspect(log.pop())).toMatch(line)
      }
      expect(log).toEqual([])
      await connection.close()
    })
  }
})

/** An address at which nothing listens. */
async function closedAddress(): Promise<string> {
  const proxy = new FaultyProxy('http://127.0.0.1', [])
  const url = await proxy.start()
  await proxy.stop()
  return url
}
