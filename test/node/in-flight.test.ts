/** Bodies in flight on a real socket: memory as bytes arrive, the youngest yields, and nothing is counted behind any end. */
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { DRAWS, drawBatch, iterations, META, PROTOBUF, runMeta, withDraws } from '../http/api.ts'
import { Raw } from '../support/raw.ts'
import { type Served, serve } from './serve.ts'

const MIB = 1024 * 1024

let served: Served | undefined
const clients: Raw[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await served?.server.close()
})

async function start(...args: Parameters<typeof serve>): Promise<Served> {
  served = await serve(...args)
  await withDraws(served.api, 0)
  return served
}

/** A POST of draws that announces `length` bytes, and has sent `sent` of them. */
function post({ server }: Served, length: number, sent: number): Raw {
  const raw = new Raw(server.url)
  clients.push(raw)
  const head = `POST ${DRAWS} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: ${length}\r\n\r\n`
  return raw.send(head).send(new Uint8Array(sent))
}

const nothingIn = ({ bodies }: Served) =>
  expect.poll(() => ({ bytes: bodies.bytes, bodies: bodies.bodies })).toEqual({ bytes: 0, bodies: 0 })

test('memory is taken for what has come, not for what was announced', async () => {
  const all = await start()
  for (let i = 0; i < 50; i++) post(all, 60 * MIB, 1000)
  await expect.poll(() => all.bodies.bytes).toBeGreaterThan(0)
  await expect.poll(() => all.bodies.bodies).toBe(50)
  expect(all.bodies.bytes).toBeLessThanOrEqual(50 * MIB)
  for (const client of clients) client.send(new Uint8Array(MIB))
  await expect.poll(() => all.bodies.bytes).toBeGreaterThan(50 * MIB)
  expect(all.bodies.bytes).toBeLessThanOrEqual(50 * 4 * MIB)
  for (const client of clients) client.destroy()
  await nothingIn(all)
})

test('the youngest body yields with 503 and Retry-After, also when an older one grows; then there is room again', async () => {
  const all = await start({ bodiesBytes: 6 * MIB })
  const oldest = post(all, 6 * MIB, 2 * MIB)
  await expect.poll(() => all.bodies.bytes).toBe(2 * MIB)
  const youngest = post(all, 4 * MIB, 2 * MIB)
  await expect.poll(() => all.bodies.bytes).toBe(4 * MIB)
  oldest.send(new Uint8Array(3 * MIB))
  await expect
    .poll(() => youngest.text)
    .toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: \d+\r\n[\s\S]*"code":"overloaded"/i)
  expect(oldest.text).toBe('')
  await expect.poll(() => all.bodies.bytes).toBeLessThanOrEqual(6 * MIB)
  // It has sent half of it, and goes on as if nothing had been said: the connection is good for another request.
  youngest.send(new Uint8Array(2 * MIB)).send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => youngest.statuses).toEqual([503, 200])
  oldest.send(new Uint8Array(MIB))
  await expect.poll(() => oldest.statuses).toEqual([400])
  await nothingIn(all)
  const answer = await all.api.request('POST', DRAWS, { body: drawBatch(iterations(0, 5)) })
  expect(answer.status).toBe(200)
})

test('a body is counted until its request is answered', async () => {
  const gate = Promise.withResolvers<void>()
  class SlowStore extends MemoryStore {
    override async append(...args: Parameters<MemoryStore['append']>) {
      await gate.promise
      return super.append(...args)
    }
  }
  const all = await start({}, new SlowStore())
  const body = drawBatch(iterations(0, 50_000))
  const answer = all.api.request('POST', DRAWS, { body })
  await expect.poll(() => all.bodies.bodies === 0 && all.bodies.bytes).toBe(body.length)
  gate.resolve()
  expect((await answer).status).toBe(200)
  await nothingIn(all)
})

test('a body that makes no progress is cut, one that trickles is not', async () => {
  const all = await start({ stallMs: 2000 })
  const body = drawBatch(iterations(0, 2))
  const slow = post(all, body.length, 0)
  const silent = post(all, 5000, 1000)
  for (const byte of body) {
    slow.send(new Uint8Array([byte]))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await expect.poll(() => slow.statuses).toEqual([200])
  await silent.whole()
  expect(silent.text).toMatch(/^HTTP\/1\.1 408 [\s\S]*application\/problem\+json/)
  await nothingIn(all)
})

test('bodies that trickle keep nobody out for long, and live on while nobody needs their room', async () => {
  let now = 0
  const all = await start({ bodiesBytes: 4 * MIB }, new MemoryStore(), () => now)
  const length = 2 * MIB
  // Connections need not be accepted in the order in which they were begun.
  const slow = [post(all, length, length - 10)]
  await expect.poll(() => all.bodies.bytes).toBe(2 * MIB)
  slow.push(post(all, length, length - 10))
  await expect.poll(() => all.bodies.bytes).toBe(4 * MIB)
  const trickle = () => {
    for (const raw of slow) raw.send(new Uint8Array(1))
  }
  const append = async () => {
    const { status } = await all.api.request('POST', DRAWS, { body: drawBatch(iterations(0, 5)) })
    return status
  }
  now += 300_000
  trickle()
  expect(await append()).toBe(503)
  now += 9000
  trickle()
  expect(await append()).toBe(503)
  expect(slow.map((raw) => raw.text)).toEqual(['', ''])
  now += 1000
  trickle()
  expect(await append()).toBe(200)
  // The oldest one made room enough: it is told so, and may send its body again.
  const [oldest, other] = slow
  await expect
    .poll(() => oldest?.text)
    .toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: \d+\r\n[\s\S]*"code":"overloaded"/i)
  other?.send(new Uint8Array(7))
  await expect.poll(() => other?.statuses).toEqual([400])
  await nothingIn(all)
})

describe('behind any end nothing is counted', () => {
  const batch = drawBatch(iterations(0, 5000))
  const zipped = gzipSync(batch)
  const head = (path: string, more: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\n${more}\r\n`
  const ENDS: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['whole', batch, `Content-Length: ${batch.length}\r\n`],
    ['half', batch.subarray(0, 20_000), `Content-Length: ${batch.length}\r\n`],
    ['nothing', '', `Content-Length: ${batch.length}\r\n`],
    ['waiting', '', `Content-Length: ${batch.length}\r\nExpect: 100-continue\r\n`],
    ['zipped', zipped, `Content-Length: ${zipped.length}\r\nContent-Encoding: gzip\r\n`],
    ['half zipped', zipped.subarray(0, 9000), `Content-Length: 9000\r\nContent-Encoding: gzip\r\n`],
    ['no protobuf', 'x'.repeat(70_000), 'Content-Length: 70000\r\n'],
    ['broken chunk', '3\r\nabc\r\nzz\r\n', 'Transfer-Encoding: chunked\r\n'],
    ['chunks without end', `10000\r\n${'x'.repeat(0x10000)}\r\n`, 'Transfer-Encoding: chunked\r\n'],
    ['too large', new Uint8Array(3 * MIB), 'Transfer-Encoding: chunked\r\n'],
    ['larger than all', '', `Content-Length: ${50 * MIB}\r\n`],
  ]

  test('of requests of all kinds, that are broken off at any time', { timeout: 120_000 }, async () => {
    const all = await start({ bodiesBytes: 600_000, stallMs: 2000 })
    const { server } = all
    for (let round = 0; round < 30; round++) {
      const open = ENDS.map(([, body, more], i) => {
        const raw = new Raw(server.url)
        clients.push(raw)
        raw.send(head(i % 5 === 4 ? '/v1/runs/none/chains/0/draws' : DRAWS, more)).send(body)
        return raw
      })
      // From before anything has come to after all is answered.
      await new Promise((resolve) => setTimeout(resolve, round * 2))
      for (const raw of open) raw.destroy()
    }
    await nothingIn(all)
    expect(all.reports).toEqual([])
    const answer = await all.api.request('POST', DRAWS, { body: drawBatch(iterations(0, 3)) })
    expect(answer.status).toBe(200)
    expect((await all.api.request('PUT', '/v1/runs/s', { body: runMeta({ ...META, rid: 's' }) })).status).toBe(201)
    await nothingIn(all)
  })
})
