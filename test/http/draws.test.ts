/** Draws over HTTP: the append table, reads of slices and columns, JSON, and what an ETag saves. */
import { describe, expect, test } from 'vitest'
import table from '../../conformance/golden/files/slices.json' with { type: 'json' }
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Store } from '../../src/core/store.ts'
import { goldenBatch, goldenBytes } from '../core/golden.ts'
import {
  batchOf,
  bytesOf,
  column,
  DRAWS,
  drawBatch,
  expectProblem,
  float64,
  iterations,
  JSON_TYPE,
  jsonOf,
  newApp,
  PROTOBUF,
  runMeta,
  withDraws,
} from './api.ts'

const doubles = (bytes: Uint8Array) => [...new Float64Array(new Uint8Array(bytes).buffer)]
const append = (start: number, count: number, change = {}) => ({ body: drawBatch(iterations(start, count, change)) })

describe('appending', () => {
  test.each([
    ['s = L', append(10, 2), 200, { chain: 0, length: 12 }],
    ['s = 0, s + n = L', append(0, 10), 200, { chain: 0, length: 10 }],
    ['s + n < L', append(3, 4), 200, { chain: 0, length: 10 }],
    ['s < L < s + n', append(7, 9), 200, { chain: 0, length: 16 }],
    [
      's + n ≤ L, other content',
      append(3, 1, { draws: iterations(4, 1).draws }),
      409,
      { code: 'draw_conflict', length: 10 },
    ],
    [
      's < L < s + n, other content',
      append(9, 2, { draws: iterations(8, 2).draws }),
      409,
      { code: 'draw_conflict', length: 10 },
    ],
    ['s > L', append(11, 1), 409, { code: 'draw_gap', length: 10 }],
    ['n = 0', append(10, 1, { count: 0 }), 400, { code: 'empty_batch' }],
  ])('%s', async (_what, request, status, answer) => {
    const { api } = newApp()
    await withDraws(api, 10)
    const response = await api.request('POST', DRAWS, request)
    expect([response.status, await jsonOf(response)]).toEqual([
      status,
      status === 200 ? answer : expect.objectContaining(answer),
    ])
    const length = status === 200 && 'length' in answer ? answer.length : 10
    const { count, draws } = await batchOf(await api.get(`${DRAWS}?var=x`))
    expect(count).toBe(length)
    expect(doubles(draws[0]?.data ?? new Uint8Array())).toEqual(Array.from({ length }, (_, i) => i))
    // The answer was lost: the same again is the same.
    if (status === 200) expect(await jsonOf(await api.request('POST', DRAWS, request))).toEqual({ chain: 0, length })
  })

  test('messages of the official runtime, in every form that a parser must take', async () => {
    const meta = {
      variables: [
        { name: 'ragged', dtype: 'int16', shape: [-1] },
        { name: 'words', dtype: 'str', undefinedNdim: true },
      ],
      sampleStats: [
        { name: 'lp', dtype: 'float64' },
        { name: 'tune', dtype: 'bool' },
      ],
    }
    const { start, draws, stats } = goldenBatch('small')
    for (const form of [
      'small-explicit-defaults',
      'small',
      'small-unpacked',
      'small-reordered',
      'small-split-shapes',
      'small-last-value-wins',
      'small-unknown-fields',
      'small-overlong-varints',
    ]) {
      const { api } = newApp()
      expect(start).toBe('300')
      await api.request('PUT', '/v1/runs/r', { body: runMeta(meta) })
      await api.request('PUT', '/v1/runs/r/chains/0')
      // Singular fields at the end override what the golden files have: start 0, and no step.
      const body = new Uint8Array([...goldenBytes(`draws/${form}`), 0x08, 0, 0x28, 0])
      expect(await jsonOf(await api.request('POST', DRAWS, { body })), form).toEqual({ chain: 0, length: 3 })
      const read = await batchOf(await api.get(DRAWS))
      const columns = (given: typeof read.draws) =>
        given.map((c) => ({
          name: c.name,
          dtype: c.dtype,
          data: Buffer.from(c.data ?? []).toString('hex'),
          shapes: c.shapes ?? [],
          strings: c.strings ?? [],
        }))
      expect(columns(read.draws)).toEqual(draws)
      expect(columns(read.stats)).toEqual(stats)
    }
  })

  test('columns of one name among variables and stats are two', async () => {
    const { api } = newApp()
    const x = [{ name: 'x', dtype: 'float64' }]
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: x, sampleStats: x }) })
    await api.request('PUT', '/v1/runs/r/chains/0')
    await api.request('POST', DRAWS, {
      body: drawBatch({ count: 1, draws: [column('x', 1)], stats: [column('x', 2)] }),
    })
    const both = await batchOf(await api.get(`${DRAWS}?stat=x&var=x`))
    expect([both.draws.length, both.stats.length]).toEqual([1, 1])
    expect(doubles(both.stats[0]?.data ?? new Uint8Array())).toEqual([2])
    expect((await batchOf(await api.get(`${DRAWS}?var=x`))).stats).toEqual([])
  })
})

describe('reading', () => {
  const names = (columns: readonly { name?: string | null }[]) => columns.map(({ name }) => name)

  test.each([
    ['', ['x', 'k', 's'], ['lp']],
    ['var=s&var=x', ['s', 'x'], []],
    ['var=x&var=s&var=x', ['x', 's'], []],
    ['stat=lp', [], ['lp']],
    ['stat=lp&var=k&stat=lp', ['k'], ['lp']],
    ['start=1&nothing=2&__proto__=3', ['x', 'k', 's'], ['lp']],
  ])('columns: "%s"', async (query, draws, stats) => {
    const { api } = newApp()
    await withDraws(api, 4)
    const read = await batchOf(await api.get(`${DRAWS}?${query}`))
    expect([names(read.draws), names(read.stats)]).toEqual([draws, stats])
    const json = await jsonOf(await api.get(`${DRAWS}?${query}`, { Accept: JSON_TYPE }))
    expect([Object.keys(json.draws), Object.keys(json.stats)]).toEqual([draws, stats])
  })

  test('names in the query are any', async () => {
    const { api } = newApp()
    const hostile = ['a/b', 'μ', 'log prior', '__proto__', 'a+b', 'a&b=c', '%', '#', "x'; DROP TABLE runs", '\u0000']
    const { HOSTILE_NAMES } = await import('../conformance/names.ts')
    const all = [...new Set([...hostile, ...HOSTILE_NAMES])]
    await api.request('PUT', '/v1/runs/r', {
      body: runMeta({ variables: all.map((name) => ({ name, dtype: 'float64' })) }),
    })
    await api.request('PUT', '/v1/runs/r/chains/0')
    await api.request('POST', DRAWS, { body: drawBatch({ count: 1, draws: all.map((name, i) => column(name, i)) }) })
    for (const [i, name] of all.entries()) {
      const read = await batchOf(await api.get(`${DRAWS}?var=${encodeURIComponent(name)}`))
      expect([names(read.draws), doubles(read.draws[0]?.data ?? new Uint8Array())]).toEqual([[name], [i]])
    }
    const json = await jsonOf(await api.get(DRAWS, { Accept: JSON_TYPE }))
    expect(Object.keys(json.draws).sort()).toEqual([...all].sort())
  })

  test('slices, as Python answers', async () => {
    const { api } = newApp()
    await withDraws(api, 20)
    const rows = table.rows.filter((row) => row[0] === 20)
    expect(rows.length).toBeGreaterThan(3)
    const three = table.rows.filter((row) => row[0] === 3)
    const small = newApp().api
    await withDraws(small, 3)
    for (const [length, start, stop, step, first, count, clamped] of [...rows, ...three]) {
      const query = [
        ['start', start],
        ['stop', stop],
        ['step', step],
      ]
        .flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`]))
        .join('&')
      const read = await batchOf(await (length === 20 ? api : small).get(`${DRAWS}?var=x&${query}`))
      expect({ query, start: Number(read.start), count: read.count, step: String(read.step) }).toEqual({
        query,
        start: first,
        count,
        step: clamped,
      })
      const values = Array.from({ length: Number(count) }, (_, i) => Number(first) + i * Number(clamped))
      expect(doubles(read.draws[0]?.data ?? new Uint8Array())).toEqual(values)
    }
  })

  test('integers of any size', async () => {
    const { api } = newApp()
    await withDraws(api, 3)
    const huge = '9'.repeat(2000)
    const read = await batchOf(await api.get(`${DRAWS}?var=x&start=-${huge}&stop=${huge}&step=${huge}`))
    expect([read.count, String(read.step)]).toEqual([1, String(2n ** 63n - 1n)])
    const json = await jsonOf(await api.get(`${DRAWS}?var=x&step=-${huge}`, { Accept: JSON_TYPE }))
    expect(json).toMatchObject({ start: 2, count: 1, step: String(-(2n ** 63n) + 1n) })
  })

  test('an empty answer has its columns, and start 0', async () => {
    const { api } = newApp()
    await withDraws(api, 5)
    const read = await batchOf(await api.get(`${DRAWS}?start=3&stop=2&step=2`))
    expect([Number(read.start), read.count, Number(read.step)]).toEqual([0, 0, 2])
    expect(read.draws.map(({ name, dtype }) => [name, dtype])).toEqual([
      ['x', 'float64'],
      ['k', 'int16'],
      ['s', 'str'],
    ])
    for (const each of [...read.draws, ...read.stats])
      expect([each.data?.length ?? 0, each.shapes?.length ?? 0, each.strings?.length ?? 0]).toEqual([0, 0, 0])
  })

  test('JSON for people', async () => {
    const { api } = newApp()
    const variables = [
      { name: 'theta', dtype: 'float64', shape: [2] },
      { name: 'n', dtype: 'int64' },
      { name: 'u', dtype: 'uint64', shape: [1] },
      { name: 'f', dtype: 'float32' },
      { name: 'b', dtype: 'bool', shape: [2] },
      { name: 's', dtype: 'str' },
      { name: 'any', dtype: 'int8', undefinedNdim: true },
    ]
    await api.request('PUT', '/v1/runs/r', {
      body: runMeta({
        variables,
        sampleStats: [
          { name: 'lp', dtype: 'float64' },
          { name: 'absent', dtype: 'float32' },
        ],
      }),
    })
    await api.request('PUT', '/v1/runs/r/chains/0')
    const raw = (array: Uint8Array | BigInt64Array | BigUint64Array | Float32Array) => new Uint8Array(array.buffer)
    const draws = [
      { name: 'theta', dtype: 'float64', data: float64(1, Number.NaN, Number.POSITIVE_INFINITY, -0) },
      { name: 'n', dtype: 'int64', data: raw(new BigInt64Array([2n ** 53n, -(2n ** 53n) - 1n])) },
      { name: 'u', dtype: 'uint64', data: raw(new BigUint64Array([7n, 2n ** 64n - 1n])) },
      { name: 'f', dtype: 'float32', data: raw(new Float32Array([0.5, Number.NEGATIVE_INFINITY])) },
      { name: 'b', dtype: 'bool', data: new Uint8Array([1, 0, 0, 1]) },
      { name: 's', dtype: 'str', strings: ['', '"\n😀'] },
      { name: 'any', dtype: 'int8', data: new Uint8Array([255, 1, 2]), shapes: [0, 2, 1, 2] },
    ]
    expect(
      (await api.request('POST', DRAWS, { body: drawBatch({ count: 2, draws, stats: [column('lp', -1.5, -1.4)] }) }))
        .status,
    ).toBe(200)
    const text = await (await api.get(DRAWS, { Accept: JSON_TYPE })).text()
    expect(JSON.parse(text)).toEqual({
      start: 0,
      count: 2,
      step: 1,
      draws: {
        theta: [
          [1, 'NaN'],
          ['Infinity', -0],
        ],
        n: [2 ** 53, '-9007199254740993'],
        u: [[7], ['18446744073709551615']],
        f: [0.5, '-Infinity'],
        b: [
          [true, false],
          [false, true],
        ],
        s: ['', '"\n😀'],
        any: [-1, [[1, 2]]],
      },
      stats: { lp: [-1.5, -1.4], absent: ['NaN', 'NaN'] },
    })
    expect(text.startsWith('{"start":0,"count":2,"step":1,"draws":{"theta":[[1,"NaN"],')).toBe(true)
  })
})

describe('ETags', () => {
  /** Counts the draws that are asked of the storage. */
  function counting(): { store: Store; reads: () => number } {
    const store = new MemoryStore()
    const { read } = store
    let reads = 0
    store.read = (...args) => {
      reads++
      return read.apply(store, args)
    }
    return { store, reads: () => reads }
  }

  test('HEAD reads no draw, and tells the length where no draw is needed for it', async () => {
    const { store, reads } = counting()
    const { api } = newApp({ store })
    const variables = [
      { name: 'k', dtype: 'int32' },
      { name: 's', dtype: 'str' },
    ]
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
    await api.request('PUT', '/v1/runs/r/chains/0')
    const draws = [
      { name: 'k', dtype: 'int32', data: new Uint8Array(8) },
      { name: 's', dtype: 'str', strings: ['a', 'bc'] },
    ]
    await api.request('POST', DRAWS, { body: drawBatch({ start: 0, count: 2, draws }) })
    const lengths: (string | null)[] = []
    for (const path of [`${DRAWS}?var=k`, DRAWS, `${DRAWS}?start=2`]) {
      const before = reads()
      const head = await api.request('HEAD', path)
      expect([head.status, reads()]).toEqual([200, before])
      const length = head.headers.get('Content-Length')
      lengths.push(length)
      const got = await api.get(path)
      if (length !== null) expect(got.headers.get('Content-Length')).toBe(length)
      expect(got.headers.get('ETag')).toBe(head.headers.get('ETag'))
      await got.arrayBuffer()
    }
    expect(lengths.map((length) => length === null)).toEqual([false, true, false])
  })

  test('HEAD refuses lists of brackets that GET refuses', async () => {
    const { api } = newApp()
    const variables = [{ name: 'x', dtype: 'float64', shape: [600_000_000, 0] }]
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
    await api.request('PUT', '/v1/runs/r/chains/0')
    const body = drawBatch({ start: 0, count: 1, draws: [{ name: 'x', dtype: 'float64' }] })
    expect((await api.request('POST', DRAWS, { body })).status).toBe(200)
    const headers = { Accept: JSON_TYPE }
    await expectProblem(await api.get(DRAWS, headers), 413, 'payload_too_large')
    expect((await api.request('HEAD', DRAWS, { headers })).status).toBe(413)
  })

  test('an unchanged answer is 304, without a draw being read', async () => {
    const { store, reads } = counting()
    const { api } = newApp({ store })
    await withDraws(api, 10)
    for (const path of [`${DRAWS}?stop=5`, DRAWS, `${DRAWS}?var=k&start=-3`, `${DRAWS}?step=-1`]) {
      for (const accept of [PROTOBUF, JSON_TYPE]) {
        const etag = (await api.get(path, { Accept: accept })).headers.get('ETag') ?? ''
        const before = reads()
        for (const given of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
          const response = await api.get(path, { Accept: accept, 'If-None-Match': given })
          expect([response.status, await response.text(), response.headers.get('ETag')]).toEqual([304, '', etag])
          expect(response.headers.get('Cache-Control')).toBe('private, no-cache')
          expect(response.headers.get('Vary')).toBe('Accept, Authorization')
        }
        expect(reads()).toBe(before)
        expect((await api.get(path, { Accept: accept, 'If-None-Match': '"another"' })).status).toBe(200)
      }
    }
  })

  test('each answer has its own, and the same again has the same', async () => {
    const { api } = newApp()
    await withDraws(api, 10)
    await api.request('PUT', '/v1/runs/r/chains/1')
    await api.request('POST', '/v1/runs/r/chains/1/draws', { body: drawBatch(iterations(0, 10)) })
    const etagOf = async (path: string, accept = PROTOBUF) =>
      (await api.get(path, { Accept: accept })).headers.get('ETag')
    const different = [
      await etagOf(DRAWS),
      await etagOf(DRAWS, JSON_TYPE),
      await etagOf('/v1/runs/r/chains/1/draws'),
      await etagOf(`${DRAWS}?var=x`),
      await etagOf(`${DRAWS}?var=x&var=k`),
      await etagOf(`${DRAWS}?var=k&var=x`),
      await etagOf(`${DRAWS}?stat=lp`),
      await etagOf(`${DRAWS}?stop=9`),
      await etagOf(`${DRAWS}?start=1`),
      await etagOf(`${DRAWS}?step=2`),
      await etagOf(`${DRAWS}?step=-1`),
      await etagOf('/v1/runs/r'),
      await etagOf('/v1/runs/r', JSON_TYPE),
    ]
    expect(new Set(different).size).toBe(different.length)
    expect(await etagOf(`${DRAWS}?start=-5&stop=10`)).toBe(await etagOf(`${DRAWS}?start=5`))
    const prefix = await etagOf(`${DRAWS}?stop=10`)
    const whole = await etagOf(DRAWS)
    await api.request('POST', DRAWS, append(10, 1))
    expect(await etagOf(`${DRAWS}?stop=10`)).toBe(prefix)
    expect(await etagOf(DRAWS)).not.toBe(whole)
    await api.request('DELETE', '/v1/runs/r')
    await withDraws(api, 10)
    expect(await etagOf(`${DRAWS}?stop=10`)).not.toBe(prefix)
  })

  test('RunMeta too', async () => {
    const { api } = newApp()
    await withDraws(api, 0)
    for (const accept of [PROTOBUF, JSON_TYPE]) {
      const first = await api.get('/v1/runs/r', { Accept: accept })
      const etag = first.headers.get('ETag') ?? ''
      const again = await api.get('/v1/runs/r', { Accept: accept, 'If-None-Match': etag })
      expect([again.status, (await bytesOf(again)).length]).toEqual([304, 0])
      expect(again.headers.get('Mcb-Registration')).toBe(first.headers.get('Mcb-Registration'))
    }
    const other = await api.get('/v1/runs/r', { 'If-None-Match': '"x"' })
    expect(other.status).toBe(200)
  })

  test('a precondition that fails comes before 304', async () => {
    const { api } = newApp()
    await withDraws(api, 1)
    await expectProblem(
      await api.get(DRAWS, { 'If-None-Match': '*', 'Mcb-Registration': 'another' }),
      412,
      'run_replaced',
    )
    await expectProblem(await api.get(DRAWS, { 'If-None-Match': '*', Accept: 'text/html' }), 406, 'not_acceptable')
  })
})
