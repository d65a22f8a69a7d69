/** A read is one question: one call to the run object before the first byte, and no bytes but those that were asked for. */
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunNamespace } from '../../src/backends/durable/protocol.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { floats } from '../conformance/arrays.ts'
import { bytesIn } from '../support/bytes-in.ts'
import { openObjects, quiet } from './objects.ts'

const LENGTH = 20_000
const SCALARS = 40

const hops = { calls: 0, bytes: 0 }
/** The real objects, with a count of the reads that go to them and of the bytes that come back. */
const objects: RunNamespace = {
  getByName: (name) => {
    const stub = env.RUNS.getByName(name)
    return new Proxy(stub, {
      get: (target, method) => {
        if (method !== 'read') return Reflect.get(target, method)
        return async (...args: Parameters<typeof stub.read>) => {
          hops.calls++
          const answer = await target.read(...args)
          hops.bytes += bytesIn(answer)
          return answer
        }
      },
    })
  },
}

let run: StoreRun
beforeAll(async () => {
  const backend = new StoreBackend(openObjects('local', objects))
  const variables = Array.from({ length: SCALARS }, (_, i) => ({ name: `x${i}`, dtype: 'float64' }))
  run = await backend.initRun({ rid: 'hops', variables })
  const chain = await run.initChain(0)
  const data = Array.from({ length: LENGTH }, (_, i) => i)
  const draws = new Map(variables.map(({ name }) => [name, floats([LENGTH], data)]))
  await chain.appendBatch({ start: 0, count: LENGTH, draws })
}, 120_000)
afterAll(quiet)

test('the last draw of many columns is one call, and some bytes', async () => {
  const chain = await run.getChain(0)
  Object.assign(hops, { calls: 0, bytes: 0 })
  const last = await chain?.getDrawsAt(-1)
  expect(last?.get('x7')?.data[0]).toBe(LENGTH - 1)
  expect(hops.calls).toBe(1)
  expect(hops.bytes).toBeLessThan(SCALARS * 100)
})

test('a slice with a step is one call, and what it asks for', async () => {
  const chain = await run.getChain(0)
  Object.assign(hops, { calls: 0, bytes: 0 })
  expect(await chain?.getDraws('x3', { step: -200 })).toMatchObject({ shape: [100] })
  expect(hops.calls).toBe(1)
  expect(hops.bytes).toBeLessThan(8 * 100 + 1000)
})
