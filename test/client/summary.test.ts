/** Summaries through the client: all pages, figures that are pending, and servers that have no summaries. */
import { beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { HttpBackend, type HttpRun, type SummaryOptions, summarise } from '../../src/client/index.ts'
import { LocalBench } from '../../src/core/summary/bench.ts'
import { Summaries, type SummaryLimits } from '../../src/core/summary/summaries.ts'
import { Workshop, type WorkshopOptions } from '../../src/core/summary/workshop.ts'
import { StoreBackend } from '../../src/runs/backend.ts'

const WIDE = 12_000
const DRAWS = 8

interface Asked {
  readonly path: string
  readonly prefer: string | null
}

/** A client of an application over a store, and the summaries that it has asked for. */
function open(store: MemoryStore, { isOld = false, limits, workshop }: Partial<Server> = {}) {
  const asked: Asked[] = []
  const backend = new StoreBackend(store)
  const summaries = new Summaries(new Workshop(new LocalBench(), workshop), limits)
  const app = createApp({ openBackend: () => backend, summaries })
  const fetch = (request: Request) => {
    const { pathname, search } = new URL(request.url)
    if (!pathname.endsWith('/summary')) return app.fetch(request)
    asked.push({ path: search, prefer: request.headers.get('Prefer') })
    return app.fetch(isOld ? new Request(request.url.replace('/summary', '/unheard-of'), request) : request)
  }
  return { asked, client: new HttpBackend({ url: 'http://server.test', fetch, retry: { limit: 0 } }) }
}

interface Server {
  readonly isOld: boolean
  readonly limits: SummaryLimits
  readonly workshop: WorkshopOptions
}

async function runOf(client: HttpBackend): Promise<HttpRun> {
  const run = await client.getRun('wide')
  if (run === undefined) throw new Error('there is no run')
  return run
}

const store = new MemoryStore()

beforeAll(async () => {
  const { client } = open(store)
  const run = await client.initRun({
    rid: 'wide',
    variables: [
      { name: 'x', dtype: 'float64', shape: [WIDE] },
      { name: 'μ'.repeat(256), dtype: 'float64' },
    ],
  })
  for (const number of [0, 1]) {
    const chain = await run.initChain(number)
    const x = Float64Array.from({ length: DRAWS * WIDE }, (_, i) => Math.sin(i * 12.9898 + number))
    const other = x.slice(0, DRAWS)
    await chain.appendBatch({
      count: DRAWS,
      draws: new Map([
        ['x', { dtype: 'float64', shape: [DRAWS, WIDE], data: x }],
        ['μ'.repeat(256), { dtype: 'float64', shape: [DRAWS], data: other }],
      ]),
    })
  }
})

const FEW: SummaryOptions = { columns: ['mean', 'rhat'] }

describe('a summary through the client', () => {
  test('has the rows of all pages, or as many as are asked for', async () => {
    const { client, asked } = open(store)
    const run = await runOf(client)
    const all = await run.summary({ ...FEW, sort: '-rhat' })
    expect(new Set(asked.map(({ path }) => path)).size).toBe(2)
    expect(all).toEqual(await summarise(run, { ...FEW, sort: '-rhat' }))
    expect(all.rows).toHaveLength(WIDE + 1)
    const some = await run.summary({ ...FEW, sort: '-rhat', limit: WIDE - 1 })
    expect(some.rows).toEqual(all.rows.slice(0, -2))
    const rest = await run.summary({ ...FEW, sort: '-rhat', cursor: some.nextCursor })
    expect(rest.rows).toEqual(all.rows.slice(-2))
    expect(rest.nextCursor).toBeUndefined()
  })

  test('comes in smaller pages where the server computes no more at once', async () => {
    const limits = { values: 2 * DRAWS * 3000, scalar: 1000, keptBytes: 1 << 20 }
    const { client, asked } = open(store, { limits })
    const run = await runOf(client)
    expect(await run.summary(FEW)).toEqual(await summarise(run, FEW))
    expect(asked.map(({ path }) => /limit=(\d+)/.exec(path)?.[1]).slice(0, 2)).toEqual(['10000', '1000'])
    await expect(run.summary({ columns: ['sd'], sort: 'sd' })).rejects.toMatchObject({ code: 'payload_too_large' })
  })

  test('is asked for until every figure is known, and tells how far it is', async () => {
    const gate = Promise.withResolvers<void>()
    const { client, asked } = open(store, { workshop: { rest: () => gate.promise } })
    const run = await runOf(client)
    const shares: number[] = []
    const summary = await run.summary({
      ...FEW,
      limit: 5,
      onProgress: (share) => {
        shares.push(share)
        gate.resolve()
      },
    })
    expect(summary.complete).toBe(true)
    expect(summary).not.toHaveProperty('progress')
    expect(shares).toHaveLength(1)
    expect(shares[0]).toBeLessThan(1)
    expect(asked.map(({ prefer }) => prefer)).toEqual(['wait=1', 'wait=2'])
  })

  test('ends with the signal while the server computes', async () => {
    const gate = Promise.withResolvers<void>()
    const { client } = open(store, { workshop: { rest: () => gate.promise } })
    const ended = new AbortController()
    const reason = new Error('enough')
    const summary = (await runOf(client)).summary({
      ...FEW,
      signal: ended.signal,
      onProgress: () => ended.abort(reason),
    })
    await expect(summary).rejects.toBe(reason)
    gate.resolve()
  })

  test('is computed here for a server of an older release', async () => {
    const { client, asked } = open(store, { isOld: true })
    const run = await runOf(client)
    expect(await run.summary({ ...FEW, limit: 50 })).toEqual(await summarise(run, { ...FEW, limit: 50 }))
    await expect(run.summary({ chains: [5] })).rejects.toMatchObject({ code: 'chain_not_found' })
    // Pages of other origins may not send it there.
    expect(asked.map(({ prefer }) => prefer)).toEqual([null, null])
  })

  test('is computed here where the names do not fit into an address', async () => {
    const { client, asked } = open(store)
    const run = await runOf(client)
    const elements = Array.from({ length: 1100 }, (_, i) => 10_000 + i)
    const options = { ...FEW, variables: ['x'], elements }
    expect((await run.summary(options)).rows.map(({ index }) => index[0])).toEqual(elements)
    expect(asked).toHaveLength(0)
  })

  test('is of what this client has appended as well', async () => {
    const { client } = open(new MemoryStore())
    const run = await client.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
    const chain = await run.initChain(0)
    for (let i = 0; i < 40; i++) await chain.append({ x: Math.sin(i * 12.9898) })
    expect(await run.summary()).toMatchObject({ draws: 40, chains: [{ chain: 0, first: 0, draws: 40, warmup: 0 }] })
  })
})
