/** Every route × every kind of credential, with the status that is expected; a route that is not in the table fails. */
import { beforeAll, describe, expect, test } from 'vitest'
import { newKey } from '../../src/access/key-format.ts'
import { NodeMeter } from '../../src/node/metrics.ts'
import { type Body, drawBatch, iterations, jsonOf, META, newApp, PROTOBUF, runMeta } from '../http/api.ts'
import { expectDescribed } from '../http/described.ts'
import { pageOf } from '../support/page.ts'
import { bearer, makeKey, newLab, newRun, newWorld, OPERATOR, type World } from './world.ts'

/** Callers that are let in, beside the rules that all routes have in common. */
type Rule = 'public' | 'read' | 'write' | 'admin' | 'any key' | 'operator' | 'operator or admin'

interface Route {
  readonly rule: Rule
  /** `{key}` and `{tenant}` stand for some that are made for the request. */
  readonly path: string
  readonly body?: 'meta' | 'meta without rid' | 'draws' | 'stan' | object
  /** Status of a success. */
  readonly ok: number
  /** Status for a key for run "r" instead, if the path does not name a run. */
  readonly oneRun?: number
}

const ZARR_GROUP = { zarr_format: 3, node_type: 'group' }
const KEY = { name: 'made by the matrix', scopes: ['read'] }
const KEY_OF_R = { ...KEY, run: 'r' }
const TENANT = { tenant: 'new-number' }

const STAN = '# method = sample\n# num_samples = 1\n# algorithm = fixed_param\nlp__,z\n-1,2\n'

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /healthz': { rule: 'public', path: '/healthz', ok: 200 },
  'GET /readyz': { rule: 'public', path: '/readyz', ok: 200 },
  'GET /metrics': { rule: 'operator', path: '/metrics', ok: 200 },
  'GET /openapi.json': { rule: 'public', path: '/openapi.json', ok: 200 },
  'GET /docs': { rule: 'public', path: '/docs', ok: 200 },
  'GET /ui': { rule: 'public', path: '/ui', ok: 308 },
  'GET /ui/*': { rule: 'public', path: '/ui/runs/r', ok: 200 },
  'GET /shared/:rid': { rule: 'public', path: '/shared/r', ok: 308 },
  'GET /v1/runs': { rule: 'read', path: '/v1/runs', ok: 200 },
  'POST /v1/runs': { rule: 'write', path: '/v1/runs', body: 'meta without rid', ok: 201, oneRun: 403 },
  'GET /v1/runs/:rid': { rule: 'read', path: '/v1/runs/r', ok: 200 },
  'PUT /v1/runs/:rid': { rule: 'write', path: '/v1/runs/r', body: 'meta', ok: 200 },
  'DELETE /v1/runs/:rid': { rule: 'admin', path: '/v1/runs/r', ok: 204 },
  'GET /v1/runs/:rid/about': { rule: 'read', path: '/v1/runs/r/about', ok: 200 },
  'PATCH /v1/runs/:rid/about': { rule: 'write', path: '/v1/runs/r/about', body: { name: 'r' }, ok: 200 },
  'GET /v1/runs/:rid/summary': { rule: 'read', path: '/v1/runs/r/summary', ok: 200 },
  'GET /v1/runs/:rid/summary.csv': { rule: 'read', path: '/v1/runs/r/summary.csv', ok: 200 },
  'GET /v1/runs/:rid/summary.arrows': { rule: 'read', path: '/v1/runs/r/summary.arrows', ok: 200 },
  'GET /v1/runs/:rid/draws.csv': { rule: 'read', path: '/v1/runs/r/draws.csv', ok: 200 },
  'GET /v1/runs/:rid/draws.arrows': { rule: 'read', path: '/v1/runs/r/draws.arrows', ok: 200 },
  'GET /v1/runs/:rid/chains/:chain/draws.npy': {
    rule: 'read',
    path: '/v1/runs/r/chains/0/draws.npy?var=x',
    ok: 200,
  },
  'GET /v1/runs/:rid/checks': { rule: 'read', path: '/v1/runs/r/checks', ok: 200 },
  'GET /v1/runs/:rid/trace': { rule: 'read', path: '/v1/runs/r/trace', ok: 200 },
  'GET /v1/runs/:rid/in.zarr': { rule: 'write', path: '/v1/runs/r/in.zarr', ok: 404 },
  'PROPFIND /v1/runs/:rid/in.zarr': { rule: 'write', path: '/v1/runs/r/in.zarr', ok: 404 },
  'GET /v1/runs/:rid/in.zarr/:path': { rule: 'write', path: '/v1/runs/r/in.zarr/zarr.json', ok: 404 },
  'PUT /v1/runs/:rid/in.zarr/:path': { rule: 'write', path: '/v1/runs/r/in.zarr/zarr.json', body: ZARR_GROUP, ok: 409 },
  'DELETE /v1/runs/:rid/in.zarr/:path': { rule: 'write', path: '/v1/runs/r/in.zarr/zarr.json', ok: 204 },
  'PROPFIND /v1/runs/:rid/in.zarr/:path': { rule: 'write', path: '/v1/runs/r/in.zarr/posterior', ok: 404 },
  'GET /v1/runs/:rid/data.zarr/:path': { rule: 'read', path: '/v1/runs/r/data.zarr/zarr.json', ok: 200 },
  'GET /v1/runs/:rid/ragged/data.zarr/:path': {
    rule: 'read',
    path: '/v1/runs/r/ragged/data.zarr/zarr.json',
    ok: 200,
  },
  'GET /v1/runs/:rid/data.nc': { rule: 'read', path: '/v1/runs/r/data.nc', ok: 200 },
  'GET /v1/runs/:rid/at/:lengths/data.nc': { rule: 'read', path: '/v1/runs/r/at/0:0/data.nc', ok: 200 },
  'GET /v1/runs/:rid/events': { rule: 'read', path: '/v1/runs/r/events', ok: 200 },
  'POST /v1/runs/:rid/shares': { rule: 'write', path: '/v1/runs/r/shares', body: { expiresAt: null }, ok: 201 },
  'GET /v1/runs/:rid/chains': { rule: 'read', path: '/v1/runs/r/chains', ok: 200 },
  'PUT /v1/runs/:rid/chains/:chain': { rule: 'write', path: '/v1/runs/r/chains/0', ok: 200 },
  'GET /v1/runs/:rid/chains/:chain': { rule: 'read', path: '/v1/runs/r/chains/0', ok: 200 },
  'POST /v1/runs/:rid/chains/:chain/draws': {
    rule: 'write',
    path: '/v1/runs/r/chains/0/draws',
    body: 'draws',
    ok: 200,
  },
  'GET /v1/runs/:rid/chains/:chain/draws': { rule: 'read', path: '/v1/runs/r/chains/0/draws', ok: 200 },
  'GET /v1/runs/:rid/chains/:chain/stan.csv': { rule: 'read', path: '/v1/runs/r/chains/0/stan.csv', ok: 200 },
  // It comes as far as the run, whose columns are others.
  'PUT /v1/runs/:rid/chains/:chain/stan.csv': {
    rule: 'write',
    path: '/v1/runs/r/chains/0/stan.csv',
    body: 'stan',
    ok: 409,
  },
  'GET /v1/whoami': { rule: 'any key', path: '/v1/whoami', ok: 200 },
  'GET /v1/keys': { rule: 'admin', path: '/v1/keys', ok: 200 },
  'POST /v1/keys': { rule: 'admin', path: '/v1/keys', body: KEY_OF_R, ok: 201 },
  'DELETE /v1/keys/:id': { rule: 'admin', path: '/v1/keys/{key}', ok: 204, oneRun: 404 },
  'GET /v1/tenants': { rule: 'operator', path: '/v1/tenants', ok: 200 },
  'POST /v1/tenants': { rule: 'operator', path: '/v1/tenants', body: TENANT, ok: 201 },
  'GET /v1/tenants/:tenant': { rule: 'operator', path: '/v1/tenants/lab', ok: 200 },
  'PATCH /v1/tenants/:tenant': { rule: 'operator', path: '/v1/tenants/lab', body: { limits: {} }, ok: 200 },
  'DELETE /v1/tenants/:tenant': { rule: 'operator', path: '/v1/tenants/{tenant}', ok: 204 },
  'POST /v1/tenants/:tenant/keys': {
    rule: 'operator or admin',
    path: '/v1/tenants/lab/keys',
    body: KEY_OF_R,
    ok: 201,
  },
}

const CREDENTIALS = [
  'no key',
  'malformed',
  'unknown',
  'revoked',
  'expired',
  'suspended tenant',
  "other tenant's read",
  "other tenant's write",
  "other tenant's admin",
  'read',
  'write',
  'admin',
  'read for run r',
  'write for run r',
  'admin for run r',
  'read for another run',
  'write for another run',
  'admin for another run',
  'operator',
] as const
type Credential = (typeof CREDENTIALS)[number]

const REFUSED: Partial<Record<Credential, number>> = {
  'no key': 401,
  malformed: 401,
  unknown: 401,
  revoked: 401,
  expired: 401,
  'suspended tenant': 403,
}
const LEVELS = ['read', 'write', 'admin']
/** Status for another tenant's key, which finds nothing of this tenant. */
const ELSEWHERE: Readonly<Record<string, number>> = {
  'GET /v1/runs': 200,
  'POST /v1/runs': 201,
  'PUT /v1/runs/:rid': 201,
  'PUT /v1/runs/:rid/chains/:chain/stan.csv': 200,
  'PUT /v1/runs/:rid/in.zarr/:path': 201,
  'DELETE /v1/runs/:rid/in.zarr/:path': 204,
  'GET /v1/keys': 200,
  'POST /v1/keys': 201,
}

/** The expected status, from the rule alone. */
function expected(name: string, route: Route, credential: Credential): number {
  const { rule, ok } = route
  if (rule === 'public') return ok
  const refused = REFUSED[credential]
  if (refused !== undefined) return refused
  if (credential === 'operator') return rule.startsWith('operator') ? ok : 403
  if (rule === 'operator') return 403
  if (rule === 'any key') return ok
  const level = LEVELS.findIndex((scope) => credential.includes(scope))
  if (level < LEVELS.indexOf(rule === 'operator or admin' ? 'admin' : rule)) return 403
  if (credential.startsWith('other')) return ELSEWHERE[name] ?? 404
  if (credential.endsWith('run r')) return route.oneRun ?? ok
  if (!credential.endsWith('another run')) return ok
  if (name.includes(':rid')) return 403
  // Keys for another run list what is theirs, and make no key for run "r".
  return name === 'GET /v1/runs' || name === 'GET /v1/keys' ? ok : name === 'DELETE /v1/keys/:id' ? 404 : 403
}

const DOCUMENT = await jsonOf(await newApp().api.get('/openapi.json'))

let world: World
let tokens: Readonly<Record<Credential, string | undefined>>
let made = 0

beforeAll(async () => {
  world = newWorld({ meter: new NodeMeter(), page: await pageOf({ 'index.html': '<p>a page</p>' }) })
  const lab = await newLab(world, 'lab')
  await newLab(world, 'other')
  await newLab(world, 'suspended')
  await newRun(world, lab, 'r')
  const of = async (tenant: string, scope: 'read' | 'write' | 'admin', more: object = {}) =>
    (await makeKey(world, tenant, { scopes: [scope], ...more })).key
  const soon = new Date(world.clock.now + 1000).toISOString()
  const expired = await of('lab', 'admin', { expiresAt: soon })
  world.clock.now += 2000
  const revoked = await makeKey(world, 'lab', { scopes: ['admin'] })
  expect((await world.call(lab, 'DELETE', `/v1/keys/${revoked.id}`)).status).toBe(204)
  const suspended = await of('suspended', 'admin')
  expect((await world.call(OPERATOR, 'PATCH', '/v1/tenants/suspended', { suspended: true })).status).toBe(200)
  tokens = {
    'no key': undefined,
    malformed: 'mcb_nonsense',
    unknown: newKey('0123456789abcdefgh'),
    revoked: revoked.key,
    expired,
    'suspended tenant': suspended,
    "other tenant's read": await of('other', 'read'),
    "other tenant's write": await of('other', 'write'),
    "other tenant's admin": await of('other', 'admin'),
    read: await of('lab', 'read'),
    write: await of('lab', 'write'),
    admin: await of('lab', 'admin'),
    'read for run r': await of('lab', 'read', { run: 'r' }),
    'write for run r': await of('lab', 'write', { run: 'r' }),
    'admin for run r': await of('lab', 'admin', { run: 'r' }),
    'read for another run': await of('lab', 'read', { run: 'another' }),
    'write for another run': await of('lab', 'write', { run: 'another' }),
    'admin for another run': await of('lab', 'admin', { run: 'another' }),
    operator: OPERATOR,
  }
}, 120_000)

/** Makes what the request is about once more, since the one before may have deleted it. */
async function restore(): Promise<{ key: string; tenant: string }> {
  const admin = tokens.admin ?? ''
  const there = await world.call(admin, 'GET', '/v1/runs/r')
  if (there.status === 404) await newRun(world, admin, 'r')
  // The other tenant's run of the same id is its own business.
  await world.call(tokens["other tenant's admin"], 'DELETE', '/v1/runs/r')
  const tenant = `gone-${++made}`
  await world.call(OPERATOR, 'POST', '/v1/tenants', { tenant })
  return { key: (await makeKey(world, 'lab', { scopes: ['read'] })).id, tenant }
}

function contentOf(body: Route['body']): { bytes?: Body; type: string } {
  if (body === undefined) return { type: PROTOBUF }
  if (body === 'meta') return { bytes: runMeta(META), type: PROTOBUF }
  if (body === 'meta without rid') return { bytes: runMeta({ ...META, rid: '' }), type: PROTOBUF }
  if (body === 'draws') return { bytes: drawBatch(iterations(0, 1)), type: PROTOBUF }
  if (body === 'stan') return { bytes: new TextEncoder().encode(STAN), type: 'text/csv' }
  const text = JSON.stringify(body).replace('new-number', `new-${made}`)
  return { bytes: new TextEncoder().encode(text), type: 'application/json' }
}

async function ask(name: string, route: Route, credential: Credential): Promise<Response> {
  const { key, tenant } = await restore()
  const [method = ''] = name.split(' ')
  const { bytes, type } = contentOf(route.body)
  const path = route.path.replace('{key}', key).replace('{tenant}', tenant)
  const headers = { ...bearer(tokens[credential]), ...(bytes !== undefined && { 'Content-Type': type }) }
  return world.api.request(method, path, { headers, ...(bytes !== undefined && { body: bytes }) })
}

test('no route is missing from the table', () => {
  const mounted = world.app.routes
    .filter(({ method, path }) => method !== 'ALL' && path !== '/*' && path !== '*')
    .map(({ method, path }) => `${method} ${path.replaceAll(/\{[^}]*\}/g, '')}`)
  const isShared = (name: string) => name.startsWith('GET /s/')
  const own = new Set(mounted.filter((name) => !isShared(name)))
  expect([...own].sort()).toEqual(Object.keys(ROUTES).sort())
  const read = [...own].filter((name) => name.startsWith('GET /v1/runs/:rid'))
  const shared = read.map((name) => name.replace('/v1/runs/:rid', '/s/:shareKey'))
  expect([...new Set(mounted.filter(isShared))].sort()).toEqual(shared.sort())
})

test('no route is missing from the document', () => {
  const documented = Object.entries<object>(DOCUMENT.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  )
  const known = Object.keys(ROUTES).filter((name) => !/openapi|docs|shared|\/ui|PROPFIND/.test(name))
  const shown = known.flatMap((name) => (name.startsWith('GET') ? [name, name.replace('GET', 'HEAD')] : [name]))
  expect(documented.sort()).toEqual(shown.sort())
})

describe('a share key in the path', () => {
  const read = Object.entries(ROUTES).filter(([name]) => name.startsWith('GET /v1/runs/:rid'))
  const at = (key: string, path: string) => path.replace('/v1/runs/r', `/s/${key}`)

  test.each(read)('%s', async (name, { path, ok }) => {
    await restore()
    const { key } = await jsonOf(await world.call(tokens.write, 'POST', '/v1/runs/r/shares', {}))
    const share = String(key)
    const answer = await world.api.get(at(share, path))
    await answer.body?.cancel().catch(() => undefined)
    expect(answer.status).toBe(name.includes('in.zarr') ? 403 : ok)
    for (const credential of CREDENTIALS) {
      const refused = await world.api.get(at(tokens[credential] ?? 'none', path))
      expect([refused.status, await refused.text()]).toEqual([
        REFUSED[credential] === 403 ? 403 : 401,
        expect.any(String),
      ])
    }
    // A header does not make up for the key in the path, nor for the scope that it has not.
    expect((await world.api.get(at('none', path), bearer(tokens.admin))).status).toBe(401)
    expect((await world.api.request('POST', at(share, path), { headers: bearer(tokens.admin) })).status).toBe(405)
    expect(world.reports).toEqual([])
  })

  test('of a run that is deleted', async () => {
    await restore()
    const { key } = await jsonOf(await world.call(tokens.write, 'POST', '/v1/runs/r/shares', {}))
    expect((await world.api.get(`/s/${key}`)).status).toBe(200)
    expect((await world.call(tokens.admin, 'DELETE', '/v1/runs/r')).status).toBe(204)
    expect([401, 404]).toContain((await world.api.get(`/s/${key}`)).status)
  })
})

describe.each(Object.entries(ROUTES))('%s', (name, route) => {
  test.each(CREDENTIALS)('%s', async (credential) => {
    const answer = await ask(name, route, credential)
    const text = answer.headers.get('Content-Type') === 'text/event-stream' ? '' : await answer.text()
    await answer.body?.cancel().catch(() => undefined)
    expect(answer.status, text).toBe(expected(name, route, credential))
    if (answer.status === 401) expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Bearer/)
    if (answer.status >= 400) {
      const problem = JSON.parse(text)
      expect(problem).toMatchObject({ status: answer.status })
      const { status, headers } = answer
      // OpenAPI has no place for WebDAV's methods.
      if (!name.startsWith('PROPFIND'))
        expectDescribed(DOCUMENT, [name.split(' ')[0] ?? '', route.path], { status, headers, problem })
    }
    expect(world.reports).toEqual([])
  })

  test('HEAD is as GET', async () => {
    if (!name.startsWith('GET') || name.endsWith('/events')) return
    for (const credential of ['no key', 'suspended tenant', 'read', 'operator'] as const) {
      const head = await ask(name.replace('GET', 'HEAD'), route, credential)
      expect([head.status, await head.text()]).toEqual([expected(name, route, credential), ''])
    }
  })
})

const codes: Readonly<Partial<Record<Credential, string>>> = {
  'no key': 'unauthorized',
  unknown: 'unauthorized',
  revoked: 'unauthorized',
  expired: 'unauthorized',
  'suspended tenant': 'tenant_suspended',
  read: 'forbidden',
  operator: 'forbidden',
}

test.each(Object.entries(codes))('the code of %s is %s', async (credential, code) => {
  const answer = await world.call(
    tokens[CREDENTIALS.find((name) => name === credential) ?? 'no key'],
    'GET',
    '/v1/keys',
  )
  expect(await answer.json()).toMatchObject({ code })
})

describe("another tenant's key learns nothing of what exists", () => {
  const REQUESTS: readonly (readonly [string, string])[] = [
    ['GET', '/v1/runs/RID'],
    ['DELETE', '/v1/runs/RID'],
    ['GET', '/v1/runs/RID/chains'],
    ['GET', '/v1/runs/RID/events'],
    ['PUT', '/v1/runs/RID/chains/0'],
    ['GET', '/v1/runs/RID/chains/0'],
    ['GET', '/v1/runs/RID/chains/0/draws'],
    ['POST', '/v1/runs/RID/chains/0/draws'],
    ['POST', '/v1/runs/RID/shares'],
    ['GET', '/v1/tenants/TENANT'],
    ['PATCH', '/v1/tenants/TENANT'],
    ['DELETE', '/v1/tenants/TENANT'],
    ['POST', '/v1/tenants/TENANT/keys'],
    ['DELETE', '/v1/keys/KEYID'],
  ]

  test.each(REQUESTS)('%s %s', async (method, path) => {
    const { key } = await restore()
    const there = { RID: 'r', TENANT: 'lab', KEYID: key }
    // As long, so that nothing but the name differs.
    const absent = { RID: 'q', TENANT: 'bal', KEYID: [...key].reverse().join('') }
    const answers = await Promise.all(
      [there, absent].map(async (names) => {
        const named = path.replace(
          /RID|TENANT|KEYID/,
          (name) => Object.entries(names).find(([k]) => k === name)?.[1] ?? '',
        )
        const body = method === 'POST' || method === 'PATCH' ? { body: new TextEncoder().encode('{}') } : {}
        const headers = { ...bearer(tokens["other tenant's admin"]), 'Content-Type': 'application/json' }
        const answer = await world.api.request(method, named, { headers, ...body })
        const text = await answer.text()
        const shown = [...answer.headers].filter(([header]) => header !== 'x-request-id')
        return {
          status: answer.status,
          shown,
          text: Object.values(names).reduce(
            (t, n) => t.replaceAll(`"${n}\\"`, '"X\\"').replaceAll(`\\"${n}\\"`, '\\"X\\"'),
            text,
          ),
        }
      }),
    )
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]?.status).toBeGreaterThanOrEqual(403)
  })
})
