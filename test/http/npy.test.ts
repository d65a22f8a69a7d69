/** Draws as NumPy arrays over HTTP (docs/protocol.md §11); NumPy reads them where there is one. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { testUnless } from '../support/skip.ts'
import { type Api, bytesOf, drawBatch, expectProblem, newApp, runMeta } from './api.ts'

const NPY = '/v1/runs/r/chains/0/draws.npy'
const LENGTH = 6
const indices = (count: number) => Array.from({ length: count }, (_, i) => i)
const bytes = ({ buffer }: { readonly buffer: ArrayBuffer }) => new Uint8Array(buffer)
const TEXTS = ['a', '', 'é漢', '😀!', 'NA', 'long enough']

/** A variable of each dtype with the elements of all draws, NumPy's name of it, and the elements as Python writes them. */
const NUMBERS = [
  ['bool', [2], '|b1', Uint8Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 1 : 0))],
  ['int8', [], '|i1', bytes(Int8Array.from({ length: 6 }, (_, i) => i - 3))],
  ['uint16', [], '<u2', bytes(Uint16Array.from({ length: 6 }, (_, i) => 65_535 - i))],
  ['int32', [1, 2], '<i4', bytes(Int32Array.from({ length: 12 }, (_, i) => -i * 1e8))],
  ['int64', [], '<i8', bytes(BigInt64Array.from({ length: 6 }, (_, i) => 2n ** 60n + BigInt(i)))],
  ['uint64', [], '<u8', bytes(BigUint64Array.from({ length: 6 }, (_, i) => 2n ** 64n - 1n - BigInt(i)))],
  ['float32', [3], '<f4', bytes(Float32Array.from({ length: 18 }, (_, i) => i / 3))],
  ['float64', [2, 2], '<f8', bytes(Float64Array.from({ length: 24 }, (_, i) => Math.sin(i)))],
  ['float64', [0], '<f8', new Uint8Array()],
] as const
const nameOf = (position: number) => `v${position}`

const META: mcbackend.RunMeta.$Properties = {
  variables: [
    ...NUMBERS.map(([dtype, shape], i) => ({ name: nameOf(i), dtype, shape: [...shape] })),
    { name: 'text', dtype: 'str' },
    { name: 'texts', dtype: 'str', shape: [2] },
    { name: 'ragged', dtype: 'float64', shape: [-1] },
  ],
  sampleStats: [{ name: 'lp', dtype: 'float64' }],
}

async function newRun(): Promise<Api> {
  const { api } = newApp()
  await api.request('PUT', '/v1/runs/r', { body: runMeta(META) })
  await api.request('PUT', '/v1/runs/r/chains/0')
  const body = drawBatch({
    count: LENGTH,
    draws: [
      ...NUMBERS.map(([dtype, , , data], i) => ({ name: nameOf(i), dtype, data })),
      { name: 'text', dtype: 'str', strings: TEXTS },
      { name: 'texts', dtype: 'str', strings: TEXTS.flatMap((text) => [text, 'x']) },
      { name: 'ragged', dtype: 'float64', shapes: TEXTS.flatMap(() => [1, 0]) },
    ],
  })
  expect((await api.request('POST', '/v1/runs/r/chains/0/draws', { body })).status).toBe(200)
  return api
}

/** The parts of a file, read by the letter of its description. */
function partsOf(file: Uint8Array<ArrayBuffer>) {
  expect([...file.subarray(0, 8)]).toEqual([0x93, ...Buffer.from('NUMPY'), 1, 0])
  const length = new DataView(file.buffer, file.byteOffset).getUint16(8, true)
  expect((10 + length) % 64).toBe(0)
  const head = Buffer.from(file.subarray(10, 10 + length)).toString('latin1')
  expect(head.endsWith('\n')).toBe(true)
  return { head: head.trimEnd(), data: file.slice(10 + length) }
}

async function fileOf(api: Api, query: string) {
  const response = await api.get(`${NPY}?${query}`)
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(200)
  const file = await bytesOf(response)
  expect(response.headers.get('Content-Length')).toBe(String(file.length))
  return file
}

const headOf = (code: string, shape: readonly number[]) =>
  `{'descr': '${code}', 'fortran_order': False, 'shape': (${shape.length === 1 ? `${shape[0]},` : shape.join(', ')}), }`

describe('an array', () => {
  test('has the bytes of the draws behind its head', async () => {
    const api = await newRun()
    for (const [i, [, shape, code, data]] of NUMBERS.entries()) {
      const parts = partsOf(await fileOf(api, `var=${nameOf(i)}`))
      expect(parts).toEqual({ head: headOf(code, [LENGTH, ...shape]), data })
      const head = await api.request('HEAD', `${NPY}?var=${nameOf(i)}`)
      expect(head.headers.get('Content-Length')).toBe(String((await fileOf(api, `var=${nameOf(i)}`)).length))
    }
    // A stat that was never sent is fill.
    const { head, data } = partsOf(await fileOf(api, 'stat=lp'))
    expect(head).toBe(headOf('<f8', [LENGTH]))
    expect([...new Float64Array(data.buffer)]).toEqual(indices(LENGTH).map(() => Number.NaN))
  })

  test('has slices and elements', async () => {
    const api = await newRun()
    const { head, data } = partsOf(await fileOf(api, 'var=v7&elem=3,0:2&start=5&stop=0&step=-2'))
    expect(head).toBe(headOf('<f8', [3, 3]))
    const expected = [5, 3, 1].flatMap((draw) => [3, 0, 1].map((element) => Math.sin(draw * 4 + element)))
    expect([...new Float64Array(data.buffer)]).toEqual(expected)
    expect(partsOf(await fileOf(api, 'var=v1&start=10'))).toEqual({ head: headOf('|i1', [0]), data: new Uint8Array() })
  })

  test('has strings as wide as the longest', async () => {
    const api = await newRun()
    for (const [query, shape, texts] of [
      ['var=text', [6], TEXTS],
      ['var=texts', [6, 2], TEXTS.flatMap((text) => [text, 'x'])],
      ['var=texts&elem=1&stop=2', [2, 1], ['x', 'x']],
      ['var=text&start=2&stop=3', [1], ['é漢']],
      ['var=text&start=1&stop=2', [1], ['']],
    ] as const) {
      const width = Math.max(1, ...texts.map((text) => [...text].length))
      const { head, data } = partsOf(await fileOf(api, query))
      expect(head).toBe(headOf(`<U${width}`, shape))
      const points = new Uint32Array(data.buffer)
      const read = texts.map((_, i) => String.fromCodePoint(...points.subarray(i * width, (i + 1) * width)))
      expect(read.map((text) => text.replace(/\0+$/, ''))).toEqual(texts)
    }
  })

  test('has many axes in a head of version 2', async () => {
    const { api } = newApp()
    const shape = new Array<number>(30_000).fill(1)
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: [{ name: 'x', dtype: 'bool', shape }] }) })
    await api.request('PUT', '/v1/runs/r/chains/0')
    const file = await fileOf(api, 'var=x')
    expect(file[6]).toBe(2)
    const length = new DataView(file.buffer).getUint32(8, true)
    expect(12 + length).toBe(file.length)
    expect(Buffer.from(file.subarray(12)).toString().trimEnd()).toBe(headOf('|b1', [0, ...shape]))
  })

  test('ETag and 304', async () => {
    const api = await newRun()
    const etag = (await api.get(`${NPY}?var=v1`)).headers.get('ETag') ?? ''
    expect((await api.get(`${NPY}?var=v1`, { 'If-None-Match': etag })).status).toBe(304)
    expect((await api.get(`${NPY}?var=v1&start=-6`, { 'If-None-Match': etag })).status).toBe(304)
    expect((await api.get(`${NPY}?var=v2`, { 'If-None-Match': etag })).status).toBe(200)
  })

  test.each([
    ['', 400, 'invalid_parameter'],
    ['var=v0&stat=lp', 400, 'invalid_parameter'],
    ['var=v0&var=v1', 400, 'invalid_parameter'],
    ['var=v0&warmup=exclude', 400, 'invalid_parameter'],
    ['var=v0&elem=x', 400, 'invalid_parameter'],
    ['var=v0&elem=2', 400, 'invalid_parameter'],
    ['var=v0&step=0', 400, 'invalid_slice'],
    ['var=ragged', 400, 'invalid_parameter'],
    ['var=nobody', 404, 'unknown_variable'],
  ])('"%s" is %d %s', async (query, status, code) => {
    const api = await newRun()
    await expectProblem(await api.get(`${NPY}?${query}`), status, code)
    await expectProblem(await api.get(`/v1/runs/r/chains/1/draws.npy?var=v0`), 404, 'chain_not_found')
  })

  test('refuses strings that would take more than an answer may have', async () => {
    const { api } = newApp({ limits: { answerBytes: 100_000 } })
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: [{ name: 's', dtype: 'str' }] }) })
    await api.request('PUT', '/v1/runs/r/chains/0')
    const strings = indices(100).map((i) => (i === 50 ? 'x'.repeat(1000) : ''))
    const body = drawBatch({ count: 100, draws: [{ name: 's', dtype: 'str', strings }] })
    await api.request('POST', '/v1/runs/r/chains/0/draws', { body })
    await expectProblem(await api.get(`${NPY}?var=s`), 413, 'payload_too_large')
    expect((await api.get(`${NPY}?var=s&stop=50`)).status).toBe(200)
  })
})

const PYTHON = process.env.MCB_GOLDEN_PYTHON ?? 'python3'

function withoutNumpy(): string | undefined {
  try {
    execFileSync(PYTHON, ['-c', 'import numpy'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no Python with NumPy (MCB_GOLDEN_PYTHON names one)'
  }
}

const SCRIPT = `
import io, json, sys, base64, numpy
for line in sys.stdin:
    x = numpy.load(io.BytesIO(base64.b64decode(line)))
    print(json.dumps([x.dtype.str, x.shape, x.tobytes().hex()]))
`

testUnless(withoutNumpy())('NumPy loads all of them without pickle', async () => {
  const api = await newRun()
  const queries = [...NUMBERS.map((_, i) => `var=${nameOf(i)}`), 'var=text', 'stat=lp']
  const files = await Promise.all(queries.map((query) => fileOf(api, query)))
  const input = files.map((file) => `${Buffer.from(file).toString('base64')}\n`).join('')
  const lines = execFileSync(PYTHON, ['-c', SCRIPT], { input, encoding: 'utf8' }).trim().split('\n')
  const read = lines.map((line) => JSON.parse(line))
  for (const [i, [, shape, code, data]] of NUMBERS.entries()) {
    expect(read[i]).toEqual([code, [LENGTH, ...shape], Buffer.from(data).toString('hex')])
  }
  expect(read.at(-2)?.slice(0, 2)).toEqual(['<U11', [LENGTH]])
})
