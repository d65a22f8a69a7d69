/** The Node entry as a process: its words when it cannot start, its stop, and its log. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  column,
  DRAWS,
  drawBatch,
  expectProblem,
  iterations,
  jsonOf,
  META,
  PROTOBUF,
  runMeta,
  snapshot,
  withDraws,
} from '../http/api.ts'
import { runServer, type ServerProcess, startServer } from '../support/process.ts'
import { NOT_ON_LINUX, testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

let folder: string
let servers: ServerProcess[]
beforeEach(() => {
  folder = newFolder()
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.stop('SIGKILL')
  removeFolder(folder)
})

async function start(env: { readonly [name: string]: string } = {}): Promise<ServerProcess> {
  const server = await startServer({ MCB_DATA_DIR: folder, ...env })
  servers.push(server)
  return server
}

/** One sentence that names the way out, and no stack. */
function expectSentence(output: string, ...parts: readonly string[]): void {
  expect(output.trim().split('\n')).toHaveLength(1)
  for (const part of parts) expect(output).toContain(part)
}

describe('what it cannot do, it says in one sentence', () => {
  test('a port that is taken', async () => {
    const { url } = await start()
    const port = new URL(url).port
    const { code, output } = await runServer({ MCB_DATA_DIR: join(folder, 'other'), PORT: port })
    expect(code).toBe(1)
    expectSentence(output, `port ${port}`, 'is taken', 'PORT')
  })

  test('a folder that cannot be made', async () => {
    // A file in the place of the folder stops root, too.
    const file = join(folder, 'file')
    writeFileSync(file, '')
    for (const place of [file, join(file, 'below')]) {
      const { code, output } = await runServer({ MCB_DATA_DIR: place })
      expect(code).toBe(1)
      expectSentence(output, place, 'MCB_DATA_DIR')
    }
  })

  testUnless(NOT_ON_LINUX)('a folder where none can be made, not even by root', async () => {
    const { code, output } = await runServer({ MCB_DATA_DIR: '/proc/none/below' })
    expect(code).toBe(1)
    expectSentence(output, '/proc/none/below', 'MCB_DATA_DIR')
  })

  test('a file that is no database', async () => {
    writeFileSync(join(folder, 'mcbackend.sqlite'), 'this is no database, however long it may be. '.repeat(100))
    const { code, output } = await runServer({ MCB_DATA_DIR: folder })
    expect(code).toBe(1)
    expectSentence(output, folder, 'MCB_DATA_DIR')
  })

  test.each([
    ['PORT', 'x'],
    ['PORT', '65536'],
    ['MCB_STORAGE', 'tape'],
    ['MCB_LOG', 'tape'],
  ])('%s=%s', async (name, value) => {
    const { code, output } = await runServer({ MCB_DATA_DIR: folder, [name]: value })
    expect(code).toBe(1)
    expectSentence(output, name, value)
  })

  test.each(['--port', 'somewhere'])('an argument: %s', async (argument) => {
    const { code, output } = await runServer({ MCB_DATA_DIR: folder }, [argument])
    expect(code).toBe(1)
    expectSentence(output, argument, '--help')
  })

  test('--help', async () => {
    const { code, output } = await runServer({}, ['--help'])
    expect(code).toBe(0)
    for (const word of ['PORT', 'HOST', 'MCB_DATA_DIR', 'usage']) expect(output).toContain(word)
  })
})

test('a port of its own choice, and one line a request', async () => {
  const server = await start()
  expect(Number(new URL(server.url).port)).toBeGreaterThan(0)
  await withDraws(server.api, 3)
  await server.api.get('/v1/runs/none')
  const traced = await server.api.get('/healthz', { 'X-Request-Id': 'trace-me-1' })
  expect(traced.headers.get('X-Request-Id')).toBe('trace-me-1')
  expect(await server.stop()).toBe(0)
  const lines = server
    .output()
    .trim()
    .split('\n')
    .filter((line) => / (GET|PUT|POST) /.test(line))
  const found = lines.map((line) =>
    /^(\S+Z) (\w+) (\S+) (\d{3}) [\d.]+ms in=\d+ out=\d+ tenant=(?:local|-) id=(\S+)$/.exec(line),
  )
  // A line is written when its answer has left, which two connections may tell in another order.
  expect(found.map((parts) => parts?.slice(2, 5).join(' ')).sort()).toEqual([
    'GET /healthz 200',
    'GET /v1/runs/none 404',
    `POST ${DRAWS} 200`,
    'PUT /v1/runs/r 201',
    'PUT /v1/runs/r/chains/0 201',
  ])
  expect(found.find((parts) => parts?.[3] === '/healthz')?.[5]).toBe('trace-me-1')
})

test('a second life on the same folder has everything', async () => {
  const first = await start()
  await withDraws(first.api, 500)
  const before = await snapshot(first.api)
  expect(await first.stop('SIGINT')).toBe(0)
  const second = await start()
  expect(await snapshot(second.api)).toEqual(before)
  const response = await second.api.request('POST', DRAWS, { body: drawBatch(iterations(490, 20)) })
  expect(await jsonOf(response)).toEqual({ chain: 0, length: 510 })
})

test.each(['memory', 'null'])('storage %s keeps nothing on the disk', async (kind) => {
  const first = await start({ MCB_STORAGE: kind })
  await first.api.request('PUT', '/v1/runs/r', { body: runMeta(META) })
  await first.api.request('PUT', '/v1/runs/r/chains/0')
  const response = await first.api.request('POST', DRAWS, { body: drawBatch(iterations(0, 5)) })
  expect(await jsonOf(response)).toEqual({ chain: 0, length: 5 })
  const read = await first.api.get(DRAWS)
  if (kind === 'null') await expectProblem(read, 404, 'not_found')
  else expect(read.status).toBe(200)
  await first.stop()
  const second = await start({ MCB_STORAGE: kind })
  await expectProblem(await second.api.get('/v1/runs/r'), 404, 'run_not_found')
})

describe('SIGTERM', () => {
  /** Begins an append whose body comes in two halves; `finish` sends the second. */
  function beginAppend(url: string, body: Uint8Array) {
    const { hostname, port } = new URL(url)
    const sent = httpRequest({
      hostname,
      port,
      path: DRAWS,
      method: 'POST',
      headers: { 'Content-Type': PROTOBUF, 'Content-Length': body.length },
    })
    const answer = new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      sent.once('error', reject)
      sent.once('response', async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        resolve({ status: response.statusCode, text })
      })
    })
    sent.write(body.subarray(0, body.length / 2))
    return { answer, finish: () => sent.end(body.subarray(body.length / 2)) }
  }

  test('in the middle of an append: it is finished, answered and kept', async () => {
    const server = await start()
    await withDraws(server.api, 0)
    const count = 20_000
    const { answer, finish } = beginAppend(server.url, drawBatch(iterations(0, count)))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const stopped = server.stop('SIGTERM')
    // It takes nothing new any more.
    const probe = () => fetch(`${server.url}/healthz`, { headers: { Connection: 'close' } })
    await expect
      .poll(
        () =>
          probe().then(
            () => 'takes',
            () => 'refuses',
          ),
        { timeout: 9000 },
      )
      .toBe('refuses')
    finish()
    const { status, text } = await answer
    expect([status, JSON.parse(text)]).toEqual([200, { chain: 0, length: count }])
    expect(await stopped).toBe(0)
    const next = await start()
    expect(await jsonOf(await next.api.get('/v1/runs/r/chains/0'))).toMatchObject({ length: count })
  })

  test('with connections at rest, used and unused, it ends at once', async () => {
    const server = await start()
    await withDraws(server.api, 1)
    for (let i = 0; i < 5; i++) await server.api.get('/v1/runs')
    const { hostname, port } = new URL(server.url)
    const silent = connect(Number(port), hostname)
    await once(silent, 'connect')
    const begun = performance.now()
    expect(await server.stop()).toBe(0)
    // After ten seconds it cuts off clients that still send.
    expect(performance.now() - begun).toBeLessThan(9000)
    silent.destroy()
  })

  test('under load: everything that was acknowledged is kept', async () => {
    const server = await start()
    await withDraws(server.api, 0)
    let acknowledged = 0
    const write = async () => {
      for (;;) {
        const response = await server.api.request('POST', DRAWS, { body: drawBatch(iterations(acknowledged, 7)) })
        acknowledged = (await jsonOf(response)).length
      }
    }
    const cut = expect(write()).rejects.toThrow()
    await expect.poll(() => acknowledged, { timeout: 20_000, interval: 5 }).toBeGreaterThan(30)
    expect(await server.stop()).toBe(0)
    await cut
    const next = await start()
    const { length } = await jsonOf(await next.api.get('/v1/runs/r/chains/0'))
    expect(length).toBeGreaterThanOrEqual(acknowledged)
    expect(length % 7).toBe(0)
  })
})

describe('kill -9', () => {
  const WIDTH = 40

  test('loses nothing that was acknowledged, and leaves no gap', { timeout: 240_000 }, async () => {
    let server = await start()
    const variables = [
      { name: 'x', dtype: 'float64' },
      { name: 'wide', dtype: 'float64', shape: [WIDTH] },
    ]
    await server.api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
    const acknowledged = [0, 0, 0]
    let batches = 0
    for (let round = 1; round <= 4; round++) {
      const writing = acknowledged.map(async (_, chain) => {
        await server.api.request('PUT', `/v1/runs/r/chains/${chain}`)
        for (let i = 0; ; i++) {
          const start = acknowledged[chain] ?? 0
          // Small batches, and now and then one that is folded.
          const count = i % 20 === 19 ? 900 : 1 + ((i * 5 + chain) % 30)
          const x = Array.from({ length: count }, (_, k) => start + k)
          const wide = x.flatMap((value) => new Array<number>(WIDTH).fill(value + chain / 10))
          const body = drawBatch({ start, count, draws: [column('x', ...x), column('wide', ...wide)] })
          const response = await server.api.request('POST', `/v1/runs/r/chains/${chain}/draws`, { body })
          acknowledged[chain] = (await jsonOf(response)).length
          batches++
        }
      })
      const ended = Promise.allSettled(writing)
      await expect.poll(() => batches, { timeout: 60_000, interval: 1 }).toBeGreaterThan(round * 70)
      await server.stop('SIGKILL')
      await ended
      server = await start()
      for (const [chain, least] of acknowledged.entries()) {
        const { length } = await jsonOf(await server.api.get(`/v1/runs/r/chains/${chain}`))
        expect(length).toBeGreaterThanOrEqual(least)
        const answer = await jsonOf(
          await server.api.get(`/v1/runs/r/chains/${chain}/draws`, { Accept: 'application/json' }),
        )
        expect(answer.count).toBe(length)
        const indices = Array.from({ length }, (_, i) => i)
        expect(answer.draws.x).toEqual(indices)
        const first = answer.draws.wide.map((values: number[]) => values[0])
        expect(first).toEqual(indices.map((i) => i + chain / 10))
        expect(answer.draws.wide.every((values: number[]) => values.every((value) => value === values[0]))).toBe(true)
        acknowledged[chain] = length
      }
    }
  })
})
