/** Edges of HTTP on a real socket: ambiguous and malformed requests, the place where they are told, bodies that no one wants. */
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { DRAWS, drawBatch, expectProblem, iterations, META, PROTOBUF, runMeta, withDraws } from '../http/api.ts'
import { Raw } from '../support/raw.ts'
import { type Served, serve } from './serve.ts'

let served: Served | undefined
const clients: Raw[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await served?.server.close()
})

async function start(...args: Parameters<typeof serve>): Promise<Served> {
  served = await serve(...args)
  return served
}

function client({ server }: Served): Raw {
  const raw = new Raw(server.url)
  clients.push(raw)
  return raw
}

function problemIn(answer: string): unknown {
  expect(answer).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/i)
  expect(answer).toMatch(/\r\nx-request-id: \S+\r\n/i)
  return JSON.parse(answer.slice(answer.indexOf('{')))
}

describe('the head of a request', () => {
  test.each([
    ['two Host headers', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    ['two Host headers in HTTP/1.0', 'GET /healthz HTTP/1.0\r\nHost: a\r\nhOST: b\r\n\r\n', 400],
    ['HTTP/1.1 without Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['an expectation that is not known', 'GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n', 417],
    [
      'a length beside chunks',
      'PUT /v1/runs/r HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'PUT /v1/runs/r HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd', 400],
  ])('%s is a problem, and ends the connection', async (_what, request, status) => {
    const raw = client(await start())
    const answer = await raw.send(`${request}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`).whole()
    expect(raw.statuses).toEqual([status])
    expect(problemIn(answer)).toMatchObject({ status, code: 'invalid_parameter' })
  })

  test('HTTP/1.0 without Host is served', async () => {
    const answer = await client(await start())
      .send('GET /healthz HTTP/1.0\r\n\r\n')
      .whole()
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('what is told of long input is short', async () => {
    const { api } = await start()
    await withDraws(api, 1)
    const long = 'μ'.repeat(20_000)
    const answers = [
      await api.get(`/${long}`),
      await api.get(`${DRAWS}?var=${'y'.repeat(100_000)}`),
      await api.get(DRAWS, { Accept: 'x'.repeat(50_000) }),
      await api.request('PUT', '/v1/runs/s', { body: runMeta({}), headers: { 'Content-Type': 'a'.repeat(50_000) } }),
      await api.request('PUT', '/v1/runs/s', {
        body: runMeta({ variables: [{ name: 'x', dtype: '\u0001'.repeat(50_000) }] }),
      }),
    ]
    for (const answer of answers) {
      const text = await answer.text()
      expect(JSON.parse(text)).toMatchObject({ status: answer.status })
      expect(JSON.parse(text).detail.length).toBeLessThanOrEqual(1001)
      expect(text.length).toBeLessThan(12_000)
    }
  })
})

describe('100 Continue', () => {
  const head = (path: string, more = '') =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nExpect: 100-continue\r\n${more}`

  test('is sent when the body is wanted', async () => {
    const all = await start()
    await withDraws(all.api, 2)
    const body = drawBatch(iterations(2, 3))
    const raw = client(all).send(`${head(DRAWS, `Content-Length: ${body.length}\r\n`)}\r\n`)
    await expect.poll(() => raw.text).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    raw.send(body)
    await expect.poll(() => raw.text).toMatch(/\{"chain":0,"length":5\}$/)
    // The connection goes on.
    raw.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(() => raw.statuses).toEqual([100, 200, 200])
  })

  test.each([
    ['no such run', '/v1/runs/none/chains/0/draws', 'Content-Length: 5\r\n', 404],
    ['no such chain', '/v1/runs/r/chains/7/draws', 'Content-Length: 5\r\n', 404],
    ['a run that was replaced', DRAWS, 'Content-Length: 5\r\nMcb-Registration: x\r\n', 412],
    ['an encoding', DRAWS, 'Content-Length: 5\r\nContent-Encoding: br\r\n', 415],
    ['a size', DRAWS, 'Content-Length: 99999999999\r\n', 413],
    ['no such path', '/v1/nothing', 'Content-Length: 5\r\n', 404],
    ['a type that cannot be answered', '/v1/runs', 'Content-Length: 5\r\nAccept: text/html\r\n', 406],
  ])('is not sent before the checks that need no body: %s', async (_what, path, more, status) => {
    const all = await start()
    await withDraws(all.api, 2)
    const raw = client(all).send(`${head(path, more)}\r\n`)
    await raw.whole()
    expect(raw.statuses).toEqual([status])
  })

  test('is not sent when there is no room for the body', async () => {
    const all = await start({ bodiesBytes: 1_000_000 })
    await withDraws(all.api, 2)
    const holder = client(all).send(`POST ${DRAWS} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\n`)
    holder.send('Content-Length: 900000\r\n\r\n').send(new Uint8Array(800_000))
    await expect.poll(() => all.bodies.bytes).toBeGreaterThanOrEqual(800_000)
    const raw = client(all).send(`${head(DRAWS, 'Content-Length: 300000\r\n')}\r\n`)
    expect(problemIn(await raw.whole())).toMatchObject({ status: 503, code: 'overloaded' })
    expect(raw.text).toMatch(/\r\nretry-after: \d+\r\n/i)
    holder.destroy()
    await expect.poll(() => all.bodies.bytes).toBe(0)
  })
})

describe('a body that no one wants', () => {
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`

  test.each(['GET /v1/runs', 'DELETE /v1/runs/none', 'PUT /v1/runs/r/chains/1', 'POST /v1/nothing'])(
    'of %s is cut when it has no end',
    async (request) => {
      const all = await start({ stallMs: 1000 })
      await withDraws(all.api, 1)
      const raw = client(all).send(`${request} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`)
      // Slow: a few bytes now and then; and fast: as much as is taken.
      const timer = setInterval(() => raw.send('1\r\nx\r\n'), 50)
      await raw.whole()
      clearInterval(timer)
      expect(raw.statuses).toHaveLength(1)
      const fast = client(all).send(`${request} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`)
      const pour = () => {
        while (!fast.isClosed && fast.socket.write(chunk));
      }
      fast.socket.on('drain', pour)
      pour()
      await fast.whole()
      expect(fast.socket.bytesWritten).toBeLessThan(1024 * 1024 * 1024)
      expect((await all.api.get('/healthz')).status).toBe(200)
    },
  )

  test('is read to its end when it has one, and the connection goes on', async () => {
    const all = await start()
    await withDraws(all.api, 1)
    const raw = client(all).send('GET /v1/runs/r/chains/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n')
    await expect.poll(() => raw.statuses).toEqual([200])
    raw.send(new Uint8Array(300_000)).send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(() => raw.statuses).toEqual([200, 200])
  })

  test('trailers and extensions without end are cut', async () => {
    const all = await start()
    for (const endless of ['1;x=', '0\r\nX: ']) {
      const raw = client(all).send(
        `PUT /v1/runs/r HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nTransfer-Encoding: chunked\r\n\r\n${endless}`,
      )
      const pour = () => {
        while (!raw.isClosed && raw.socket.write('y'.repeat(65536)));
      }
      raw.socket.on('drain', pour)
      pour()
      await raw.whole()
      expect(raw.statuses.every((status) => status >= 400 && status < 500)).toBe(true)
    }
    expect([all.bodies.bytes, all.bodies.bodies]).toEqual([0, 0])
  })
})

describe('behind an answer that ends the connection nothing is done', () => {
  const body = Buffer.from(runMeta(META))
  const put = (rid: string, more: string) =>
    `PUT /v1/runs/${rid} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: ${body.length}\r\n${more}\r\n`

  test.each([
    ['two Host headers', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['100 Continue that was not said', 'GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n', 200],
    ['an expectation that is not known', 'GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n', 417],
  ])('%s', async (_what, first, status) => {
    const all = await start()
    const raw = client(all).send(Buffer.concat([Buffer.from(first + put('r', '')), body]))
    await raw.whole()
    expect(raw.statuses).toEqual([status])
    expect((await all.api.get('/v1/runs/r')).status).toBe(404)
    // The request before it is served.
    const other = client(all).send(Buffer.concat([Buffer.from(put('r', '')), body, Buffer.from(first + put('r', ''))]))
    await other.whole()
    expect(other.statuses).toEqual([201, status])
  })
})

describe('requests that wait for the one before them', () => {
  test('are so many at most, and whoever sends none too many is served', { timeout: 60_000 }, async () => {
    const gate = Promise.withResolvers<void>()
    let held = 0
    class SlowStore extends MemoryStore {
      override async append(...args: Parameters<MemoryStore['append']>) {
        held++
        await gate.promise
        return super.append(...args)
      }
    }
    const all = await start({}, new SlowStore())
    await withDraws(all.api, 0)
    const body = drawBatch(iterations(0, 3))
    const post = `POST ${DRAWS} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: ${body.length}\r\n\r\n`
    const greedy = Array.from({ length: 6 }, () => client(all))
    for (const raw of greedy) raw.send(post).send(body)
    const others = Array.from({ length: 6 }, () => client(all).send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'))
    await expect.poll(() => held, { timeout: 20_000 }).toBe(greedy.length)
    await expect.poll(() => others.every((raw) => raw.statuses.length === 1), { timeout: 20_000 }).toBe(true)
    // One piece of a socket has room for some 2,400 of them.
    for (const raw of greedy) raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2400))
    for (const raw of others) raw.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(() => greedy.some((raw) => raw.isClosed), { timeout: 20_000 }).toBe(true)
    await expect
      .poll(() => others.map((raw) => raw.statuses), { timeout: 20_000 })
      .toEqual(others.map(() => [200, 200]))
    const isServed = greedy.filter((raw) => !raw.isClosed)
    expect(isServed.length).toBeGreaterThanOrEqual(3)
    gate.resolve()
  })
})

describe('what is malformed behind a request', () => {
  test.each(['hello\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n'])(
    'is answered behind the answer of that, never in its place: %j',
    async (bad) => {
      const all = await start()
      await withDraws(all.api, 5)
      const read = `GET ${DRAWS}?var=x HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n`
      const raw = client(all).send(`${read}${read}${bad}`)
      await raw.whole()
      expect(raw.statuses).toEqual([200, 200, 400])
      expect(raw.text.match(/"draws":\{"x":\[0,1,2,3,4\]\}/g)).toHaveLength(2)
    },
  )

  test.each(['short', 'long'])('also when it is CONNECT, and the answer before it is %s', async (what) => {
    const all = await start()
    await withDraws(all.api, what === 'short' ? 5 : 0)
    const body = drawBatch(iterations(0, 50_000))
    if (what === 'long') expect((await all.api.request('POST', DRAWS, { body })).status).toBe(200)
    const read = `GET ${DRAWS}?var=x HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n`
    const raw = client(all)
    // It does not fit into the buffers of the network, and goes on only when it is read.
    raw.socket.pause()
    raw.send(`${read.repeat(40)}CONNECT attacker.example:443 HTTP/1.1\r\nHost: attacker.example\r\n\r\nhello`)
    await new Promise((resolve) => setTimeout(resolve, 200))
    raw.socket.resume()
    const answer = await raw.whole()
    expect(raw.statuses).toEqual([...Array.from({ length: 40 }, () => 200), 400])
    expect(problemIn(answer.slice(answer.lastIndexOf('HTTP/1.1')))).toMatchObject({ code: 'invalid_parameter' })
  })

  test('CONNECT alone is a problem, and whoever sends it may go away at any time', async () => {
    const all = await start()
    const connect = 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n'
    expect(problemIn(await client(all).send(connect).whole())).toMatchObject({ status: 400, code: 'invalid_parameter' })
    for (let i = 0; i < 20; i++) {
      const raw = client(all).send(`GET /docs HTTP/1.1\r\nHost: x\r\n\r\n${connect}`)
      await new Promise((resolve) => setTimeout(resolve, i))
      raw.socket.resetAndDestroy()
    }
    expect((await all.api.get('/healthz')).status).toBe(200)
  })

  test('also when it is the body of the last one', async () => {
    const all = await start()
    await withDraws(all.api, 5)
    const post = `POST ${DRAWS} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`
    const raw = client(all).send(`GET /v1/runs/r/chains/0 HTTP/1.1\r\nHost: x\r\n\r\n${post}`)
    await raw.whole()
    expect(raw.statuses).toEqual([200, 400])
    expect(raw.text).toMatch(/"length":5/)
    await expect.poll(() => [all.bodies.bytes, all.bodies.bodies]).toEqual([0, 0])
  })
})

describe('gzip', () => {
  const post = (all: Served, body: Uint8Array) =>
    all.api.request('POST', DRAWS, {
      body: new Uint8Array(body),
      headers: { 'Content-Type': PROTOBUF, 'Content-Encoding': 'gzip' },
    })

  test('of several members is read as one body', async () => {
    const all = await start()
    await withDraws(all.api, 0)
    const batch = drawBatch(iterations(0, 2000))
    const cuts = [0, 10, 10, 5000, batch.length]
    const members = cuts.slice(1).map((end, i) => gzipSync(batch.subarray(cuts[i], end)))
    const answer = await post(all, Buffer.concat(members))
    expect([answer.status, await answer.text()]).toEqual([200, '{"chain":0,"length":2000}'])
    expect(all.bodies.bytes).toBe(0)
  })

  const one = gzipSync(drawBatch(iterations(0, 3)))
  test.each([
    ['junk behind it', Buffer.concat([one, Buffer.from('junk')])],
    ['zeros behind it', Buffer.concat([one, Buffer.alloc(10)])],
    ['zeros between members', Buffer.concat([one, Buffer.alloc(1), one])],
    ['half a member behind it', Buffer.concat([one, one.subarray(0, 12)])],
    ['nothing', Buffer.alloc(0)],
    ['half of it', one.subarray(0, one.length - 4)],
  ])('with %s is corrupt', async (_what, body) => {
    const all = await start()
    await withDraws(all.api, 0)
    await expectProblem(await post(all, body), 400, 'invalid_protobuf')
    expect([all.bodies.bytes, all.bodies.bodies]).toEqual([0, 0])
  })

  test('that inflates counts what it becomes, as it does', async () => {
    const all = await start({ bodiesBytes: 8 * 1024 * 1024 })
    await withDraws(all.api, 0)
    const bomb = gzipSync(new Uint8Array(40 * 1024 * 1024))
    await expectProblem(await post(all, bomb), 413, 'payload_too_large')
    expect([all.bodies.bytes, all.bodies.bodies]).toEqual([0, 0])
  })
})
