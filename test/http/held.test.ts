/** Draws that vary in size, which an answer holds from measuring them until it has left. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'
import { OpenAnswers, type Place } from '../../src/http/open-answers.ts'
import { shortPage } from '../support/pages.ts'
import { DRAWS, drawBatch, expectProblem, newApp, PROTOBUF, runMeta } from './api.ts'

const MIB = 1024 * 1024

function answersOf(heldBytes: number): OpenAnswers {
  return new OpenAnswers({ ...DEFAULT_BOUNDS, heldBytes })
}

/** Bytes that a place may take, in steps of a MiB. */
function most(place: Place): number {
  let mib = 0
  while (place.take(MIB)) mib++
  return mib * MIB
}

test('each answer holds 2 MiB, all of a tenant half of the rest, and all tenants all of it', () => {
  const open = answersOf(12 * MIB)
  const places = ['a', 'a', 'b', 'c'].map((tenant) => open.take(tenant, 'answers'))
  expect(places.map(most)).toEqual([8 * MIB, 2 * MIB, 8 * MIB, 2 * MIB])
  expect(open.bytesHeld).toBe(12 * MIB)
  const [first, second] = places
  first?.release()
  first?.release()
  expect(open.bytesHeld).toBe(6 * MIB)
  expect(second?.take(MIB)).toBe(true)
  expect(() => first?.take(0)).toThrow('nobody waits')
  for (const place of places) place.release()
  expect(open.bytesHeld).toBe(0)
})

/** Counts the questions about draws, whose pages have a quarter of a MiB; `onRead` is called behind each. */
class Counted extends MemoryStore {
  reads = 0
  onRead = () => {}

  override async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    const page = await shortPage(question, 256, cursor, (...asked) => super.read(registration, chain, ...asked))
    this.reads++
    this.onRead()
    return page
  }
}

const BATCHES = 6
const PAGES = 4 * BATCHES
/** Strings of 1 MiB in all. */
const words = Array.from({ length: 1024 }, (_, i) => String(i).padStart(1024, '.'))

/** A chain of 6 MiB of strings. */
async function newChain(heldBytes: number, more: Parameters<typeof newApp>[0] = {}) {
  const store = new Counted()
  const openAnswers = answersOf(heldBytes)
  const { api } = newApp({ store, openAnswers, ...more })
  await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: [{ name: 'word', dtype: 'str' }] }) })
  await api.request('PUT', '/v1/runs/r/chains/0')
  for (let i = 0; i < BATCHES; i++) {
    const draws = [{ name: 'word', dtype: 'str', strings: words }]
    const body = drawBatch({ start: i * words.length, count: words.length, draws })
    expect((await api.request('POST', DRAWS, { body })).status).toBe(200)
  }
  store.reads = 0
  return { store, openAnswers, get: () => api.get(DRAWS, { Accept: PROTOBUF }) }
}

test('are read once where there is room for them, twice where there is none, and are the same', async () => {
  const roomy = await newChain(64 * MIB)
  const scarce = await newChain(0)
  const [one, other] = [await roomy.get(), await scarce.get()]
  expect(roomy.openAnswers.bytesHeld).toBeGreaterThan(3 * MIB)
  expect(scarce.openAnswers.bytesHeld).toBe(0)
  const bytes = new Uint8Array(await one.arrayBuffer())
  expect(bytes.length).toBe(Number(one.headers.get('Content-Length')))
  expect(Buffer.compare(bytes, new Uint8Array(await other.arrayBuffer()))).toBe(0)
  expect(roomy.store.reads).toBeLessThan(PAGES + 3)
  expect(scarce.store.reads).toBeGreaterThan(1.5 * PAGES)
  expect(roomy.openAnswers.bytesHeld).toBe(0)
})

test('are given up with an answer that nobody reads to its end, or that is too large', async () => {
  const { get, openAnswers } = await newChain(64 * MIB)
  const { body } = await get()
  const reader = body?.getReader()
  await reader?.read()
  expect(openAnswers.bytesHeld).toBeGreaterThan(0)
  await reader?.cancel()
  expect(openAnswers.bytesHeld).toBe(0)
})

test('are not measured to the end when the answer is too large before', async () => {
  const { get, store, openAnswers } = await newChain(64 * MIB, { limits: { answerBytes: MIB } })
  await expectProblem(await get(), 413, 'payload_too_large')
  expect(store.reads).toBeLessThan(PAGES / 2)
  expect(openAnswers.bytesHeld).toBe(0)
})

test.each([0, 64 * MIB])('are left alone as soon as the reader has gone (room for %i bytes)', async (heldBytes) => {
  let gone = () => {}
  const whenAnswered = (_: unknown, ended: () => void) => {
    gone = ended
    return true
  }
  const { get, store, openAnswers } = await newChain(heldBytes, { whenAnswered })
  store.onRead = () => {
    if (store.reads === PAGES / 2) gone()
  }
  await expectProblem(await get(), 503, 'overloaded')
  expect(store.reads).toBeLessThan(PAGES)
  expect(openAnswers.bytesHeld).toBe(0)
})
