/** Keys (docs/protocol.md §12) at a server that asks for them: none, wrong ones, and those of fewer scopes. */
import { describe, expect, onTestFinished, type TestContext, test } from 'vitest'
import {
  type Api,
  type Body,
  DRAWS,
  drawBatch,
  expectProblem,
  iterations,
  JSON_TYPE,
  jsonOf,
  metaOf,
  runMeta,
  withDraws,
} from '../../../test/http/api.ts'
import { deleteAll } from '../deleting.ts'
import { type Address, send } from './remote.ts'
import { optional, type Subject } from './subject.ts'

const jsonBody = (value: unknown): { body: Body; headers: { 'Content-Type': string } } => ({
  body: new TextEncoder().encode(JSON.stringify(value)),
  headers: { 'Content-Type': JSON_TYPE },
})
const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })
const basic = (key: string) => ({ Authorization: `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}` })

/** Requests that need a key, each with its least scope. */
const REQUESTS: readonly (readonly [scope: string, method: string, path: string])[] = [
  ['read', 'GET', '/v1/runs'],
  ['read', 'GET', '/v1/runs/r'],
  ['read', 'GET', DRAWS],
  ['write', 'PUT', '/v1/runs/r'],
  ['write', 'PUT', '/v1/runs/r/chains/1'],
  ['write', 'POST', DRAWS],
  ['admin', 'DELETE', '/v1/runs/r'],
]
const SCOPES = ['read', 'write', 'admin']

/** Sends one of the requests, with the body that it needs. */
function request(api: Api, method: string, path: string, headers: { [name: string]: string }): Promise<Response> {
  if (method === 'POST') {
    return api.request(method, path, {
      body: drawBatch(iterations(0, 1)),
      headers: { 'Content-Type': 'application/x-protobuf', ...headers },
    })
  }
  if (method === 'PUT' && path === '/v1/runs/r') {
    const type = { 'Content-Type': 'application/x-protobuf' }
    return api.request(method, path, { body: metaOf(api), headers: { ...type, ...headers } })
  }
  return api.request(method, path, { headers })
}

/** A key that the test's own key makes, and that goes with the test. */
async function newKey(server: Subject, context: TestContext, address: Address, body: object): Promise<string> {
  const named = { name: 'conformance kit', ...body }
  const response = await optional(
    server,
    context,
    'keys of keys',
    await send(address, 'POST', '/v1/keys', jsonBody(named)),
  )
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(201)
  const { id, key } = await jsonOf(response)
  onTestFinished(async () => {
    await deleteAll([`/v1/keys/${id}`], (path) => send(address, 'DELETE', path))
  })
  return key
}

/** Declares the tests of keys. */
export function keys(server: Subject, address: Address & { readonly token: string }): void {
  describe('keys', () => {
    test.each(REQUESTS)('without one, nothing is to be had (%s): %s %s', async (_scope, method, path) => {
      const api = await server.open()
      await withDraws(api, 1)
      for (const headers of [{ Authorization: '' }, bearer('unknown'), bearer(`${address.token}x`)]) {
        const response = await request(api, method, path, headers)
        await expectProblem(response, 401, 'unauthorized')
        expect(response.headers.get('WWW-Authenticate')).toMatch(/^Bearer\b/)
      }
      expect(await jsonOf(await api.get('/v1/runs/r/chains'))).toMatchObject({ chains: [{ chain: 0, length: 1 }] })
    })

    test('health needs none', async () => {
      const response = await (await server.open()).get('/healthz', { Authorization: '' })
      expect([response.status, (await jsonOf(response)).status]).toEqual([200, 'ok'])
    })

    test('a key is taken as the password of HTTP Basic, too', async () => {
      const api = await server.open()
      expect((await api.get('/v1/runs?limit=1', basic(address.token))).status).toBe(200)
      await expectProblem(await api.get('/v1/runs?limit=1', basic('unknown')), 401, 'unauthorized')
    })

    test('routes come before keys, and keys before all else', async () => {
      const api = await server.open()
      const none = { Authorization: '' }
      await expectProblem(await api.get('/v1/nowhere', none), 404, 'not_found')
      await expectProblem(await api.request('DELETE', '/v1/runs', { headers: none }), 405, 'method_not_allowed')
      for (const path of ['/v1/runs/a%20b', '/v1/runs?limit=0', '/v1/runs/none', `${DRAWS}?step=0`]) {
        await expectProblem(await api.get(path, none), 401, 'unauthorized')
      }
    })

    for (const [i, scope] of SCOPES.entries()) {
      test(`a key of the scope ${scope} does what it may, and no more`, async (context) => {
        const key = await newKey(server, context, address, { scopes: SCOPES.slice(0, i + 1) })
        const api = await server.open()
        await withDraws(api, 1)
        for (const [needed, method, path] of REQUESTS) {
          const response = await request(api, method, path, bearer(key))
          if (SCOPES.indexOf(needed) > i) await expectProblem(response, 403, 'forbidden')
          else expect([method, path, response.ok]).toEqual([method, path, true])
        }
        const chains = await api.get('/v1/runs/r/chains')
        if (scope === 'admin') await expectProblem(chains, 404, 'run_not_found')
        else expect((await jsonOf(chains)).chains).toHaveLength(i + 1)
      })
    }

    test('a key of one run reads that run alone', async (context) => {
      const api = await server.open()
      await withDraws(api, 1)
      await api.request('PUT', '/v1/runs/other', { body: runMeta({}) })
      const run = { scopes: ['read'], run: api.rid('r') }
      const key = bearer(await newKey(server, context, address, run))
      expect((await api.get(DRAWS, key)).status).toBe(200)
      for (const path of ['/v1/runs/other', '/v1/runs/other/chains', '/v1/runs/none']) {
        await expectProblem(await api.get(path, key), 403, 'forbidden')
      }
      expect(await jsonOf(await api.get('/v1/whoami', key))).toMatchObject({
        tenant: null,
        usage: null,
        run: api.rid('r'),
      })
    })
  })
}
