/** Names, notes and facts over HTTP, and questions to the list of runs (docs/protocol.md §9). */
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { bearer, makeKey, newLab, newRun, newWorld, OPERATOR } from '../tenants/world.ts'
import { jsonBytes, patch } from './about-cases.ts'
import { type Api, bytesOf, JSON_TYPE, jsonOf, META, newApp, runMeta } from './api.ts'
import { expectDescribed } from './described.ts'

const ABOUT = '/v1/runs/r/about'
const DOCUMENT = await jsonOf(await newApp().api.get('/openapi.json'))

async function withRun(api: Api, rid = 'r'): Promise<string> {
  const registered = await api.request('PUT', `/v1/runs/${rid}`, { body: runMeta(META) })
  return registered.headers.get('Mcb-Registration') ?? ''
}

test('the ETag is registration and revision, also where the answer is compressed', async () => {
  const { api } = newApp()
  const registration = await withRun(api)
  for (let revision = 0; revision < 3; revision++) {
    const got = await api.get(ABOUT, { 'Accept-Encoding': 'gzip', 'If-None-Match': `"${registration}-${revision}"` })
    expect([got.status, got.headers.get('ETag')]).toEqual([200, `"${registration}-${revision}"`])
    expect(got.headers.get('Mcb-Registration')).toBe(registration)
    const body = { notes: 'n'.repeat(2000), facts: { revision } }
    const weak = `W/"${registration}-${revision}"`
    const sent = patch(jsonBytes(body), { 'If-Match': revision === 1 ? weak : `"x", "${registration}-${revision}"` })
    const patched = await api.request(...sent)
    const { status, headers } = patched
    expect([status, headers.get('ETag')]).toEqual([200, `"${registration}-${revision + 1}"`])
    const answer = await jsonOf(patched)
    expect(answer).toMatchObject(body)
    expectDescribed(DOCUMENT, sent, { status, headers })
    const again = await api.get(ABOUT)
    expect(await jsonOf(again)).toEqual({ ...answer, updatedAt: expect.any(String) })
  }
  const packed = await api.get(ABOUT, { 'Accept-Encoding': 'gzip' })
  expect(packed.headers.get('Content-Encoding')).toBe('gzip')
  expect(JSON.parse(gunzipSync(await bytesOf(packed)).toString())).toMatchObject({ rid: 'r', facts: { revision: 2 } })
  const head = await api.request('HEAD', ABOUT)
  expect([head.status, head.headers.get('ETag'), await head.text()]).toEqual([200, `"${registration}-3"`, ''])
})

test('a body may be compressed, and named as either type', async () => {
  const { api } = newApp()
  await withRun(api)
  const packed = new Uint8Array(gzipSync(jsonBytes({ name: 'packed' })))
  const first = await api.request(...patch(packed, { 'Content-Encoding': 'gzip' }))
  expect((await jsonOf(first)).name).toBe('packed')
  const types = { 'Content-Type': `${JSON_TYPE}; charset=utf-8` }
  expect((await jsonOf(await api.request(...patch(jsonBytes({ name: 'plain' }), types)))).name).toBe('plain')
})

test('integers of any size and names such as __proto__ are kept', async () => {
  const { api } = newApp()
  await withRun(api)
  const facts = '{"seed":340282366920938463463374607431768211455,"__proto__":{"a":-0},"constructor":1.5e300}'
  const text = `{"facts":${facts}}`
  await api.request(...patch(new TextEncoder().encode(text)))
  await api.request(...patch(jsonBytes({ facts: { more: 1 } })))
  const got = await (await api.get(ABOUT)).text()
  expect(got).toContain('"seed":340282366920938463463374607431768211455')
  expect(got).toContain('"__proto__":{"a":-0}')
  expect(got).toContain('"constructor":1.5e+300')
})

test('an array of many axes of length 1 is no flood of lists', async () => {
  const { api } = newApp()
  const shape = [100_000, ...new Array<number>(63).fill(1)]
  const ndarrayValue = { dtype: 'bool', shape, strides: shape, order: 'C', data: new Uint8Array(100_000) }
  const small = { dtype: 'int8', shape: [2, 3], strides: [3, 1], order: 'C', data: new Uint8Array([1, 2, 3, 4, 5, 6]) }
  const attributes = { flood: { ndarrayValue }, small: { ndarrayValue: small } }
  expect((await api.request('PUT', '/v1/runs/r', { body: runMeta({ ...META, attributes }) })).status).toBe(201)
  const text = await (await api.get(ABOUT)).text()
  expect(text.length).toBeLessThan(200_000)
  const about = JSON.parse(text)
  expect(about.attributes.small).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ])
  expect(about.attributes.flood).toMatchObject({ dtype: 'bool', data: expect.any(String) })
})

test('a patch of many values is refused while others have their turns', async () => {
  const { api } = newApp()
  await withRun(api)
  for (const item of ['1,', '{},', '[],']) {
    const text = `{"facts":{"a":[${item.repeat(700_000).slice(0, -1)}]}}`
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const { status } = await api.request(...patch(new TextEncoder().encode(text)))
    clearInterval(timer)
    expect(status).toBe(413)
    expect(turns).toBeGreaterThan(5)
  }
})

test('patches of one run that come together are all kept, and each is worked on once', async () => {
  const store = new MemoryStore()
  const { api } = newApp({ store })
  await withRun(api)
  let changes = 0
  const setAbout = store.setAbout.bind(store)
  store.setAbout = (...args) => {
    changes++
    return setAbout(...args)
  }
  const all = Array.from({ length: 40 }, (_, i) => api.request(...patch(jsonBytes({ facts: { [`k${i}`]: i } }))))
  for (const { status } of await Promise.all(all)) expect(status).toBe(200)
  expect(Object.keys((await jsonOf(await api.get(ABOUT))).facts)).toHaveLength(40)
  expect(changes).toBe(40)
})

test('environment is not shown to the key of a share', async () => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  await newRun(world, admin, 'r')
  const facts = { environment: { host: 'secret-host' }, seed: 1 }
  await world.call(admin, 'PATCH', ABOUT, { facts, notes: 'n' })
  const made = await jsonOf(await world.call(admin, 'POST', '/v1/runs/r/shares', { expiresAt: null }))
  const shared = String(made.url).replace(/.*#key=|.*#/, '')
  const got = await world.api.get(ABOUT, bearer(shared))
  expect(got.status).toBe(200)
  const text = await got.text()
  expect(text).not.toContain('secret-host')
  expect(JSON.parse(text)).toMatchObject({ facts: { seed: 1 }, notes: 'n' })
  const { key: ofOneRun } = await makeKey(world, 'lab', { scopes: ['write'], run: 'r' })
  expect((await jsonOf(await world.call(ofOneRun, 'GET', ABOUT))).facts).toEqual(facts)
  expect((await world.call(shared, 'PATCH', ABOUT, { name: 'x' })).status).toBe(403)
})

test('a key for one run changes that run alone, and finds no other', async () => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  await newRun(world, admin, 'r')
  await newRun(world, admin, 'other')
  await world.call(admin, 'PATCH', '/v1/runs/other/about', { tags: ['t'] })
  const { key } = await makeKey(world, 'lab', { scopes: ['read', 'write'], run: 'r' })
  expect((await world.call(key, 'PATCH', '/v1/runs/other/about', { name: 'x' })).status).toBe(403)
  expect((await world.call(key, 'GET', '/v1/runs/other/about')).status).toBe(403)
  expect((await world.call(key, 'PATCH', ABOUT, { tags: ['t'] })).status).toBe(200)
  for (const query of ['tag=t', 'q=r', 'archived=any', ''])
    expect((await jsonOf(await world.call(key, 'GET', `/v1/runs?${query}`))).runs).toMatchObject([{ rid: 'r' }])
  expect((await jsonOf(await world.call(key, 'GET', '/v1/runs?q=other'))).runs).toEqual([])
})

test('documents count as stored bytes, and one that shrinks is taken where there is no room', async () => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  await newRun(world, admin, 'r')
  const used = async () => (await jsonOf(await world.call(admin, 'GET', '/v1/whoami'))).usage.storedBytes
  const before = await used()
  expect((await world.call(admin, 'PATCH', ABOUT, { notes: 'n'.repeat(5000) })).status).toBe(200)
  expect((await used()) - before).toBeGreaterThan(5000)
  await world.call(OPERATOR, 'PATCH', '/v1/tenants/lab', { limits: { storedBytes: before + 100 } })
  world.clock.now += 120_000
  const refused = await world.call(admin, 'PATCH', ABOUT, { facts: { more: 'x'.repeat(100) } })
  expect([refused.status, (await jsonOf(refused)).code]).toEqual([403, 'quota_exceeded'])
  expect((await world.call(admin, 'PATCH', ABOUT, { notes: null, archived: true })).status).toBe(200)
})

test('times of the list are moments and days', async () => {
  const { api } = newApp()
  await withRun(api)
  const [{ createdAt }] = (await jsonOf(await api.get('/v1/runs'))).runs
  const at = Date.parse(createdAt)
  const found = async (query: string) => (await jsonOf(await api.get(`/v1/runs?${query}`))).runs.length
  const offset = (ms: number, sign: string) => `${new Date(ms).toISOString().slice(0, -1)}${sign}02:30`
  expect(await found(`since=${createdAt}`)).toBe(1)
  expect(await found(`until=${createdAt}`)).toBe(0)
  expect(await found(`since=${encodeURIComponent(offset(at + 9_000_000, '+'))}`)).toBe(1)
  expect(await found(`since=${offset(at + 9_000_000, '+')}`)).toBe(1)
  expect(await found(`since=${offset(at - 9_000_000, '-')}`)).toBe(1)
  expect(await found(`since=${offset(at - 8_999_999, '-')}`)).toBe(0)
  // Half a millisecond later is too late for the one, and too early for the other.
  const half = createdAt.replace('Z', '5Z')
  expect([await found(`since=${half}`), await found(`until=${half}`)]).toEqual([0, 1])
  expect(await found(`since=${createdAt.slice(0, 10)}&until=${new Date(at + 864e5).toISOString().slice(0, 10)}`)).toBe(
    1,
  )
  expect(await found(`updatedSince=${createdAt}&q=R&archived=any`)).toBe(1)
})

test('whatever a patch is, it is kept or refused', async () => {
  const { api, reports } = newApp()
  await withRun(api)
  const member = fc.constantFrom('name', 'tags', 'notes', 'archived', 'facts', 'x', '__proto__')
  const some = fc.oneof(
    fc.dictionary(member, fc.jsonValue()).map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
  )
  await fc.assert(
    fc.asyncProperty(some, async (text) => {
      const { status } = await api.request(...patch(new TextEncoder().encode(text)))
      expect([200, 400, 422]).toContain(status)
    }),
    { numRuns: 500 },
  )
  expect(reports).toEqual([])
})

test('whatever the list is asked, it answers or refuses', async () => {
  const { api, reports } = newApp()
  await withRun(api)
  const name = fc.constantFrom('q', 'tag', 'since', 'until', 'updatedSince', 'attr.k', 'attr.', 'archived', 'limit')
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.date().map(String), fc.double().map(String))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 4 }), async (pairs) => {
      const { status } = await api.get(`/v1/runs?${new URLSearchParams(pairs)}`)
      expect([200, 400]).toContain(status)
    }),
    { numRuns: 300 },
  )
  expect(reports).toEqual([])
})
