/** The server on a real socket: answers that fail in the middle, bodies that are too large, clients that go away. */
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { McbError } from '../../src/core/errors.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { type Listening, listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import {
  type Api,
  apiOf,
  batchOf,
  bytesOf,
  DRAWS,
  drawBatch,
  expectProblem,
  iterations,
  jsonOf,
  PROTOBUF,
  runMeta,
  withDraws,
} from '../http/api.ts'
import { shortPage } from '../support/pages.ts'
import { Raw, raw } from '../support/raw.ts'
import { openThread } from '../support/storage.ts'

/** A store whose pages have some draws, and that fails when told to. */
class FailingStore extends MemoryStore {
  /** Pages that are given before the storage fails. */
  pages = Number.POSITIVE_INFINITY
  each = 100

  override async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    if (this.pages-- <= 0)
      throw new McbError('storage_unavailable', 'the storage cannot be read now', { retryAfter: 3 })
    return shortPage(question, this.each, cursor, (...asked) => super.read(registration, chain, ...asked))
  }
}

let closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.reverse()) await close()
  closing = []
})

async function serve(
  store: MemoryStore,
  limits = DEFAULT_LIMITS,
): Promise<{ server: Listening; api: Api; reports: unknown[] }> {
  const backend = new StoreBackend(store, limits)
  const reports: unknown[] = []
  const report = (_id: string, error: unknown) => reports.push(error)
  const app = createApp({ openBackend: () => backend, readBody: readNodeBody, limits, report })
  const server = await listen(app, '127.0.0.1', 0)
  closing.push(() => server.close())
  return { server, api: apiOf((request) => fetch(request), server.url), reports }
}

test.each(['application/x-protobuf', 'application/json'])(
  'a read that fails in the middle aborts the connection: %s',
  async (accept) => {
    const store = new FailingStore()
    const { server, api } = await serve(store)
    await withDraws(api, 1000)
    for (const pages of [5, 12, 20, 38]) {
      store.pages = pages
      const reading = api
        .get(DRAWS, { Accept: accept })
        .then(async (response) => ({ status: response.status, bytes: await bytesOf(response) }))
      const outcome = await reading.then(
        (answer) => answer,
        () => 'aborted' as const,
      )
      // Early enough it is a whole error; later the connection breaks. Never does it look like a whole answer.
      if (outcome !== 'aborted') expect(outcome.status).toBe(503)
      store.pages = pages
      const answer = await raw(
        server.url,
        `GET ${DRAWS} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\nConnection: close\r\n\r\n`,
      )
      if (answer.startsWith('HTTP/1.1 200') && answer.includes('chunked'))
        expect(answer.endsWith('\r\n0\r\n\r\n')).toBe(false)
      store.pages = Number.POSITIVE_INFINITY
      const announced = /content-length: (\d+)/i.exec(answer)?.[1]
      const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
      if (answer.startsWith('HTTP/1.1 200') && announced !== undefined)
        expect(body.length).toBeLessThan(Number(announced))
    }
    expect((await api.get(DRAWS, { Accept: accept })).status).toBe(200)
  },
)

test('the connection does break, and not always early', async () => {
  const store = new FailingStore()
  const { server, api } = await serve(store)
  const variables = [{ name: 'x', dtype: 'float64', shape: [1000] }]
  await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
  await api.request('PUT', '/v1/runs/r/chains/0')
  const data = new Uint8Array(100 * 1000 * 8)
  await api.request('POST', DRAWS, { body: drawBatch({ count: 100, draws: [{ name: 'x', dtype: 'float64', data }] }) })
  store.each = 1
  store.pages = 50
  const answer = await raw(server.url, `GET ${DRAWS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  expect(answer.startsWith('HTTP/1.1 200')).toBe(true)
  const announced = Number(/content-length: (\d+)/i.exec(answer)?.[1])
  const received = answer.length - answer.indexOf('\r\n\r\n') - 4
  expect(announced).toBeGreaterThan(800_000)
  expect(received).toBeLessThan(announced)
})

test('a read that fails before its first draw is a whole problem', async () => {
  const store = new FailingStore()
  const { api, reports } = await serve(store)
  await withDraws(api, 10)
  for (const path of [`${DRAWS}?var=x`, DRAWS]) {
    for (const accept of ['application/x-protobuf', 'application/json']) {
      store.pages = 0
      const response = await api.get(path, { Accept: accept })
      expect(response.headers.get('Retry-After')).toBe('3')
      await expectProblem(response, 503, 'storage_unavailable')
    }
  }
  expect(reports).toHaveLength(4)
})

test('a body that is announced as too large is refused before it comes', async () => {
  const { server } = await serve(new MemoryStore())
  const head = `PUT /v1/runs/r HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n`
  const client = new Raw(server.url).send(head)
  const [answer] = await once(client.socket, 'data')
  expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  expect(answer).toContain('payload_too_large')
  client.destroy()
})

test('a body that grows too large while it comes is refused', async () => {
  const limits = { ...DEFAULT_LIMITS, bodyBytes: 100_000 }
  const { api } = await serve(new MemoryStore(limits), limits)
  await withDraws(api, 0)
  let sent = 0
  const body = new ReadableStream({
    pull(controller) {
      sent += 10_000
      if (sent > 400_000) controller.close()
      else controller.enqueue(new Uint8Array(10_000))
    },
  })
  const request = new Request('http://x', {
    method: 'POST',
    body,
    headers: { 'Content-Type': PROTOBUF },
    duplex: 'half',
  })
  const { hostname, port } = new URL((await serve(new MemoryStore(limits), limits)).server.url)
  const other = apiOf((r) => fetch(r), `http://${hostname}:${port}`)
  await withDraws(other, 0)
  const response = await fetch(new Request(`http://${hostname}:${port}${DRAWS}`, request))
  await expectProblem(response, 413, 'payload_too_large')
  expect((await other.get('/healthz')).status).toBe(200)
})

test('a client that goes away in the middle of its body leaves nothing behind', async () => {
  const { server, api, reports } = await serve(new MemoryStore())
  await withDraws(api, 2)
  const body = drawBatch(iterations(2, 1000))
  const head = `POST ${DRAWS} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: ${body.length}\r\n\r\n`
  const client = new Raw(server.url).send(head).send(body.subarray(0, body.length - 5))
  await new Promise((resolve) => setTimeout(resolve, 100))
  client.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toMatchObject({ length: 2 })
  expect(reports).toEqual([])
})

test('a reader that goes away stops the reading', async () => {
  const store = new FailingStore()
  const { server, api, reports } = await serve(store)
  const variables = [{ name: 'x', dtype: 'float64', shape: [10_000] }]
  await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
  await api.request('PUT', '/v1/runs/r/chains/0')
  for (let start = 0; start < 600; start += 100) {
    const data = new Uint8Array(100 * 10_000 * 8)
    const body = drawBatch({ start, count: 100, draws: [{ name: 'x', dtype: 'float64', data }] })
    expect((await api.request('POST', DRAWS, { body })).status).toBe(200)
  }
  store.each = 5
  store.pages = 1_000_000
  const client = new Raw(server.url).send(`GET ${DRAWS} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(client.socket, 'data')
  client.destroy()
  await new Promise((resolve) => setTimeout(resolve, 300))
  const pages = 1_000_000 - store.pages
  await new Promise((resolve) => setTimeout(resolve, 300))
  // 120 pages would be all of it.
  expect(pages).toBeLessThan(100)
  expect(1_000_000 - store.pages).toBe(pages)
  expect(reports).toEqual([])
})

test('ids that a URL would resolve are malformed, or lead nowhere', async () => {
  const { server } = await serve(new MemoryStore())
  for (const path of [
    '/v1/runs/.',
    '/v1/runs/..',
    '/v1/runs/%2e%2e',
    '/v1/runs/%2E',
    '/v1/runs/a%00b',
    '/v1/runs/%ff',
    '/v1/runs/%',
    '//v1/runs',
  ]) {
    const answer = await raw(server.url, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(answer, path).toMatch(/^HTTP\/1\.1 40[04] /)
    expect(answer, path).toMatch(/"code":"(invalid_parameter|not_found)"/)
  }
})

test('a probe that speaks HTTP/1.0 and names no host is answered', async () => {
  const { server } = await serve(new MemoryStore())
  expect(await raw(server.url, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 200 .*\{"status":"ok","version":"[^"]+"\}$/s,
  )
})

test('the names of many variables fit into an address', async () => {
  const { server, api } = await serve(new MemoryStore())
  const names = Array.from({ length: 3000 }, (_, i) => `theta[${i},${i}]`)
  const meta = { variables: names.map((name) => ({ name, dtype: 'int8', shape: [0] })) }
  await api.request('PUT', '/v1/runs/many', { body: runMeta(meta) })
  await api.request('PUT', '/v1/runs/many/chains/0')
  const query = names.map((name) => `var=${encodeURIComponent(name)}`).join('&')
  const answer = await raw(
    server.url,
    `GET /v1/runs/many/chains/0/draws?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  )
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
})

test.each([
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['no address', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
  ['a host that is none', 'GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400],
  ['a length that is none', `POST ${DRAWS} HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n`, 400],
  ['a broken chunk', `POST ${DRAWS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
  ['headers without end', `GET /v1/runs?x=${'a'.repeat(300_000)} HTTP/1.1\r\n`, 431],
])('%s is answered with a problem', async (_what, request, status) => {
  const { server, api } = await serve(new MemoryStore())
  await withDraws(api, 0)
  const answer = await raw(server.url, request)
  const [head = '', body = ''] = answer.split(/\r\n\r\n(?=\{)/)
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  for (const header of [/^content-type: application\/problem\+json/im, /^x-request-id: \S+/im, /^vary: /im]) {
    expect(head).toMatch(header)
  }
  expect(JSON.parse(body)).toMatchObject({ status, code: 'invalid_parameter' })
})

test('what is malformed behind an answer that has begun ends the connection, and is not mixed into it', async () => {
  const store = new FailingStore()
  const { server, api } = await serve(store)
  await withDraws(api, 20_000)
  const read = `GET ${DRAWS} HTTP/1.1\r\nHost: x\r\n\r\n`
  const answer = await raw(server.url, `${read}hello\r\n\r\n`)
  expect(answer.match(/HTTP\/1\.1 /g)?.length ?? 0).toBeLessThanOrEqual(2)
  const length = Number(/content-length: (\d+)/i.exec(answer)?.[1])
  const second = answer.indexOf('HTTP/1.1 ', 1)
  const first = second < 0 ? answer : answer.slice(0, second)
  expect(first.length - first.indexOf('\r\n\r\n') - 4).toBeLessThanOrEqual(length)
  if (second >= 0) expect(first.length - first.indexOf('\r\n\r\n') - 4).toBe(length)
})

test('storage that has stopped is 503, and healthz says so', async () => {
  const { openStore, close } = await openThread()
  const backend = new StoreBackend(openStore())
  const app = createApp({ openBackend: () => backend, report: () => {} })
  const api = apiOf((request) => app.fetch(request))
  await withDraws(api, 3)
  expect((await batchOf(await api.get(DRAWS))).count).toBe(3)
  await close()
  for (const path of ['/healthz', '/v1/runs', '/v1/runs/r', DRAWS]) {
    const response = await api.get(path)
    expect(Number(response.headers.get('Retry-After'))).toBeGreaterThan(0)
    await expectProblem(response, 503, 'storage_unavailable')
  }
})
