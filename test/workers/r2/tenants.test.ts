/** Runs and tenants that are deleted while draws of them lie in the bucket, or are on their way there: nothing stays anywhere. */
import {
  createExecutionContext,
  evictDurableObject,
  listDurableObjectIds,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { encodeRunMeta } from '../../../src/core/wire/run-meta.ts'
import type { Objects } from '../../../src/objects/objects.ts'
import { createWorker, type Env } from '../../../src/worker/handler.ts'
import { apiOf, drawBatch } from '../../http/api.ts'
import { objectOf, quiet } from '../objects.ts'
import { keysUnder, textOfD1, textsOfObjects } from './look.ts'

const OPERATOR = 'operator-token-of-the-worker-tests'
const MIB = 1024 * 1024
/** Draws of 64 KiB, and how many of them a run gets at once: 2 MiB, of which an object of this project moves the first soon. */
const WIDTH = 8192
const COUNT = 32
const META = new Uint8Array(encodeRunMeta({ variables: [{ name: 'x', dtype: 'float64', shape: [WIDTH] }] }))

const { MCB_AUTH: _, ...bindings } = env
const all: Env = { ...bindings, MCB_OPERATOR_TOKEN: OPERATOR }
const worker = createWorker()
const api = apiOf((request) => worker.fetch(request, all, createExecutionContext()), 'http://worker.test')

/** A tenant with a key of its own; its runs have its name in theirs. */
class Lab {
  readonly name: string
  /** Name of the tenant in storage. */
  storage = ''
  private headers = {}

  constructor(name: string) {
    this.name = name
  }

  async open(): Promise<this> {
    await byOperator('POST', '/v1/tenants', { tenant: this.name })
    const { key } = await byOperator('POST', `/v1/tenants/${this.name}/keys`, { name: 'first', scopes: ['admin'] })
    this.headers = { Authorization: `Bearer ${key}` }
    const row = await env.DB.prepare('SELECT storage FROM tenants WHERE name = ?').bind(this.name).first()
    this.storage = String(row?.storage)
    return this
  }

  rid(run: string): string {
    return `${this.name}-${run}`
  }

  request(method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    return api.request(method, `/v1/runs/${path}`, { headers: { ...this.headers, ...PROTOBUF }, ...(body && { body }) })
  }

  async append(run: string, start: number): Promise<void> {
    const data = new Uint8Array(Float64Array.from({ length: COUNT * WIDTH }, (__, i) => start + i / 7).buffer)
    const body = drawBatch({ start, count: COUNT, draws: [{ name: 'x', dtype: 'float64', data }] })
    const answer = await this.request('POST', `${this.rid(run)}/chains/0/draws`, body)
    expect(answer.status, await answer.clone().text()).toBe(200)
  }

  /** A run of which some draws lie in the bucket. */
  async write(run: string): Promise<void> {
    const rid = this.rid(run)
    expect((await this.request('PUT', rid, META)).status).toBe(201)
    expect((await this.request('PUT', `${rid}/chains/0`)).status).toBe(201)
    await this.append(run, 0)
    await runDurableObjectAlarm(this.object(run))
    await expect.poll(() => this.keys(run)).toBeGreaterThan(0)
    await expect.poll(() => this.moves(run)).toBe(0)
  }

  /** Puts of a run's object that are under way, or were given up. */
  moves(run: string): Promise<number> {
    const sql = 'SELECT count(*) AS n FROM moves'
    return runInDurableObject(this.object(run), (__, { storage }) => storage.sql.exec<{ n: number }>(sql).one().n)
  }

  async keys(run: string): Promise<number> {
    return (await keysUnder(`${this.storage}/${this.rid(run)}/`)).size
  }

  object(run: string) {
    return objectOf(this.rid(run), this.storage)
  }

  /** Gives a run's object another bucket until its next life. */
  async bind(run: string, wrap: (bucket: Objects) => Objects): Promise<void> {
    await runInDurableObject(this.object(run), (object) => {
      if (object.bucket === undefined) throw new Error('the object has no bucket')
      object.bucket = wrap(object.bucket)
    })
  }
}

const PROTOBUF = { 'Content-Type': 'application/x-protobuf' }

async function byOperator(method: string, path: string, body?: object) {
  const answer = await api.request(method, path, {
    headers: { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' },
    ...(body && { body: new TextEncoder().encode(JSON.stringify(body)) }),
  })
  expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true)
  const text = await answer.text()
  return text === '' ? undefined : JSON.parse(text)
}

/** Lets all alarms go off, in the order of their times by a clock that goes on, until none is left. */
async function alarms(): Promise<void> {
  for (let rounds = 0; rounds < 200; rounds++) {
    const objects = [env.RUNS, env.CATALOGUE]
    const stubs = (
      await Promise.all(objects.map(async (each) => (await listDurableObjectIds(each)).map((id) => each.get(id))))
    ).flat()
    const due = await Promise.all(
      stubs.map(async (stub) => ({
        stub,
        at: await runInDurableObject(stub, (__, { storage }) => storage.getAlarm()),
      })),
    )
    const [next] = due.filter(({ at }) => at !== null).sort((a, b) => Number(a.at) - Number(b.at))
    if (next === undefined) return
    // Behind it, since it may be a part of a millisecond later than the platform tells.
    vi.setSystemTime(Math.max(Date.now(), Number(next.at) + 1))
    await runDurableObjectAlarm(next.stub)
    // Time for work that an alarm has begun beside itself.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('there is an alarm that is always set again')
}

/** Nothing anywhere has the word in it, and every object that is not empty is another's. */
async function expectNoTrace(word: string, others: string): Promise<void> {
  expect([...(await keysUnder()).keys()].filter((key) => key.includes(word))).toEqual([])
  const texts = await textsOfObjects()
  expect(texts.filter((text) => text.includes(word) || !text.includes(others))).toEqual([])
  expect(await textOfD1()).not.toContain(word)
}

let labs = 0
let gone: Lab
let stays: Lab
beforeEach(async () => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  // Alarms of the platform itself wait for a time that does not come while this runs.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 3_600_000 })
  labs++
  gone = await new Lab(`gone${labs}`).open()
  stays = await new Lab(`stays${labs}`).open()
  await stays.write('one')
})
afterEach(async () => {
  expect(await stays.keys('one')).toBeGreaterThan(0)
  const whole = await stays.request('GET', `${stays.rid('one')}/chains/0/draws`)
  expect((await whole.arrayBuffer()).byteLength).toBeGreaterThan(2 * MIB)
  vi.restoreAllMocks()
  vi.useRealTimers()
})
afterAll(quiet)

const failure = () => Promise.reject(new Error('the bucket failed'))

/** A bucket that fails at everything but reads. */
const failing = (bucket: Objects): Objects => ({
  put: failure,
  get: (...args) => bucket.get(...args),
  delete: failure,
  list: () => ({ [Symbol.asyncIterator]: () => ({ next: failure }) }),
})

test('a run that is deleted', async () => {
  await gone.write('one')
  expect((await gone.request('DELETE', gone.rid('one'))).status).toBe(204)
  await alarms()
  await expectNoTrace(gone.rid('one'), 'stays')
})

test('a tenant that is deleted', async () => {
  for (const run of ['one', 'two']) await gone.write(run)
  await byOperator('DELETE', `/v1/tenants/${gone.name}`)
  await alarms()
  await expectNoTrace(gone.name, 'stays')
  await expectNoTrace(gone.storage, 'stays')
})

test('a tenant that is deleted while the bucket fails', async () => {
  const warnings = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  for (const run of ['one', 'two']) {
    await gone.write(run)
    await gone.bind(run, failing)
  }
  await byOperator('DELETE', `/v1/tenants/${gone.name}`)
  for (const run of ['one', 'two']) {
    for (let i = 0; i < 3; i++) await runDurableObjectAlarm(gone.object(run))
    expect(await gone.keys(run)).toBeGreaterThan(0)
    await evictDurableObject(gone.object(run))
  }
  expect(warnings).toHaveBeenCalled()
  await alarms()
  await expectNoTrace(gone.storage, 'stays')
})

/** Begins a move whose put waits for a gate; the key of it, and its bytes. */
async function heldPut(run: string) {
  const asked = Promise.withResolvers<{ readonly key: string; readonly body: Blob }>()
  const gate = Promise.withResolvers<void>()
  await gone.bind(run, (bucket) => ({
    put: async (key, at, pieces) => {
      asked.resolve({ key, body: new Blob([...pieces]) })
      await gate.promise
      await bucket.put(key, at, pieces)
    },
    get: (...args) => bucket.get(...args),
    delete: (...args) => bucket.delete(...args),
    list: (...args) => bucket.list(...args),
  }))
  await gone.append(run, COUNT)
  return { ...(await asked.promise), open: gate.resolve, fail: gate.reject }
}

test('a tenant that is deleted while an object of the bucket is put', async () => {
  await gone.write('one')
  const { open } = await heldPut('one')
  await byOperator('DELETE', `/v1/tenants/${gone.name}`)
  open()
  await alarms()
  await expectNoTrace(gone.storage, 'stays')
})

test('a tenant that is deleted, and an object of the bucket arrives later, when nobody waits for it any more', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  await gone.write('one')
  const { key, body, fail } = await heldPut('one')
  fail(new Error('no answer in time'))
  await byOperator('DELETE', `/v1/tenants/${gone.name}`)
  for (let i = 0; i < 3; i++) await runDurableObjectAlarm(gone.object('one'))
  await env.DRAWS.put(key, await body.arrayBuffer())
  await alarms()
  await expectNoTrace(gone.storage, 'stays')
})
