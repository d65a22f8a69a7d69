/** Traces over HTTP (the contract, section 8). */
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { encodeNdArray } from '../../src/core/draws/ndarray.ts'
import { DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'
import { OpenAnswers } from '../../src/http/open-answers.ts'
import { m4 } from '../support/m4.ts'
import {
  type Api,
  column,
  DRAWS,
  drawBatch,
  expectCommonHeaders,
  expectProblem,
  JSON_TYPE,
  jsonOf,
  newApp,
  runMeta,
} from './api.ts'

const TRACE = '/v1/runs/r/trace'
const MIB = 1024 * 1024
const SCHOOLS = ['A', 'B', 'C']
const VARIABLES = [
  { name: 'mu', dtype: 'float64' },
  { name: 'theta', dtype: 'float64', shape: [3], dims: ['school'] },
  { name: 'k', dtype: 'int64' },
  { name: 'ragged', dtype: 'float64', shape: [-1] },
  { name: 'name', dtype: 'str' },
  { name: 'nothing', dtype: 'float32', shape: [2, 0] },
]
const K = 2n ** 60n

const indices = (count: number) => Array.from({ length: count }, (_, i) => i)
const muAt = (chain: number, i: number) => Math.sin(i * (chain + 1)) * 10
const thetaAt = (chain: number, i: number, school: number) => muAt(chain, i) + school

/** Chains 0, 1, … of these lengths; `flag` is absent, and `lp` is sent. */
async function newRun(lengths: readonly number[], limits = {}): Promise<Api> {
  const { api } = newApp({ limits })
  const body = runMeta({
    variables: VARIABLES,
    sampleStats: [
      { name: 'lp', dtype: 'float32' },
      { name: 'mu', dtype: 'bool' },
    ],
    coordinates: [{ name: 'school', values: encodeNdArray({ dtype: 'str', shape: [3], data: SCHOOLS }) }],
  })
  await api.request('PUT', '/v1/runs/r', { body })
  for (const [chain, length] of lengths.entries()) {
    await api.request('PUT', `/v1/runs/r/chains/${chain}`)
    if (length > 0) await append(api, chain, length)
  }
  return api
}

async function append(api: Api, chain: number, count: number, start = 0): Promise<void> {
  const at = indices(count).map((i) => start + i)
  const body = drawBatch({
    start,
    count,
    draws: [
      column('mu', ...at.map((i) => muAt(chain, i))),
      column('theta', ...at.flatMap((i) => [0, 1, 2].map((school) => thetaAt(chain, i, school)))),
      { name: 'k', dtype: 'int64', data: new Uint8Array(BigInt64Array.from(at, (i) => K + BigInt(i)).buffer) },
      { name: 'ragged', dtype: 'float64', shapes: at.flatMap(() => [1, 0]) },
      { name: 'name', dtype: 'str', strings: at.map(String) },
      { name: 'nothing', dtype: 'float32' },
    ],
    stats: [{ name: 'lp', dtype: 'float32', data: new Uint8Array(Float32Array.from(at, (i) => i / 2).buffer) }],
  })
  const response = await api.request('POST', `/v1/runs/r/chains/${chain}/draws`, { body })
  expect(response.status).toBe(200)
}

const traceOf = async (api: Api, query: string) => {
  const response = await api.get(`${TRACE}?${query}`)
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(200)
  expect(response.headers.get('Content-Type')).toBe(JSON_TYPE)
  expectCommonHeaders(response)
  return jsonOf(response)
}

describe('a trace', () => {
  test('has the first, least, greatest and last draw of each bucket, of chains of several lengths', async () => {
    const api = await newRun([1000, 700, 0])
    const { elements, ...rest } = await traceOf(api, 'var=mu&buckets=20')
    expect(rest).toEqual({ start: 0, stop: 1000, buckets: 20 })
    const chains = [1000, 700, 0].map((length, chain) => {
      const values = indices(length).map((i) => muAt(chain, i))
      const at = m4(values, { start: 0, stop: 1000, count: 20 })
      return { chain, at, values: at.map((i) => values[i]) }
    })
    expect(elements).toEqual([{ variable: 'mu', index: [], label: 'mu', chains }])
  })

  test('names elements by their coordinates, in the order asked for', async () => {
    const api = await newRun([3])
    const { elements } = await traceOf(api, 'var=theta&elem=2,0:2,2')
    expect(elements.map(({ label }: { label: string }) => label)).toEqual([
      'theta[C]',
      'theta[A]',
      'theta[B]',
      'theta[C]',
    ])
    expect(elements[2]).toEqual({
      variable: 'theta',
      index: [1],
      label: 'theta[B]',
      chains: [{ chain: 0, at: [0, 1, 2], values: [0, 1, 2].map((i) => thetaAt(0, i, 1)) }],
    })
  })

  test('is of all variables of numbers that have a fixed shape, where none is named', async () => {
    const api = await newRun([2])
    const { elements } = await traceOf(api, '')
    const labels = elements.map(({ label }: { label: string }) => label)
    expect(labels).toEqual(['mu', 'theta[A]', 'theta[B]', 'theta[C]', 'k'])
    const { elements: both } = await traceOf(api, 'stat=mu&var=k&stat=lp&var=mu')
    expect(both.map(({ variable }: { variable: string }) => variable)).toEqual(['k', 'mu', 'mu', 'lp'])
    expect(both[2].chains).toEqual([{ chain: 0, at: [0, 1], values: [false, false] }])
    expect(both[3].chains).toEqual([{ chain: 0, at: [0, 1], values: [0, 0.5] }])
  })

  test('has numbers as the JSON of draws', async () => {
    const api = await newRun([2])
    const k = await traceOf(api, 'var=k&start=1')
    expect(k.elements[0].chains[0]).toEqual({ chain: 0, at: [1], values: [String(K + 1n)] })
    const { api: other } = newApp()
    await other.request('PUT', '/v1/runs/r', { body: runMeta({ variables: [{ name: 'x', dtype: 'float64' }] }) })
    await other.request('PUT', '/v1/runs/r/chains/0')
    const x = column('x', Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.1)
    await other.request('POST', DRAWS, { body: drawBatch({ start: 0, count: 5, draws: [x] }) })
    const text = await (await other.get(`${TRACE}?var=x&buckets=1`)).text()
    expect(text).toContain('"at":[0,1,2,4],"values":["NaN","Infinity","-Infinity",0.1]')
    expect(await (await other.get(`${TRACE}?var=x`)).text()).toContain('"-Infinity",-0.0,0.1]')
  })

  test('slices as Python does, by the longest of the chains that are asked for', async () => {
    const api = await newRun([100, 60])
    const read = async (query: string) => {
      const { start, stop, elements } = await traceOf(api, `var=mu&${query}`)
      const at = elements[0].chains.map((chain: { at: number[] }) => [chain.at[0], chain.at.at(-1), chain.at.length])
      return [start, stop, ...at]
    }
    const none = [undefined, undefined, 0]
    expect(await read('start=-10')).toEqual([90, 100, [90, 99, 10], none])
    expect(await read('start=-10&chain=1')).toEqual([50, 60, [50, 59, 10]])
    expect(await read('start=10&stop=-20')).toEqual([10, 80, [10, 79, 70], [10, 59, 50]])
    expect(await read('stop=99999999999999999999')).toEqual([0, 100, [0, 99, 100], [0, 59, 60]])
    expect(await read('start=70&stop=70')).toEqual([0, 0, none, none])
    expect(await read('start=20&stop=60&buckets=2&chain=1&chain=0&chain=1')).toEqual([20, 60, [20, 59, 7], [20, 59, 8]])
  })

  test('of a run without chains, and of columns without elements, is empty', async () => {
    const api = await newRun([])
    expect(await traceOf(api, 'var=mu')).toEqual({
      start: 0,
      stop: 0,
      buckets: 1000,
      elements: [{ variable: 'mu', index: [], label: 'mu', chains: [] }],
    })
    const other = await newRun([4])
    expect(await traceOf(other, 'var=nothing')).toEqual({ start: 0, stop: 4, buckets: 1000, elements: [] })
    const { elements } = await traceOf(other, 'var=nothing&var=mu')
    expect(elements).toHaveLength(1)
    expect(elements[0].chains[0].at).toEqual([0, 1, 2, 3])
  })

  test('is unchanged while no draw of it is new', async () => {
    const api = await newRun([50, 50])
    const etags = new Set<string | null>()
    for (const query of [
      '',
      'var=mu',
      'var=mu&stop=20',
      'var=mu&chain=1',
      'var=mu&buckets=7',
      'var=theta',
      'var=theta&elem=0',
    ]) {
      const etag = (await api.get(`${TRACE}?${query}`)).headers.get('ETag')
      etags.add(etag)
      const again = await api.get(`${TRACE}?${query}`, { 'If-None-Match': etag ?? '' })
      expect([again.status, await again.text()]).toEqual([304, ''])
    }
    expect(etags.size).toBe(7)
    await append(api, 0, 10, 50)
    const changed = async (query: string) => !etags.has((await api.get(`${TRACE}?${query}`)).headers.get('ETag'))
    expect([await changed('var=mu'), await changed('var=mu&stop=20'), await changed('var=mu&chain=1')]).toEqual([
      true,
      false,
      false,
    ])
  })

  test('answers HEAD without a length', async () => {
    const api = await newRun([50])
    const head = await api.request('HEAD', `${TRACE}?var=mu`)
    expect([head.status, head.headers.get('Content-Length'), head.headers.get('Content-Type')]).toEqual([
      200,
      null,
      JSON_TYPE,
    ])
    expect(head.headers.get('ETag')).toBe((await api.get(`${TRACE}?var=mu`)).headers.get('ETag'))
    expect((await api.request('HEAD', `${TRACE}?var=none`)).status).toBe(404)
  })

  test('is compressed for those who ask for it', async () => {
    const api = await newRun([1000])
    const packed = await api.get(`${TRACE}?var=mu`, { 'Accept-Encoding': 'gzip' })
    expect(packed.headers.get('Content-Encoding')).toBe('gzip')
    const unpacked = packed.body?.pipeThrough(new DecompressionStream('gzip'))
    expect(await new Response(unpacked).json()).toEqual(await traceOf(api, 'var=mu'))
  })
})

/** A vector of 99 elements and a scalar, whose draws are all kept; counts the pages that are read. */
class Counted extends MemoryStore {
  reads = 0
  onRead = () => {}

  override async read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    this.reads++
    this.onRead()
    return super.read(registration, chain, question, cursor)
  }
}

const COUNT = 6000
const CHAINS = 3
const WIDE = `${TRACE}?buckets=10000`

async function newWideRun(heldBytes: number, more: Parameters<typeof newApp>[0] = {}) {
  const store = new Counted()
  const openAnswers = new OpenAnswers({ ...DEFAULT_BOUNDS, heldBytes })
  const { api } = newApp({ store, openAnswers, ...more })
  const variables = [
    { name: 'x', dtype: 'float64', shape: [99] },
    { name: 'y', dtype: 'float64' },
  ]
  await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
  for (let chain = 0; chain < CHAINS; chain++) {
    await api.request('PUT', `/v1/runs/r/chains/${chain}`)
    const x = Float64Array.from({ length: COUNT * 99 }, (_, i) => Math.sin(i * (chain + 1)))
    const columns = [
      { name: 'x', dtype: 'float64', data: new Uint8Array(x.buffer) },
      column('y', ...x.subarray(0, COUNT)),
    ]
    const body = drawBatch({ start: 0, count: COUNT, draws: columns })
    expect((await api.request('POST', `/v1/runs/r/chains/${chain}/draws`, { body })).status).toBe(200)
  }
  store.reads = 0
  return { api, store, openAnswers }
}

describe('a trace of more elements than are kept at once', () => {
  test('is the same as of each alone, with much room and with none', async () => {
    const roomy = await newWideRun(128 * MIB)
    const scarce = await newWideRun(0)
    const text = await (await roomy.api.get(WIDE)).text()
    expect(await (await scarce.api.get(WIDE)).text()).toBe(text)
    expect(scarce.store.reads).toBeGreaterThan(2 * roomy.store.reads)
    expect([roomy.openAnswers.bytesHeld, scarce.openAnswers.bytesHeld]).toEqual([0, 0])
    const { elements } = JSON.parse(text)
    expect(elements).toHaveLength(100)
    for (const i of [0, 28, 29, 57, 98]) {
      const alone = await traceOf(roomy.api, `var=x&elem=${i}&buckets=10000`)
      expect(elements[i]).toEqual(alone.elements[0])
      expect(elements[i].chains.map(({ at }: { at: number[] }) => at.length)).toEqual([COUNT, COUNT, COUNT])
    }
    expect(elements[99]).toEqual((await traceOf(roomy.api, 'var=y&buckets=10000')).elements[0])
  })

  test('gives its room back when nobody reads it to its end', async () => {
    const { api, openAnswers } = await newWideRun(128 * MIB)
    const reader = (await api.get(WIDE)).body?.getReader()
    await reader?.read()
    expect(openAnswers.bytesHeld).toBeGreaterThan(MIB)
    await reader?.cancel()
    expect(openAnswers.bytesHeld).toBe(0)
  })

  test('is left alone as soon as the reader has gone', async () => {
    let gone = () => {}
    const whenAnswered = (_: unknown, ended: () => void) => {
      gone = ended
      return true
    }
    const { api, store, openAnswers } = await newWideRun(128 * MIB, { whenAnswered })
    store.onRead = () => {
      if (store.reads === 2) gone()
    }
    await expectProblem(await api.get(WIDE), 503, 'overloaded')
    expect(store.reads).toBeLessThan(5)
    expect(openAnswers.bytesHeld).toBe(0)
  })
})

describe('a trace is refused', () => {
  test.each([
    'buckets=0',
    'buckets=10001',
    'buckets=1.5',
    'buckets=',
    'buckets=1&buckets=2',
    'chain=01',
    'chain=x',
    'elem=0',
    'step=2',
  ])('for its query, with 400: %s', async (query) => {
    const api = await newRun([5])
    await expectProblem(await api.get(`${TRACE}?${query}`), 400, 'invalid_parameter')
  })

  test.each(['start=x', 'stop=1.5', 'start=1&start=2', 'step=0'])('for its slice: %s', async (query) => {
    const api = await newRun([5])
    await expectProblem(await api.get(`${TRACE}?${query}`), 400, 'invalid_slice')
    await expectProblem(await api.get(`/v1/runs/none/trace?${query}`), 400, 'invalid_slice')
  })

  test('for what is not there', async () => {
    const api = await newRun([5])
    await expectProblem(await api.get('/v1/runs/none/trace'), 404, 'run_not_found')
    await expectProblem(await api.get(`${TRACE}?chain=0&chain=7`), 404, 'chain_not_found')
    const problem = await expectProblem(await api.get(`${TRACE}?var=nu`), 404, 'unknown_variable')
    expect(problem.variable).toBe('nu')
    await expectProblem(await api.get(`${TRACE}?stat=theta`), 404, 'unknown_variable')
    const replaced = await api.get(TRACE, { 'Mcb-Registration': 'another' })
    await expectProblem(replaced, 412, 'run_replaced')
  })

  test.each(['var=ragged', 'var=name', 'var=mu&var=name', 'var=theta&elem=3', 'var=ragged&elem=0'])(
    'for columns and elements that are no numbers of fixed shape: %s',
    async (query) => {
      const api = await newRun([5])
      await expectProblem(await api.get(`${TRACE}?${query}`), 400, 'invalid_parameter')
      await expectProblem(await api.get(`/v1/runs/none/trace?${query}`), 404, 'run_not_found')
    },
  )

  test('for more than 100 elements, and more values than are gone through at once', async () => {
    const api = await newRun([50, 30], { tracedValues: 240 })
    const many = await expectProblem(
      await api.get(`${TRACE}?var=theta&elem=${new Array(101).fill(0)}`),
      400,
      'invalid_parameter',
    )
    expect(many.limit).toBe(100)
    await expectProblem(await api.get(`${TRACE}?var=theta&elem=0:10000`), 400, 'invalid_parameter')
    expect((await traceOf(api, 'var=theta')).elements).toHaveLength(3)
    const problem = await expectProblem(await api.get(`${TRACE}?var=theta&var=mu`), 413, 'payload_too_large')
    expect(problem.limit).toBe(240)
    expect((await traceOf(api, 'var=theta&var=mu&stop=30')).elements).toHaveLength(4)
  })

  test('for a size that no answer has', async () => {
    const api = await newRun([1000], { answerBytes: 4000 })
    expect((await traceOf(api, 'var=mu')).elements).toHaveLength(1)
    await expectProblem(await api.get(`${TRACE}?var=mu&var=theta&buckets=1000`), 413, 'payload_too_large')
    expect((await traceOf(api, 'var=mu&var=theta&buckets=10')).elements).toHaveLength(4)
  })
})
