/** The C++ client writes to a server that keeps its draws in ClickHouse and is killed meanwhile; all is there, and nothing twice. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect } from 'vitest'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import { HttpBackend } from '../../src/client/index.ts'
import type { Chain } from '../../src/core/interfaces.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { buildClient, compile, withoutBuildOfClient } from '../support/cpp.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

/** Appends and reads back; its first lines say how. */
const SOURCE = fileURLToPath(new URL('cpp_round_trip.cpp', import.meta.url))
const RUN = 'from-cpp'
const CHAINS = 4
const DRAWS = 2000
/** Time to build the client in, in milliseconds. */
const PATIENCE = 600_000

const reason = withoutBuildOfClient()
const test = testUnless(reason)
const folder = newFolder()

let database: TestDatabase
let server: ServerProcess
let program: string

beforeAll(async () => {
  if (reason !== undefined) return
  program = compile(SOURCE, ...buildClient())
  database = await openDatabase()
  server = await start('0')
}, PATIENCE)

afterAll(async () => {
  await server?.stop()
  await database?.close()
  removeFolder(folder)
})

function start(port: string): Promise<ServerProcess> {
  const { url, user, password, database: name = '' } = database.options
  return startServer({
    PORT: port,
    MCB_STORAGE: 'clickhouse',
    MCB_DATA_DIR: folder,
    CLICKHOUSE_URL: url,
    CLICKHOUSE_DATABASE: name,
    ...(user !== undefined && { CLICKHOUSE_USER: user }),
    ...(password !== undefined && { CLICKHOUSE_PASSWORD: password }),
  })
}

/** Kills the server and starts it again at the same address. */
async function replaceServer(): Promise<void> {
  await server.stop('SIGKILL')
  server = await start(new URL(server.url).port)
}

/** Runs the program, and lets the server be killed when half of the draws are durable. */
async function roundTrip(): Promise<{ readonly code: unknown; readonly said: string }> {
  const child = spawn(program, [RUN, String(DRAWS)], { env: { ...process.env, MCB_URL: server.url, MCB_TOKEN: '' } })
  let said = ''
  let replaced: Promise<void> | undefined
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.startsWith('half')) replaced ??= replaceServer()
    })
  }
  const [code] = await once(child, 'close')
  await replaced
  return { code, said }
}

const each = <T>(of: (draw: number) => T): T[] => Array.from({ length: DRAWS }, (_, draw) => of(draw))

/** The values of cpp_round_trip.cpp, read by another client than the one that has written them. */
async function expectAll(chain: Chain): Promise<void> {
  const mu = each((i) => (i % 7 === 0 ? Number.NaN : i % 7 === 1 ? -0 : i / 3 + chain.number))
  const float64 = { dtype: 'float64', shape: [DRAWS], data: Float64Array.from(mu) }
  expect(await chain.getDraws('mu')).toEqual(float64)
  expect(await chain.getStats('lp')).toEqual(float64)
  const matrix = each((i) => [0, 1, 2, 3, 4, 5].map((k) => 1000 * k - i)).flat()
  expect(await chain.getDraws('matrix')).toEqual({
    dtype: 'int16',
    shape: [DRAWS, 2, 3],
    data: Int16Array.from(matrix),
  })
  const big = BigUint64Array.from(each((i) => 2n ** 64n - 1n - BigInt(i)))
  expect(await chain.getDraws('big')).toEqual({ dtype: 'uint64', shape: [DRAWS], data: big })
  const words = each((i) => (i % 5 === 0 ? '' : `μ${i}`))
  expect(await chain.getDraws('word')).toEqual({ dtype: 'str', shape: [DRAWS], data: words })
  const ragged = each((i) => Float32Array.from({ length: i % 4 }, (_, k) => i + 0.25 * k))
  expect(await chain.getDraws('ragged')).toEqual(
    ragged.map((data) => ({ dtype: 'float32', shape: [data.length], data })),
  )
  const tune = Uint8Array.from(each((i) => Number(i < 10)))
  expect(await chain.getStats('tune')).toEqual({ dtype: 'bool', shape: [DRAWS], data: tune })
}

test(
  'four chains from C++, through a server that is killed, are in ClickHouse once',
  async () => {
    const first = server
    expect(await roundTrip()).toEqual({ code: 0, said: 'half\nequal\n' })
    expect(first.process.signalCode).toBe('SIGKILL')
    const chains = await (await new HttpBackend({ url: server.url }).getRun(RUN))?.getChains()
    expect(chains?.map(({ number }) => number)).toEqual([0, 1, 2, 3])
    for (const chain of chains ?? []) await expectAll(chain)

    const connection = new NodeConnection(database.options)
    const rows = "FROM draws WHERE tenant = 'local' AND run = {run:String} AND variable = 'mu'"
    const sql = `SELECT count(), uniqExact(chain, draw) ${rows}`
    const reader = new RowReader(await connection.select(sql, { run: RUN }))
    expect([Number(reader.uint64()), Number(reader.uint64())]).toEqual([CHAINS * DRAWS, CHAINS * DRAWS])
    await connection.close()
  },
  { timeout: PATIENCE },
)
