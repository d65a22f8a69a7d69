/** examples/clickhouse_reader.cpp reads from ClickHouse what the API gives. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect } from 'vitest'
import { createApp } from '../../src/app.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { HttpBackend } from '../../src/client/index.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { compile, withoutCompiler } from '../support/cpp.ts'
import { testUnless } from '../support/skip.ts'

const SOURCE = fileURLToPath(new URL('../../examples/clickhouse_reader.cpp', import.meta.url))
const TENANT = "it's"
const RUN = 'read-from-cpp'
const WARMUP = 3
/** Draws of each chain. More than one piece of an answer has. */
const LENGTHS = [5000, 17]
/** Names that have to be escaped on the way. */
const MATRIX = 'a\\b\tc[1,2] & μ=1'

const reason = withoutCompiler()
const test = testUnless(reason)

let database: TestDatabase
let connection: NodeConnection
let server: Awaited<ReturnType<typeof listen>>
let program: string

beforeAll(async () => {
  if (reason !== undefined) return
  program = compile(SOURCE, '-lcurl')
  database = await openDatabase()
  connection = new NodeConnection(database.options)
  const backend = new StoreBackend(new ClickHouseStore(connection, TENANT))
  server = await listen(createApp({ openBackend: () => backend, readBody: readNodeBody }), '127.0.0.1', 0)
  await write(new HttpBackend({ url: server.url }))
}, 300_000)

afterAll(async () => {
  await server?.close()
  await connection?.close()
  await database?.close()
})

async function write(backend: HttpBackend): Promise<void> {
  const run = await backend.initRun({
    rid: RUN,
    variables: [
      { name: 'mu', dtype: 'float64' },
      { name: MATRIX, dtype: 'int16', shape: [2, 3] },
      { name: 'ragged', dtype: 'float32', shape: [-1] },
    ],
    sampleStats: [{ name: 'tune', dtype: 'bool' }],
  })
  for (const [number, count] of LENGTHS.entries()) {
    const draws = new Map<string, Draws>([
      [
        'mu',
        { dtype: 'float64', shape: [count], data: Float64Array.from({ length: count }, (_, i) => value(number, i)) },
      ],
      [MATRIX, { dtype: 'int16', shape: [count, 2, 3], data: Int16Array.from({ length: 6 * count }, (_, i) => 7 - i) }],
      ['ragged', Array.from({ length: count }, (_, i) => ragged(i % 4))],
    ])
    const tune = Uint8Array.from({ length: count }, (_, i) => (i < WARMUP ? 1 : 0))
    const stats = new Map([['tune', { dtype: 'bool', shape: [count], data: tune } as const]])
    const chain = await run.initChain(number)
    await chain.appendBatch({ start: 0, count, draws, stats })
  }
}

/** Numbers of all kinds, those that are none among them. */
function value(chain: number, draw: number): number {
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 5e-324, Number.MAX_VALUE]
  return special[draw - WARMUP] ?? Math.sin(draw) / (chain + 3)
}

function ragged(length: number): { dtype: 'float32'; shape: number[]; data: Float32Array<ArrayBuffer> } {
  return { dtype: 'float32', shape: [length], data: Float32Array.from({ length }, (_, i) => i + 0.1) }
}

function ask(url: string, ...args: readonly string[]): Promise<{ stdout: string }> {
  const { user, password, database: name } = database.options
  const env = {
    ...process.env,
    CLICKHOUSE_URL: url,
    CLICKHOUSE_DATABASE: name,
    ...(user !== undefined && { CLICKHOUSE_USER: user }),
    ...(password !== undefined && { CLICKHOUSE_PASSWORD: password }),
  }
  return promisify(execFile)(program, args, { env, maxBuffer: 2 ** 26 })
}

/** Lines of the reader: chain, draw, elements. */
function linesOf(stdout: string): number[][] {
  const number = (text: string) => (/nan$/.test(text) ? Number.NaN : Number(text.replace('inf', 'Infinity')))
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t').map(number))
}

/** The same lines by the API, behind warmup; draws without elements have none. */
async function byApi(name: string): Promise<number[][]> {
  const run = await new HttpBackend({ url: server.url }).getRun(RUN)
  const lines: number[][] = []
  for (const chain of (await run?.getChains()) ?? []) {
    for (const [draw, elements] of eachOf(await chain.getDraws(name)).entries()) {
      if (draw >= WARMUP && elements.length > 0) lines.push([chain.number, draw, ...elements])
    }
  }
  return lines
}

/** Elements of each draw. */
function eachOf(draws: Draws): number[][] {
  if (!('data' in draws)) return draws.map(({ data }) => Array.from<unknown, number>(data, Number))
  const all = Array.from<unknown, number>(draws.data, Number)
  const [count = 0] = draws.shape
  const width = all.length / count
  return Array.from({ length: count }, (_, draw) => all.slice(draw * width, (draw + 1) * width))
}

/** The words with which the reader fails. */
async function failure(asked: Promise<unknown>): Promise<string> {
  const error: unknown = await asked.then(
    () => undefined,
    (failed: unknown) => failed,
  )
  expect(error).toMatchObject({ code: 1, stdout: '' })
  return error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
}

/** Asks somebody who answers each request so. */
async function askOf(answer: (response: ServerResponse) => void): Promise<string> {
  const other = createServer((request, response) => request.resume().once('end', () => answer(response)))
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' ? address?.port : undefined
  try {
    return await failure(ask(`http://127.0.0.1:${port}`, RUN, 'mu'))
  } finally {
    other.close()
  }
}

for (const name of ['mu', MATRIX, 'ragged']) {
  test(`${JSON.stringify(name)} is what the API gives, to the last bit`, async () => {
    const expected = await byApi(name)
    expect(expected.length).toBeGreaterThan(1000)
    const { stdout } = await ask(database.options.url, RUN, name, TENANT)
    expect(linesOf(stdout)).toEqual(expected)
  })
}

test('a run of another tenant has no draws', async () => {
  expect(await ask(database.options.url, RUN, 'mu')).toMatchObject({ stdout: '' })
})

test("ClickHouse's errors are told", async () => {
  const { url } = database.options
  expect(await failure(ask(`${url}/nowhere`, RUN, 'mu'))).toMatch(/^clickhouse_reader: ClickHouse answers 404: /)
})

test('an answer that is none of ClickHouse, or not whole, is an error', async () => {
  const RowBinary = { 'Content-Type': 'application/octet-stream' }
  const page = await askOf((response) => response.setHeader('Content-Type', 'text/html').end('<p>Sign in</p>'))
  expect(page).toContain('does not answer as ClickHouse does; see CLICKHOUSE_URL')
  expect(await askOf((response) => response.writeHead(200, RowBinary).end(Buffer.alloc(25)))).toContain('within a row')
  const cut = await askOf((response) => {
    response.writeHead(200, { ...RowBinary, 'Content-Length': 240 }).write(Buffer.alloc(48))
    setTimeout(() => response.destroy(), 100)
  })
  expect(cut).toMatch(/partial file/i)
})
