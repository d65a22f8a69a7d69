/** A proxy that takes less in one request than the server does: draws go through it in smaller ones. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Draws, type Fetch, HttpBackend } from '../../src/client/index.ts'
import { RequestSize } from '../../src/client/request-size.ts'
import { EAGER, startApp, storedChain, URL_OF_APP } from './server.ts'

const RUN = {
  rid: 'run',
  variables: [
    { name: 'x', dtype: 'float64' },
    { name: 'word', dtype: 'str' },
    { name: 'ragged', dtype: 'int16', shape: [-1] },
  ],
  sampleStats: [{ name: 'tune', dtype: 'bool' }],
}

/** One draw, whose size varies. */
function drawOf(i: number) {
  const ragged = Int16Array.from({ length: i % 5 }, (_, k) => i + k)
  return {
    x: i / 3,
    word: 'w'.repeat(i % 7),
    ragged: { dtype: 'int16', shape: [ragged.length], data: ragged } as const,
  }
}

/** As many draws, as one batch. */
function batchOf(count: number) {
  const draws = Array.from({ length: count }, (_, i) => drawOf(i))
  return {
    count,
    draws: new Map<string, Draws>([
      ['x', { dtype: 'float64', shape: [count], data: Float64Array.from(draws, ({ x }) => x) }],
      ['word', { dtype: 'str', shape: [count], data: draws.map(({ word }) => word) }],
      ['ragged', draws.map(({ ragged }) => ragged)],
    ]),
    stats: new Map([['tune', { dtype: 'bool', shape: [count], data: new Uint8Array(count) } as const]]),
  }
}

interface Proxy {
  /** Bytes that a request may have. */
  limit: number
  refused: number
  taken: number
  /** Loses the answer of every request with this number, counted from 1, and of its multiples. */
  losesEach: number
}

async function open(given: Partial<Proxy> = {}) {
  const server = startApp()
  const proxy: Proxy = { limit: Number.POSITIVE_INFINITY, refused: 0, taken: 0, losesEach: 0, ...given }
  const fetch: Fetch = async (request) => {
    if (request.method !== 'POST') return server.fetch(request)
    const { byteLength } = await request.clone().arrayBuffer()
    if (byteLength > proxy.limit) {
      proxy.refused++
      return new Response('<h1>Request Entity Too Large</h1>', {
        status: 413,
        headers: { 'Content-Type': 'text/html' },
      })
    }
    proxy.taken++
    const answer = await server.fetch(request)
    if (proxy.losesEach > 0 && proxy.taken % proxy.losesEach === 0) throw new TypeError('fetch failed')
    return answer
  }
  const backend = new HttpBackend({ url: URL_OF_APP, fetch, retry: EAGER, flush: { count: 200, interval: 5 } })
  const chain = await (await backend.initRun(RUN)).initChain(0)
  return { proxy, chain, stored: await storedChain(server, 'run') }
}

type Opened = Awaited<ReturnType<typeof open>>

async function expectStored({ stored }: Opened, count: number): Promise<void> {
  const { draws } = batchOf(count)
  for (const [name, column] of draws) expect(await stored.getDraws(name)).toEqual(column)
  expect(await stored.length()).toBe(count)
}

describe('a proxy that refuses large requests', () => {
  it('gets smaller ones, and no more large ones from then on', async () => {
    const opened = await open({ limit: 1000 })
    const { chain, proxy } = opened
    for (let i = 0; i < 3000; i++) await chain.append(drawOf(i), { tune: false })
    await chain.close()
    await expectStored(opened, 3000)
    // A try of a larger one costs another refusal, after ever more requests.
    expect(proxy.refused).toBeLessThan(20)
    expect(proxy.taken).toBeGreaterThan(50)
  })

  it('gets a batch in parts', async () => {
    const opened = await open({ limit: 1000 })
    expect(await opened.chain.appendBatch(batchOf(500))).toBe(500)
    expect(await opened.chain.appendBatch({ ...batchOf(500), start: 0 })).toBe(500)
    await expectStored(opened, 500)
  })

  it('gets all but a draw that is too large by itself, and that one when it may pass', async () => {
    const opened = await open({ limit: 1000 })
    const { chain, proxy, stored } = opened
    for (let i = 0; i < 3; i++) await chain.append(drawOf(i), { tune: false })
    await chain.append({ ...drawOf(3), word: 'long'.repeat(1000) }, { tune: false })
    await expect(chain.flush()).rejects.toMatchObject({ code: 'payload_too_large', fields: { status: 413 } })
    expect(await stored.length()).toBe(3)
    proxy.limit = Number.POSITIVE_INFINITY
    chain.resume()
    await chain.append(drawOf(4), { tune: false })
    await chain.close()
    expect(await stored.length()).toBe(5)
    expect((await stored.getDrawsAt(3)).get('word')).toMatchObject({ data: ['long'.repeat(1000)] })
  })

  it('keeps draws whole for all limits, numbers and lost answers', async () => {
    const limits = fc.integer({ min: 200, max: 4000 })
    const property = fc.asyncProperty(limits, fc.integer({ min: 1, max: 700 }), fc.integer({ min: 2, max: 9 }), check)
    await fc.assert(property, { numRuns: 40 })

    async function check(limit: number, count: number, losesEach: number) {
      const opened = await open({ limit, losesEach })
      const pending: Promise<void>[] = []
      for (let i = 0; i < count; i++) pending.push(opened.chain.append(drawOf(i), { tune: false }))
      await Promise.all(pending)
      await opened.chain.close()
      await expectStored(opened, count)
    }
  })
})

describe('the size of requests', () => {
  function taken(size: RequestSize, times: number, bytes = size.bytes): number {
    for (let i = 0; i < times; i++) size.take(bytes)
    return size.bytes
  }

  it('is halved by each refusal, and no larger than asked for', () => {
    const size = new RequestSize(1000)
    size.refuse(600)
    expect(size.bytes).toBe(300)
    size.refuse(900)
    expect(size.bytes).toBe(300)
    size.refuse(1)
    expect(size.bytes).toBe(1)
  })

  it('doubles again behind sixteen requests, up to the most', () => {
    const size = new RequestSize(1000)
    size.refuse(600)
    expect(taken(size, 15)).toBe(300)
    expect(taken(size, 1)).toBe(600)
    expect(taken(size, 16)).toBe(1000)
    expect(taken(size, 100)).toBe(1000)
  })

  it('is tried ever more rarely where tries are refused', () => {
    const size = new RequestSize(1000)
    size.refuse(600)
    taken(size, 16)
    size.refuse(600)
    expect(taken(size, 63)).toBe(300)
    expect(taken(size, 1)).toBe(600)
  })

  it('takes no hint from small requests', () => {
    const size = new RequestSize(1000)
    size.refuse(600)
    expect(taken(size, 100, 149)).toBe(300)
  })
})
