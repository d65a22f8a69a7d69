/** Bounds of a feed while nobody reads, and the traffic of an idle connection. */
import { afterEach, expect, test, vi } from 'vitest'
import { EventFeed } from '../../src/http/event-feed.ts'
import { newApp, withDraws } from '../http/api.ts'

afterEach(() => {
  vi.useRealTimers()
})

async function next(text: AsyncGenerator<string>): Promise<string> {
  const { value } = await text.next()
  return value ?? ''
}

test('a watcher that does not read costs one length a chain', async () => {
  const feed = new EventFeed('r')
  for (const chain of [0, 1]) feed.grown(chain, 0)
  const text = feed.text(undefined)
  for (let pieces = 0; pieces < 3; pieces++) await next(text)
  for (let length = 1; length <= 100_000; length++) for (const chain of [0, 1]) feed.grown(chain, length)
  const piece = await next(text)
  expect(piece.match(/data: .*/g)).toEqual(['data: {"chain":0,"length":100000}', 'data: {"chain":1,"length":100000}'])
  feed.deleted()
  expect(await next(text)).toContain('event: deleted')
})

const FIGURES = {
  ...{ rhat: 1.02, essBulk: 310.5, essTail: 288, divergences: 3, bfmi: null, status: 'fail' as const },
  ...{ draws: 100, at: '2026-11-29T05:30:00.000Z' },
}

test('diagnostics come behind the state, without an id, and a slow reader is told the last alone', async () => {
  const feed = new EventFeed('r')
  feed.diagnosed(FIGURES)
  feed.grown(0, 5)
  const text = feed.text(undefined)
  await next(text)
  expect(await next(text)).toContain('event: state')
  expect(await next(text)).toContain('data: {"chain":0,"length":5}')
  expect(await next(text)).toBe(`event: diagnostics\ndata: ${JSON.stringify(FIGURES)}\n\n`)
  for (let draws = 101; draws <= 100_000; draws++) feed.diagnosed({ ...FIGURES, draws })
  feed.grown(0, 6)
  const piece = await next(text)
  expect(piece.match(/event: .*|data: .*/g)).toEqual([
    'data: {"chain":0,"length":6}',
    'event: diagnostics',
    `data: ${JSON.stringify({ ...FIGURES, draws: 100_000 })}`,
  ])
  // The same once more is no event.
  feed.diagnosed({ ...FIGURES, draws: 100_000 })
  feed.deleted()
  expect(await next(text)).toContain('event: deleted')
})

test('a watcher that connects again is told diagnostics again, and keeps its id', async () => {
  const open = (lastEventId?: string) => {
    const feed = new EventFeed('r')
    feed.grown(0, 5)
    feed.diagnosed(FIGURES)
    return feed.text(lastEventId)
  }
  const first = open()
  let id = ''
  for (let pieces = 0; pieces < 4; pieces++) id = /^id: (.*)$/m.exec(await next(first))?.[1] ?? id
  const again = open(id)
  await next(again)
  expect(await next(again)).toMatch(/^event: diagnostics\ndata: /)
})

test('a state that was not told to its end is told again', async () => {
  const opened = (lastEventId?: string) => {
    const feed = new EventFeed('r')
    for (const chain of [0, 1, 2]) feed.grown(chain, 5)
    return { feed, text: feed.text(lastEventId) }
  }
  const { text } = opened()
  await next(text)
  const [state, messages] = [await next(text), await next(text)]
  const events = `${state}${messages}`.split('\n\n').filter((event) => event !== '')
  expect(events).toHaveLength(4)
  const ids = events.map((event) => /^id: (.*)$/m.exec(event)?.[1])
  expect(ids.slice(0, 3)).toEqual([undefined, undefined, undefined])
  // A watcher that has had all of it is told only later growth.
  const resumed = opened(ids[3])
  await next(resumed.text)
  const told = next(resumed.text)
  resumed.feed.grown(1, 6)
  expect(await told).toMatch(/^id: \S+\ndata: \{"chain":1,"length":6\}\n\n$/)
})

test('a comment every 15 s while nothing happens', async () => {
  vi.useFakeTimers()
  const feed = new EventFeed('r')
  const text = feed.text(undefined)
  expect(await next(text)).toMatch(/^retry: /)
  expect(await next(text)).toContain('{"chains":[]}')
  for (let comments = 0; comments < 3; comments++) {
    const piece = next(text)
    await vi.advanceTimersByTimeAsync(14_999)
    expect(await Promise.race([piece, Promise.resolve('nothing yet')])).toBe('nothing yet')
    await vi.advanceTimersByTimeAsync(1)
    expect(await piece).toMatch(/^: .*\n\n$/)
  }
})

test('what is still to be told comes before the end', async () => {
  const feed = new EventFeed('r')
  const text = feed.text(undefined)
  await next(text)
  await next(text)
  feed.grown(0, 1)
  expect(await next(text)).toContain('"length":1')
  feed.grown(0, 2)
  feed.deleted()
  expect(await next(text)).toContain('"length":2')
  expect(await next(text)).toContain('event: deleted')
  expect(await text.next()).toMatchObject({ done: true })
})

test('a watcher that goes leaves no timer behind', async () => {
  const { api } = newApp()
  await withDraws(api, 1)
  vi.useFakeTimers()
  const reader = (await api.get('/v1/runs/r/events')).body?.getReader()
  if (reader === undefined) throw new Error('the answer has no body')
  // The hint, the state, and the one chain; then it waits.
  for (let pieces = 0; pieces < 3; pieces++) await reader.read()
  const waiting = reader.read()
  await vi.advanceTimersByTimeAsync(10)
  // One for the next comment, one for diagnostics, one for the rest behind counts.
  expect(vi.getTimerCount()).toBe(3)
  await reader.cancel()
  await waiting
  await vi.advanceTimersByTimeAsync(1)
  expect(vi.getTimerCount()).toBe(0)
})
