/** Uploads that fail for good, and slow ones: the error of the next call, draws that are kept, calls that wait. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FlushOptions, HttpBackend, type RetryOptions } from '../../src/client/index.ts'
import { EAGER, type Fault, faultyNetwork, pauseFor, startApp, storedChain, URL_OF_APP } from './server.ts'

const X = { rid: 'run', variables: [{ name: 'x', dtype: 'float64' }] }

const unhandled: unknown[] = []
const onUnhandled = (reason: unknown) => unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', onUnhandled)
})
afterEach(async () => {
  await pauseFor(5)
  process.off('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

async function open(flush: FlushOptions = {}, retry: RetryOptions = { ...EAGER, limit: 0 }) {
  const server = startApp()
  const state: { fault: Fault | undefined } = { fault: undefined }
  const network = faultyNetwork(server.fetch, ({ method }) => (method === 'POST' ? state.fault : undefined))
  const backend = new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, flush, retry })
  const run = await backend.initRun(X)
  const chain = await run.initChain(0)
  const stored = await storedChain(server, 'run')
  return { server, state, network, backend, run, chain, stored }
}

const batchOf = (...values: number[]) => ({
  count: values.length,
  draws: new Map([['x', { dtype: 'float64', shape: [values.length], data: new Float64Array(values) } as const]]),
})

describe('a failed upload', () => {
  const calls = {
    append: (chain: Awaited<ReturnType<typeof open>>['chain']) => chain.append({ x: 99 }),
    appendBatch: (chain: Awaited<ReturnType<typeof open>>['chain']) => chain.appendBatch(batchOf(99)),
    flush: (chain: Awaited<ReturnType<typeof open>>['chain']) => chain.flush(),
    close: (chain: Awaited<ReturnType<typeof open>>['chain']) => chain.close(),
    length: (chain: Awaited<ReturnType<typeof open>>['chain']) => chain.length(),
    getDraws: (chain: Awaited<ReturnType<typeof open>>['chain']) => chain.getDraws('x'),
  }

  it.each(Object.entries(calls))('surfaces at the next call: %s', async (_, call) => {
    const { state, chain, network } = await open({ count: 2 })
    state.fault = 'refused'
    await chain.append({ x: 0 })
    await chain.append({ x: 1 })
    await expect.poll(() => network.sent.some(({ method }) => method === 'POST')).toBe(true)
    await pauseFor(5)
    await expect(call(chain)).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(call(chain)).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  it('is told to flush and close even when no append was awaited', async () => {
    const { state, chain } = await open({ count: 2 })
    state.fault = 'unavailable'
    void chain.append({ x: 0 })
    void chain.append({ x: 1 })
    await pauseFor(20)
    void chain.append({ x: 2 })
    await pauseFor(5)
    await expect(chain.close()).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  it('is told to run and backend, after the other chains are flushed', async () => {
    const { state, chain, run, backend, server } = await open({ count: 1e9 })
    const other = await run.initChain(1)
    await chain.append({ x: 0 })
    state.fault = 'refused'
    await expect(chain.flush()).rejects.toMatchObject({ code: 'storage_unavailable' })
    state.fault = undefined
    await other.append({ x: 1 })
    await expect(run.flush()).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(backend.close()).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(await (await storedChain(server, 'run', 1)).length()).toBe(1)
  })

  it('keeps what was taken, and sends it after resume', async () => {
    const { state, chain, stored } = await open({ count: 2 })
    state.fault = 'lost'
    const taken: number[] = []
    for (let i = 0; i < 7; i++) {
      await chain.append({ x: i }).then(
        () => taken.push(i),
        () => undefined,
      )
      if (i % 3 === 2) await pauseFor(3)
    }
    expect(taken.length).toBeLessThan(7)
    state.fault = undefined
    await expect(chain.flush()).rejects.toMatchObject({ code: 'storage_unavailable' })
    chain.resume()
    await chain.append({ x: 100 })
    await chain.close()
    expect(await stored.getDraws('x')).toMatchObject({ data: new Float64Array([...taken, 100]) })
  })

  it('is a conflict when somebody else has written the chain', async () => {
    const { chain, run, stored } = await open()
    const other = await run.initChain(0)
    await other.append({ x: 5 })
    await other.close()
    await chain.append({ x: 6 })
    const failure = { name: 'McbError', code: 'draw_conflict', fields: { length: 1 } }
    await expect(chain.flush()).rejects.toMatchObject(failure)
    await expect(chain.append({ x: 7 })).rejects.toMatchObject(failure)
    expect(await stored.length()).toBe(1)
  })

  it('is run_replaced when the run was deleted and registered again', async () => {
    const { backend, chain, server } = await open()
    await chain.append({ x: 1 })
    await chain.flush()
    await backend.deleteRun('run')
    await chain.append({ x: 2 })
    await expect(chain.flush()).rejects.toMatchObject({ code: 'run_not_found' })
    const again = await backend.initRun(X)
    await again.initChain(0)
    chain.resume()
    await expect(chain.flush()).rejects.toMatchObject({ code: 'run_replaced' })
    expect(await (await storedChain(server, 'run')).length()).toBe(0)
  })
})

describe('a refused batch', () => {
  it('is not kept, and the chain goes on', async () => {
    const { chain, stored } = await open()
    await chain.append({ x: 0 })
    await expect(chain.appendBatch({ ...batchOf(9), start: 5 })).rejects.toMatchObject({
      code: 'draw_gap',
      fields: { length: 1 },
    })
    await expect(chain.appendBatch({ ...batchOf(9, 9), start: 0 })).rejects.toMatchObject({
      code: 'draw_conflict',
      fields: { length: 1 },
    })
    await expect(chain.appendBatch(batchOf())).rejects.toMatchObject({ code: 'empty_batch' })
    await expect(chain.appendBatch({ ...batchOf(1), start: -1 })).rejects.toMatchObject({ code: 'invalid_parameter' })
    expect(await chain.appendBatch({ ...batchOf(0, 1), start: 0 })).toBe(2)
    expect(await chain.appendBatch({ ...batchOf(0), start: 0 })).toBe(2)
    await chain.append({ x: 2 })
    expect(await chain.appendBatch(batchOf(3))).toBe(4)
    expect(await stored.getDraws('x')).toMatchObject({ data: new Float64Array([0, 1, 2, 3]) })
  })

  it('can be appended again when its answer was lost for good', async () => {
    const { state, chain, stored } = await open()
    state.fault = 'lost'
    await expect(chain.appendBatch(batchOf(1, 2))).rejects.toMatchObject({ code: 'storage_unavailable' })
    state.fault = undefined
    expect(await chain.appendBatch(batchOf(1, 2))).toBe(2)
    expect(await stored.length()).toBe(2)
  })

  it('stops the handle when draws behind it were taken already', async () => {
    const { state, chain, stored } = await open()
    state.fault = 'refused'
    const batch = chain.appendBatch(batchOf(1, 2))
    const later = chain.appendBatch(batchOf(3))
    const appended = chain.append({ x: 4 })
    await expect(batch).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(later).rejects.toMatchObject({ code: 'storage_unavailable' })
    await appended
    state.fault = undefined
    await expect(chain.append({ x: 5 })).rejects.toMatchObject({ code: 'storage_unavailable' })
    chain.resume()
    // The draw has the index 3, which leaves room for the draws of which the caller was told that they are not stored.
    await expect(chain.flush()).rejects.toMatchObject({ code: 'draw_gap', fields: { length: 0 } })
    expect(await stored.length()).toBe(0)
  })

  it('goes behind what the failure of an earlier upload has left', async () => {
    const { state, chain, stored } = await open()
    await chain.append({ x: 0 })
    state.fault = 'refused'
    const batches = [chain.appendBatch(batchOf(1)), chain.appendBatch(batchOf(2))]
    for (const batch of batches) await expect(batch).rejects.toMatchObject({ code: 'storage_unavailable' })
    state.fault = undefined
    chain.resume()
    await chain.append({ x: 1 })
    await chain.close()
    expect(await stored.getDraws('x')).toMatchObject({ data: new Float64Array([0, 1]) })
  })
})

describe('backpressure', () => {
  it('lets append wait when too much is unacknowledged, and go on when it is sent', async () => {
    const server = startApp()
    const gate = Promise.withResolvers<void>()
    let open = true
    const fetch = async (request: Request) => {
      if (!open) await gate.promise
      return server.fetch(request)
    }
    const backend = new HttpBackend({ url: URL_OF_APP, fetch, flush: { maxBuffered: 800, count: 10 } })
    const chain = await (await backend.initRun(X)).initChain(0)
    open = false
    let taken = 0
    const sampler = (async () => {
      for (; taken < 1000; taken++) await chain.append({ x: taken })
    })()
    // 100 draws of 8 bytes are the limit; the one that waits has been taken as well.
    await expect.poll(() => taken).toBe(100)
    await pauseFor(20)
    expect(taken).toBe(100)
    gate.resolve()
    await sampler
    await chain.close()
    expect(await (await storedChain(server, 'run')).getDraws('x')).toMatchObject({
      data: Float64Array.from({ length: 1000 }, (_, i) => i),
    })
  })

  it('takes a draw that is larger than the limit', async () => {
    const { chain, stored } = await open({ maxBuffered: 0 })
    for (let i = 0; i < 5; i++) await chain.append({ x: i })
    expect(await stored.length()).toBe(5)
  })

  it('ends the wait when the upload fails; the next call tells', async () => {
    const { state, chain, stored } = await open({ maxBuffered: 0 })
    state.fault = 'refused'
    await chain.append({ x: 0 })
    await expect(chain.append({ x: 1 })).rejects.toMatchObject({ code: 'storage_unavailable' })
    state.fault = undefined
    chain.resume()
    await chain.flush()
    expect(await stored.length()).toBe(1)
  })
})

it('has one request of a chain in flight', async () => {
  const server = startApp()
  let inFlight = 0
  let most = 0
  const fetch = async (request: Request) => {
    most = Math.max(most, ++inFlight)
    await pauseFor(1)
    const answer = await server.fetch(request)
    inFlight--
    return answer
  }
  const backend = new HttpBackend({ url: URL_OF_APP, fetch, flush: { count: 3 } })
  const chain = await (await backend.initRun(X)).initChain(0)
  const done: Promise<unknown>[] = []
  for (let i = 0; i < 60; i += 2) {
    done.push(chain.append({ x: i }), chain.appendBatch(batchOf(i + 1)))
    if (i % 20 === 0) done.push(chain.flush())
  }
  await Promise.all(done)
  expect(most).toBe(1)
  expect(await (await storedChain(server, 'run')).getDraws('x')).toMatchObject({
    data: Float64Array.from({ length: 60 }, (_, i) => i),
  })
})
