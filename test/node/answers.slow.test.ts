/** Answers that nobody reads, on a real socket: one request of a connection at work, nothing fetched ahead, an end to all. */
import { afterEach, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'
import { DRAWS, drawBatch, expectProblem, runMeta } from '../http/api.ts'
import { shortPage } from '../support/pages.ts'
import { Raw } from '../support/raw.ts'
import { type Served, serve } from './serve.ts'

const MIB = 1024 * 1024
/** Bytes of one draw, and of a page. */
const DRAW = MIB
const LENGTH = 64

/** A store that counts what is read of it, page by page. */
class CountingStore extends MemoryStore {
  pages = 0

  override async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    this.pages++
    return shortPage(question, 1, cursor, (...asked) => super.read(registration, chain, ...asked))
  }
}

let served: Served | undefined
const clients: Raw[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await served?.server.close()
})

async function start(bounds: Parameters<typeof serve>[0] = {}) {
  const store = new CountingStore()
  served = await serve(bounds, store)
  const { api } = served
  await api.request('PUT', '/v1/runs/r', {
    body: runMeta({ variables: [{ name: 'x', dtype: 'uint8', shape: [DRAW] }] }),
  })
  await api.request('PUT', '/v1/runs/r/chains/0')
  for (let start = 0; start < LENGTH; start += 16) {
    const data = new Uint8Array(16 * DRAW)
    const body = drawBatch({ start, count: 16, draws: [{ name: 'x', dtype: 'uint8', data }] })
    expect((await api.request('POST', DRAWS, { body })).status).toBe(200)
  }
  return { all: served, store }
}

/** Sends requests and reads nothing of their answers. */
function deaf({ server }: Served, text: string): Raw {
  const raw = new Raw(server.url)
  clients.push(raw)
  raw.socket.pause()
  return raw.send(text)
}

/** Resolves when a value has not changed for a while. */
async function settled(read: () => number): Promise<number> {
  for (;;) {
    const before = read()
    await new Promise((resolve) => setTimeout(resolve, 400))
    if (read() === before) return before
  }
}

const READ = `GET ${DRAWS} HTTP/1.1\r\nHost: x\r\n\r\n`

test('requests that are sent together are answered one after the other, in their order', async () => {
  const { all, store } = await start()
  const lasts = Array.from({ length: 600 }, (_, i) => `GET /v1/runs/r/chains/${i % 2} HTTP/1.1\r\nHost: x\r\n\r\n`)
  const raw = new Raw(all.server.url)
  clients.push(raw)
  raw.send(lasts.join(''))
  await expect.poll(() => raw.statuses.length).toBe(600)
  expect(raw.statuses.every((status, i) => status === (i % 2 === 0 ? 200 : 404))).toBe(true)
  expect(store.pages).toBe(0)
})

test('36 KB of reads whose answers nobody takes begin one of them', async () => {
  const { all, store } = await start()
  store.pages = 0
  const raw = deaf(all, READ.repeat(Math.floor(36_000 / READ.length)))
  await expect.poll(() => store.pages).toBeGreaterThan(0)
  // A page, and as many as the network takes on its way; each answer has 64.
  expect(await settled(() => store.pages)).toBeLessThan(20)
  expect(all.openAnswers.count('answers')).toBe(1)
  raw.destroy()
  await expect.poll(() => all.openAnswers.count('answers')).toBe(0)
  const pages = store.pages
  expect(await settled(() => store.pages)).toBe(pages)
})

test.each(['application/x-protobuf', 'application/json'])(
  'an answer without a reader ends, and one that is read slowly does not: %s',
  async (accept) => {
    const { all } = await start({ stallMs: 5000 })
    const request = READ.replace('\r\n\r\n', `\r\nAccept: ${accept}\r\n\r\n`)
    const silent = deaf(all, request)
    const slow = deaf(all, request)
    // A server learns that something was taken in steps of a third of the system's buffer, which may have 4 MiB here.
    let most = 0
    slow.socket.on('data', () => {
      if (slow.text.length > most) slow.socket.pause()
    })
    const timer = setInterval(() => {
      most = slow.text.length + MIB / 2
      slow.socket.resume()
    }, 50)
    await expect.poll(() => all.openAnswers.count('answers')).toBe(2)
    await expect.poll(() => all.openAnswers.count('answers')).toBe(1)
    // The one that is left is the one that reads: it goes on long after the other has ended.
    const before = slow.text.length
    await new Promise((resolve) => setTimeout(resolve, 7000))
    expect(all.openAnswers.count('answers') === 1 || slow.text.length > LENGTH * DRAW).toBe(true)
    expect(slow.text.length).toBeGreaterThan(before)
    clearInterval(timer)
    most = Number.POSITIVE_INFINITY
    slow.socket.resume()
    silent.socket.resume()
    await silent.whole()
    await expect.poll(() => slow.text.length).toBeGreaterThan(LENGTH * DRAW)
    expect(silent.text.length).toBeLessThan(LENGTH * DRAW)
    expect(all.reports).toEqual([])
  },
)

test.each([
  ['empty lines', '', '\r\n'],
  ['a head without end', 'GET / HTTP/1.1\r\nX: ', 'x'],
])('an answer without a reader ends, also when its client goes on to send %s', async (_what, first, more) => {
  const { all } = await start({ stallMs: 1000 })
  const raw = deaf(all, `${READ}${first}`)
  await expect.poll(() => all.openAnswers.count('answers')).toBe(1)
  const timer = setInterval(() => raw.send(more), 50)
  await expect.poll(() => all.openAnswers.count('answers')).toBe(0)
  clearInterval(timer)
})

describe('open answers', () => {
  test('have a number that they do not exceed, and events one of their own', async () => {
    const { all } = await start({ answers: 3, eventStreams: 2 })
    const readers = [deaf(all, READ), deaf(all, READ), deaf(all, READ)]
    await expect.poll(() => all.openAnswers.count('answers')).toBe(3)
    for (const path of [DRAWS, '/v1/runs', '/v1/runs/r']) {
      const refused = await all.api.get(path)
      expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
      expect(await expectProblem(refused, 503, 'overloaded')).toMatchObject({ limit: 3 })
    }
    // Requests that need no tenant are served, and so are writes.
    expect((await all.api.get('/healthz')).status).toBe(200)
    expect((await all.api.request('PUT', '/v1/runs/r/chains/1')).status).toBe(201)
    const watch = 'GET /v1/runs/r/events HTTP/1.1\r\nHost: x\r\n\r\n'
    const watchers = [deaf(all, watch), deaf(all, watch)]
    await expect.poll(() => all.openAnswers.count('events')).toBe(2)
    await expectProblem(await all.api.get('/v1/runs/r/events'), 503, 'overloaded')
    for (const raw of [...readers, ...watchers]) raw.destroy()
    await expect.poll(() => [all.openAnswers.count('answers'), all.openAnswers.count('events')]).toEqual([0, 0])
    expect((await all.api.get('/v1/runs')).status).toBe(200)
  })

  test('are given back by requests that end in every way', async () => {
    const { all } = await start({ answers: 40 })
    const paths = [DRAWS, `${DRAWS}?var=none`, `${DRAWS}?start=-1`, '/v1/runs', '/v1/runs/none', `${DRAWS}?step=0`]
    for (let round = 0; round < 15; round++) {
      const open = paths.flatMap((path) =>
        ['GET', 'HEAD'].map((method) => deaf(all, `${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(2))),
      )
      await new Promise((resolve) => setTimeout(resolve, round * 3))
      for (const raw of open) raw.destroy()
    }
    await expect.poll(() => all.openAnswers.count('answers')).toBe(0)
    for (let i = 0; i < 100; i++) expect((await all.api.get(`${DRAWS}?start=-1`)).status).toBe(200)
    await expect.poll(() => all.openAnswers.count('answers')).toBe(0)
  })
})
