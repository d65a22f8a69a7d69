/** Elements that are too many for one address: several queries, whose answers lie side by side. */
import { beforeEach, describe, expect, it } from 'vitest'
import { type Draws, type Elements, type Fetch, HttpBackend, type Slice } from '../../src/client/index.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import type { StoreChain } from '../../src/runs/backend.ts'
import { EAGER, faultyNetwork, startApp, storedChain, type TestServer, URL_OF_APP, withoutElements } from './server.ts'

const SIZE = 1_000_000
const META = { rid: 'run', variables: [{ name: 'theta', dtype: 'int32', shape: [SIZE] }] }
const WORDS = { rid: 'words', variables: [{ name: 'word', dtype: 'str', shape: [2000] }] }

/** A thousand places in no order, one of them twice, and a range. */
const SCATTERED: Elements = [...spread(1000, SIZE), 7, [999_990, SIZE], 7]
const INDICES = [...spread(1000, SIZE), 7, ...upTo(10).map((i) => 999_990 + i), 7]

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i)
}

/** Indices far from their neighbours, in an order that repeats none. */
function spread(count: number, size: number): number[] {
  return upTo(count).map((i) => (i * 7919 * 101 + 13) % size)
}

const valueAt = (draw: number, element: number) => draw * SIZE + element

function batch(from: number, count: number) {
  const data = new Int32Array(count * SIZE)
  for (let i = 0; i < data.length; i++) data[i] = valueAt(from, i)
  return {
    start: from,
    count,
    draws: new Map<string, Draws>([['theta', { dtype: 'int32', shape: [count, SIZE], data }]]),
  }
}

function picked(draws: readonly number[]): Draws {
  const data = new Int32Array(draws.flatMap((draw) => INDICES.map((i) => valueAt(draw, i))))
  return { dtype: 'int32', shape: [draws.length, INDICES.length], data }
}

describe('a thousand elements of a vector of a million', () => {
  let server: TestServer
  let stored: StoreChain
  let received: number

  beforeEach(async () => {
    server = startApp()
    received = 0
    await (await server.backend.initRun(META)).initChain(0)
    stored = await storedChain(server, 'run')
    await stored.appendBatch(batch(0, 4))
  })

  async function open(fetch: Fetch, before: (request: Request) => void = () => undefined) {
    const counted: Fetch = async (request) => {
      const response = await fetch(request)
      const bytes = await response.arrayBuffer()
      received += bytes.byteLength
      return new Response(bytes, response)
    }
    const network = faultyNetwork(counted, (request) => void before(request))
    const backend = new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, retry: EAGER })
    const chain = await (await backend.getRun('run'))?.getChain(0)
    if (chain === undefined) throw new Error('there is no chain')
    network.sent.length = 0
    received = 0
    const reads = () => network.sent.filter(({ path }) => path.includes('/draws?')).map(({ path }) => path)
    return { chain, reads }
  }

  it.each<[Slice, number[]]>([
    [{ start: -1 }, [3]],
    [{ start: 1, stop: 2 }, [1]],
    [{}, [0, 1, 2, 3]],
    [{ step: -1 }, [3, 2, 1, 0]],
    [{ start: 3, stop: 0, step: -2 }, [3, 1]],
    [{ start: 4 }, []],
  ])('come in short queries, and nothing else comes: %o', async (slice, draws) => {
    const { chain, reads } = await open(server.fetch)
    expect(await chain.getDraws('theta', slice, SCATTERED)).toEqual(picked(draws))
    expect(reads().length > 1).toBe(draws.length > 0)
    for (const path of reads()) {
      expect(path).toContain('&elem=')
      expect(path.length).toBeLessThan(5000)
    }
    expect(received).toBeLessThan(draws.length * INDICES.length * 4 + 2000)
  })

  it('are of one moment while the chain grows', async () => {
    let length = 4
    const grow = async () => {
      await stored.appendBatch(batch(length, 1))
      length++
    }
    const { chain, reads } = await open(async (request) => {
      await grow()
      return server.fetch(request)
    })
    for (const [slice, drawsOf] of [
      [{ start: -2 }, (n: number) => [n - 2, n - 1]],
      [
        { step: -3 },
        (n: number) =>
          upTo(n)
            .reverse()
            .filter((_, i) => i % 3 === 0),
      ],
    ] as const) {
      // The request for the length lets the chain grow by one before it is answered.
      const seen = length + 1
      expect(await chain.getDraws('theta', slice, SCATTERED)).toEqual(picked(drawsOf(seen)))
      expect(length).toBeGreaterThan(seen)
    }
    expect(reads().length).toBeGreaterThan(3)
  })

  it('are of one run, also where another takes its place between two queries', async () => {
    let asked = 0
    const { chain } = await open(async (request) => {
      if (request.url.includes('elem=') && ++asked === 2) {
        await server.backend.deleteRun('run')
        await (await (await server.backend.initRun(META)).initChain(0)).appendBatch(batch(0, 4))
      }
      return server.fetch(request)
    })
    await expect(chain.getDraws('theta', {}, SCATTERED)).rejects.toMatchObject({ code: 'run_replaced' })
    expect(asked).toBe(2)
  })

  it('are picked of whole draws that an older server sends, and these come once', async () => {
    const { chain } = await open(withoutElements(server.fetch))
    expect(await chain.getDraws('theta', {}, SCATTERED)).toEqual(picked([0, 1, 2, 3]))
    expect(received).toBeLessThan(4 * SIZE * 4 + 2000)
  })
})

it('half of the elements come as whole draws, which a server then goes through once', async () => {
  const server = startApp()
  const wide = { rid: 'wide', variables: [{ name: 'x', dtype: 'int32', shape: [12_000] }] }
  const stored = await (await server.backend.initRun(wide)).initChain(0)
  const data = Int32Array.from(upTo(24_000))
  await stored.appendBatch({ count: 2, draws: new Map([['x', { dtype: 'int32', shape: [2, 12_000], data }]]) })
  const network = faultyNetwork(server.fetch, () => undefined)
  const run = await new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, retry: EAGER }).getRun('wide')
  const even = upTo(6000).map((i) => 2 * i)
  const draws = await (await run?.getChain(0))?.getDraws('x', { start: -1 }, even)
  expect(draws).toEqual({ dtype: 'int32', shape: [1, 6000], data: Int32Array.from(even.map((i) => 12_000 + i)) })
  expect(network.sent.filter(({ path }) => path.includes('/draws?')).map(({ path }) => path.includes('elem='))).toEqual(
    [false],
  )
})

describe.each(Object.entries({ 'a server that knows elements': false, 'an older server': true }))(
  '%s',
  (_, isOlder) => {
    it.each([DEFAULT_LIMITS.answerBytes, 100_000])('gives strings, in answers of %d bytes', async (answerBytes) => {
      const server = startApp({ ...DEFAULT_LIMITS, answerBytes })
      const data = upTo(12 * 2000).map((i) => `w${i}`)
      const stored = await (await server.backend.initRun(WORDS)).initChain(0)
      await stored.appendBatch({ count: 12, draws: new Map([['word', { dtype: 'str', shape: [12, 2000], data }]]) })
      const fetch = isOlder ? withoutElements(server.fetch) : server.fetch
      const network = faultyNetwork(fetch, () => undefined)
      const run = await new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, retry: EAGER }).getRun('words')
      const indices = [5, ...upTo(1990).filter((i) => i % 2 === 0), 5, 1999, 0]
      expect(indices.join().length).toBeGreaterThan(4096)
      const draws = await (await run?.getChain(0))?.getDraws('word', { start: 1, step: 2 }, indices)
      expect(draws).toEqual({
        dtype: 'str',
        shape: [6, indices.length],
        data: [1, 3, 5, 7, 9, 11].flatMap((draw) => indices.map((i) => `w${draw * 2000 + i}`)),
      })
      expect(network.sent.some(({ path }) => path.includes('&elem='))).toBe(true)
    })
  },
)
