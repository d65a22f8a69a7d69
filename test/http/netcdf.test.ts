/** /v1/runs/{rid}/data.nc and …/at/{lengths}/data.nc: whole files, parts of them, and moments that never mix. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { Dataset, File, ready } from 'h5wasm/node'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { encodeNdArray } from '../../src/core/draws/ndarray.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { type Api, bytesOf, expectCommonHeaders, expectProblem, newApp } from './api.ts'

const NOW = '/v1/runs/r/data.nc'
const at = (lengths: string) => `/v1/runs/r/at/${lengths}/data.nc`
const MINUTES = 60_000

let folder: string
let files = 0
beforeAll(async () => {
  folder = newFolder()
  await ready
})
afterAll(() => removeFolder(folder))
afterEach(() => {
  vi.useRealTimers()
})

const META = {
  variables: [
    { name: 'mu', dtype: 'float64' },
    { name: 'theta', dtype: 'float32', shape: [3], dims: ['school'] },
    { name: 'z', dtype: 'bool' },
    { name: 's', dtype: 'str', shape: [2] },
    { name: 'none', dtype: 'float64', shape: [0] },
  ],
  sampleStats: [{ name: 'tune', dtype: 'bool' }],
  coordinates: [{ name: 'school', values: encodeNdArray({ dtype: 'str', shape: [3], data: ['Choate', '', 'é'] }) }],
  data: [
    { name: 'y', value: encodeNdArray({ dtype: 'float64', shape: [], data: Float64Array.of(28) }), isObserved: true },
  ],
} satisfies mcbackend.RunMeta.$Properties

const range = (count: number) => Array.from({ length: count }, (_, i) => i)
const muAt = (chain: number, i: number) => 1000 * chain + i

function batchOf(chain: number, start: number, count: number, warmup: number) {
  const rows = range(count).map((i) => start + i)
  const draws: [string, Draws][] = [
    ['mu', { dtype: 'float64', shape: [count], data: Float64Array.from(rows, (i) => muAt(chain, i)) }],
    ['theta', { dtype: 'float32', shape: [count, 3], data: Float32Array.from(range(3 * count), (j) => j + 3 * start) }],
    ['z', { dtype: 'bool', shape: [count], data: Uint8Array.from(rows, (i) => i % 2) }],
    ['s', { dtype: 'str', shape: [count, 2], data: rows.flatMap((i) => [`${i}∂`, '']) }],
    ['none', { dtype: 'float64', shape: [count, 0], data: new Float64Array() }],
  ]
  const tune: Draws = { dtype: 'bool', shape: [count], data: Uint8Array.from(rows, (i) => Number(i < warmup)) }
  return { start, count, draws: new Map(draws), stats: new Map([['tune', tune]]) }
}

async function newRun(lengths: readonly number[], warmup = 0, store = new MemoryStore()) {
  const run = await new StoreBackend(store).initRun({ rid: 'r', ...META })
  const { api } = newApp({ store })
  for (const [chain, length] of lengths.entries()) await grow(run, chain, 0, length, warmup)
  return { api, run }
}

async function grow(run: StoreRun, number: number, start: number, count: number, warmup = 0): Promise<void> {
  const chain = await run.initChain(number)
  if (count > 0) await chain.appendBatch(batchOf(number, start, count, warmup))
}

/** A run that was written two minutes ago. */
async function quietRun(lengths: readonly number[]) {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 2 * MINUTES })
  const world = await newRun(lengths)
  vi.setSystemTime(Date.now() + 2 * MINUTES)
  return world
}

async function whole(api: Api, path: string): Promise<Uint8Array> {
  const answer = await api.get(path)
  expect(answer.status).toBe(200)
  return bytesOf(answer)
}

async function etagOf(api: Api, path: string): Promise<string> {
  const answer = await api.request('HEAD', path)
  return answer.headers.get('ETag') ?? ''
}

/** Values by path, as HDF5 reads them. */
function valuesOf(bytes: Uint8Array, ...paths: readonly string[]): { shape: unknown; values: unknown[] }[] {
  const path = join(folder, `${files++}.nc`)
  writeFileSync(path, bytes)
  const file = new File(path, 'r')
  try {
    return paths.map((name) => {
      const found = file.get(name)
      if (!(found instanceof Dataset)) return { shape: undefined, values: [] }
      const { shape, value } = found
      return {
        shape,
        values: ArrayBuffer.isView(value) || Array.isArray(value) ? [...(value as Iterable<unknown>)] : [value],
      }
    })
  } finally {
    file.close()
  }
}

describe('a file', () => {
  test('has the groups of a run, of one moment, and tells its length and its name', async () => {
    const { api } = await newRun([7, 9], 2)
    const answer = await api.get(NOW)
    expect(answer.status).toBe(200)
    expectCommonHeaders(answer)
    expect(answer.headers.get('Content-Type')).toBe('application/netcdf')
    expect(answer.headers.get('Content-Disposition')).toBe('attachment; filename="r.nc"')
    expect(answer.headers.get('Accept-Ranges')).toBe('bytes')
    const bytes = await bytesOf(answer)
    expect(answer.headers.get('Content-Length')).toBe(String(bytes.length))
    const [mu, warm, s, school, y] = valuesOf(
      bytes,
      'posterior/mu',
      'warmup_posterior/mu',
      'posterior/s',
      'posterior/school',
      'observed_data/y',
    )
    expect(mu).toEqual({ shape: [2, 5], values: [2, 3, 4, 5, 6, 1002, 1003, 1004, 1005, 1006] })
    expect(warm).toEqual({ shape: [2, 2], values: [0, 1, 1000, 1001] })
    expect(s?.values).toEqual([0, 1].flatMap(() => range(5).flatMap((i) => [`${i + 2}∂`, ''])))
    expect(school?.values).toEqual(['Choate', '', 'é'])
    expect(y).toEqual({ shape: [], values: [28] })
  })

  test('tells HEAD its length and reads no numbers for it', async () => {
    let numbers = 0
    class Counting extends MemoryStore {
      override read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
        if (question.columns.includes(0)) numbers++
        return super.read(registration, chain, question, cursor)
      }
    }
    const { api } = await newRun([20, 20], 0, new Counting())
    const head = await api.request('HEAD', NOW)
    expect(numbers).toBe(0)
    expect(head.headers.get('Accept-Ranges')).toBe('bytes')
    expect(head.headers.get('Content-Length')).toBe(String((await whole(api, NOW)).length))
    expect(numbers).toBeGreaterThan(0)
  })

  test('of a run without draws is a file', async () => {
    const { api } = await newRun([])
    expect(valuesOf(await whole(api, NOW), 'observed_data/y')).toEqual([{ shape: [], values: [28] }])
  })

  test('stays at the address that the answer names', async () => {
    const { api, run } = await newRun([5, 5])
    const answer = await api.get(NOW)
    const bytes = await bytesOf(answer)
    expect(answer.headers.get('Content-Location')).toBe(at('0:5,1:5'))
    const there = await api.get(at('0:5,1:5'))
    expect(there.headers.get('ETag')).toBe(answer.headers.get('ETag'))
    expect(await bytesOf(there)).toEqual(bytes)
    await grow(run, 0, 5, 3)
    await run.setAbout({ name: 'another', facts: { samplingTime: 3 } })
    expect(await whole(api, at('0:5,1:5'))).toEqual(bytes)
  })

  test('tells of facts, and then names no address at which it stays', async () => {
    const { api, run } = await newRun([5])
    const before = await etagOf(api, NOW)
    await run.setAbout({ facts: { samplingTime: 3 } })
    const answer = await api.get(NOW)
    expect(answer.headers.get('Content-Location')).toBeNull()
    expect(answer.headers.get('ETag')).not.toBe(before)
    expect((await bytesOf(answer)).length).toBeGreaterThan((await whole(api, at('0:5'))).length)
  })

  test('names chains without draws, also at its lasting address', async () => {
    const { api } = await quietRun([5, 0, 4])
    const answer = await api.get(NOW)
    expect(answer.headers.get('Content-Location')).toBe(at('0:5,1:0,2:4'))
    expect(await whole(api, at('0:5,1:0,2:4'))).toEqual(await bytesOf(answer))
  })
})

describe('a range', () => {
  test('of a moment is that part of the whole, whatever it is', async () => {
    const { api } = await newRun([30, 30], 5)
    const path = at('0:30,1:30')
    const bytes = await whole(api, path)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(bytes.length - 1), async (a, b) => {
        const [first, last] = a < b ? [a, b] : [b, a]
        const answer = await api.get(path, { Range: `bytes=${first}-${last}` })
        expect(answer.status).toBe(206)
        expect(answer.headers.get('Content-Range')).toBe(`bytes ${first}-${last}/${bytes.length}`)
        expect(answer.headers.get('Content-Length')).toBe(String(last - first + 1))
        expect(await bytesOf(answer)).toEqual(bytes.subarray(first, last + 1))
      }),
      { numRuns: 50 },
    )
    const tail = await api.get(path, { Range: 'bytes=-10' })
    expect(await bytesOf(tail)).toEqual(bytes.subarray(-10))
    const open = await api.get(path, { Range: `bytes=${bytes.length - 3}-` })
    expect(await bytesOf(open)).toEqual(bytes.subarray(-3))
    const beyond = await api.get(path, { Range: 'bytes=5-99999999999999999999' })
    expect(await bytesOf(beyond)).toEqual(bytes.subarray(5))
    const all = await api.get(path, { Range: `bytes=-${10 * bytes.length}` })
    expect(await bytesOf(all)).toEqual(bytes)
  })

  test.each(['bytes=5-2', 'bytes=-', 'bytes=a-b', 'lines=0-1', 'bytes=0-1,4-5', 'bytes=', '0-5', 'bytes=--5'])(
    'that is none, or several, is the whole: %s',
    async (header) => {
      const { api } = await newRun([3])
      const answer = await api.get(at('0:3'), { Range: header })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('Content-Range')).toBeNull()
      expect((await bytesOf(answer)).length).toBe(Number(answer.headers.get('Content-Length')))
    },
  )

  test('that nothing lies in is 416 with the length', async () => {
    const { api } = await newRun([3])
    const { length } = await whole(api, at('0:3'))
    for (const header of [`bytes=${length}-`, 'bytes=-0', 'bytes=99999999999999999999-']) {
      const answer = await api.get(at('0:3'), { Range: header })
      expect(answer.headers.get('Content-Range')).toBe(`bytes */${length}`)
      await expectProblem(answer, 416, 'range_not_satisfiable')
    }
  })

  test('of the present counts while a run grows only with its ETag', async () => {
    const { api, run } = await newRun([3])
    const bytes = await whole(api, NOW)
    const etag = await etagOf(api, NOW)
    const part = { Range: 'bytes=10-19' }
    expect((await api.get(NOW, part)).status).toBe(200)
    for (const header of ['If-Range', 'If-Match']) {
      const answer = await api.get(NOW, { ...part, [header]: etag })
      expect(answer.status).toBe(206)
      expect(await bytesOf(answer)).toEqual(bytes.subarray(10, 20))
    }
    await grow(run, 0, 3, 2)
    expect((await api.get(NOW, { ...part, 'If-Range': etag })).status).toBe(200)
    await expectProblem(await api.get(NOW, { ...part, 'If-Match': etag }), 412, 'chains_changed')
    expect((await api.get(NOW, { ...part, 'If-Range': 'Sun, 29 Nov 2026 12:00:00 GMT' })).status).toBe(200)
    expect((await api.get(NOW, { ...part, 'If-Range': `W/${etag}` })).status).toBe(200)
  })

  test('of the present needs no condition when the run was not written for a minute, until something changes', async () => {
    const { api, run } = await quietRun([3])
    const bytes = await whole(api, NOW)
    const part = { Range: 'bytes=10-19' }
    const answer = await api.get(NOW, part)
    expect(answer.status).toBe(206)
    expect(await bytesOf(answer)).toEqual(bytes.subarray(10, 20))
    await run.setAbout({ facts: { samplingTime: 3 } })
    expect((await api.get(NOW, part)).status).toBe(200)
    vi.setSystemTime(Date.now() + 2 * MINUTES)
    expect((await api.get(NOW, part)).status).toBe(206)
    await grow(run, 0, 3, 1)
    expect((await api.get(NOW, part)).status).toBe(200)
  })

  test('asked for by HEAD is the whole', async () => {
    const { api } = await newRun([3])
    const answer = await api.request('HEAD', at('0:3'), { headers: { Range: 'bytes=0-1' } })
    expect(answer.status).toBe(200)
    expect(Number(answer.headers.get('Content-Length'))).toBeGreaterThan(1000)
  })
})

describe('conditions and moments', () => {
  test('what is unchanged is 304', async () => {
    const { api } = await newRun([3])
    const etag = await etagOf(api, NOW)
    expect((await api.get(NOW, { 'If-None-Match': etag })).status).toBe(304)
    expect((await api.get(at('0:3'), { 'If-None-Match': etag })).status).toBe(304)
    expect((await api.get(at('0:2'), { 'If-None-Match': etag })).status).toBe(200)
  })

  test('If-Match takes any ETag of a list, and *', async () => {
    const { api } = await newRun([3])
    const etag = await etagOf(api, NOW)
    expect((await api.get(NOW, { 'If-Match': `"x", ${etag}` })).status).toBe(200)
    expect((await api.get(NOW, { 'If-Match': '*' })).status).toBe(200)
    await expectProblem(await api.get(at('0:3'), { 'If-Match': '"x"' }), 412, 'chains_changed')
  })

  test('a moment of the past is what it was, and one to come is 404', async () => {
    const { api, run } = await newRun([3, 3])
    const bytes = await whole(api, at('0:3,1:3'))
    await grow(run, 0, 3, 10)
    expect(await whole(api, at('0:3,1:3'))).toEqual(bytes)
    expect(valuesOf(await whole(api, at('0:13')), 'posterior/mu')[0]?.shape).toEqual([1, 13])
    await expectProblem(await api.get(at('0:3,1:4')), 404, 'not_found')
    await expectProblem(await api.get(at('0:3,7:1')), 404, 'chain_not_found')
  })

  test('what is no moment is 400, and never a defect', async () => {
    const { api } = await newRun([3])
    const odd = fc
      .string({ unit: fc.constantFrom(...'0123456789:,-+ .e%'), minLength: 1, maxLength: 30 })
      .filter((lengths) => !/^\.+$/.test(lengths))
    await fc.assert(
      fc.asyncProperty(odd, fc.string({ maxLength: 20 }), async (lengths, header) => {
        const path = at(encodeURIComponent(lengths))
        const answer = await api.get(path, { Range: `bytes=${header.replaceAll(/[^ -~]/g, '')}` })
        expect([200, 206, 400, 404, 416]).toContain(answer.status)
        if (!/^\d+:\d+(,\d+:\d+)*$/.test(lengths)) expect(answer.status).toBe(400)
        await answer.body?.cancel()
      }),
      { numRuns: 200 },
    )
  })

  test('a run that was replaced is 412', async () => {
    const { api } = await newRun([3])
    await expectProblem(await api.get(NOW, { 'Mcb-Registration': 'other' }), 412, 'run_replaced')
    await expectProblem(await api.get('/v1/runs/none/data.nc'), 404, 'run_not_found')
  })
})

test('a failure in the middle breaks the answer off', async () => {
  let isBroken = false
  class Failing extends MemoryStore {
    override read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
      if (isBroken && chain === 1) return Promise.reject(new Error('the disk is gone'))
      return super.read(registration, chain, question, cursor)
    }
  }
  const store = new Failing()
  const run = await new StoreBackend(store).initRun({
    rid: 'r',
    variables: [{ name: 'x', dtype: 'float64', shape: [100_000] }],
  })
  for (const chain of [0, 1]) {
    const x: Draws = { dtype: 'float64', shape: [4, 100_000], data: new Float64Array(400_000) }
    await (await run.initChain(chain)).appendBatch({ start: 0, count: 4, draws: new Map([['x', x]]), stats: new Map() })
  }
  const { api } = newApp({ store })
  expect((await api.request('HEAD', NOW)).status).toBe(200)
  isBroken = true
  const answer = await api.get(NOW)
  expect(answer.status).toBe(200)
  await expect(answer.arrayBuffer()).rejects.toThrow()
})
