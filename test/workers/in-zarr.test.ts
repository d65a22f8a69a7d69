/** Zarr stores that are written to Workers: over run objects and over D1, by one isolate and by two, they become the run. */
import { env } from 'cloudflare:workers'
import { afterAll, expect, test } from 'vitest'
import * as zarr from 'zarrita'
import { writeBlosc } from '../../src/core/upload/blosc.ts'
import { type Api, apiOf, type Body, batchOf, bytesOf, expectProblem, jsonOf } from '../http/api.ts'
import { d1Only, fetchD1Worker, fetchWorker, openWorker } from './local.ts'
import { quiet } from './objects.ts'

const ORIGIN = 'http://worker.test'
const PLACES = [
  ['run objects', 'objects', apiOf(fetchWorker, ORIGIN), env],
  ['D1', 'd1', apiOf(fetchD1Worker, ORIGIN), d1Only],
] as const

afterAll(quiet)

const encoder = new TextEncoder()
const BLOCK = 160
const ROWS = { warmup_: 160, '': 400 }
/** Rows that each chain comes to: the second one is interrupted in its second block. */
const WRITTEN = [400, 200]
type Part = keyof typeof ROWS
const PARTS: readonly Part[] = ['warmup_', '']

/** `numpy.arange(160) / 8` as numcodecs 0.16 writes it: `Blosc(cname='zstd', clevel=5, shuffle=1)`. */
const EIGHTHS =
  'AgGRCAAFAAAABQAA0AAAABQAAAC4AAAAKLUv/WAABHUFADQJAACAQIDAIEBggKDA4MDQ2ODk6Ozw8vT2+Pr8/gABAgMEBQYHCAkKCwwNDg8QEBEREhIT' +
  'ExQUFRUWFhcXGBgZGRoaGxscHB0dHh4fHyAgICAhISEhIiIiIiMjIyMkJCQkJSUlJSYmJiYnJycnKCgoKCkpKSkqKioqKysrKywsLCwtLS0tLi4uLi8v' +
  'Ly8wMTIzAD9ACiAwgz0MSpDIMU66C8Cu3IvRSZPm8qwMFg=='

function json(value: object): Body {
  return new Uint8Array(encoder.encode(JSON.stringify(value)))
}

function group(attributes: object = {}): object {
  return { zarr_format: 3, node_type: 'group', attributes }
}

const NUTPIE = { sampler: 'nuts-rs', sampler_version: '0.18.3', sampler_settings: { num_draws: 400, num_tune: 160 } }

function array(type: string, shape: readonly number[], chunk: readonly number[], dims: readonly string[]): object {
  const isText = type === 'string'
  return {
    zarr_format: 3,
    node_type: 'array',
    shape,
    data_type: type,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunk } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: isText ? '' : type === 'bool' ? false : type.startsWith('float') ? 'NaN' : 0,
    codecs: isText
      ? [{ name: 'vlen-utf8' }]
      : [
          { name: 'bytes', configuration: { endian: 'little' } },
          ...(type === 'float32' ? [] : [{ name: 'blosc', configuration: {} }]),
        ],
    dimension_names: dims,
  }
}

function events(rows: number): object {
  return array('uint64', [2, rows], [1, BLOCK], ['chain', 'divergence'])
}

/** One request of a writer; without a body, a DELETE. */
interface Sent {
  readonly path: string
  readonly body?: Body
}

function documents(): Sent[] {
  const sent: [string, object][] = [['', group(NUTPIE)]]
  for (const part of PARTS) {
    const plain = (type: string) => array(type, [2, ROWS[part]], [1, BLOCK], ['chain', 'draw'])
    sent.push(
      [`${part}posterior/`, group()],
      [`${part}sample_stats/`, group()],
      [`${part}posterior/mu/`, plain('float64')],
      [`${part}posterior/theta/`, array('float32', [2, ROWS[part], 3], [1, BLOCK, 3], ['chain', 'draw', 'school'])],
      [`${part}sample_stats/n_steps/`, plain('int64')],
      [`${part}sample_stats/diverging/`, plain('bool')],
      [`${part}sample_stats/divergence_draw/`, events(ROWS[part])],
    )
  }
  sent.push(['posterior/school/', array('string', [3], [3], ['school'])])
  const all = sent.map(([node, document]) => ({ path: `${node}zarr.json`, body: json(document) }))
  const labels = {
    path: 'posterior/school/c/0',
    body: new Uint8Array([3, 0, 0, 0, 1, 0, 0, 0, 65, 1, 0, 0, 0, 66, 2, 0, 0, 0, 0xc3, 0xa9]),
  }
  // nutpie writes labels before their array.
  return [...all.slice(0, -1), labels, ...all.slice(-1)]
}

function mu(part: Part, chain: number, row: number): number {
  return (part === 'warmup_' ? 1000 : 0) + 100 * chain + row / 8
}

function diverges(part: Part, row: number): boolean {
  return part === '' && row >= 320 && row % 7 === 0
}

/** Chunks of a block of rows of a chain. */
function block(part: Part, chain: number, k: number): Sent[] {
  const rows = Array.from({ length: BLOCK }, (_, i) => k * BLOCK + i)
  const end = part === '' ? (WRITTEN[chain] ?? 0) : ROWS[part]
  const f64 = Float64Array.from(rows, (row) => (row < end ? mu(part, chain, row) : Number.NaN))
  const f32 = Float32Array.from(rows.flatMap((row) => [0, 1, 2].map((i) => (row < end ? row + i / 4 : Number.NaN))))
  const steps = BigInt64Array.from(rows, (row) => BigInt(row < end ? row + 1 : 0))
  const flags = Uint8Array.from(rows, (row) => Number(row < end && diverges(part, row)))
  const frame = (data: { buffer: ArrayBuffer }, size: number) => writeBlosc(new Uint8Array(data.buffer), size)
  const isEighths = part === '' && chain === 0 && k === 0
  const path = (name: string, inner = '') => `${part}${name}/c/${chain}/${k}${inner}`
  return [
    {
      path: path('posterior/mu'),
      body: isEighths ? Uint8Array.from(atob(EIGHTHS), (letter) => letter.charCodeAt(0)) : frame(f64, 8),
    },
    { path: path('posterior/theta', '/0'), body: new Uint8Array(f32.buffer) },
    { path: path('sample_stats/n_steps'), body: frame(steps, 8) },
    { path: path('sample_stats/diverging'), ...(flags.includes(1) && { body: frame(flags, 1) }) },
  ]
}

/** All chunks, the last first, some of them twice. */
function chunks(): Sent[] {
  const all = PARTS.flatMap((part) =>
    [0, 1].flatMap((chain) => {
      const end = part === '' ? (WRITTEN[chain] ?? 0) : ROWS[part]
      return Array.from({ length: Math.ceil(end / BLOCK) }, (_, k) => block(part, chain, k)).flat()
    }),
  ).reverse()
  return all.flatMap((sent, i) => (i % 5 === 3 ? [sent, ...all.slice(i - 2, i)] : [sent]))
}

/** nutpie's end: its arrays of events are declared anew. */
const END: Sent = { path: 'sample_stats/divergence_draw/zarr.json', body: json(events(0)) }

function inZarr(rid: string, path: string): string {
  return `/v1/runs/${rid}/in.zarr/${path}`
}

async function send(api: Api, rid: string, { path, body }: Sent): Promise<void> {
  const answer = await (body === undefined
    ? api.request('DELETE', inZarr(rid, path))
    : api.request('PUT', inZarr(rid, path), { body }))
  expect([path, answer.status, answer.ok ? '' : await answer.text()]).toEqual([
    path,
    body === undefined ? 204 : 201,
    '',
  ])
}

async function lengths(api: Api, rid: string): Promise<number[]> {
  const { chains } = await jsonOf(await api.get(`/v1/runs/${rid}/chains`))
  return chains.map(({ length }: { length: number }) => length)
}

async function arrayOf(api: Api, rid: string, path: string): Promise<unknown[]> {
  const fetch = (request: Request) => api.get(request.url.slice(ORIGIN.length), Object.fromEntries(request.headers))
  const store = await zarr.withConsolidatedMetadata(
    new zarr.FetchStore(`${ORIGIN}/v1/runs/${rid}/data.zarr`, { fetch }),
    { format: 'v3' },
  )
  const { shape, data } = await zarr.get(await zarr.open.v3(zarr.root(store).resolve(path), { kind: 'array' }))
  return [shape, ...(data as Iterable<unknown>)]
}

/** Rows of a part of a chain that are in the run. */
function counted<T>(count: number, of: (row: number) => T): T[] {
  return Array.from({ length: count }, (_, row) => of(row))
}

/** All draws, as the API and as data.zarr gives them. */
async function expectWhole(api: Api, rid: string): Promise<void> {
  expect(await lengths(api, rid)).toEqual(WRITTEN.map((count) => ROWS.warmup_ + count))
  for (const [chain, count] of WRITTEN.entries()) {
    const { draws, stats } = await batchOf(await api.get(`/v1/runs/${rid}/chains/${chain}/draws`))
    const bytes = (name: string) =>
      new Uint8Array([...draws, ...stats].find((found) => found.name === name)?.data ?? new Uint8Array())
    expect([...new Float64Array(bytes('mu').buffer)]).toEqual([
      ...counted(ROWS.warmup_, (row) => mu('warmup_', chain, row)),
      ...counted(count, (row) => mu('', chain, row)),
    ])
    expect([...bytes('diverging')]).toEqual([
      ...counted(ROWS.warmup_, () => 0),
      ...counted(count, (row) => Number(diverges('', row))),
    ])
    expect([...bytes('in_warmup')]).toEqual([...counted(ROWS.warmup_, () => 1), ...counted(count, () => 0)])
  }
  const both = [0, 1]
  const least = Math.min(...WRITTEN)
  expect(await arrayOf(api, rid, 'posterior/mu')).toEqual([
    [2, least],
    ...both.flatMap((chain) => counted(least, (row) => mu('', chain, row))),
  ])
  expect(await arrayOf(api, rid, 'warmup_posterior/mu')).toEqual([
    [2, ROWS.warmup_],
    ...both.flatMap((chain) => counted(ROWS.warmup_, (row) => mu('warmup_', chain, row))),
  ])
  expect((await arrayOf(api, rid, 'posterior/theta')).slice(0, 5)).toEqual([[2, least, 3], 0, 0.25, 0.5, 1])
  expect(await arrayOf(api, rid, 'posterior/school')).toEqual([[3], 'A', 'B', 'é'])
  const { facts } = await jsonOf(await api.get(`/v1/runs/${rid}/about`))
  expect(facts).toMatchObject({ finishedAt: expect.any(String), expected: { draws: 400, warmup: 160 } })
}

test.each(PLACES)('chunks in any order, some twice, and deletions become draws over %s', async (_, place, api) => {
  const rid = `in-zarr-${place}`
  for (const sent of documents()) await send(api, rid, sent)
  const all = chunks()
  const [first] = all.filter(({ body }) => body !== undefined)
  if (first?.body === undefined) throw new Error('there is a chunk')
  await send(api, rid, first)
  // It waits, and is given as it was sent.
  expect(await bytesOf(await api.get(inZarr(rid, first.path)))).toEqual(first.body)
  for (const sent of all) await send(api, rid, sent)
  // The second block of the interrupted chain may still be sent with more.
  expect(await lengths(api, rid)).toEqual([560, 320])
  await send(api, rid, END)
  await expectWhole(api, rid)
})

test.each(PLACES)('chunks that became draws are read back, and folders listed, over %s', async (_, place, api) => {
  const rid = `in-zarr-back-${place}`
  for (const sent of documents()) await send(api, rid, sent)
  const list = async (path: string, depth: string) => {
    const answer = await api.request('PROPFIND', inZarr(rid, path), { headers: { Depth: depth } })
    expect(answer.status).toBe(207)
    return [...(await answer.text()).matchAll(/<D:href>([^<]*)</g)].map(([, link]) => link)
  }
  const groups = ['posterior', 'sample_stats', 'warmup_posterior', 'warmup_sample_stats']
  expect(await list('', '1')).toEqual(['/', ...groups.map((name) => `/${name}/`), '/zarr.json'])
  for (const sent of [...block('warmup_', 0, 0), ...block('', 0, 0)]) await send(api, rid, sent)
  await send(api, rid, block('', 1, 0)[0] ?? END)
  expect(await list('posterior/mu', 'infinity')).toEqual(
    ['', 'c/1/0', 'zarr.json'].map((path) => `/posterior/mu/${path}`),
  )
  expect(await lengths(api, rid)).toEqual([320, 0])
  const stored = await bytesOf(await api.get(inZarr(rid, 'posterior/mu/c/0/0')))
  expect([...new Float64Array(stored.slice(16).buffer)]).toEqual(counted(BLOCK, (row) => mu('', 0, row)))
  const steps = await bytesOf(await api.get(inZarr(rid, 'warmup_sample_stats/n_steps/c/0/0')))
  expect([...new BigInt64Array(steps.slice(16).buffer)]).toEqual(counted(BLOCK, (row) => BigInt(row + 1)))
  expect((await api.get(inZarr(rid, 'posterior/mu/c/0/1'))).status).toBe(404)
  // Once more the same, and something else.
  for (const sent of block('', 0, 0)) await send(api, rid, sent)
  const other = writeBlosc(new Uint8Array(8 * BLOCK), 8)
  const refused = await api.request('PUT', inZarr(rid, 'posterior/mu/c/0/0'), { body: other })
  expect(await expectProblem(refused, 409, 'draw_conflict')).toMatchObject({ length: 320, variable: 'mu' })
  const root = await jsonOf(await api.get(inZarr(rid, 'zarr.json')))
  expect(root).toMatchObject({
    attributes: NUTPIE,
    consolidated_metadata: { metadata: { 'posterior/mu': { shape: [2, 400] }, warmup_sample_stats: {} } },
  })
})

test.each(PLACES)('garbage is refused, and changes nothing, over %s', async (_, place, api) => {
  const rid = `in-zarr-garbage-${place}`
  for (const sent of documents()) await send(api, rid, sent)
  const frame = block('', 0, 0)[0]?.body ?? new Uint8Array()
  const damaged = frame.slice()
  damaged.fill(255, 30, 60)
  const announced = frame.slice()
  announced.set([255, 255, 255, 127], 4)
  const mean = array('float64', [2, 400], [1, BLOCK], ['chain', 'draw'])
  const cases: [string, number, string, Body][] = [
    ['posterior/mu/c/0/0', 400, 'invalid_parameter', new Uint8Array()],
    ['posterior/mu/c/0/0', 400, 'invalid_parameter', new Uint8Array([1, 2, 3])],
    ['posterior/mu/c/0/0', 400, 'invalid_parameter', damaged],
    ['posterior/mu/c/0/0', 400, 'invalid_parameter', announced],
    ['posterior/mu/c/0/0', 400, 'invalid_parameter', frame.slice(0, 100)],
    ['posterior/mu/c/0/3', 400, 'invalid_parameter', frame],
    ['posterior/mu/c/2/0', 400, 'invalid_parameter', frame],
    ['posterior/x/zarr.json', 400, 'invalid_json', new Uint8Array([123, 255])],
    ['posterior/x/zarr.json', 422, 'invalid_run_meta', json({ ...mean, codecs: [{ name: 'sharding_indexed' }] })],
    ['posterior/x/zarr.json', 422, 'unsupported_dtype', json({ ...mean, data_type: 'complex64' })],
  ]
  for (const [path, status, code, body] of cases) {
    await expectProblem(await api.request('PUT', inZarr(rid, path), { body }), status, code)
  }
  const depth = await api.request('PROPFIND', inZarr(rid, ''), { headers: { Depth: '2' } })
  await expectProblem(depth, 400, 'invalid_parameter')
  expect((await api.get(`/v1/runs/${rid}`)).status).toBe(404)
  expect((await api.get(inZarr(rid, 'posterior/x/zarr.json'))).status).toBe(404)
  for (const sent of chunks()) await send(api, rid, sent)
  await send(api, rid, END)
  await expectWhole(api, rid)
})

test.each(PLACES)('two isolates take the chunks of one run at once over %s', async (_, place, _api, bindings) => {
  const rid = `in-zarr-two-${place}`
  const isolates = [0, 1].map(() => apiOf(openWorker(bindings), ORIGIN))
  const take = (sent: Sent, i: number) => send(isolates[i % 2] ?? apiOf(openWorker(bindings), ORIGIN), rid, sent)
  for (const [i, sent] of documents().entries()) await take(sent, i)
  await Promise.all(chunks().map(take))
  for (const api of isolates) expect(await lengths(api, rid)).toEqual([560, 320])
  await take(END, 1)
  for (const api of isolates) await expectWhole(api, rid)
})

test.each(PLACES)(
  'a store without a sign of its end is read by another isolate over %s',
  async (_, place, api, bindings) => {
    const rid = `in-zarr-silent-${place}`
    const mean = array('float64', [2, 160], [2, BLOCK], ['chain', 'draw'])
    const values = Float64Array.from({ length: 2 * BLOCK }, (_, i) => i / 8)
    const root = { ...group(), consolidated_metadata: { kind: 'inline', must_understand: false, metadata: {} } }
    const sent: Sent[] = [
      { path: 'zarr.json', body: json(group()) },
      { path: 'posterior/zarr.json', body: json(group({ inference_library: 'pymc' })) },
      { path: 'posterior/mu/zarr.json', body: json(mean) },
      { path: 'posterior/mu/c/0/0', body: writeBlosc(new Uint8Array(values.buffer), 8) },
      { path: 'zarr.json', body: json(root) },
    ]
    for (const each of sent) await send(api, rid, each)
    const reader = apiOf(openWorker(bindings), ORIGIN)
    expect(await lengths(reader, rid)).toEqual([160, 160])
    expect(await arrayOf(reader, rid, 'posterior/mu')).toEqual([[2, 160], ...values])
    expect(await lengths(api, rid)).toEqual([160, 160])
  },
)
