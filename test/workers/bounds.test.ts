/** Bounds of an isolate, and gzip of several members: the Worker's own ways to the bytes of a body. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, expect, test } from 'vitest'
import { createWorker, type Env } from '../../src/worker/handler.ts'
import { DRAWS, drawBatch, expectProblem, iterations, jsonOf, META, PROTOBUF, runMeta } from '../http/api.ts'
import { received, steps } from './network.ts'
import { quiet } from './objects.ts'

afterAll(quiet)

const MIB = 1024 * 1024

function isolate(variables: Partial<Env> = {}) {
  const worker = createWorker()
  const all: Env = { ...env, ...variables }
  const call = (method: string, path: string, init: RequestInit = {}) => {
    const headers = { 'Content-Type': PROTOBUF, ...init.headers }
    const request = new Request(`http://worker.test${path}`, { ...init, method, headers })
    return worker.fetch(request, all, createExecutionContext())
  }
  return { call }
}

async function prepared(variables: Partial<Env> = {}) {
  const { call } = isolate(variables)
  await call('DELETE', '/v1/runs/r')
  expect((await call('PUT', '/v1/runs/r', { body: runMeta(META) })).status).toBe(201)
  expect((await call('PUT', '/v1/runs/r/chains/0')).status).toBe(201)
  return call
}

/** A body of pieces, whose end comes when `end` is called. */
function pieces(...first: readonly Uint8Array[]) {
  const rest = Promise.withResolvers<void>()
  const waiting = [...first]
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = waiting.shift()
      if (next !== undefined) controller.enqueue(next)
      else {
        await rest.promise
        controller.close()
      }
    },
  })
  return { body: received(body), end: rest.resolve }
}

async function zipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]))
}

test('bodies of all sizes arrive as they were sent, announced or not', async () => {
  const call = await prepared()
  let length = 0
  for (const count of [10, 1000, 4000, 60_000]) {
    for (const isAnnounced of [true, false]) {
      const batch = drawBatch(iterations(length, count))
      length += count
      const stream = pieces(batch.slice(0, 500), batch.slice(500))
      stream.end()
      const answer = await call('POST', DRAWS, { body: isAnnounced ? batch : stream.body })
      expect([answer.status, await answer.text()]).toEqual([200, `{"chain":0,"length":${length}}`])
    }
  }
})

test('a body that is larger than a message to its run object arrives', async () => {
  const call = await prepared()
  const variables = [{ name: 'x', dtype: 'uint8', shape: [MIB] }]
  await call('DELETE', '/v1/runs/large')
  expect((await call('PUT', '/v1/runs/large', { body: runMeta({ variables }) })).status).toBe(201)
  expect((await call('PUT', '/v1/runs/large/chains/0')).status).toBe(201)
  const data = new Uint8Array(34 * MIB).fill(7)
  const body = drawBatch({ count: 34, draws: [{ name: 'x', dtype: 'uint8', data }] })
  const answer = await call('POST', '/v1/runs/large/chains/0/draws', { body })
  expect([answer.status, await answer.text()]).toEqual([200, '{"chain":0,"length":34}'])
})

test('gzip of several members is read as one body, and nothing else behind a member', async () => {
  const call = await prepared()
  const batch = drawBatch(iterations(0, 3000))
  const whole = joined(await zipped(batch.slice(0, 1000)), await zipped(batch.slice(1000)))
  const send = (body: Uint8Array<ArrayBuffer>) => call('POST', DRAWS, { body, headers: { 'Content-Encoding': 'gzip' } })
  expect(await (await send(whole)).text()).toBe('{"chain":0,"length":3000}')
  for (const more of [new Uint8Array(5), new TextEncoder().encode('junk'), whole.subarray(0, 12)]) {
    await expectProblem(await send(joined(whole, more)), 400, 'invalid_protobuf')
  }
  await expectProblem(await send(new Uint8Array()), 400, 'invalid_protobuf')
})

test('the youngest body yields; when the oldest is answered there is room again', async () => {
  const call = await prepared({ MCB_BODIES_MIB: 2 })
  const half = new Uint8Array(MIB / 2)
  const oldest = pieces(half, half)
  const first = call('POST', DRAWS, { body: oldest.body })
  // Bodies that end arrive while the oldest waits; those beyond the budget do not.
  const statuses: number[] = []
  await expect
    .poll(async () => {
      const other = pieces(half, half, half)
      other.end()
      const answer = await call('POST', DRAWS, { body: other.body })
      statuses.push(answer.status)
      if (answer.status !== 503) return answer.status
      expect(answer.headers.get('Retry-After')).toBe('1')
      return (await jsonOf(answer)).code
    })
    .toBe('overloaded')
  oldest.end()
  expect((await first).status).toBe(400)
  const batch = drawBatch(iterations(0, 30_000))
  expect((await call('POST', DRAWS, { body: batch })).status).toBe(200)
  await expectProblem(await call('POST', DRAWS, { body: new Uint8Array(3 * MIB) }), 413, 'payload_too_large')
})

test('an older body that grows cuts a younger one, in whatever request that is', async () => {
  const call = await prepared({ MCB_BODIES_MIB: 2 })
  const half = new Uint8Array(MIB / 2)
  const older = steps()
  const younger = steps()
  const first = call('POST', DRAWS, { body: older.body })
  await older.send(half)
  const second = call('POST', DRAWS, { body: younger.body })
  await younger.send(half)
  const answered = second.then((answer) => answer.status)
  for (let i = 0; i < 3; i++) await older.send(half)
  expect(await answered).toBe(503)
  await older.end()
  expect((await first).status).toBe(400)
  await younger.end()
})

test('a stream of lines that is cut for want of room is told so', async () => {
  const call = await prepared({ MCB_BODIES_MIB: 2 })
  const older = steps()
  const first = call('POST', DRAWS, { body: older.body })
  await older.send(new Uint8Array(100))
  const stream = steps()
  const headers = { 'Content-Type': 'text/csv' }
  const cut = call('PUT', '/v1/runs/r/chains/1/stan.csv', { body: stream.body, headers })
  // A line without an end is held.
  await stream.send(new TextEncoder().encode('a'.repeat(MIB)))
  for (let i = 0; i < 3; i++) await older.send(new Uint8Array(MIB / 2))
  await expectProblem(await cut, 503, 'overloaded')
  await older.end()
  expect((await first).status).toBe(400)
  await stream.end()
})

test('a body that makes no progress is cut', async () => {
  const call = await prepared({ MCB_STALL_SECONDS: 1 })
  const silent = pieces(new Uint8Array(100))
  const answer = await call('POST', DRAWS, { body: silent.body })
  expect([answer.status, await answer.json()]).toMatchObject([408, { code: 'invalid_parameter' }])
  silent.end()
})

test('open answers have a number that they do not exceed, until they are read or left', async () => {
  const call = await prepared({ MCB_ANSWERS: 2, MCB_STALL_SECONDS: 2 })
  const batch = drawBatch(iterations(0, 60_000))
  expect((await call('POST', DRAWS, { body: batch })).status).toBe(200)
  const accept = { headers: { Accept: 'application/json' } }
  const open = [await call('GET', DRAWS, accept), await call('GET', DRAWS, accept)]
  await expectProblem(await call('GET', DRAWS, accept), 503, 'overloaded')
  await open[0]?.text()
  expect((await call('GET', '/v1/runs')).status).toBe(200)
  await open[1]?.body?.cancel()
  const unread = [await call('GET', DRAWS, accept), await call('GET', DRAWS, accept)]
  for (const answer of unread) await answer.body?.getReader().read()
  // Nobody takes anything more of these: they end by themselves.
  await expect.poll(async () => (await call('GET', '/v1/runs')).status).toBe(200)
})
