/** Every error code (docs/protocol.md §4), but for keys and tenants: provoked, and nothing is changed by it. */
import { expect, test } from 'vitest'
import { expectRefusal } from '../../conformance/kit/server/refusals.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { ERRORS, McbError } from '../../src/core/errors.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { ABOUT_CASES, jsonBytes, patch } from './about-cases.ts'
import {
  column,
  DRAWS,
  drawBatch,
  expectProblem,
  iterations,
  jsonOf,
  newApp,
  runMeta,
  snapshot,
  withDraws,
} from './api.ts'
import { type Case, LENGTH, LIMITS } from './case.ts'
import { CONTENT_CASES, SIZE_CASES } from './content-cases.ts'
import { expectDescribed } from './described.ts'
import { REQUEST_CASES } from './request-cases.ts'

const CASES = [...REQUEST_CASES, ...CONTENT_CASES, ...SIZE_CASES, ...ABOUT_CASES]

/** Codes that come from keys and tenants, from load, and from where a server stands, which are tested with these. */
const ELSEWHERE = [
  'unauthorized',
  'forbidden',
  'quota_exceeded',
  'tenant_suspended',
  'tenant_not_found',
  'key_not_found',
  'tenant_exists',
  'rate_limited',
  'overloaded',
  'misdirected_request',
  'chains_changed',
  'range_not_satisfiable',
]

const DOCUMENT = await jsonOf(await newApp().api.get('/openapi.json'))

async function prepared() {
  const app = newApp({ limits: LIMITS })
  await withDraws(app.api, LENGTH)
  await app.api.request('PUT', '/v1/runs/full', { body: runMeta({}) })
  for (const chain of [0, 1, 2]) await app.api.request('PUT', `/v1/runs/full/chains/${chain}`)
  return app
}

test.each(CASES.map((given) => [given.code, given.what, given] as const))('%s: %s', async (code, _what, given) => {
  const { api, reports } = await prepared()
  const before = await snapshot(api)
  if (given.request[1].startsWith('/v1/runs/large')) {
    const variables = [{ name: 'x', dtype: 'float64', shape: [500] }]
    await api.request('PUT', '/v1/runs/large', { body: runMeta({ variables }) })
    await api.request('PUT', '/v1/runs/large/chains/0')
    const batch = drawBatch({ count: 1, draws: [column('x', ...new Array<number>(500).fill(1))] })
    expect((await api.request('POST', '/v1/runs/large/chains/0/draws', { body: batch })).status).toBe(200)
  }
  const response = await api.request(...given.request)
  const { headers, status } = response
  const problem = await expectRefusal(response, given)
  expectDescribed(DOCUMENT, given.request, { status, headers, ...(problem && { problem }) })
  if (given.request[1].startsWith('/v1/runs/large')) await api.request('DELETE', '/v1/runs/large')
  if (code === 'method_not_allowed') expect(response.headers.get('Allow')).toBe(given.what.split(', not ')[1])
  expect(await snapshot(api)).toEqual(before)
  expect(reports).toEqual([])
})

test('storage_unavailable: the storage cannot be reached', async () => {
  const store = new MemoryStore(DEFAULT_LIMITS)
  const { api, reports } = newApp({ store })
  await withDraws(api, LENGTH)
  const before = await snapshot(api)
  const failing = new McbError('storage_unavailable', 'the storage cannot take this now; nothing was changed', {
    retryAfter: 5,
  })
  const methods = [
    'register',
    'find',
    'list',
    'remove',
    'about',
    'setAbout',
    'createChain',
    'chains',
    'chain',
    'append',
    'read',
    'ping',
  ] as const
  const whole = Object.fromEntries(methods.map((method) => [method, store[method]]))
  for (const method of methods) Object.assign(store, { [method]: () => Promise.reject(failing) })
  const requests: readonly Case['request'][] = [
    ['PUT', '/v1/runs/new', { body: runMeta({}) }],
    ['POST', '/v1/runs', { body: runMeta({}) }],
    ['GET', '/v1/runs'],
    ['GET', '/v1/runs/r'],
    ['DELETE', '/v1/runs/r'],
    ['GET', '/v1/runs/r/about'],
    patch(jsonBytes({ name: 'x' })),
    ['PUT', '/v1/runs/r/chains/1'],
    ['GET', '/v1/runs/r/chains'],
    ['GET', '/v1/runs/r/chains/0'],
    ['POST', DRAWS, { body: drawBatch(iterations(LENGTH, 1)) }],
    ['GET', DRAWS],
    ['GET', '/healthz'],
  ]
  for (const request of requests) {
    const response = await api.request(...request)
    await expectProblem(response, 503, 'storage_unavailable')
    expect(response.headers.get('Retry-After')).toBe('5')
  }
  expect(reports).toHaveLength(requests.length)
  Object.assign(store, whole)
  expect(await snapshot(api)).toEqual(before)
})

test('internal_error: a defect is reported, and told without details', async () => {
  const store = new MemoryStore(DEFAULT_LIMITS)
  const { api, reports } = newApp({ store })
  await withDraws(api, LENGTH)
  const before = await snapshot(api)
  const defect = new TypeError('SELECT secret FROM node_modules/x.ts')
  const { append: whole } = store
  store.append = () => Promise.reject(defect)
  const response = await api.request('POST', DRAWS, { body: drawBatch(iterations(LENGTH, 1)) })
  await expectProblem(response, 500, 'internal_error')
  expect(reports).toEqual([defect])
  store.append = whole
  expect(await snapshot(api)).toEqual(before)
})

test('no code is left out', () => {
  const provoked = new Set<string>([
    ...CASES.map(({ code }) => code),
    'storage_unavailable',
    'internal_error',
    ...ELSEWHERE,
  ])
  expect(Object.keys(ERRORS).filter((code) => !provoked.has(code))).toEqual([])
})
