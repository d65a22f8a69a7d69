/** A key of one run, as a share is, learns nothing of its tenant: not its name, not what it keeps, not what it may. */
import { expect, test } from 'vitest'
import { DRAWS, drawBatch, expectProblem, iterations, jsonOf, META, PROTOBUF, runMeta } from '../http/api.ts'
import { bearer, makeKey, newLab, newRun, newWorld, OPERATOR } from './world.ts'

const TENANT = 'secret-laboratory'
const LIMITS = { requestsPerMinute: 7919, storedBytes: 104_729, runs: 1299, bodyBytes: 15_485 }

async function shared() {
  const world = newWorld()
  const admin = await newLab(world, TENANT, LIMITS)
  await newRun(world, admin, 'r')
  const share = await jsonOf(await world.call(admin, 'POST', '/v1/runs/r/shares', {}))
  const writer = await makeKey(world, TENANT, { scopes: ['write'], run: 'r' })
  return { world, admin, keys: [String(share.key), writer.key] }
}

test('whoami', async () => {
  const { world, admin, keys } = await shared()
  expect(await jsonOf(await world.call(admin, 'GET', '/v1/whoami'))).toMatchObject({ tenant: TENANT, limits: LIMITS })
  for (const key of keys) {
    const text = await (await world.call(key, 'GET', '/v1/whoami')).text()
    expect(JSON.parse(text)).toMatchObject({ tenant: null, usage: null, run: 'r', key: { id: key.split('_')[1] } })
    for (const told of [TENANT, ...Object.values(LIMITS)]) expect(text).not.toContain(String(told))
  }
})

test('headers of rates', async () => {
  const { world, admin, keys } = await shared()
  const names = async (key: string, path: string) =>
    [...(await world.call(key, 'GET', path)).headers.keys()].filter((name) => name.startsWith('ratelimit'))
  for (const path of ['/v1/runs/r', '/v1/whoami', '/v1/runs/other']) {
    expect(await names(admin, path)).toHaveLength(2)
    for (const key of keys) expect(await names(key, path)).toEqual([])
  }
})

test('errors: too many requests, no more room, suspended', async () => {
  const { world, admin, keys } = await shared()
  const [reader = '', writer = ''] = keys
  const change = (body: object) => world.call(OPERATOR, 'PATCH', `/v1/tenants/${TENANT}`, body)
  const told = async (answer: Response, status: number, code: string) => {
    expect([...answer.headers.keys()].filter((name) => name.startsWith('ratelimit'))).toEqual([])
    const problem = await expectProblem(answer, status, code)
    expect(problem).not.toHaveProperty('limit')
    expect(JSON.stringify(problem)).not.toContain(TENANT)
    return problem
  }
  await change({ limits: { storedBytes: 1 } })
  const append = (key: string) =>
    world.api.request('POST', DRAWS, {
      headers: { ...bearer(key), 'Content-Type': PROTOBUF },
      body: drawBatch(iterations(0, 5)),
    })
  await told(await append(writer), 403, 'quota_exceeded')
  await expectProblem(await append(admin), 403, 'quota_exceeded')
  await change({ limits: { storedBytes: null, runs: 0 } })
  await world.call(admin, 'DELETE', '/v1/runs/r')
  const register = await world.api.request('PUT', '/v1/runs/r', {
    headers: { ...bearer(writer), 'Content-Type': PROTOBUF },
    body: runMeta(META),
  })
  await told(register, 403, 'quota_exceeded')
  await change({ limits: { requestsPerMinute: 1 } })
  await world.call(writer, 'GET', '/v1/runs')
  const limited = await world.call(writer, 'GET', '/v1/runs')
  expect(limited.headers.get('Retry-After')).toBe('60')
  await told(limited, 429, 'rate_limited')
  await change({ suspended: true })
  await told(await world.call(writer, 'GET', '/v1/runs'), 403, 'tenant_suspended')
  // The share ended with its run.
  await told(await world.call(reader, 'GET', '/v1/runs'), 401, 'unauthorized')
})
