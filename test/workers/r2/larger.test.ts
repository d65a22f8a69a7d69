/** A run several times larger than its object may be: it keeps taking appends, and answers what any other server does. */
import { runInDurableObject } from 'cloudflare:test'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as zarr from 'zarrita'
import {
  type Api,
  apiOf,
  batchOf as batchOfAnswer,
  bytesOf,
  type Column,
  drawBatch,
  expectProblem,
  jsonOf,
  newApp,
  runMeta,
} from '../../http/api.ts'
import { fetchWorker } from '../local.ts'
import { objectOf, quiet } from '../objects.ts'
import { keysUnder } from './look.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** Bytes that an object of this project may have: see vitest.config.ts. */
const OBJECT_BYTES = 4 * MIB

const ORIGIN = 'http://worker.test'
const worker = apiOf(fetchWorker, ORIGIN)
/** The same server over a store in memory, with nothing of Workers. */
const memory = newApp().api
const RID = 'larger'
const CHAINS = [0, 1, 2, 3]
const LENGTH = 2000
/** Draws of a POST, by turns: some wait in the tail, some are large enough to be chunks at once. */
const BATCHES = [1, 3, 25, 1, 120, 7, 60]
const WIDTH = 256
/** One draw in so many has a field, which lies in several rows. */
const FIELD_EVERY = 200
const FIELD_BYTES = 300 * KIB

const VARIABLES = [
  { name: 'mu', dtype: 'float64' },
  { name: 'theta', dtype: 'float64', shape: [WIDTH] },
  { name: 'k', dtype: 'int32', shape: [-1] },
  { name: 'word', dtype: 'str' },
  { name: 'field', dtype: 'uint8', shape: [-1] },
]
const STATS = [
  { name: 'tune', dtype: 'bool' },
  { name: 'lp', dtype: 'float64' },
  { name: 'step', dtype: 'float32', shape: [2] },
]

afterAll(quiet)

const range = (start: number, count: number) => Array.from({ length: count }, (_, i) => start + i)
const bytesIn = (array: { readonly buffer: ArrayBuffer }) => new Uint8Array(array.buffer)

/** Bytes that look random, the same for the same seed. */
function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = seed
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

/** Numbers between -1 and 1. */
function numbers(length: number, seed: number): Float64Array<ArrayBuffer> {
  const words = new Int32Array(noise(4 * length, seed).buffer)
  return Float64Array.from(words, (word) => word / 2 ** 31)
}

/** True for draws of batches that begin at an even place: others are sent without the stat. */
function hasStep(chain: number): (i: number) => boolean {
  const starts = batchesOf(chain).map(([start]) => start)
  return (i) => (starts.findLast((start) => start <= i) ?? 0) % 2 === 0
}

/** Values of the stat; those that are absent are fill. */
function stepsOf(chain: number, at: readonly number[]): Float32Array<ArrayBuffer> {
  const isSent = hasStep(chain)
  return Float32Array.from(at.flatMap((i) => (isSent(i) ? [i / 3, -i] : [Number.NaN, Number.NaN])))
}

/** Each draw is the same in whatever batch it comes. */
function batchOf(chain: number, start: number, count: number, change: Partial<Column> = {}) {
  const at = range(start, count)
  const seed = (i: number) => 1 + chain * 1_000_003 + i * 17
  const theta = new Float64Array(count * WIDTH)
  for (const [j, i] of at.entries()) theta.set(numbers(WIDTH, seed(i)), j * WIDTH)
  const hasField = (i: number) => i % FIELD_EVERY === 77
  const fields = at.filter(hasField).map((i) => noise(FIELD_BYTES, seed(i)))
  const field = new Uint8Array(fields.length * FIELD_BYTES)
  for (const [j, each] of fields.entries()) field.set(each, j * FIELD_BYTES)
  const draws: Column[] = [
    { name: 'mu', dtype: 'float64', data: bytesIn(Float64Array.from(at, (i) => numbers(1, seed(i) + 5)[0] ?? 0)) },
    { name: 'theta', dtype: 'float64', data: bytesIn(theta) },
    {
      name: 'k',
      dtype: 'int32',
      data: bytesIn(Int32Array.from(at.flatMap((i) => new Array<number>(i % 4).fill(i - chain)))),
      shapes: at.flatMap((i) => [1, i % 4]),
    },
    { name: 'word', dtype: 'str', strings: at.map((i) => (i % 5 === 0 ? '' : `∂${chain}/${i}`)) },
    { name: 'field', dtype: 'uint8', data: field, shapes: at.flatMap((i) => [1, hasField(i) ? FIELD_BYTES : 0]) },
  ]
  const stats: Column[] = [
    { name: 'tune', dtype: 'bool', data: Uint8Array.from(at, (i) => Number(i < 100)) },
    { name: 'lp', dtype: 'float64', data: bytesIn(Float64Array.from(at, (i) => -i)) },
  ]
  if (at.some(hasStep(chain))) stats.push({ name: 'step', dtype: 'float32', data: bytesIn(stepsOf(chain, at)) })
  return drawBatch({
    start,
    count,
    draws: draws.map((each) => (each.name === change.name ? { ...each, ...change } : each)),
    stats,
  })
}

/** The batches of a chain: where they begin, and how many draws they have. */
function batchesOf(chain: number): [start: number, count: number][] {
  const batches: [number, number][] = []
  for (let [start, turn] = [0, chain]; start < LENGTH; turn++) {
    const count = Math.min(LENGTH - start, BATCHES[turn % BATCHES.length] ?? 1)
    batches.push([start, count])
    start += count
  }
  return batches
}

const drawsOf = (chain: number, rid = RID) => `/v1/runs/${rid}/chains/${chain}/draws`

/** Times that a sampler is told to wait a second: a move takes less than one. */
const MOST_WAITS = 15

/** A sampler that is told to wait does so, and sends the same again. */
async function send(chain: number, body: Uint8Array<ArrayBuffer>, rid = RID): Promise<number> {
  for (let waits = 0; ; waits++) {
    const answer = await worker.request('POST', drawsOf(chain, rid), { body })
    if (answer.status !== 503) {
      expect(answer.status, await answer.clone().text()).toBe(200)
      return (await jsonOf(answer)).length
    }
    expect(waits).toBeLessThan(MOST_WAITS)
    const seconds = Number(answer.headers.get('Retry-After'))
    expect(seconds).toBeGreaterThan(0)
    expect(await jsonOf(answer)).toMatchObject({ code: 'storage_unavailable' })
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  }
}

const databaseSize = () => runInDurableObject(objectOf(RID), (_, { storage }) => storage.sql.databaseSize)

let largest = 0

beforeAll(async () => {
  const body = runMeta({ variables: VARIABLES, sampleStats: STATS })
  for (const api of [worker, memory]) {
    expect((await api.request('PUT', `/v1/runs/${RID}`, { body })).status).toBe(201)
    for (const chain of CHAINS) await api.request('PUT', `/v1/runs/${RID}/chains/${chain}`)
  }
  const writing = CHAINS.map(async (chain) => {
    for (const [start, count] of batchesOf(chain)) {
      const batch = batchOf(chain, start, count)
      expect(await send(chain, batch)).toBe(start + count)
      expect((await memory.request('POST', drawsOf(chain), { body: batch })).status).toBe(200)
      largest = Math.max(largest, await databaseSize())
    }
  })
  await Promise.all(writing)
})

/** The same bytes from both servers; what they are. */
async function same(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  const [here, there] = await Promise.all([worker.get(path, headers), memory.get(path, headers)])
  expect([path, here.status]).toEqual([path, there.status])
  const [bytes, expected] = [await bytesOf(here), await bytesOf(there)]
  expect(isSame(bytes, expected), path).toBe(true)
  return bytes
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

test('most of the run lies in the bucket, and its object was never larger than it may be', async () => {
  const sizes = [...(await keysUnder(`local/${RID}/`)).values()]
  expect(sizes.reduce((n, size) => n + size, 0)).toBeGreaterThan(5 * OBJECT_BYTES)
  expect(largest).toBeLessThan(OBJECT_BYTES)
})

test.each(CHAINS)('chain %i reads back whole, bit for bit', async (chain) => {
  const bytes = await same(drawsOf(chain))
  expect(bytes.length).toBeGreaterThan(LENGTH * WIDTH * 8 + (LENGTH / FIELD_EVERY) * FIELD_BYTES)
})

test.each([
  'start=100&stop=1500&step=7',
  'start=1900&stop=3&step=-13',
  'start=-8',
  'start=-1',
  'start=0&stop=1',
  'stop=-1990&step=-1',
  'var=theta&elem=0,3,10:20,255',
  'var=theta&elem=7&start=1700&stop=20&step=-3',
  'var=mu&stat=lp&stat=step',
  'var=field&start=77&stop=1900&step=200',
  'var=field&start=1877&stop=0&step=-200',
  'var=word&var=k&start=50&stop=1950&step=19',
])('the slice %s', async (query) => {
  for (const chain of CHAINS) await same(`${drawsOf(chain)}?${query}`)
})

test('JSON, tables and traces', async () => {
  await same(`${drawsOf(1)}?var=mu&var=word&stat=tune&step=11`, { Accept: 'application/json' })
  await same(`/v1/runs/${RID}/draws.csv?var=mu&var=word&stat=lp`)
  await same(`/v1/runs/${RID}/trace?var=theta&elem=0,100&buckets=50`)
})

test('summary and checks', async () => {
  const whole = async (api: Api, path: string) => {
    for (;;) {
      const found = await jsonOf(await api.get(path, { Prefer: 'wait=20' }))
      if (found.complete !== false) return { ...found, registration: undefined }
    }
  }
  const path = `/v1/runs/${RID}/summary?limit=10000`
  const found = await whole(worker, path)
  expect(found).toEqual(await whole(memory, path))
  expect([found.draws, found.rows.length]).toEqual([LENGTH - 100, WIDTH + 1])
  // The clock decides how far the progress is, which goes on between the two.
  const checks = async (api: Api) => {
    const { checks: all } = await whole(api, `/v1/runs/${RID}/checks`)
    return all.filter(({ check }: { readonly check: string }) => check !== 'progress')
  }
  expect(await checks(worker)).toEqual(await checks(memory))
})

test('a Zarr hierarchy', async () => {
  const openArray = async (api: Api, path: string) => {
    const fetchFrom = (request: Request) =>
      api.get(request.url.slice(ORIGIN.length), Object.fromEntries(request.headers))
    const url = `${ORIGIN}/v1/runs/${RID}/data.zarr`
    const store = await zarr.withConsolidatedMetadata(new zarr.FetchStore(url, { fetch: fetchFrom }), { format: 'v3' })
    return zarr.get(await zarr.open.v3(zarr.root(store).resolve(path), { kind: 'array' }))
  }
  for (const path of [
    'posterior/mu',
    'posterior/theta',
    'posterior/word',
    'sample_stats/lp',
    'warmup_posterior/theta',
  ]) {
    const [here, there] = [await openArray(worker, path), await openArray(memory, path)]
    expect(here.shape).toEqual(there.shape)
    expect([...(here.data as Iterable<unknown>)].every((value, i) => value === Reflect.get(there.data, i))).toBe(true)
  }
})

test('a netCDF file, whole and in parts', async () => {
  const path = `/v1/runs/${RID}/at/${CHAINS.map((chain) => `${chain}:${LENGTH}`).join()}/data.nc`
  const [here, there] = [await bytesOf(await worker.get(path)), await bytesOf(await memory.get(path))]
  // The head tells the time of the registration.
  console.log(
    here.length,
    here.findIndex((b, i) => b !== there[i]),
    here.findLastIndex((b, i) => b !== there[i]),
  )
  expect(isSame(here.subarray(64 * KIB), there.subarray(64 * KIB))).toBe(true)
  expect(here.length).toBeGreaterThan(CHAINS.length * LENGTH * WIDTH * 8)
  const part = await worker.get(path, { Range: `bytes=${5 * MIB + 1}-${6 * MIB}` })
  expect(part.status).toBe(206)
  expect(isSame(await bytesOf(part), here.subarray(5 * MIB + 1, 6 * MIB + 1))).toBe(true)
})

describe('a draw that is sent again', () => {
  const [chain] = CHAINS
  const post = (body: Uint8Array<ArrayBuffer>) => worker.request('POST', drawsOf(chain ?? 0), { body })

  test('and lies in the bucket: equal ones are taken, and nothing is written', async () => {
    await expectMoved(0)
    for (const [start, count] of [batchesOf(0)[0], batchesOf(0)[4], batchesOf(0)[8]].filter(
      (each) => each !== undefined,
    )) {
      const answer = await post(batchOf(0, start, count))
      expect(answer.status, await answer.clone().text()).toBe(200)
      expect(await jsonOf(answer)).toMatchObject({ length: LENGTH })
    }
  })

  test('and is another one: it is refused, and nothing is changed', async () => {
    const before = await bytesOf(await worker.get(drawsOf(0)))
    const fields = batchesOf(0).find(([start, count]) => start <= 77 && start + count > 77) ?? [77, 1]
    const other = noise(FIELD_BYTES, 1 + 77 * 17)
    other[FIELD_BYTES - 1] = (other[FIELD_BYTES - 1] ?? 0) ^ 1
    const changes: [[number, number], Partial<Column>][] = [
      [[0, 1], { name: 'mu', data: bytesIn(Float64Array.of(17)) }],
      [[0, 1], { name: 'word', strings: ['x'] }],
      [fields, { name: 'field', data: other }],
    ]
    for (const [[start, count], change] of changes) {
      const problem = await expectProblem(await post(batchOf(0, start, count, change)), 409, 'draw_conflict')
      expect(problem).toMatchObject({ length: LENGTH })
    }
    expect(isSame(await bytesOf(await worker.get(drawsOf(0))), before)).toBe(true)
  })

  test('with new ones behind it: those are appended', async () => {
    for (const api of [worker, memory]) {
      const answer = await api.request('POST', drawsOf(0), { body: batchOf(0, 0, LENGTH + 5) })
      expect(await jsonOf(answer)).toMatchObject({ length: LENGTH + 5 })
    }
    await same(`${drawsOf(0)}?start=${LENGTH - 20}`)
  })

  /** The first draws of a chain are in the bucket, in every column that has any. */
  async function expectMoved(number: number): Promise<void> {
    const sql =
      'SELECT count(*) AS n FROM chunks WHERE start = 0 AND object IS NULL AND data IS NOT NULL AND length(data) >= 65536 ' +
      'AND chain_id = (SELECT id FROM chains WHERE number = ?)'
    const rows = await runInDurableObject(objectOf(RID), (_, { storage }) =>
      storage.sql.exec<{ n: number }>(sql, number).one(),
    )
    expect(rows.n).toBe(0)
  }
})

test('chains whose small batches have not been folded are more than an object may be', async () => {
  const rid = 'tails'
  const body = runMeta({ variables: [{ name: 'x', dtype: 'float64', shape: [2048] }] })
  expect((await worker.request('PUT', `/v1/runs/${rid}`, { body })).status).toBe(201)
  const chains = range(0, 8)
  for (const chain of chains) await worker.request('PUT', `/v1/runs/${rid}/chains/${chain}`)
  const valuesOf = (chain: number) => bytesIn(numbers(2048 * 40, chain + 1))
  const part = (chain: number, start: number) => valuesOf(chain).slice(2048 * 8 * start, 2048 * 8 * (start + 1))
  for (let start = 0; start < 40; start++) {
    for (const chain of chains) {
      const batch = drawBatch({ start, count: 1, draws: [{ name: 'x', dtype: 'float64', data: part(chain, start) }] })
      expect(await send(chain, batch, rid)).toBe(start + 1)
    }
  }
  for (const chain of chains) {
    const read = await batchOfAnswer(await worker.get(drawsOf(chain, rid)))
    expect(isSame(new Uint8Array(read.draws[0]?.data ?? []), valuesOf(chain))).toBe(true)
  }
})
