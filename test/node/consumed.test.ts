/** The body of an append, which the storage's thread takes away, when the run was replaced behind the server's back. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BodyReturned, type Store } from '../../src/core/store.ts'
import { openStorage, type Storage } from '../../src/node/storage.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { type Api, type Body, column, drawBatch, newApp } from '../http/api.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const POST = '/v1/runs/r/chains/0/draws'
const META = { rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] }

let folder: string
let storage: Storage
let store: Store
/** A store that knows nothing of the requests to the server below. */
let other: StoreBackend
let api: Api
let registration: string

/** The first is copied on its way to the thread, the second is handed over. */
const sizes = [1, 10_000]

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const batch = (count: number, start = 0): Body => drawBatch({ start, count, draws: [column('x', ...numbers(count))] })

beforeAll(async () => {
  folder = newFolder()
  storage = await openStorage('sqlite', folder)
  store = storage.openBackend('local').store
  other = new StoreBackend(store)
})

/** A server that knows the run, and has appended to it. */
beforeEach(async () => {
  await other.deleteRun('r')
  const run = await other.initRun(META)
  await run.initChain(0)
  registration = run.registration
  api = newApp({ store }).api
  expect((await api.request('POST', POST, { body: batch(3) })).status).toBe(200)
})

async function replace(): Promise<void> {
  await other.deleteRun('r')
  await (await other.initRun(META)).initChain(0)
}

describe.each(sizes)('a batch of %i iterations', (count) => {
  test('is stored in the run that replaced the one the server knew', async () => {
    await replace()
    const answer = await api.request('POST', POST, { body: batch(count) })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ chain: 0, length: count })
    const chain = await (await other.getRun('r'))?.getChain(0)
    expect(await chain?.getDraws('x')).toMatchObject({ data: Float64Array.from(numbers(count)) })
  })

  test('is refused where it was meant for the run before', async () => {
    await replace()
    const headers = { 'Mcb-Registration': registration }
    const answer = await api.request('POST', POST, { headers, body: batch(count) })
    expect(answer.status).toBe(412)
    expect(await answer.json()).toMatchObject({ code: 'run_replaced' })
    expect(await (await (await other.getRun('r'))?.getChain(0))?.length()).toBe(0)
  })

  test('is refused where there is no run, or no such chain, any more', async () => {
    await other.deleteRun('r')
    const gone = await api.request('POST', POST, { body: batch(count) })
    expect(gone.status).toBe(404)
    expect(await gone.json()).toMatchObject({ code: 'run_not_found' })
    await other.initRun(META)
    const chainless = await api.request('POST', POST, { body: batch(count) })
    expect(chainless.status).toBe(404)
    expect(await chainless.json()).toMatchObject({ code: 'chain_not_found' })
  })

  test('comes back from a store whose registration is gone, as it was', async () => {
    await replace()
    const sent = batch(count)
    const kept = sent.slice()
    const error = await store.append(registration, 0, sent).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'run_not_found' })
    // It was not handed on, or it came back.
    expect(error instanceof BodyReturned ? error.body : sent).toEqual(kept)
  })
})

test.each([
  ['numbers of both dtypes', 'int64', '[1,2]', BigInt64Array.of(1n, 2n)],
  ['strings, which the run before would not have', 'str', '["a","b"]', ['a', 'b']],
])('JSON is a batch of the run that it goes to: %s', async (_what, dtype, draws, data) => {
  await other.deleteRun('r')
  await (await other.initRun({ rid: 'r', variables: [{ name: 'x', dtype }] })).initChain(0)
  const body = new TextEncoder().encode(`{"start":0,"draws":{"x":${draws}}}`)
  const answer = await api.request('POST', POST, { body, headers: { 'Content-Type': 'application/json' } })
  expect([answer.status, await answer.json()]).toEqual([200, { chain: 0, length: 2 }])
  expect(await (await (await other.getRun('r'))?.getChain(0))?.getDraws('x')).toMatchObject({ dtype, data })
})

test('a batch that is refused for what it says is not sent twice', async () => {
  const answer = await api.request('POST', POST, { body: batch(10_000, 4) })
  expect(answer.status).toBe(409)
  expect(await answer.json()).toMatchObject({ code: 'draw_gap', length: 3 })
})

afterAll(async () => {
  await storage.close()
  removeFolder(folder)
})
