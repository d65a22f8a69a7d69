/** Bodies on real connections to the Worker: what is cut, late or refused is stored whole or not at all, and costs no memory for good. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Launched, launch } from '../../bench/lib/server.ts'
import { apiOf, drawBatch, jsonOf, PROTOBUF, runMeta } from '../http/api.ts'
import { Raw } from '../support/raw.ts'

const MIB = 1024 * 1024
const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
/** Room for bodies in MiB, the largest body, and as often as a body is sent: what is kept of each would fill the room. */
const ROOM_MIB = 4
const BODY_MIB = 2
const TIMES = 6
const COUNT = 1500
const LIMITS = [`MCB_BODIES_MIB=${ROOM_MIB}`, `MCB_BODY_MIB=${BODY_MIB}`, 'MCB_STALL_SECONDS=1']

const folder = mkdtempSync(join(tmpdir(), 'mcbackend-workerd-'))
let server: Launched
const api = () => apiOf(fetch, server.url.origin)

beforeAll(async () => {
  const variables = LIMITS.flatMap((limit) => ['--var', limit])
  const options = ['--entry', path('src/worker.ts'), '--data', folder, ...variables]
  server = await launch([process.execPath, path('bench/workerd/server.ts'), ...options])
}, 120_000)
afterAll(async () => {
  await server.end('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
})

/** A batch of a KiB a draw, whose bytes do not compress. */
function batch(start: number, count: number): Uint8Array<ArrayBuffer> {
  let state = start + 1
  const data = Uint8Array.from({ length: count * 1024 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) | 0
    return state >>> 16
  })
  return drawBatch({ start, count, draws: [{ name: 'x', dtype: 'uint8', data }] })
}

let runs = 0
/** The path of a new chain's draws, and its length. */
async function newChain() {
  const run = `/v1/runs/r${++runs}`
  const body = runMeta({ variables: [{ name: 'x', dtype: 'uint8', shape: [1024] }] })
  expect((await api().request('PUT', run, { body })).status).toBe(201)
  expect((await api().request('PUT', `${run}/chains/0`)).status).toBe(201)
  const length = async (): Promise<number> => (await jsonOf(await api().get(`${run}/chains/0`))).length
  return { draws: `${run}/chains/0/draws`, length }
}

function head(draws: string, ...lines: readonly string[]): string {
  return [`POST ${draws} HTTP/1.1`, 'Host: localhost', `Content-Type: ${PROTOBUF}`, ...lines, '', ''].join('\r\n')
}

const announced = (bytes: number) => `Content-Length: ${bytes}`
const CHUNKED = 'Transfer-Encoding: chunked'

function* chunks(bytes: Uint8Array, size = 100_000): Generator<Uint8Array | string> {
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size)
    yield `${chunk.length.toString(16)}\r\n`
    yield chunk
    yield '\r\n'
  }
}

/** The whole batch is taken, which needs the room that the bodies before have given back. */
async function expectRoom(draws: string, start: number): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: 2 }, () => api().request('POST', draws, { body: batch(start, COUNT) })),
  )
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
}

/** The statuses that a client is told until its connection ends. */
async function ended(client: Raw): Promise<number[]> {
  await client.whole()
  return client.statuses
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('a client that', () => {
  test.each(['announced', 'chunked', 'gzip'])('goes away in the middle (%s) has stored nothing', async (form) => {
    const { draws, length } = await newChain()
    const plain = batch(0, COUNT)
    const whole = form === 'gzip' ? gzipSync(plain) : plain
    const part = whole.subarray(0, -100_000)
    for (let i = 0; i < TIMES; i++) {
      const client = new Raw(server.url.href)
      if (form === 'chunked') {
        client.send(head(draws, CHUNKED))
        for (const chunk of chunks(part)) client.send(chunk)
      } else {
        client.send(head(draws, announced(whole.length), ...(form === 'gzip' ? ['Content-Encoding: gzip'] : [])))
        client.send(part)
      }
      await pause(100)
      client.destroy()
    }
    expect(await length()).toBe(0)
    await expectRoom(draws, 0)
    expect(await length()).toBe(COUNT)
  })

  test('ends its side in the middle has stored nothing', async () => {
    const { draws, length } = await newChain()
    const whole = batch(0, COUNT)
    for (let i = 0; i < TIMES; i++) {
      const client = new Raw(server.url.href)
      client.send(head(draws, announced(whole.length))).send(whole.subarray(0, -1))
      client.socket.end()
      await client.whole()
      expect(client.statuses.filter((status) => status === 200)).toEqual([])
    }
    expect(await length()).toBe(0)
    await expectRoom(draws, 0)
  })

  test('goes away when it has sent everything has stored everything or nothing, and may send it again', async () => {
    const { draws, length } = await newChain()
    for (let i = 0; i < TIMES; i++) {
      const whole = batch(i * COUNT, COUNT)
      const client = new Raw(server.url.href).send(head(draws, announced(whole.length))).send(whole)
      // Its bytes have left this process, and the answer has not come yet.
      await new Promise((resolve) => client.socket.write('', resolve))
      client.destroy()
      expect([i * COUNT, (i + 1) * COUNT]).toContain(await length())
      const again = await api().request('POST', draws, { body: whole })
      expect([again.status, await again.json()]).toEqual([200, { chain: 0, length: (i + 1) * COUNT }])
    }
  })

  test.each([100, MIB])('falls silent after %i bytes is told so', async (sent) => {
    const { draws, length } = await newChain()
    const whole = batch(0, COUNT)
    const clients = Array.from({ length: TIMES }, () =>
      new Raw(server.url.href).send(head(draws, announced(whole.length))).send(whole.subarray(0, sent)),
    )
    // Those that find no room beside the others are cut, and may come again.
    const statuses = await Promise.all(clients.map(ended))
    expect(statuses.flat().filter((status) => status !== 408 && status !== 503)).toEqual([])
    expect(statuses.flat()).toContain(408)
    expect(await length()).toBe(0)
    await expectRoom(draws, 0)
  })

  test('sends more than is allowed, announced or not, can read why', async () => {
    const { draws, length } = await newChain()
    const whole = new Uint8Array(3 * MIB)
    for (let i = 0; i < TIMES; i++) {
      const client = new Raw(server.url.href)
      const isChunked = i % 2 === 0
      client.send(head(draws, isChunked ? CHUNKED : announced(whole.length), 'Connection: close'))
      if (!isChunked) client.send(whole)
      else for (const chunk of chunks(whole)) client.send(chunk)
      if (isChunked) client.send('0\r\n\r\n')
      expect(await client.whole()).toContain('payload_too_large')
      expect(client.statuses).toEqual([413])
    }
    expect(await length()).toBe(0)
    await expectRoom(draws, 0)
  })
})

test.each(['chunked', 'gzip', 'drop by drop'])('a body that comes %s is stored as it was sent', async (form) => {
  const { draws, length } = await newChain()
  const whole = batch(0, COUNT)
  const client = new Raw(server.url.href)
  if (form === 'gzip') {
    const zipped = gzipSync(whole)
    client.send(head(draws, announced(zipped.length), 'Content-Encoding: gzip', 'Connection: close')).send(zipped)
  } else if (form === 'chunked') {
    client.send(head(draws, CHUNKED, 'Connection: close'))
    for (const chunk of chunks(whole, 70_001)) client.send(chunk)
    client.send('0\r\n\r\n')
  } else {
    client.send(head(draws, announced(whole.length), 'Connection: close'))
    // Slower in all than a silence may last.
    for (let at = 0; at < whole.length; at += 199_999) {
      client.send(whole.subarray(at, at + 199_999))
      await pause(300)
    }
  }
  await client.whole()
  expect(client.statuses).toEqual([200])
  expect(await length()).toBe(COUNT)
  const stored = await (await api().get(draws, { Accept: PROTOBUF })).arrayBuffer()
  expect(Buffer.from(stored).includes(Buffer.from(whole.subarray(-COUNT * 1024)))).toBe(true)
})

test('those that are cut for want of room are told so, and are stored when they come again', async () => {
  const { draws, length } = await newChain()
  const whole = batch(0, COUNT)
  const clients = Array.from({ length: 8 }, () => new Raw(server.url.href))
  for (const client of clients) client.send(head(draws, announced(whole.length), 'Connection: close'))
  for (let at = 0; at < whole.length; at += 200_000) {
    for (const client of clients) client.send(whole.subarray(at, at + 200_000))
    await pause(20)
  }
  const statuses = await Promise.all(clients.map(ended))
  expect(new Set(statuses.flat())).toEqual(new Set([200, 503]))
  expect(statuses.map((one) => one.length)).toEqual(clients.map(() => 1))
  expect(await length()).toBe(COUNT)
})
