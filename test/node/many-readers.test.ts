/**
 * Many clients that read the same long chain at once over real sockets, whose memory is freed when it is sent: each whole
 * answer is the truth, however slowly it was taken and whatever others did.
 */
import { get } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ColumnSpec } from '../../src/core/draws/columns.ts'
import { type ColumnSegment, encodeSegments } from '../../src/core/wire/write-batch.ts'
import { batchHead } from '../../src/core/wire/write-columns.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { Random } from '../disk/random.ts'
import { DRAWS } from '../http/api.ts'
import { openThread, type TestStorage } from '../support/storage.ts'
import { type Served, serve } from './serve.ts'

const MIB = 1024 * 1024
/** Bytes of a draw of the columns: two that fill the chain, a small one, and a stat that every other batch leaves out. */
const WIDTHS = [12_000, 4096, 8, 3001]
const STAT = 3
/** Draws of one batch: large ones go to objects at once, and the last to the journal. */
const COUNTS = [20, 400, 200, 30, 300, 120, 150, 9]
const LENGTH = COUNTS.reduce((n, count) => n + count, 0)

let storage: TestStorage
let served: Served
let specs: readonly ColumnSpec[]
const data = WIDTHS.map((width) => new Random(width).bytes(width * LENGTH))

beforeAll(async () => {
  storage = await openThread()
  const store = storage.openStore()
  served = await serve({}, store)
  const columns = WIDTHS.map((width) => ({ name: `x${width}`, dtype: 'uint8', shape: [width] }))
  const [variables, sampleStats] = [columns.slice(0, STAT), columns.slice(STAT)]
  const run = await new StoreBackend(store).initRun({ rid: 'r', variables, sampleStats })
  await run.initChain(0)
  specs = run.schema.columns
  for (let i = 0, start = 0; i < COUNTS.length; i++) {
    const count = COUNTS[i] ?? 0
    const part = columnsOf(Array.from({ length: count }, (_, k) => start + k))
    const sent = i % 2 === 0 ? part : part.slice(0, STAT)
    // An absent stat is read as zeros.
    if (i % 2 === 1) data[STAT]?.fill(0, start * (WIDTHS[STAT] ?? 0), (start + count) * (WIDTHS[STAT] ?? 0))
    await store.append(run.registration, 0, encodeSegments(start, count, sent))
    start += count
  }
})
afterAll(async () => {
  await served.server.close()
  await storage.close()
})

/** The columns of some draws, or one of them. */
function columnsOf(draws: readonly number[], only?: number): ColumnSegment[] {
  return specs.flatMap((spec, i) => {
    const width = WIDTHS[i] ?? 0
    const all = data[i] ?? new Uint8Array()
    const parts = draws.map((draw) => all.subarray(draw * width, (draw + 1) * width))
    return only === undefined || only === i ? [{ spec, data: new Uint8Array(Buffer.concat(parts)) }] : []
  })
}

const rising = Array.from({ length: LENGTH }, (_, i) => i)

/** The answer that has some draws, in their order, of all columns or one. */
function truth(only?: number, draws: readonly number[] = rising, step = 1): Buffer {
  const own = encodeSegments(0, draws.length, columnsOf(draws, only)).subarray(batchHead(0, draws.length).length)
  return Buffer.concat([batchHead(draws[0] ?? 0, draws.length, BigInt(step)), own])
}

/** Behaviour of a client: the milliseconds for which it rests behind each part, and the bytes after which it breaks off. */
interface Manner {
  readonly rest?: number
  readonly leaveAt?: number
}

/** The whole answer; undefined of a client that breaks off. */
function fetchAll(
  path: string,
  { rest = 0, leaveAt = Number.POSITIVE_INFINITY }: Manner = {},
): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const request = get(`${served.server.url}${path}`, { agent: false }, (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      let next = MIB
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes >= leaveAt) {
          resolve(undefined)
          request.destroy()
        } else if (rest > 0 && bytes >= next) {
          next = bytes + MIB
          answer.pause()
          setTimeout(() => answer.resume(), rest)
        }
      })
      answer.on('end', () => resolve(Buffer.concat(chunks)))
      answer.on('error', reject)
    })
    request.on('error', reject)
  })
}

const isTruth = (answer: Buffer | undefined, expected: Buffer) =>
  answer !== undefined && answer.length === expected.length && answer.equals(expected)

test('20 clients at once, some of them slow and some that break off', async () => {
  const expected = truth()
  expect(expected.length).toBeGreaterThan(20 * MIB)
  const manners = Array.from({ length: 20 }, (_, i): Manner => {
    if (i % 5 === 1) return { leaveAt: (i * MIB) / 2 }
    return i % 5 === 2 ? { rest: 60 + i } : {}
  })
  const answers = await Promise.all(manners.map((manner) => fetchAll(DRAWS, manner)))
  for (const [i, answer] of answers.entries()) {
    if (manners[i]?.leaveAt === undefined) expect(isTruth(answer, expected), `client ${i}`).toBe(true)
    else expect(answer).toBeUndefined()
  }
  await expect.poll(() => served.openAnswers.count('answers')).toBe(0)
  expect(served.reports).toEqual([])
})

test('slices with steps, and arrays of NumPy at the same time', async () => {
  const steps = [1, 3, -1, -7]
  const reads = steps.map(async (step) => {
    const draws = rising.filter((i) => (step > 0 ? i : LENGTH - 1 - i) % Math.abs(step) === 0)
    const own = step > 0 ? draws : draws.toReversed()
    for (const [only, columns] of [
      [0, '&var=x12000'],
      [STAT, '&stat=x3001'],
      [undefined, ''],
    ] as const) {
      const answer = await fetchAll(`${DRAWS}?step=${step}${columns}`)
      expect(isTruth(answer, truth(only, own, step)), `step ${step}`).toBe(true)
    }
  })
  const tables = Array.from({ length: 3 }, async (_, i) => {
    const numbers = data[1] ?? new Uint8Array()
    const answer = await fetchAll(`${DRAWS}.npy?var=x4096`, { rest: 20 * i })
    expect(answer?.subarray(-numbers.length).equals(numbers)).toBe(true)
  })
  await Promise.all([...reads, ...tables])
})

test('requests that are sent together on one connection, HEAD among them', async () => {
  const head = (method: string, path: string, more = '') => `${method} ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
  const asked = [
    head('GET', DRAWS),
    head('HEAD', DRAWS),
    head('GET', `${DRAWS}?var=x4096`),
    head('HEAD', `${DRAWS}?var=x4096`),
    head('GET', DRAWS),
    head('GET', `${DRAWS}?var=x8`, 'Connection: close\r\n'),
  ]
  const url = new URL(served.server.url)
  const socket = connect(Number(url.port), url.hostname)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    socket.pause()
    setTimeout(() => socket.resume(), 1)
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(asked.join(''))
  await closed
  let rest = Buffer.concat(chunks)
  for (const expected of [truth(), undefined, truth(1), undefined, truth(), truth(2)]) {
    const end = rest.indexOf('\r\n\r\n') + 4
    const text = rest.subarray(0, end).toString('latin1')
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    const length = expected?.length ?? 0
    if (expected !== undefined) expect(text).toMatch(new RegExp(`content-length: ${length}\r\n`, 'i'))
    expect(rest.subarray(end, end + length).equals(expected ?? Buffer.alloc(0))).toBe(true)
    rest = rest.subarray(end + length)
  }
  expect(rest.length).toBe(0)
})
