/** JSON in (docs/protocol.md §10) over HTTP: what it is for, beside what codes.test.ts refuses. */

import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonIn } from '../../conformance/kit/server/json-in.ts'
import { DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import { type Api, type Body, DRAWS, expectProblem, JSON_TYPE, jsonOf, newApp, withDraws } from './api.ts'
import { IN_PROCESS } from './in-process.ts'

const MIB = 1024 * 1024
const RUN = '/v1/runs/r'
const utf8 = (text: string): Body => new TextEncoder().encode(text)
const json = (body: Body | string, headers: { readonly [name: string]: string } = {}) => ({
  body: typeof body === 'string' ? utf8(body) : body,
  headers: { 'Content-Type': JSON_TYPE, ...headers },
})

jsonIn(IN_PROCESS)

test('a refusal by type names both', async () => {
  const { api } = newApp()
  for (const type of ['text/json', 'application/json-seq', 'text/plain']) {
    const answer = await api.request('PUT', RUN, json('{}', { 'Content-Type': type }))
    const { detail } = await expectProblem(answer, 415, 'unsupported_media_type')
    expect(detail).toMatch(/application\/x-protobuf or application\/json$/)
  }
})

describe('8 MiB', () => {
  const padded = (bytes: number) => utf8(`{"start":0${' '.repeat(bytes - 11)}}`)
  test.each([
    ['as it is', (body: Body) => json(body)],
    ['compressed', (body: Body) => json(new Uint8Array(gzipSync(body)), { 'Content-Encoding': 'gzip' })],
  ])('%s', async (_what, request) => {
    const { api } = newApp()
    await withDraws(api, 0)
    await expectProblem(await api.request('POST', DRAWS, request(padded(8 * MIB))), 400, 'empty_batch')
    for (const [method, path] of [['POST', DRAWS] as const, ['PUT', RUN] as const, ['POST', '/v1/runs'] as const]) {
      const answer = await api.request(method, path, request(padded(8 * MIB + 1)))
      expect(await expectProblem(answer, 413, 'payload_too_large')).toMatchObject({ limit: 8 * MIB })
    }
  })
})

/** An application whose bodies may take so much memory together. */
const narrow = (bodiesBytes: number) =>
  newApp({ bounds: { ...DEFAULT_BOUNDS, bodiesBytes, tenantBodiesBytes: bodiesBytes } })

test('memory that JSON becomes counts: a body that would need more than there is gets 413 or 503, not memory', async () => {
  const zeros = `{"start":0,"draws":{"x":[[${new Array<string>(MIB).fill('0').join()}]]}}`
  const meta = `{"variables":[{"name":"x","dtype":"float64","shape":[${MIB}]}]}`
  for (const [mib, statuses] of [
    [3, [413, 503]],
    [15, [413, 503]],
    [32, [200]],
  ] as const) {
    const { api } = narrow(mib * MIB)
    await api.request('PUT', RUN, json(meta))
    await api.request('PUT', `${RUN}/chains/0`)
    const { status } = await api.request('POST', DRAWS, json(zeros))
    expect(statuses, `${mib} MiB`).toContain(status)
    // Everything was given back: a small one is taken.
    expect((await api.request('POST', DRAWS, json('{"start":0}'))).status).toBe(400)
  }
})

test('other requests have their turns beside a large text', async () => {
  const { api } = newApp()
  await withDraws(api, 0)
  const text = `{"start":0,"draws":{"x":[${new Array<string>(2 * MIB).fill('0').join()}],"k":[],"s":[]}}`
  let isDone = false
  const append = api.request('POST', DRAWS, json(text)).finally(() => {
    isDone = true
  })
  let turns = 0
  for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve))
  expect((await append).status).toBe(413)
  expect(turns).toBeGreaterThan(50)
})

/** Texts that are JSON, nearly JSON, or JSON of another kind. */
const NAMES = [
  'x',
  'k',
  's',
  'lp',
  'start',
  'count',
  'step',
  'draws',
  'stats',
  '__proto__',
  'constructor',
  'rid',
  'variables',
]
const NUMBERS = [
  '0',
  '-0',
  '1e999',
  '-1e999',
  '1e-999',
  '0.1',
  '9007199254740993',
  '1e400000',
  '9'.repeat(400),
  '18446744073709551616',
]
const STRINGS = [
  '"NaN"',
  '"Infinity"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"1"',
  '"AA=="',
  '"\\"',
  '"2026-01-01T00:00:00Z"',
  '"1s"',
]
const OTHERS = ['null', 'true', 'false', '', 'nul', 'NaN', '[', '{', ']', '"', ',']
const DEEP = ['['.repeat(99) + ']'.repeat(99), '['.repeat(5000), '{"a":'.repeat(120), '[[[[[[1]]]]]]']

const { text } = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constantFrom(...NUMBERS, ...STRINGS, ...OTHERS, ...DEEP),
    fc.array(tie('text'), { maxLength: 4 }).map((items) => `[${items.join()}]`),
    fc
      .array(fc.tuple(fc.constantFrom(...NAMES), tie('text')), { maxLength: 4 })
      .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join()}}`),
  ),
}))

/** A good text with a part that is put in place of another, a character that is cut, or one that is put in. */
function mutated(good: string): fc.Arbitrary<string> {
  const values = [...good.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*|\[[^[\]]*\]|\{[^{}]*\}|true|null/g)]
  return fc.oneof(
    fc.tuple(fc.constantFrom(...values), text).map(([{ 0: old, index }, by]) => {
      return good.slice(0, index) + by + good.slice(index + old.length)
    }),
    fc.tuple(fc.nat(good.length - 1), fc.nat(3)).map(([at, n]) => good.slice(0, at) + good.slice(at + n)),
    fc.tuple(fc.nat(good.length), fc.string({ unit: 'binary', maxLength: 3 })).map(([at, more]) => {
      return good.slice(0, at) + more + good.slice(at)
    }),
    text,
  )
}

const RUN_TEXT = `{"rid":"r","variables":[{"name":"x","dtype":"float64","shape":["2",-1],"dims":["a","b"],"undefinedNdim":true}],
  "coordinates":[{"name":"d","values":{"data":"AAAAAAAAAAA=","dtype":"float64","shape":["1"],"strides":["8"],"order":"C"}}],
  "attributes":{"n":{"numberValue":"NaN"},"s":{"structValue":{"a":[1,null,{"b":"c"}]}},"l":{"listValue":[true]},
  "t":{"timestampValue":"2026-01-01T00:00:00.5Z"},"d":{"durationValue":"-1.5s"},"z":{"nullValue":null}},
  "sampleStats":[{"name":"lp","dtype":"bool"}],"data":[{"name":"y","value":{"data":"AA","dtype":"int8"},"isObserved":true}]}`

async function fuzz(
  good: string,
  send: (api: Api, body: Body) => Promise<Response>,
  taken: (api: Api) => Promise<void>,
) {
  const { api, reports } = newApp()
  await withDraws(api, 3)
  const statuses = new Set<number>()
  const bytes = fc.oneof(
    { arbitrary: mutated(good).map(utf8), weight: 20 },
    { arbitrary: fc.uint8Array({ maxLength: 50 }).map((random) => new Uint8Array(random)), weight: 1 },
  )
  await fc.assert(
    fc.asyncProperty(bytes, async (body) => {
      const answer = await send(api, body)
      statuses.add(answer.status)
      if (answer.status === 400) {
        const { code, detail } = await jsonOf(answer.clone())
        expect(['invalid_json', 'invalid_parameter', 'empty_batch']).toContain(code)
        if (code === 'invalid_json') expect(detail).toMatch(/^line \d+, column \d+: |^byte \d+ /)
      }
      expect([200, 201, 400, 409, 413, 422]).toContain(answer.status)
      if (answer.ok) await taken(api)
    }),
    { numRuns: 2000 },
  )
  expect([...statuses]).toEqual(expect.arrayContaining([400, 422]))
  expect(reports).toEqual([])
}

describe('whatever comes as JSON is no defect', () => {
  test('of an append', async () => {
    const good =
      '{"start":3,"count":2,"step":1,"draws":{"x":[-1.5,"NaN"],"k":[[],[1,2]],"s":["a","\\ud83d\\ude00"]},"stats":{"lp":[0,1e3]}}'
    await fuzz(
      good,
      (api, body) => api.request('POST', DRAWS, json(body)),
      async (api) => {
        await api.request('DELETE', RUN)
        await withDraws(api, 3)
      },
    )
  })

  test('of a registration', async () => {
    const path = '/v1/runs/fuzzed'
    await fuzz(
      RUN_TEXT.replace('"rid":"r"', '"rid":"fuzzed"'),
      (api, body) => api.request('PUT', path, json(body)),
      async (api) => {
        const answer = await api.get(path, { Accept: JSON_TYPE })
        expect(answer.status).toBe(200)
        expect((await api.request('PUT', path, json(await answer.text()))).status).toBe(200)
        await api.request('DELETE', path)
      },
    )
  })
})
