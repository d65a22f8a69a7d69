/** JSON bodies of tenants and keys that are refused: why, and that nothing is changed by them. */
import { describe, expect, test } from 'vitest'
import { type Api, expectProblem, jsonOf } from '../http/api.ts'
import { bearer, newLab, newWorld, OPERATOR, type World } from './world.ts'

const past = '2020-01-01T00:00:00Z'
const KEY = { name: 'x', scopes: ['read'] }
const BAD: readonly (readonly [path: string, body: unknown, says: string])[] = [
  ['POST /v1/tenants', {}, '"tenant"'],
  ['POST /v1/tenants', { tenant: 'Lab' }, '"tenant"'],
  ['POST /v1/tenants', { tenant: '' }, '"tenant"'],
  ['POST /v1/tenants', { tenant: 'a'.repeat(65) }, '"tenant"'],
  ['POST /v1/tenants', { tenant: 5 }, '"tenant"'],
  ['POST /v1/tenants', { tenant: 'x', more: 1 }, '"more" is not known'],
  ['POST /v1/tenants', { tenant: 'x', limits: null }, '"limits"'],
  ['POST /v1/tenants', { tenant: 'x', limits: { rate: 1 } }, '"limits.rate" is not known'],
  ['POST /v1/tenants', { tenant: 'x', limits: { runs: -1 } }, '"limits.runs"'],
  ['POST /v1/tenants', { tenant: 'x', limits: { runs: 1.5 } }, '"limits.runs"'],
  ['POST /v1/tenants', { tenant: 'x', limits: { runs: '5' } }, '"limits.runs"'],
  ['POST /v1/tenants', { tenant: 'x', limits: { runs: 2 ** 53 } }, '"limits.runs"'],
  ['POST /v1/tenants', { tenant: 'x', limits: { requestsPerMinute: 0 } }, '"limits.requestsPerMinute"'],
  ['POST /v1/tenants', [], '"tenant" is missing'],
  ['POST /v1/tenants', null, 'the body must be an object'],
  ['POST /v1/tenants', 'lab', 'the body must be an object'],
  ['PATCH /v1/tenants/lab', { suspended: 'yes' }, '"suspended"'],
  ['PATCH /v1/tenants/lab', { tenant: 'other' }, '"tenant" is not known'],
  ['PATCH /v1/tenants/LAB', {}, 'a tenant has'],
  ['POST /v1/tenants/lab/keys', {}, '"name"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, name: '' }, '"name"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, name: 'a\nb' }, '"name"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, name: 'x'.repeat(101) }, '"name"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, scopes: [] }, '"scopes"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, scopes: 'read' }, '"scopes"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, scopes: ['root'] }, '"scopes.0"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, expiresAt: past }, '"expiresAt"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, expiresAt: 'tomorrow' }, '"expiresAt"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, expiresAt: '2027-02-31T00:00' }, '"expiresAt"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, expiresAt: 1e12 }, '"expiresAt"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, run: 'a b' }, '"run"'],
  ['POST /v1/tenants/lab/keys', { ...KEY, id: 'x' }, '"id" is not known'],
]

test.each(BAD)('%s %j is refused, and changes nothing', async (route, body, says) => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  const before = await everything(world, admin)
  const [method = '', path = ''] = route.split(' ')
  const { detail } = await expectProblem(await world.call(OPERATOR, method, path, body), 400, 'invalid_parameter')
  expect(detail).toContain(says)
  expect(await everything(world, admin)).toEqual(before)
})

async function everything(world: World, admin: string): Promise<unknown> {
  const { keys } = await jsonOf(await world.call(admin, 'GET', '/v1/keys'))
  return [await jsonOf(await world.call(OPERATOR, 'GET', '/v1/tenants')), keys]
}

describe('bodies', () => {
  const post = (
    api: Api,
    body: string | Uint8Array,
    headers: Record<string, string> = { 'Content-Type': 'application/json' },
  ) => api.request('POST', '/v1/tenants', { headers: { ...bearer(OPERATOR), ...headers }, body: bytesOf(body) })
  const bytesOf = (body: string | Uint8Array) =>
    body instanceof Uint8Array ? new Uint8Array(body) : new TextEncoder().encode(String(body))

  test('of another type, too large, or no JSON', async () => {
    const { api } = newWorld()
    const good = '{"tenant":"lab"}'
    await expectProblem(await post(api, good, { 'Content-Type': 'text/plain' }), 415, 'unsupported_media_type')
    const zipped = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }
    await expectProblem(await post(api, good, zipped), 415, 'unsupported_media_type')
    await expectProblem(await post(api, good.padEnd(70_000)), 413, 'payload_too_large')
    for (const bad of ['', '{', '{"tenant":"lab",}', '{"tenant":\u0000}', '['.repeat(30_000)]) {
      await expectProblem(await post(api, bad), 400, 'invalid_parameter')
    }
    await expectProblem(await post(api, new Uint8Array([0x22, 0xff, 0x22])), 400, 'invalid_parameter')
    await expectProblem(await post(api, '{"tenant":"lab","__proto__":{"x":1}}'), 400, 'invalid_parameter')
    expect((await post(api, good, { 'Content-Type': 'application/json; charset=utf-8' })).status).toBe(201)
  })
})
