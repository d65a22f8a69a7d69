/** Promises of `GET /v1/runs/{rid}/events` and `run.watch()`, on any server. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { readEvents, type ServerEvent } from '../../src/client/events.ts'
import { type ChainGrowth, type Fetch, HttpBackend, type RunDiagnostics } from '../../src/client/index.ts'
import type { Chain, Run } from '../../src/core/interfaces.ts'

export interface EventsServer {
  readonly url: string
  readonly fetch: Fetch
}

export interface EventsSubject extends EventsServer {
  readonly name: string
  /** A second server over the same storage: its writes are watched at the first. */
  readonly writer?: EventsServer
  /** True where the first server looks for writes of the second, once a second; absent where it is told at once. */
  readonly looks?: true
}

const X = [{ name: 'x', dtype: 'float64' }]
let runs = 0

async function appendTo(chain: Chain, start: number, count: number): Promise<void> {
  const x = { dtype: 'float64', shape: [count], data: new Float64Array(count).fill(start) } as const
  await chain.appendBatch({ start, count, draws: new Map([['x', x]]) })
}

/** Takes events until one is as expected, and gives them all. */
async function until(events: AsyncGenerator<ServerEvent>, last: (event: ServerEvent) => boolean) {
  const seen: ServerEvent[] = []
  for (;;) {
    const { done, value } = await events.next()
    if (done) throw new Error(`the events ended after ${JSON.stringify(seen)}`)
    if (value.data === '') continue
    seen.push(value)
    if (last(value)) return seen
  }
}

const is = (chain: number, length: number) => (event: ServerEvent) =>
  event.type === 'message' && event.data === JSON.stringify({ chain, length })

export function events(open: () => EventsSubject): void {
  const clientOf = ({ url, fetch }: EventsServer) => new HttpBackend({ url, fetch, retry: { limit: 20_000, base: 20 } })
  /** Writes. */
  const backend = () => clientOf(open().writer ?? open())
  /** The same run at the server that is watched. */
  const seen = async (run: Run) => {
    const found = await clientOf(open()).getRun(run.rid)
    if (found === undefined) throw new Error('the server that is watched has no such run')
    return found
  }
  const newRun = () => backend().initRun({ rid: `events-${++runs}`, variables: X })
  const watch = async (rid: string, headers: Record<string, string> = {}) => {
    const { url, fetch } = open()
    const answer = await fetch(new Request(`${url}/v1/runs/${rid}/events`, { headers }))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Content-Type')).toBe('text/event-stream')
    if (answer.body === null) throw new Error('the answer has no body')
    const all = readEvents(answer.body)
    onTestFinished(async () => void (await all.return(undefined)))
    return all
  }

  describe('events of a run', () => {
    test('first the state, then what grows', async () => {
      const run = await newRun()
      const chains = [await run.initChain(0), await run.initChain(7)]
      await appendTo(chains[1] ?? (await run.initChain(7)), 0, 3)
      const all = await watch(run.rid)
      const state = await until(all, is(7, 3))
      expect(state[0]?.type).toBe('state')
      expect(JSON.parse(state[0]?.data ?? '')).toEqual({
        chains: [
          { chain: 0, length: 0 },
          { chain: 7, length: 3 },
        ],
      })
      expect(state.slice(1).map(({ data }) => JSON.parse(data))).toEqual([
        { chain: 0, length: 0 },
        { chain: 7, length: 3 },
      ])
      // A connection that breaks among these is told all of them again.
      expect(state.map(({ id }) => id !== undefined)).toEqual([false, false, true])
      await appendTo(chains[0] ?? (await run.initChain(0)), 0, 5)
      expect(await until(all, is(0, 5))).toHaveLength(1)
      await run.initChain(8)
      expect(await until(all, is(8, 0))).toHaveLength(1)
    })

    test('a retry, which writes nothing, is no event', async () => {
      const run = await newRun()
      const chain = await run.initChain(0)
      const all = await watch(run.rid)
      await until(all, is(0, 0))
      for (let i = 0; i < 3; i++) await appendTo(chain, 0, 2)
      await appendTo(chain, 2, 1)
      const lengths = (await until(all, is(0, 3))).map(({ data }) => JSON.parse(data).length)
      // A look may have come between the two.
      expect(lengths).toEqual(open().looks && lengths.length === 1 ? [3] : [2, 3])
    })

    test('a reconnect misses nothing, and is not told again what it knows', async () => {
      const run = await newRun()
      const chain = await run.initChain(0)
      const first = await watch(run.rid)
      await appendTo(chain, 0, 4)
      const last = (await until(first, is(0, 4))).at(-1)?.id ?? ''
      await first.return(undefined)

      const second = await watch(run.rid, { 'Last-Event-ID': last })
      await appendTo(chain, 4, 1)
      const told = await until(second, is(0, 5))
      expect(told.map(({ type }) => type)).toEqual(['message'])
      await second.return(undefined)

      await appendTo(chain, 5, 1)
      await run.initChain(1)
      const third = await watch(run.rid, { 'Last-Event-ID': last })
      const state = await until(third, is(1, 0))
      expect(state.map(({ data }) => JSON.parse(data))).toContainEqual({ chain: 0, length: 6 })
    })

    test('at most ten events a second for a chain, and the last one is true', async () => {
      const run = await newRun()
      const chain = await run.initChain(0)
      const all = await watch(run.rid)
      await until(all, is(0, 0))
      const begun = Date.now()
      const told = until(all, is(0, 60))
      for (let length = 0; length < 60; length++) {
        await appendTo(chain, length, 1)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      const count = (await told).length
      expect(count).toBeLessThanOrEqual((Date.now() - begun) / 100 + 2)
      expect(count).toBeGreaterThan(open().looks ? 0 : 2)
    })

    test('the end, when the run is deleted, and when it is registered anew', async () => {
      const run = await newRun()
      await run.initChain(0)
      const all = await watch(run.rid)
      const last = (await until(all, is(0, 0))).at(-1)?.id ?? ''
      await backend().deleteRun(run.rid)
      const [deleted] = await until(all, ({ type }) => type === 'deleted')
      expect(deleted?.data).toBe('{}')
      expect(await all.next()).toMatchObject({ done: true })

      const anew = await backend().initRun({ rid: run.rid, variables: X })
      const late = await watch(anew.rid, { 'Last-Event-ID': last })
      await until(late, ({ type }) => type === 'deleted')
      const { url, fetch } = open()
      const headers = { 'Mcb-Registration': run.registration }
      const refused = await fetch(new Request(`${url}/v1/runs/${run.rid}/events`, { headers }))
      expect(refused.status).toBe(412)
      expect(await refused.json()).toMatchObject({ code: 'run_replaced' })
    })

    test('a run that is not there, and HEAD', async () => {
      const { url, fetch } = open()
      const none = await fetch(new Request(`${url}/v1/runs/nobody/events`))
      expect(none.status).toBe(404)
      expect(await none.json()).toMatchObject({ code: 'run_not_found' })
      const run = await newRun()
      const head = await fetch(new Request(`${url}/v1/runs/${run.rid}/events`, { method: 'HEAD' }))
      expect(head.status).toBe(200)
      expect(await head.text()).toBe('')
    })
  })

  describe('run.watch()', () => {
    test('tells all chains and their growth, and ends with the run', async () => {
      const run = await newRun()
      const chain = await run.initChain(0)
      await appendTo(chain, 0, 2)
      const growths: ChainGrowth[] = []
      for await (const growth of (await seen(run)).watch()) {
        growths.push(growth)
        if (growth.length === 2) await appendTo(chain, 2, 1)
        else await backend().deleteRun(run.rid)
      }
      expect(growths).toEqual([
        { chain: 0, length: 2 },
        { chain: 0, length: 3 },
      ])
    })

    test('goes on through connections that break, without a gap or a repetition', async () => {
      const run = await newRun()
      const chain = await run.initChain(0)
      const { url, fetch } = open()
      let connections = 0
      // Lets one piece of the first answer through and one more of each that follows, then breaks it.
      const breaking: Fetch = async (request) => {
        const answer = await fetch(request)
        if (!request.url.endsWith('/events') || answer.body === null) return answer
        connections++
        return new Response(breakAfter(answer.body, connections), answer)
      }
      const client = new HttpBackend({ url, fetch: breaking, retry: { limit: 20_000, base: 20 } })
      const watched = await client.getRun(run.rid)
      const lengths: number[] = []
      const write = (async () => {
        for (let length = 0; length < 30; length++) {
          await appendTo(chain, length, 1)
          await new Promise((resolve) => setTimeout(resolve, 40))
        }
      })()
      for await (const { length } of watched?.watch() ?? []) {
        lengths.push(length)
        if (length === 30) break
      }
      await write
      expect(connections).toBeGreaterThan(open().looks ? 1 : 2)
      expect(lengths).toEqual([...new Set(lengths)].sort((a, b) => a - b))
    })

    test('tells diagnostics, which the run itself has as well', async () => {
      const run = await newRun()
      for (const number of [0, 1]) {
        const data = Float64Array.from({ length: 60 }, (_, i) => Math.sin(7 * i * i + number))
        const x = { dtype: 'float64', shape: [60], data } as const
        await (await run.initChain(number)).appendBatch({ start: 0, count: 60, draws: new Map([['x', x]]) })
      }
      const watched = await seen(run)
      const { url, fetch } = open()
      const checks = await fetch(new Request(`${url}/v1/runs/${run.rid}/checks`))
      expect(checks.status).toBe(200)
      const { status } = (await checks.json()) as { readonly status: string }
      const told: RunDiagnostics[] = []
      const watching = (async () => {
        const growths: ChainGrowth[] = []
        const onDiagnostics = (diagnostics: RunDiagnostics) => void told.push(diagnostics)
        for await (const growth of watched.watch({ onDiagnostics })) growths.push(growth)
        return growths
      })()
      await expect.poll(() => told.length, { timeout: 20_000 }).toBeGreaterThan(0)
      expect(told[0]).toMatchObject({ draws: 60, status, divergences: null })
      expect(told[0]?.essBulk).toBeGreaterThan(10)
      // Their time moves once more when the run rests, which is no news.
      expect((await watched.about()).diagnostics).toEqual({ ...told.at(-1), at: expect.any(String) })
      await backend().deleteRun(run.rid)
      expect(await watching).toHaveLength(2)
    })

    test("an error of the caller's own function ends the watch", async () => {
      const run = await newRun()
      await appendTo(await run.initChain(0), 0, 200)
      const { url, fetch } = open()
      await fetch(new Request(`${url}/v1/runs/${run.rid}/checks`))
      const failed = () => {
        throw new Error('my own')
      }
      const watching = (async () => {
        for await (const _ of (await seen(run)).watch({ onDiagnostics: failed }));
      })()
      await expect(watching).rejects.toThrow('my own')
    })

    test('ends when its signal says so, and rejects for a run that is gone', async () => {
      const run = await newRun()
      await run.initChain(0)
      const controller = new AbortController()
      const watched = await seen(run)
      const watching = (async () => {
        for await (const _ of watched.watch({ signal: controller.signal })) controller.abort(new Error('enough'))
      })()
      await expect(watching).rejects.toThrow('enough')
      await backend().deleteRun(run.rid)
      await expect(watched.watch().next()).rejects.toMatchObject({ code: 'run_not_found' })
    })
  })
}

function breakAfter(body: ReadableStream<Uint8Array>, pieces: number): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let left = pieces
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else if (left-- > 0) controller.enqueue(value)
      else {
        controller.error(new Error('the connection broke'))
        void reader.cancel()
      }
    },
    cancel: () => reader.cancel(),
  })
}
