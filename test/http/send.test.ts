/** Answers in pieces: small ones go together, and however an answer ends, its source has ended and its place is free. */
import fc from 'fast-check'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import type { AppEnv } from '../../src/http/context.ts'
import { OpenAnswers } from '../../src/http/open-answers.ts'
import { sendPieces } from '../../src/http/send.ts'
import { batchOf, type Column, column, DRAWS, drawBatch, newApp, runMeta } from './api.ts'

const KIB = 1024

/** A source that tells how often it has ended. */
class Source {
  ended = 0
  made = 0
  private readonly sizes: readonly number[]
  private readonly failsAt: number

  constructor(sizes: readonly number[], failsAt = Number.POSITIVE_INFINITY) {
    this.sizes = sizes
    this.failsAt = failsAt
  }

  async *pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    try {
      for (const [i, size] of this.sizes.entries()) {
        await Promise.resolve()
        if (i === this.failsAt) throw new Error('the storage is gone')
        this.made++
        yield piece(i, size)
      }
    } finally {
      this.ended++
    }
  }

  get whole(): Buffer {
    return Buffer.concat(this.sizes.map((size, i) => piece(i, size)))
  }
}

/** A piece whose bytes tell its number, and their own. */
function piece(number: number, size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => number * 31 + i)
}

/** The answer of a source, and the answers that are open. */
async function send(source: Source, stallMs = 60_000) {
  const open = new OpenAnswers(DEFAULT_BOUNDS)
  const app = new Hono<AppEnv>()
  app.onError((error, c) => c.text(error.message, 500))
  app.get('/', (c) => {
    c.set('place', open.take('t', 'answers'))
    return sendPieces(c, source.pieces(), {}, stallMs)
  })
  return { answer: await app.request('/'), open }
}

const size = fc.oneof(fc.nat(40), fc.nat(5 * KIB), fc.constantFrom(0, 4 * KIB - 1, 4 * KIB, 32 * KIB, 100 * KIB))
const sources = fc.array(size, { maxLength: 60 })

test('pieces of any size arrive whole and in their order, few of them small', async () => {
  await fc.assert(
    fc.asyncProperty(sources, async (sizes) => {
      const source = new Source(sizes)
      const { answer, open } = await send(source)
      const got: Uint8Array[] = []
      for await (const bytes of answer.body ?? []) got.push(bytes)
      expect(Buffer.concat(got).equals(source.whole)).toBe(true)
      expect(got.every((bytes) => bytes.length > 0)).toBe(true)
      const isSmall = got.map((bytes) => bytes.length < 4 * KIB)
      expect(isSmall.some((is, i) => is && isSmall[i + 1])).toBe(false)
      expect([source.ended, open.count('answers')]).toEqual([1, 0])
    }),
    { numRuns: 300 },
  )
})

test('a reader that leaves ends the source, wherever it stands', async () => {
  await fc.assert(
    fc.asyncProperty(sources, fc.nat(12), async (sizes, reads) => {
      const source = new Source(sizes)
      const { answer, open } = await send(source)
      const reader = answer.body?.getReader()
      let isDone = reader === undefined
      for (let i = 0; i < reads && !isDone; i++) isDone = (await reader?.read())?.done === true
      await reader?.cancel()
      expect([source.ended, open.count('answers')]).toEqual([1, 0])
    }),
    { numRuns: 300 },
  )
})

test('a reader that leaves while it waits for a piece ends the source', async () => {
  const source = new Source([...new Array<number>(20).fill(8 * KIB), ...new Array<number>(5000).fill(3)])
  const { answer, open } = await send(source)
  const reader = answer.body?.getReader()
  for (let i = 0; i < 20; i++) await reader?.read()
  const waiting = reader?.read()
  await reader?.cancel()
  await waiting
  expect([source.ended, open.count('answers')]).toEqual([1, 0])
})

test('a reader that does not read ends the source', async () => {
  const source = new Source(new Array<number>(100).fill(10 * KIB))
  const { answer, open } = await send(source, 20)
  const reader = answer.body?.getReader()
  await reader?.read()
  await expect.poll(() => source.ended).toBe(1)
  expect(open.count('answers')).toBe(0)
  await expect(reader?.read()).rejects.toThrow('nobody has read this answer')
})

test.each([
  ['in the first piece', 0],
  ['behind small pieces', 40],
] as const)('a failure %s is an error, not an answer', async (_, failsAt) => {
  const source = new Source(new Array<number>(50).fill(7), failsAt)
  const { answer } = await send(source)
  expect(answer.status).toBe(500)
  expect(await answer.text()).toBe('the storage is gone')
  expect(source.ended).toBe(1)
})

test('a later failure aborts the answer', async () => {
  const source = new Source(new Array<number>(50).fill(6 * KIB), 30)
  const { answer, open } = await send(source)
  expect(answer.status).toBe(200)
  await expect(answer.arrayBuffer()).rejects.toThrow('the storage is gone')
  expect([source.ended, open.count('answers')]).toEqual([1, 0])
})

test('nothing is made ahead of a reader but the first pieces', async () => {
  const source = new Source(new Array<number>(100).fill(10 * KIB))
  const { answer } = await send(source)
  expect(source.made).toBe(3)
  await answer.body?.cancel()
  expect(source.made).toBe(3)
})

test('the last draw of many scalars is one piece', async () => {
  const { api } = newApp()
  const names = Array.from({ length: 300 }, (_, i) => `x${i}`)
  await api.request('PUT', '/v1/runs/r', {
    body: runMeta({ variables: names.map((name) => ({ name, dtype: 'float64' })) }),
  })
  await api.request('PUT', '/v1/runs/r/chains/0')
  const draws = names.map((name, i): Column => column(name, i, i + 0.5))
  await api.request('POST', DRAWS, { body: drawBatch({ start: 0, count: 2, draws }) })
  const answer = await api.get(`${DRAWS}?start=-1`)
  const length = Number(answer.headers.get('Content-Length'))
  const got: number[] = []
  for await (const bytes of answer.clone().body ?? []) got.push(bytes.length)
  expect(got).toEqual([length])
  const { draws: last } = await batchOf(answer)
  expect(last.map(({ name, data }) => [name, Buffer.from(data ?? []).readDoubleLE()])).toEqual(
    names.map((name, i) => [name, i + 0.5]),
  )
})
