/** Draws as tables over HTTP (docs/protocol.md §11). */
import { tableFromIPC } from '@uwdata/flechette'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeNdArray } from '../../src/core/draws/ndarray.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { readCsv } from '../support/csv.ts'
import { type Api, bytesOf, column, drawBatch, expectCommonHeaders, expectProblem, newApp, runMeta } from './api.ts'

const CSV = '/v1/runs/r/draws.csv'
const ARROW = '/v1/runs/r/draws.arrows'
const IDS = ['.chain', '.iteration', '.draw']
const TEXTS = ['plain', '1', '', 'a,"b"', 'é\r\n漢', 'NA']
const indices = (count: number) => Array.from({ length: count }, (_, i) => i)
const bytes = ({ buffer }: { readonly buffer: ArrayBuffer }) => new Uint8Array(buffer)

const META: mcbackend.RunMeta.$Properties = {
  variables: [
    { name: 'mu', dtype: 'float64' },
    { name: 'theta', dtype: 'float64', shape: [3], dims: ['school'] },
    { name: 'L', dtype: 'float32', shape: [2, 2] },
    { name: 'k', dtype: 'int64' },
    { name: 'n', dtype: 'uint8' },
    { name: 'flag', dtype: 'bool', shape: [2] },
    { name: 'text', dtype: 'str' },
    { name: 'texts', dtype: 'str', shape: [2] },
    { name: '__proto__', dtype: 'float64' },
    { name: 'rag,ged', dtype: 'float64', shape: [-1] },
    { name: 'none', dtype: 'float64', shape: [0, 3] },
  ],
  sampleStats: [
    { name: 'tune', dtype: 'bool' },
    { name: 'mu', dtype: 'float32' },
  ],
  coordinates: [{ name: 'school', values: encodeNdArray({ dtype: 'str', shape: [3], data: ['A, "a"', 'B', 'B'] }) }],
}
const K = 2n ** 53n

/** Draw i of a chain, scalar by scalar. */
function rowAt(chain: number, i: number) {
  const x = i === 3 ? Number.NaN : i === 4 ? Number.POSITIVE_INFINITY : i === 5 ? -0 : Math.sin(i + chain) * 3
  return {
    mu: x,
    theta: [x, i, x * 1e-9],
    L: [0.1, x, i, -1].map(Math.fround),
    k: K + BigInt(i),
    n: i % 256,
    flag: [i % 2, 1],
    text: TEXTS[i % TEXTS.length] ?? '',
    texts: ['p'.repeat(i % 5), '"'],
    proto: i / 4,
  }
}

function batchOf(chain: number, start: number, count: number, warmup: number) {
  const rows = indices(count).map((i) => rowAt(chain, start + i))
  return drawBatch({
    start,
    count,
    draws: [
      column('mu', ...rows.map(({ mu }) => mu)),
      column('theta', ...rows.flatMap(({ theta }) => theta)),
      { name: 'L', dtype: 'float32', data: bytes(Float32Array.from(rows.flatMap(({ L }) => L))) },
      { name: 'k', dtype: 'int64', data: bytes(BigInt64Array.from(rows, ({ k }) => k)) },
      { name: 'n', dtype: 'uint8', data: Uint8Array.from(rows, ({ n }) => n) },
      { name: 'flag', dtype: 'bool', data: Uint8Array.from(rows.flatMap(({ flag }) => flag)) },
      { name: 'text', dtype: 'str', strings: rows.map(({ text }) => text) },
      { name: 'texts', dtype: 'str', strings: rows.flatMap(({ texts }) => texts) },
      column('__proto__', ...rows.map(({ proto }) => proto)),
      { name: 'rag,ged', dtype: 'float64', shapes: rows.flatMap(() => [1, 0]) },
      { name: 'none', dtype: 'float64' },
    ],
    stats: [
      { name: 'tune', dtype: 'bool', data: Uint8Array.from(rows, (_, i) => (start + i < warmup ? 1 : 0)) },
      { name: 'mu', dtype: 'float32', data: bytes(Float32Array.from(rows, ({ mu }) => mu)) },
    ],
  })
}

/** A run whose chains have these lengths, with `warmup` draws of warmup each, appended seven at a time. */
async function newRun(lengths: Readonly<Record<number, number>>, warmup = 0): Promise<Api> {
  const { api } = newApp()
  await api.request('PUT', '/v1/runs/r', { body: runMeta(META) })
  for (const [chain, length] of Object.entries(lengths)) {
    const path = `/v1/runs/r/chains/${chain}`
    await api.request('PUT', path)
    for (let start = 0; start < length; start += 7) {
      const body = batchOf(Number(chain), start, Math.min(7, length - start), warmup)
      expect((await api.request('POST', `${path}/draws`, { body })).status).toBe(200)
    }
  }
  return api
}

async function csvOf(api: Api, query = ''): Promise<string[][]> {
  const response = await api.get(`${CSV}${query}`)
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(200)
  expectCommonHeaders(response)
  expect(response.headers.get('Content-Type')).toBe('text/csv; charset=utf-8')
  return readCsv(await response.text())
}

async function arrowOf(api: Api, query = '') {
  const response = await api.get(`${ARROW}${query}`)
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('application/vnd.apache.arrow.stream')
  return tableFromIPC(await bytesOf(response), { useBigInt: true })
}

const float = (x: number) =>
  Number.isNaN(x)
    ? 'NaN'
    : x === Number.POSITIVE_INFINITY
      ? 'inf'
      : Object.is(x, -0)
        ? '-0.0'
        : /^-?\d+$/.test(String(x))
          ? `${x}.0`
          : String(x)
/** A value that Arrow has as CSV has it. */
function cellOf(value: unknown, isInteger: boolean): string {
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE'
  return typeof value === 'number' && !isInteger ? float(value) : String(value)
}
/** The float32 that a text stands for. */
const single = (text: string | undefined) => Math.fround(Number(text?.replace('inf', 'Infinity')))

describe('a table', () => {
  test('has all chains in full, a column a scalar, and every dtype', async () => {
    const api = await newRun({ 0: 9, 1: 0, 4: 5 })
    const [names, ...rows] = await csvOf(api)
    const scalars = ['mu', 'theta[1]', 'theta[2]', 'theta[3]', 'L[1,1]', 'L[1,2]', 'L[2,1]', 'L[2,2]', 'k', 'n']
    expect(names).toEqual([...IDS, ...scalars, 'flag[1]', 'flag[2]', 'text', 'texts[1]', 'texts[2]', '__proto__'])
    const places = [...indices(9).map((i) => [0, i]), ...indices(5).map((i) => [4, i])]
    expect(rows).toHaveLength(places.length)
    for (const [draw, [chain = 0, i = 0]] of places.entries()) {
      const [a, b, c, mu, t1, t2, t3, l1, l2, l3, l4, ...rest] = rows[draw] ?? []
      const row = rowAt(chain, i)
      expect([a, b, c]).toEqual([chain + 1, i + 1, draw + 1].map(String))
      expect([mu, t1, t2, t3]).toEqual([row.mu, ...row.theta].map(float))
      expect([l1, l3, l4]).toEqual(['0.1', `${i}.0`, '-1.0'])
      expect(single(l2)).toBe(row.L[1])
      const flags = row.flag.map((flag) => (flag === 1 ? 'TRUE' : 'FALSE'))
      expect(rest).toEqual([String(row.k), String(row.n), ...flags, row.text, ...row.texts, float(row.proto)])
    }
  })

  test('is the same in Arrow, with the dtypes', async () => {
    const api = await newRun({ 0: 9, 1: 0, 4: 5 })
    const table = await arrowOf(api)
    const [names, ...rows] = await csvOf(api)
    expect(table.names).toEqual(names)
    const types = table.schema.fields.map(({ type }) => String(type.typeId) + ('bitWidth' in type ? type.bitWidth : ''))
    expect(types.slice(0, 3)).toEqual(['264', '264', '264'])
    expect(table.numRows).toBe(rows.length)
    for (const [position, name] of table.names.entries()) {
      const values = [...(table.getChildAt(position) ?? [])]
      const cells = rows.map((row) => row[position])
      if (String(name).startsWith('L[')) expect(values).toEqual(cells.map(single))
      else expect(values.map((value) => cellOf(value, name === 'n'))).toEqual(cells)
    }
  })

  test('names elements by labels, and each column otherwise', async () => {
    const api = await newRun({ 0: 1 })
    const query = '?names=label&var=theta&stat=mu&var=mu&var=L&stat=tune'
    const [names, row] = await csvOf(api, query)
    const theta = ['theta[A, "a"]', 'theta[B]', 'theta[B].3']
    const all = [...IDS, ...theta, 'mu', 'L[0,0]', 'L[0,1]', 'L[1,0]', 'L[1,1]', 'mu.1', 'tune']
    expect(names).toEqual(all)
    expect(row?.at(-1)).toBe('FALSE')
    expect((await arrowOf(api, query)).names).toEqual(all)
  })

  test('leaves ragged variables out and says so, and refuses them by name', async () => {
    const api = await newRun({ 0: 1 })
    expect((await api.get(CSV)).headers.get('Mcb-Left-Out')).toBe('rag%2Cged')
    expect((await api.get(`${CSV}?var=mu`)).headers.has('Mcb-Left-Out')).toBe(false)
    for (const path of [CSV, ARROW]) {
      const { detail } = await expectProblem(await api.get(`${path}?var=rag,ged`), 400, 'invalid_parameter')
      expect(detail).toContain('/draws')
    }
  })

  test.each([
    ['', [4, 5, 6, 7, 8, 9], [4, 5]],
    ['warmup=include', indices(10), indices(6)],
    ['warmup=only', indices(4), indices(4)],
    ['step=2', [4, 6, 8], [4]],
    ['start=-2', [8, 9], [4, 5]],
    ['start=1&stop=6&step=3', [5, 8], [5]],
    ['chain=1&start=1', [], [5]],
    ['step=99999999999999999999', [4], [4]],
    ['start=100', [], []],
  ])('filtered by "%s"', async (query, first, second) => {
    const api = await newRun({ 0: 10, 1: 6 }, 4)
    const [names, ...rows] = await csvOf(api, `?var=n&${query}`)
    expect(names).toEqual([...IDS, 'n'])
    const begin = query.startsWith('warmup') ? 0 : 4
    const expected = [first, second].flatMap((draws, chain) => draws.map((i) => [chain + 1, i - begin + 1, i]))
    expect(rows).toEqual(expected.map(([c, i, n], draw) => [c, i, draw + 1, n].map(String)))
    const table = await arrowOf(api, `?var=n&${query}`)
    expect([...(table.getChild('n') ?? [])]).toEqual([...first, ...second])
    expect([...(table.getChild('.iteration') ?? [])].map(String)).toEqual(rows.map(([, iteration]) => iteration))
  })

  test('has chains in the order asked for', async () => {
    const api = await newRun({ 0: 2, 1: 1 })
    expect((await csvOf(api, '?var=n&chain=1&chain=0&chain=1')).slice(1).map(([chain]) => chain)).toEqual([
      '2',
      '1',
      '1',
    ])
  })

  test('is compressed in CSV for those who ask', async () => {
    const api = await newRun({ 0: 300 })
    const response = await api.get(CSV, { 'Accept-Encoding': 'gzip' })
    expect(response.headers.get('Content-Encoding')).toBe('gzip')
    const stream = response.body?.pipeThrough(new DecompressionStream('gzip'))
    expect(await new Response(stream).text()).toBe(await (await api.get(CSV)).text())
  })

  test.each([CSV, ARROW])('%s: HEAD, ETag and 304', async (path) => {
    const api = await newRun({ 0: 6 }, 2)
    const head = await api.request('HEAD', path)
    const etag = head.headers.get('ETag') ?? ''
    expect([head.status, head.headers.has('Content-Length'), await head.text()]).toEqual([200, false, ''])
    const got = await api.get(path)
    expect(got.headers.get('ETag')).toBe(etag)
    expect(got.headers.get('Content-Disposition')).toBe(`attachment; filename="r.${path.split('.').at(-1)}"`)
    const unchanged = await api.get(path, { 'If-None-Match': etag })
    expect([unchanged.status, unchanged.headers.get('ETag')]).toEqual([304, etag])
    for (const query of ['var=mu', 'names=label', 'warmup=only', 'step=2', 'start=1', 'chain=0&var=k']) {
      expect((await api.get(`${path}?${query}`, { 'If-None-Match': etag })).status, query).toBe(200)
    }
    expect((await api.request('POST', '/v1/runs/r/chains/0/draws', { body: batchOf(0, 6, 1, 2) })).status).toBe(200)
    expect((await api.get(path, { 'If-None-Match': etag })).status).toBe(200)
  })

  test.each([
    ['?var=nobody', 404, 'unknown_variable'],
    ['?stat=theta', 404, 'unknown_variable'],
    ['?chain=7', 404, 'chain_not_found'],
    ['?chain=01', 400, 'invalid_parameter'],
    ['?names=both', 400, 'invalid_parameter'],
    ['?names=index&names=label', 400, 'invalid_parameter'],
    ['?warmup=yes', 400, 'invalid_parameter'],
    ['?step=0', 400, 'invalid_slice'],
    ['?step=-1', 400, 'invalid_slice'],
    ['?start=x', 400, 'invalid_slice'],
    ['?vars=mu', 400, 'invalid_parameter'],
    ['?elem=0&var=theta', 400, 'invalid_parameter'],
  ])('%s is %d %s', async (query, status, code) => {
    const api = await newRun({ 0: 1 })
    for (const path of [CSV, ARROW]) {
      await expectProblem(await api.get(`${path}${query}`), status, code)
      expect((await api.request('HEAD', `${path}${query}`)).status).toBe(status)
    }
  })

  test('has as many columns as are taken, and then is refused', async () => {
    const { api } = newApp()
    const variables = [{ name: 'x', dtype: 'bool', shape: [2 ** 20 + 1] }]
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
    expect(await expectProblem(await api.get(CSV), 413, 'payload_too_large')).toMatchObject({ limit: 2 ** 20 })
    expect(await expectProblem(await api.get(ARROW), 413, 'payload_too_large')).toMatchObject({ limit: 2 ** 15 })
  })
})

test('rows that are larger than a window, and 12,000 variables', async () => {
  const { api } = newApp({ limits: { columns: 20_000 } })
  const wide = 200_000
  const variables = [
    { name: 'wide', dtype: 'float64', shape: [wide] },
    { name: 'long', dtype: 'str' },
    ...indices(12_000).map((i) => ({ name: `v${i}`, dtype: 'int32' })),
  ]
  await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
  await api.request('PUT', '/v1/runs/r/chains/0')
  const long = '"'.repeat(400_000)
  const body = drawBatch({
    count: 2,
    draws: [
      { name: 'wide', dtype: 'float64', data: bytes(Float64Array.from(indices(2 * wide), (i) => i / 8)) },
      { name: 'long', dtype: 'str', strings: ['short', long] },
      ...indices(12_000).map((i) => ({ name: `v${i}`, dtype: 'int32', data: bytes(Int32Array.of(i, -i)) })),
    ],
  })
  expect((await api.request('POST', '/v1/runs/r/chains/0/draws', { body })).status).toBe(200)
  const text = await (await api.get(CSV)).text()
  const [names, ...rows] = text
    .replace(`"${long.repeat(2)}"`, 'LONG')
    .split('\n')
    .map((line) => line.split(','))
  expect(names?.slice(0, 5)).toEqual([...IDS, 'wide[1]', 'wide[2]'])
  expect(names?.length).toBe(3 + wide + 1 + 12_000)
  for (const [row, cells] of rows.slice(0, 2).entries()) {
    expect(cells.length).toBe(names?.length)
    expect(cells[3 + wide]).toBe(['"short"', 'LONG'][row])
    expect(cells.slice(3, 3 + wide).map(Number)).toEqual(indices(wide).map((i) => (row * wide + i) / 8))
    expect(cells.slice(4 + wide).map(Number)).toEqual(indices(12_000).map((i) => (row === 0 ? i : 0 - i)))
  }
  const table = await arrowOf(
    api,
    `?var=long&${indices(12_000)
      .map((i) => `var=v${i}`)
      .join('&')}`,
  )
  expect([...(table.getChild('long') ?? [])]).toEqual(['short', long])
  expect([...(table.getChild('v11999') ?? [])]).toEqual([11_999, -11_999])
})

test('texts and names come back from CSV and Arrow, whatever they hold', async () => {
  const texts = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 8 })
  const names = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), {
    minLength: 1,
    maxLength: 4,
  })
  await fc.assert(
    fc.asyncProperty(names, texts, async (given, strings) => {
      const { api } = newApp()
      const variables = given.map((name) => ({ name, dtype: 'str' }))
      await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
      await api.request('PUT', '/v1/runs/r/chains/0')
      const draws = variables.map((variable) => ({ ...variable, strings }))
      const body = drawBatch({ count: strings.length, draws })
      expect((await api.request('POST', '/v1/runs/r/chains/0/draws', { body })).status).toBe(200)
      const [head, ...rows] = readCsv(await (await api.get(CSV)).text())
      expect(new Set(head).size).toBe(3 + given.length)
      expect(head?.slice(3).map((name, i) => (IDS.includes(given[i] ?? '') ? given[i] : name))).toEqual(given)
      expect(rows.map((row) => row.slice(3))).toEqual(strings.map((text) => given.map(() => text)))
      const table = await arrowOf(api)
      expect(table.names).toEqual(head)
      for (const i of given.keys()) expect([...(table.getChildAt(3 + i) ?? [])]).toEqual(strings)
    }),
    { numRuns: 50 },
  )
})

describe('a summary as a table', () => {
  test('is the same by its address as by Accept, with a link to the next page', async () => {
    const api = await newRun({ 0: 20, 1: 20 })
    const query = '?var=theta&var=L&limit=3'
    const csv = await api.get(`/v1/runs/r/summary.csv${query}`)
    expect(csv.headers.get('Content-Type')).toBe('text/csv; charset=utf-8')
    expect(csv.headers.get('Link')).toMatch(
      /^<\/v1\/runs\/r\/summary\.csv\?var=theta&var=L&limit=3&cursor=\S+>; rel="next"$/,
    )
    const text = await csv.text()
    expect(text).toBe(await (await api.get(`/v1/runs/r/summary${query}`, { Accept: 'text/csv' })).text())
    const arrow = await api.get(`/v1/runs/r/summary${query}`, { Accept: 'application/vnd.apache.arrow.stream' })
    const table = tableFromIPC(await bytesOf(arrow))
    const [names = [], ...rows] = readCsv(text)
    expect(table.names).toEqual(names)
    expect(arrow.headers.get('Link')).toContain('/v1/runs/r/summary?')
    for (const [position] of names.entries()) {
      const values = [...(table.getChildAt(position) ?? [])].map((value) => (value === null ? '' : String(value)))
      expect(values).toEqual(rows.map((row) => row[position]))
    }
    const same = await api.get(`/v1/runs/r/summary.arrows${query}`)
    expect(tableFromIPC(await bytesOf(same)).toArray()).toEqual(table.toArray())
    const head = await api.request('HEAD', '/v1/runs/r/summary.arrows')
    expect([head.status, head.headers.has('Content-Length')]).toEqual([200, false])
  })
})
