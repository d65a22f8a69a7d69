/** Bodies that are streams over sockets: how long they may be silent, how many there are, and what ends them. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { type Bounds, DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import { BodyBudget } from '../../src/http/body-budget.ts'
import { openNodeBody } from '../../src/node/body-stream.ts'
import { type Listening, type ListenOptions, listen, whenNodeAnswered } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { madeFile, ROWS } from '../core/stan/files.ts'

const PATH = '/v1/runs/r/chains/0/stan.csv'
const ended: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

interface Served {
  readonly server: Listening
  readonly backend: StoreBackend
  readonly bodies: BodyBudget
}

async function serve(bounds: Partial<Bounds> = {}, options: ListenOptions = {}): Promise<Served> {
  const all = { ...DEFAULT_BOUNDS, ...bounds }
  const backend = new StoreBackend(new MemoryStore())
  const bodies = new BodyBudget({ all: all.bodiesBytes, tenant: all.tenantBodiesBytes })
  const app = createApp({
    openBackend: () => backend,
    openBody: openNodeBody,
    whenAnswered: whenNodeAnswered,
    bounds: all,
    bodies,
  })
  const server = await listen(app, '127.0.0.1', 0, { ...all, ...options })
  ended.push(() => server.close())
  return { server, backend, bodies }
}

/** A sender over a plain socket, as it types. */
class Sender {
  text = ''
  private readonly socket: Socket

  constructor(url: string, path = PATH) {
    const { hostname, port } = new URL(url)
    this.socket = connect(Number(port), hostname)
    this.socket.on('data', (piece) => {
      this.text += piece.toString()
    })
    this.socket.on('error', () => {})
    this.socket.write(`PUT ${path} HTTP/1.1\r\nHost: ${hostname}\r\nTransfer-Encoding: chunked\r\n\r\n`)
    ended.push(() => {
      this.socket.destroy()
    })
  }

  type(text: string): void {
    this.socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  }

  end(): void {
    this.socket.write('0\r\n\r\n')
  }

  async answered(): Promise<string> {
    while (!this.text.includes('\r\n\r\n')) await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')])
    return this.text
  }

  get isClosed(): boolean {
    return this.socket.readableEnded || this.socket.destroyed
  }
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

const lengthIn = async (backend: StoreBackend) => (await (await backend.getRun('r'))?.getChain(0))?.state.length ?? 0

const [HEAD = ''] = madeFile().split(ROWS[0] ?? '')

test('a stream outlives the time that other requests have, and silence beyond that of a connection', async () => {
  const { server, backend } = await serve({ stallMs: 400 }, { requestMs: 500 })
  const sender = new Sender(server.url)
  sender.type(HEAD)
  for (const row of ROWS) {
    await new Promise((resolve) => setTimeout(resolve, 900))
    sender.type(`${row}\n`)
  }
  await until(async () => (await lengthIn(backend)) === 3)
  sender.end()
  expect(await sender.answered()).toMatch(/^HTTP\/1.1 200 [\s\S]*"length":3/)
})

test('silence for too long is 408, and the connection ends', async () => {
  const { server, backend } = await serve({ silenceMs: 500 })
  const sender = new Sender(server.url)
  sender.type(`${HEAD}${ROWS[0]}\n`)
  expect(await sender.answered()).toMatch(/^HTTP\/1.1 408 [\s\S]*Connection: close/i)
  expect(await lengthIn(backend)).toBe(1)
  await until(() => sender.isClosed)
})

test('one too many of them is 503, before its body is looked at', async () => {
  const { server, backend } = await serve({ bodyStreams: 2 })
  const senders = [0, 1].map((chain) => new Sender(server.url, `/v1/runs/r/chains/${chain}/stan.csv`))
  for (const sender of senders) sender.type(`${HEAD}${ROWS[0]}\n`)
  await until(async () => (await lengthIn(backend)) === 1)
  expect(await new Sender(server.url).answered()).toMatch(/^HTTP\/1.1 503 [\s\S]*"overloaded"/)
  senders[0]?.end()
  expect(await senders[0]?.answered()).toMatch(/^HTTP\/1.1 200 /)
  const next = new Sender(server.url)
  next.type(`${HEAD}${ROWS[0]}\n`)
  next.end()
  expect(await next.answered()).toMatch(/^HTTP\/1.1 200 /)
})

test('a server that stops stores what is whole, and tells the sender', async () => {
  const { server, backend } = await serve()
  const sender = new Sender(server.url)
  sender.type(`${HEAD}${ROWS[0]}\n${ROWS[1]}\n-7,0.5`)
  await until(async () => (await backend.getRun('r')) !== undefined)
  const began = performance.now()
  await server.close()
  expect(performance.now() - began).toBeLessThan(8000)
  expect(await sender.answered()).toMatch(/^HTTP\/1.1 503 [\s\S]*Retry-After: 1/i)
  expect(await lengthIn(backend)).toBe(2)
})

test('a sender that goes away leaves whole lines, and no place taken', async () => {
  const { server, backend, bodies } = await serve({ bodyStreams: 1 })
  const sender = new Sender(server.url)
  sender.type(`${HEAD}${ROWS[0]}\n${ROWS[1]}\n-7,0.5`)
  await until(async () => (await backend.getRun('r')) !== undefined)
  await ended.pop()?.()
  await until(async () => (await lengthIn(backend)) === 2)
  await until(async () => {
    const next = new Sender(server.url)
    next.type(madeFile())
    next.end()
    return (await next.answered()).startsWith('HTTP/1.1 200')
  })
  expect([bodies.bytes, bodies.bodies]).toEqual([0, 0])
})

test('a line that has no end counts as a body, and is refused where there is no room for it', async () => {
  const { server, bodies } = await serve({ bodiesBytes: 4 * 1024 * 1024, tenantBodiesBytes: 4 * 1024 * 1024 })
  const sender = new Sender(server.url)
  const piece = 'a'.repeat(1024 * 1024)
  sender.type(piece)
  await until(() => bodies.bytes > 0)
  for (let i = 0; i < 8; i++) sender.type(piece)
  expect(await sender.answered()).toMatch(/^HTTP\/1.1 413 [\s\S]*payload_too_large/)
  await until(() => bodies.bytes === 0)
})
