/** The hub of tabs: how many streams there are, and what each tab is told, in front of a real application. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Hub } from '../../web/src/live/hub.ts'
import type { FromHub, HubEvent, ToHub } from '../../web/src/live/protocol.ts'
import { column, drawBatch, newApp, runMeta, type TestApp } from '../http/api.ts'

/** Requests that reach the server, of a page whose addresses are relative. */
class Server {
  readonly app: TestApp = newApp()
  isAway = false
  readonly open = new Map<string, number>()
  readonly asked: string[] = []

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    this.asked.push(path)
    if (this.isAway) throw new TypeError('fetch failed')
    const headers = Object.fromEntries(new Headers(init.headers))
    const response = await this.app.api.get(path, headers)
    if (!path.endsWith('/events') || response.body === null) return response
    this.open.set(path, (this.open.get(path) ?? 0) + 1)
    const close = () => this.open.set(path, (this.open.get(path) ?? 0) - 1)
    return new Response(untilAborted(response.body, init.signal ?? undefined, close), response)
  }

  get streams(): number {
    return [...this.open.values()].reduce((sum, each) => sum + each, 0)
  }

  async run(rid: string): Promise<void> {
    const body = runMeta({ variables: [{ name: 'x', dtype: 'float64' }] })
    await this.app.api.request('PUT', `/v1/runs/${rid}`, { body })
    await this.app.api.request('PUT', `/v1/runs/${rid}/chains/0`)
  }

  async append(rid: string, start: number, ...values: number[]): Promise<void> {
    const body = drawBatch({ start, count: values.length, draws: [column('x', ...values)] })
    await this.app.api.request('POST', `/v1/runs/${rid}/chains/0/draws`, { body })
  }
}

/** As a browser's stream, which ends when its request is given up. */
function untilAborted(body: ReadableStream<Uint8Array>, signal: AbortSignal | undefined, ended: () => void) {
  const reader = body.getReader()
  const end = () => {
    ended()
    void reader.cancel()
  }
  signal?.addEventListener('abort', end, { once: true })
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: end,
  })
}

class TestTab {
  readonly told: { readonly id: number; readonly event: HubEvent }[] = []
  private readonly port

  constructor(hub: Hub) {
    this.port = {
      onmessage: null as ((event: MessageEvent) => void) | null,
      postMessage: (message: unknown) => this.told.push(structuredClone(message) as FromHub),
    }
    hub.connect(this.port)
  }

  say(message: ToHub): void {
    this.port.onmessage?.(new MessageEvent('message', { data: message }))
  }

  /** The last length of chain 0 that a watch was told. */
  length(id: number): number | undefined {
    const chains = this.told.flatMap(({ id: to, event }) => (to === id && event.type === 'chains' ? event.chains : []))
    return chains.findLast(({ chain }) => chain === 0)?.length
  }

  kinds(id: number): string[] {
    return this.told.filter((each) => each.id === id).map(({ event }) => event.type)
  }
}

let server: Server
const before = globalThis.fetch

beforeEach(() => {
  server = new Server()
  vi.stubGlobal('fetch', server.fetch)
})
afterEach(() => {
  vi.stubGlobal('fetch', before)
})

test('ten tabs of one run share one stream, and each is told', async () => {
  await server.run('r')
  const hub = new Hub()
  const tabs = Array.from({ length: 10 }, () => new TestTab(hub))
  for (const tab of tabs) tab.say({ type: 'watch', id: 1, run: { rid: 'r' } })
  await expect.poll(() => server.streams).toBe(1)
  await server.append('r', 0, 1, 2, 3)
  for (const tab of tabs) await expect.poll(() => tab.length(1)).toBe(3)
  for (const tab of tabs) tab.say({ type: 'bye' })
  await expect.poll(() => server.streams).toBe(0)
})

test('ten tabs of ten runs have three streams, and all are told', async () => {
  const hub = new Hub()
  const rids = Array.from({ length: 10 }, (_each, i) => `r${i}`)
  const tabs: TestTab[] = []
  for (const rid of rids) {
    await server.run(rid)
    const tab = new TestTab(hub)
    tab.say({ type: 'watch', id: 7, run: { rid } })
    tabs.push(tab)
  }
  for (const [i, rid] of rids.entries()) await server.append(rid, 0, ...new Array<number>(i + 1).fill(0))
  for (const [i, tab] of tabs.entries()) await expect.poll(() => tab.length(7)).toBe(i + 1)
  expect(server.streams).toBe(3)
  for (const tab of tabs) tab.say({ type: 'bye' })
  await expect.poll(() => server.streams).toBe(0)
})

test('a tab that comes later is told what is known', async () => {
  await server.run('r')
  await server.append('r', 0, 1, 2)
  const hub = new Hub()
  const [first, second] = [new TestTab(hub), new TestTab(hub)]
  first.say({ type: 'watch', id: 1, run: { rid: 'r' } })
  await expect.poll(() => first.length(1)).toBe(2)
  second.say({ type: 'watch', id: 2, run: { rid: 'r' } })
  expect(second.length(2)).toBe(2)
  expect(second.kinds(2)).toContain('connected')
  for (const tab of [first, second]) tab.say({ type: 'bye' })
})

test('a server that goes away and comes back is followed on', async () => {
  await server.run('r')
  const hub = new Hub()
  const tab = new TestTab(hub)
  server.isAway = true
  tab.say({ type: 'watch', id: 1, run: { rid: 'r' } })
  await expect.poll(() => tab.kinds(1)).toContain('away')
  server.isAway = false
  await server.append('r', 0, 5)
  await expect.poll(() => tab.length(1)).toBe(1)
  expect(tab.kinds(1).indexOf('connected')).toBeGreaterThan(tab.kinds(1).indexOf('away'))
  tab.say({ type: 'bye' })
})

test('a run that is deleted is told to be, and one that is not there as well', async () => {
  await server.run('r')
  const hub = new Hub()
  const tab = new TestTab(hub)
  tab.say({ type: 'watch', id: 1, run: { rid: 'r' } })
  tab.say({ type: 'watch', id: 2, run: { rid: 'none' } })
  await expect.poll(() => tab.kinds(1)).toContain('connected')
  await server.app.api.request('DELETE', '/v1/runs/r')
  for (const id of [1, 2]) await expect.poll(() => tab.kinds(id)).toContain('deleted')
  const asked = server.asked.length
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(server.asked.length).toBe(asked)
  tab.say({ type: 'bye' })
})

test('a watch that has ended is told nothing, and its stream ends', async () => {
  await server.run('r')
  const hub = new Hub()
  const tab = new TestTab(hub)
  tab.say({ type: 'watch', id: 1, run: { rid: 'r' } })
  await expect.poll(() => server.streams).toBe(1)
  tab.say({ type: 'unwatch', id: 1 })
  await expect.poll(() => server.streams).toBe(0)
  const told = tab.told.length
  await server.append('r', 0, 1)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(tab.told.length).toBe(told)
})
