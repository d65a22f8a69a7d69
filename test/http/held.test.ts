/** Draws that vary in size, which an answer holds from measuring them until it has left. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'
import { OpenAnswers, type Place } from '../../src/http/open-answers.ts'
import { DRAWS, drawBatch, expectProblem, newApp, PROTOBUF, runMeta } from './api.ts'

const MIB = 1024 * 1024

function answersOf(heldBytes: number): OpenAnswers {
  return new OpenAnswers({ ...DEFAULT_BOUNDS, heldBytes })
}

/** Bytes that a place may take, in steps of a MiB. */
function most(place: Place): number {
  let mib = 0
  while (place.hold(MIB)) mib++
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
  expect(second?.hold(MIB)).toBe(true)
  expect(first?.hold(1)).toBe(false)
  for (const place of places) place.release()
  expect(open.bytesHeld).toBe(0)
})

/** Counts the questions about draws. */
class Counted extends MemoryStore {
  reads = 0

  override read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    this.reads++
    return super.read(registration, chain, question, cursor)
  }
}

const BATCHES = 6
/** Strings of 1 MiB in all. */
const words = Array.from({ length: 1024 }, (_, i) => String(i).padStart(1024, '.'))

/** A chain of 6 MiB of strings. */
async function newChain(heldBytes: number, answerBytes = 64 * MIB) {
  const store = new Counted()
  const openAnswers = answersOf(heldBytes)
  const { api } = newApp({ store, openAnswers, limits: { answerBytes } })
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
  expect(scarce.store.reads).toBeGreaterThan(roomy.store.reads)
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
  const small = await newChain(64 * MIB, 5 * MIB)
  await expectProblem(await small.get(), 413, 'payload_too_large')
  expect(small.openAnswers.bytesHeld).toBe(0)
})
