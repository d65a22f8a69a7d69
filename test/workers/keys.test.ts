/** Keys on the Worker: tenants in D1, draws in run objects, and isolates that know only what they have looked up. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { SqlControl } from '../../src/access/sql/sql-control.ts'
import { encodeRunMeta } from '../../src/core/wire/run-meta.ts'
import { D1Driver } from '../../src/sql/d1.ts'
import { createWorker, type Env } from '../../src/worker/handler.ts'
import { quiet, rowsInShards } from './objects.ts'

afterAll(quiet)

const OPERATOR = 'operator-token-of-the-worker-tests'

/** The worker as another isolate has it. */
function isolate(variables: Partial<Env> = { MCB_OPERATOR_TOKEN: OPERATOR }) {
  const { MCB_AUTH: _, ...bindings } = env
  const worker = createWorker()
  const all: Env = { ...bindings, ...variables }
  const call = async (token: string | undefined, method: string, path: string, body?: object | Uint8Array) => {
    const type = body instanceof Uint8Array ? 'application/x-protobuf' : 'application/json'
    const headers = {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'Content-Type': type }),
    }
    const content = body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body)
    const init = { method, headers, ...(body !== undefined && { body: content }) }
    return worker.fetch(new Request(`http://worker.test${path}`, init), all, createExecutionContext())
  }
  return { call, scheduled: () => worker.scheduled(undefined, all) }
}

describe('a worker that is not set up', () => {
  test.each([{}, { MCB_AUTH: 'keys' }, { MCB_AUTH: 'nonsense' }, { MCB_OPERATOR_TOKEN: 'x' }])(
    '%j: 503 to all, and why in its log',
    async (variables) => {
      const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined)
      const { call } = isolate(variables)
      for (const path of ['/healthz', '/v1/runs']) {
        const answer = await call(undefined, 'GET', path)
        expect([answer.status, answer.headers.get('Retry-After')]).toEqual([503, '60'])
        const text = await answer.text()
        expect(JSON.parse(text)).toMatchObject({ code: 'storage_unavailable' })
        expect(text).not.toContain('MCB_')
      }
      expect(errors.mock.calls.join()).toMatch(/MCB_(OPERATOR_TOKEN|AUTH)/)
      errors.mockRestore()
    },
  )

  test('run objects without the binding of their list: 503, and the log has the lines of wrangler.toml', async () => {
    const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const { CATALOGUE: _, ...bindings } = env
    const answer = await createWorker().fetch(
      new Request('http://worker.test/healthz'),
      bindings,
      createExecutionContext(),
    )
    expect(answer.status).toBe(503)
    expect(errors.mock.calls.join()).toMatch(/name = "CATALOGUE".*new_sqlite_classes = \["CatalogueObject"\]/)
    errors.mockRestore()
  })
})

const META = encodeRunMeta({ variables: [{ name: 'x', dtype: 'int8' }] })

async function newLab({ call }: ReturnType<typeof isolate>, tenant: string) {
  expect((await call(OPERATOR, 'POST', '/v1/tenants', { tenant })).status).toBe(201)
  const made = await call(OPERATOR, 'POST', `/v1/tenants/${tenant}/keys`, { name: 'first', scopes: ['admin'] })
  expect(made.status).toBe(201)
  const { key, id } = JSON.parse(await made.text())
  return { key: String(key), id: String(id) }
}

test('keys that one isolate makes are known to another; tenants with one run id see their own', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const [here, there] = [isolate(), isolate()]
  const [a, b] = [await newLab(here, 'a'), await newLab(here, 'b')]
  expect((await there.call(a.key, 'PUT', '/v1/runs/same', META)).status).toBe(201)
  expect((await there.call(b.key, 'GET', '/v1/runs/same')).status).toBe(404)
  expect((await there.call(b.key, 'PUT', '/v1/runs/same', META)).status).toBe(201)
  const identity = async (key: string) => (await here.call(key, 'GET', '/v1/runs/same')).headers.get('Mcb-Registration')
  expect(await identity(a.key)).not.toBe(await identity(b.key))
  expect((await here.call(undefined, 'GET', '/v1/runs')).status).toBe(401)
  expect((await here.call(OPERATOR, 'GET', '/v1/runs')).status).toBe(403)
  const { lastUsedAt } = (await new SqlControl(new D1Driver(env.DB)).findKey(a.id))?.key ?? {}
  expect(lastUsedAt).toBeGreaterThan(0)

  expect((await here.call(OPERATOR, 'DELETE', '/v1/tenants/a')).status).toBe(204)
  expect((await here.call(a.key, 'GET', '/v1/runs')).status).toBe(401)
  expect((await here.call(b.key, 'GET', '/v1/runs/same')).status).toBe(200)
  expect(await rowsInShards('a')).toBe(0)
  const printed = log.mock.calls.join('\n')
  expect(printed).toContain('"action":"tenant.delete"')
  for (const secret of [a.key, b.key, OPERATOR]) expect(printed).not.toContain(secret.slice(-20))
  log.mockRestore()
})

test('what a late writer leaves of a deleted tenant is removed by the schedule', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const [here, there] = [isolate(), isolate()]
  const { key } = await newLab(here, 'late')
  expect((await there.call(key, 'PUT', '/v1/runs/before', META)).status).toBe(201)
  expect((await here.call(OPERATOR, 'DELETE', '/v1/tenants/late')).status).toBe(204)
  // The other isolate does not know yet.
  expect((await there.call(key, 'PUT', '/v1/runs/after', META)).status).toBe(201)
  expect(await rowsInShards('late')).toBeGreaterThan(0)
  await newLab(here, 'late')
  expect(await (await here.call(OPERATOR, 'GET', '/v1/tenants/late')).json()).toMatchObject({ usage: { runs: 0 } })
  await here.scheduled()
  expect(await rowsInShards('late')).toBe(0)
  expect((await here.call(OPERATOR, 'GET', '/v1/tenants/late')).status).toBe(200)
  log.mockRestore()
})

test('unknown keys are counted by the address that Cloudflare gives', async () => {
  const worker = createWorker()
  const { MCB_AUTH: _, ...bindings } = env
  const ask = async (address: string, key: string) => {
    const headers = { Authorization: `Bearer ${key}`, 'CF-Connecting-IP': address, 'X-Forwarded-For': `10.0.0.${key}` }
    const request = new Request('http://worker.test/v1/tenants', { headers })
    const all = { ...bindings, MCB_OPERATOR_TOKEN: OPERATOR }
    return (await worker.fetch(request, all, createExecutionContext())).status
  }
  const statuses = []
  for (let i = 0; i < 150; i++) statuses.push(await ask('2001:db8::1', String(i)))
  expect(statuses.slice(0, 60)).toEqual(new Array(60).fill(401))
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(40)
  expect(await ask('2001:db8::2', '1')).toBe(429)
  expect(await ask('2001:db8:1::1', '1')).toBe(401)
  expect(await ask('2001:db8::1', OPERATOR)).toBe(200)
})
