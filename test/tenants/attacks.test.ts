/** Somebody who tries things: odd headers, odd bodies, odd paths, and everything at once. Never a 5xx, never a way in. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawBatch, iterations, jsonOf, META, PROTOBUF, runMeta } from '../http/api.ts'
import { bearer, makeKey, newLab, newRun, newWorld, OPERATOR } from './world.ts'

test('whatever stands in Authorization: 401', async () => {
  const world = newWorld()
  const key = await newLab(world, 'lab')
  const visible = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) })
  const damagedKey = fc
    .tuple(fc.nat({ max: key.length }), visible)
    .map(([at, more]) => `Bearer ${key.slice(0, at)}${more}`)
  const header = fc.oneof(
    visible,
    visible.map((text) => `Bearer ${text}`),
    damagedKey,
  )
  await fc.assert(
    fc.asyncProperty(header, async (Authorization) => {
      const text = Authorization.trim()
      if (text === `Bearer ${key}` || text === `Bearer ${OPERATOR}`) return
      let headers: Headers
      try {
        headers = new Headers({ Authorization })
      } catch {
        return
      }
      expect((await world.app.request('/v1/runs', { headers })).status).toBe(401)
    }),
    { numRuns: 1000 },
  )
  expect(world.reports).toEqual([])
})

test('whatever stands in a JSON body: no 5xx', async () => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  await newRun(world, admin, 'r')
  const member = fc.constantFrom(
    'name',
    'scopes',
    'expiresAt',
    'run',
    'tenant',
    'limits',
    'suspended',
    '__proto__',
    'runs',
  )
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(
      'lab',
      ['read'],
      ['admin', 'admin'],
      '2027-01-01T00:00:00Z',
      '9999-12-31T23:59:59+23:59',
      1e308,
      -0,
    ),
  )
  const body = fc.oneof(
    fc.dictionary(member, value).map((given) => JSON.stringify(given)),
    fc.json(),
    fc.string(),
  )
  const route = fc.constantFrom<readonly [string, string, string]>(
    [OPERATOR, 'POST', '/v1/tenants'],
    [OPERATOR, 'PATCH', '/v1/tenants/lab'],
    [OPERATOR, 'POST', '/v1/tenants/lab/keys'],
    [admin, 'POST', '/v1/keys'],
    [admin, 'POST', '/v1/runs/r/shares'],
  )
  await fc.assert(
    fc.asyncProperty(route, body, async ([token, method, path], text) => {
      const answer = await world.api.request(method, path, {
        headers: { ...bearer(token), 'Content-Type': 'application/json' },
        body: new TextEncoder().encode(text),
      })
      expect(answer.status).toBeLessThan(500)
      if (path === '/v1/tenants/lab' && answer.status === 200) {
        await world.call(OPERATOR, 'PATCH', '/v1/tenants/lab', {
          suspended: false,
          limits: { requestsPerMinute: null, storedBytes: null, runs: null, bodyBytes: null },
        })
      }
    }),
    { numRuns: 700 },
  )
  expect(world.reports).toEqual([])
})

test('a route is looked for first, then the key, then all else', async () => {
  const world = newWorld()
  const key = await newLab(world, 'lab')
  const ask = async (method: string, path: string, token?: string) => (await world.call(token, method, path)).status
  expect(await ask('GET', '/v1/nothing')).toBe(404)
  expect(await ask('PATCH', '/v1/runs/r')).toBe(405)
  expect(await ask('PUT', '/v1/tenants/LAB')).toBe(405)
  expect(await ask('GET', '/v1/runs/a%20b')).toBe(401)
  expect(await ask('GET', '/v1/runs?limit=none')).toBe(401)
  expect(await ask('GET', '/v1/tenants/LAB', key)).toBe(403)
  expect(await ask('GET', '/v1/runs/a%20b', key)).toBe(400)
  expect(await ask('POST', '/v1/runs/a%20b/shares', key)).toBe(400)
  expect(await ask('POST', '/v1/runs/none/shares', key)).toBe(404)
})

describe('paths', () => {
  const ODD = [
    '/v1/runs/r%2F..%2Fq',
    '/v1/runs/../runs/q',
    '/v1/runs/r/../q',
    '/v1/runs/%2e%2e/q',
    '/v1/runs/r/',
    '/v1/runs//q',
    '/V1/runs/q',
    '/v1/RUNS/q',
    '/v1/runs/q%00',
    '/v1/runs/q;x=r',
    '/v1/runs/q?rid=r',
    '/v1/runs/q#/v1/runs/r',
    '/v1/runs/%71',
    '/v1/runs/q/chains/0?x=/v1/runs/r',
    '/v1/runs/q/chains/0/draws',
    '//v1/runs/q',
    '/v1/tenants/lab%2Fkeys',
    '/v1/tenants/other/keys',
    '/v1//keys',
    '/v1/keys/',
  ]

  test.each(ODD)('%s shows a key for run r nothing of another run', async (path) => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    for (const rid of ['r', 'q']) await newRun(world, admin, rid)
    const { key } = await makeKey(world, 'lab', { scopes: ['admin'], run: 'r' })
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH']) {
      const answer = await world.api.request(method, path, { headers: bearer(key) })
      expect([400, 403, 404, 405]).toContain(answer.status)
      await answer.body?.cancel()
    }
    expect((await world.call(admin, 'GET', '/v1/runs/q')).status).toBe(200)
    expect(world.reports).toEqual([])
  })
})

test('a deletion while the lab writes: nothing is left, and nobody gets in again', async () => {
  const world = newWorld()
  const key = await newLab(world, 'lab')
  const headers = { ...bearer(key), 'Content-Type': PROTOBUF }
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    const statuses = new Set<number>()
    for (let round = 0; round < 20_000 && !statuses.has(401); round++) {
      // Room for the one who deletes.
      await new Promise((resolve) => setTimeout(resolve))
      const rid = `run-${writer}-${round % 5}`
      const body = runMeta({ ...META, rid })
      statuses.add((await world.api.request('PUT', `/v1/runs/${rid}`, { headers, body })).status)
      statuses.add((await world.api.request('PUT', `/v1/runs/${rid}/chains/0`, { headers })).status)
      const draws = drawBatch(iterations(round < 5 ? 0 : 10, 10))
      statuses.add((await world.api.request('POST', `/v1/runs/${rid}/chains/0/draws`, { headers, body: draws })).status)
    }
    return statuses
  })
  await expect
    .poll(async () => (await jsonOf(await world.call(key, 'GET', '/v1/whoami'))).usage?.runs, { timeout: 20_000 })
    .toBeGreaterThan(20)
  const store = world.backends.get('lab')?.store
  expect((await world.call(OPERATOR, 'DELETE', '/v1/tenants/lab')).status).toBe(204)
  for (const statuses of await Promise.all(writers)) {
    for (const status of statuses) expect([200, 201, 401, 404, 409]).toContain(status)
    expect(statuses).toContain(401)
  }
  expect(await store?.usage()).toEqual({ runs: 0, bytes: 0 })
  expect(world.reports).toEqual([])
})

test('answers and pages carry what keeps browsers from helping an attacker', async () => {
  const world = newWorld()
  for (const path of [
    '/healthz',
    '/docs',
    '/',
    '/ui',
    '/ui/',
    '/ui/runs/r',
    '/ui/assets/x.js',
    '/shared/r',
    '/v1/runs',
    '/nothing',
  ]) {
    const { headers } = await world.api.get(path)
    expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
    expect(headers.get('Referrer-Policy')).toBe('no-referrer')
    expect(headers.get('X-Frame-Options')).toBe('DENY')
    expect(headers.get('Strict-Transport-Security')).toMatch(/max-age=\d+/)
    expect(headers.get('Content-Security-Policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
    expect(headers.get('Access-Control-Allow-Origin')).toBeNull()
  }
})

test('the policy of /docs allows the style that is in it, and nothing else', async () => {
  const answer = await newWorld().api.get('/docs')
  const policy = answer.headers.get('Content-Security-Policy') ?? ''
  const [style, ...more] = [...(await answer.text()).matchAll(/<style>([\s\S]*?)<\/style>/g)]
  expect(more).toEqual([])
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style?.[1])))
  expect(policy).toContain(`style-src 'sha256-${digest.toString('base64')}'`)
  expect(policy).not.toMatch(/unsafe|script-src/)
})
