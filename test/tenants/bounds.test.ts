/** Bodies in flight and open answers of one tenant never stop another. */
import { expect, test } from 'vitest'
import { DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import { DRAWS, drawBatch, expectProblem, iterations, PROTOBUF } from '../http/api.ts'
import { bearer, makeKey, newLab, newRun, newWorld, OPERATOR } from './world.ts'

const MIB = 1024 * 1024

/** A body of so many bytes whose end never comes; it is given up when `signal` says so. */
function endless(bytes: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  let sent = false
  return new ReadableStream({
    async pull(controller) {
      if (!sent) {
        sent = true
        controller.enqueue(new Uint8Array(bytes))
        return
      }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      controller.error(new Error('gone'))
    },
  })
}

test("bodies of one tenant take its part of the budget, and leave the others'", async () => {
  const bounds = { ...DEFAULT_BOUNDS, bodiesBytes: 4 * MIB, tenantBodiesBytes: 2 * MIB }
  const world = newWorld({ bounds })
  const [a, b] = [await newLab(world, 'a'), await newLab(world, 'b')]
  for (const key of [a, b]) await newRun(world, key, 'r')
  const gone = new AbortController()
  const post = (key: string, body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>) => {
    const headers = { ...bearer(key), 'Content-Type': PROTOBUF }
    return world.app.fetch(new Request(`http://localhost${DRAWS}`, { method: 'POST', headers, body, duplex: 'half' }))
  }
  const held = post(a, endless(1.5 * MIB, gone.signal))
  const batch = drawBatch(iterations(0, 20_000))
  await expect
    .poll(async () => {
      const answer = await post(a, endless(MIB, AbortSignal.abort()))
      return answer.status
    })
    .toBe(503)
  expect((await post(b, batch)).status).toBe(200)
  gone.abort()
  await held
  expect((await post(a, batch)).status).toBe(200)
  await expectProblem(await post(a, new Uint8Array(3 * MIB)), 413, 'payload_too_large')
})

test('answers that readers of a share leave open are its tenant’s alone', async () => {
  const world = newWorld({ bounds: { ...DEFAULT_BOUNDS, answers: 2 } })
  const [a, b] = [await newLab(world, 'a'), await newLab(world, 'b')]
  for (const key of [a, b]) {
    await newRun(world, key, 'r')
    const headers = { ...bearer(key), 'Content-Type': PROTOBUF }
    const sent = await world.api.request('POST', DRAWS, { headers, body: drawBatch(iterations(0, 5000)) })
    expect(sent.status).toBe(200)
  }
  const shared = (await makeKey(world, 'a', { scopes: ['read'], run: 'r' })).key
  const open = [await world.api.get(DRAWS, bearer(shared)), await world.api.get(DRAWS, bearer(shared))]
  for (const key of [shared, a]) {
    await expectProblem(await world.api.get(DRAWS, bearer(key)), 503, 'overloaded')
  }
  expect((await world.api.get(DRAWS, bearer(b))).status).toBe(200)
  expect((await world.call(OPERATOR, 'GET', '/v1/tenants')).status).toBe(200)
  await open[0]?.arrayBuffer()
  expect((await world.api.get('/v1/runs', bearer(a))).status).toBe(200)
  await open[1]?.body?.cancel()
})
