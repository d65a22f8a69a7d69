/** The endpoints for tenants, keys and shares: answers, refusals, and the rights that one key may give to another. */
import { describe, expect, test } from 'vitest'
import { expectProblem, jsonOf } from '../http/api.ts'
import { BEGIN, makeKey, newLab, newRun, newTenant, newWorld, OPERATOR, type World } from './world.ts'

const NO_LIMITS = { requestsPerMinute: null, storedBytes: null, runs: null, bodyBytes: null }
const in_ = (world: World, milliseconds: number) => new Date(world.clock.now + milliseconds).toISOString()

describe('tenants', () => {
  test('are made, listed, changed and deleted', async () => {
    const world = newWorld()
    const { call } = world
    const made = await call(OPERATOR, 'POST', '/v1/tenants', { tenant: 'lab', limits: { runs: 3 } })
    expect(made.status).toBe(201)
    expect(made.headers.get('Location')).toBe('/v1/tenants/lab')
    const lab = {
      tenant: 'lab',
      createdAt: new Date(BEGIN).toISOString(),
      suspended: false,
      limits: { ...NO_LIMITS, runs: 3 },
      usage: { runs: 0, storedBytes: 0 },
    }
    expect(await jsonOf(made)).toEqual(lab)
    expect(await jsonOf(await call(OPERATOR, 'GET', '/v1/tenants/lab'))).toEqual(lab)
    await newTenant(world, 'a-lab')
    const { tenants } = await jsonOf(await call(OPERATOR, 'GET', '/v1/tenants'))
    expect(tenants.map(({ tenant }: { tenant: string }) => tenant)).toEqual(['a-lab', 'lab'])
    await expectProblem(await call(OPERATOR, 'POST', '/v1/tenants', { tenant: 'lab' }), 409, 'tenant_exists')
    const changed = await call(OPERATOR, 'PATCH', '/v1/tenants/lab', { limits: { storedBytes: 10 }, suspended: true })
    const limits = { ...NO_LIMITS, runs: 3, storedBytes: 10 }
    expect(await jsonOf(changed)).toMatchObject({ limits, suspended: true })
    const again = await call(OPERATOR, 'PATCH', '/v1/tenants/lab', { limits: { runs: null } })
    expect(await jsonOf(again)).toMatchObject({ limits: { ...limits, runs: null }, suspended: true })
    expect((await call(OPERATOR, 'DELETE', '/v1/tenants/lab')).status).toBe(204)
    for (const method of ['GET', 'DELETE']) {
      await expectProblem(await call(OPERATOR, method, '/v1/tenants/lab'), 404, 'tenant_not_found')
    }
    await expectProblem(await call(OPERATOR, 'PATCH', '/v1/tenants/lab', {}), 404, 'tenant_not_found')
  })

  test('one that is made again under its name sees nothing of the one before', async () => {
    const world = newWorld()
    const before = await newLab(world, 'lab')
    await newRun(world, before, 'r')
    expect((await world.call(OPERATOR, 'DELETE', '/v1/tenants/lab')).status).toBe(204)
    const key = await newLab(world, 'lab')
    expect(await jsonOf(await world.call(key, 'GET', '/v1/runs'))).toEqual({ runs: [] })
    expect(await jsonOf(await world.call(key, 'GET', '/v1/whoami'))).toMatchObject({
      usage: { runs: 0, storedBytes: 0 },
    })
    expect((await jsonOf(await world.call(key, 'GET', '/v1/keys'))).keys).toHaveLength(1)
    expect((await world.call(before, 'GET', '/v1/whoami')).status).toBe(401)
    // They do not even share a place in the storage.
    const retired = await world.control.retiredTenants()
    const live = await world.control.findTenant('lab')
    expect(retired.map(({ storage }) => storage)).not.toContain(live?.storage)
  })

  test('a deletion that fails is completed by the next', async () => {
    const world = newWorld()
    const key = await newLab(world, 'lab')
    await newRun(world, key, 'r')
    const store = world.backends.get('lab')?.store
    if (store === undefined) throw new Error('there is no backend')
    const { clear } = store
    store.clear = () => Promise.reject(new Error('the disk is gone'))
    expect((await world.call(OPERATOR, 'DELETE', '/v1/tenants/lab')).status).toBe(500)
    expect((await world.call(key, 'GET', '/v1/runs/r')).status).toBe(401)
    await expectProblem(await world.call(OPERATOR, 'POST', '/v1/tenants', { tenant: 'lab' }), 409, 'tenant_exists')
    store.clear = clear
    expect((await world.call(OPERATOR, 'DELETE', '/v1/tenants/lab')).status).toBe(204)
    expect((await store.usage()).runs).toBe(0)
    await newTenant(world, 'lab')
  })

  test('two who make the same: one has', async () => {
    const world = newWorld()
    const statuses = await Promise.all(
      Array.from(
        { length: 5 },
        async () => (await world.call(OPERATOR, 'POST', '/v1/tenants', { tenant: 'x' })).status,
      ),
    )
    expect(statuses.sort()).toEqual([201, 409, 409, 409, 409])
  })
})

describe('keys', () => {
  test('are made, shown once, listed and revoked', async () => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    const expiresAt = in_(world, 5000)
    const wish = { name: 'laptop', scopes: ['write', 'read', 'write'], expiresAt, run: 'r' }
    const made = await world.call(admin, 'POST', '/v1/keys', wish)
    expect(made.status).toBe(201)
    const { key, ...shown } = await jsonOf(made)
    const createdAt = new Date(BEGIN).toISOString()
    expect(shown).toEqual({
      id: key.split('_')[1],
      name: 'laptop',
      scopes: ['read', 'write'],
      run: 'r',
      createdAt,
      expiresAt,
    })
    expect(made.headers.get('Location')).toBe(`/v1/keys/${shown.id}`)
    const list = await (await world.call(admin, 'GET', '/v1/keys')).text()
    expect(list).not.toContain(key)
    expect(JSON.parse(list).keys).toContainEqual({ ...shown, lastUsedAt: null })
    const whoami = await jsonOf(await world.call(key, 'GET', '/v1/whoami'))
    expect(whoami).toEqual({
      tenant: null,
      key: { id: shown.id, name: 'laptop' },
      scopes: ['read', 'write'],
      run: 'r',
      limits: { ...NO_LIMITS, bodyBytes: 64 * 2 ** 20 },
      usage: null,
    })
    expect((await world.call(admin, 'DELETE', `/v1/keys/${shown.id}`)).status).toBe(204)
    await expectProblem(await world.call(admin, 'DELETE', `/v1/keys/${shown.id}`), 404, 'key_not_found')
    await expectProblem(await world.call(admin, 'DELETE', '/v1/keys/x'), 400, 'invalid_parameter')
  })

  test('an admin key makes keys of its own tenant, and of no other', async () => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    await newTenant(world, 'other')
    const wish = { name: 'x', scopes: ['read'] }
    expect((await world.call(admin, 'POST', '/v1/tenants/lab/keys', wish)).status).toBe(201)
    for (const name of ['other', 'none']) {
      await expectProblem(await world.call(admin, 'POST', `/v1/tenants/${name}/keys`, wish), 404, 'tenant_not_found')
    }
  })

  test('a key for one run makes, sees and revokes keys for that run alone', async () => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    await newRun(world, admin, 'r')
    const { key, id } = await makeKey(world, 'lab', { scopes: ['admin'], run: 'r' })
    for (const run of [undefined, null, 'other']) {
      for (const path of ['/v1/keys', '/v1/tenants/lab/keys']) {
        const answer = await world.call(key, 'POST', path, { name: 'x', scopes: ['read'], run })
        await expectProblem(answer, 403, 'forbidden')
      }
    }
    expect((await world.call(key, 'POST', '/v1/keys', { name: 'x', scopes: ['admin'], run: 'r' })).status).toBe(201)
    const { keys } = await jsonOf(await world.call(key, 'GET', '/v1/keys'))
    expect(keys.map(({ run }: { run: string }) => run)).toEqual(['r', 'r'])
    const foreign = admin.split('_')[1] ?? ''
    await expectProblem(await world.call(key, 'DELETE', `/v1/keys/${foreign}`), 404, 'key_not_found')
    expect((await world.call(admin, 'GET', '/v1/whoami')).status).toBe(200)
    expect((await world.call(key, 'DELETE', `/v1/keys/${id}`)).status).toBe(204)
  })

  test('a key for one run lists that run alone, with its numbers', async () => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    const { key } = await makeKey(world, 'lab', { scopes: ['read'], run: 'r' })
    const list = async () => (await jsonOf(await world.call(key, 'GET', '/v1/runs?limit=1'))).runs
    expect(await list()).toEqual([])
    for (const rid of ['before', 'r', 'after']) await newRun(world, admin, rid)
    expect(await list()).toMatchObject([{ rid: 'r', chains: 1, draws: 0 }])
  })

  test('what an expiring key makes does not outlive it', async () => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    await newRun(world, admin, 'r')
    const expiresAt = in_(world, 10_000)
    const { key } = await makeKey(world, 'lab', { scopes: ['admin'], expiresAt })
    const wish = { name: 'x', scopes: ['read'] }
    for (const later of [null, in_(world, 10_001)]) {
      await expectProblem(await world.call(key, 'POST', '/v1/keys', { ...wish, expiresAt: later }), 403, 'forbidden')
      await expectProblem(await world.call(key, 'POST', '/v1/runs/r/shares', { expiresAt: later }), 403, 'forbidden')
    }
    expect((await world.call(key, 'POST', '/v1/keys', { ...wish, expiresAt })).status).toBe(201)
  })

  test.each(['?key=KEY', '?access_token=KEY', '?token=KEY'])('a key in the query (%s) is none', async (query) => {
    const world = newWorld()
    const key = await newLab(world, 'lab')
    const answer = await world.api.get(`/v1/whoami${query.replace('KEY', key)}`)
    await expectProblem(answer, 401, 'unauthorized')
  })

  test('the scheme is Bearer or Basic, in any case, and nothing else', async () => {
    const world = newWorld()
    const key = await newLab(world, 'lab')
    const ask = async (Authorization: string) => (await world.api.get('/v1/whoami', { Authorization })).status
    const basic = (text: string) => `Basic ${btoa(text)}`
    for (const good of [`Bearer ${key}`, `bearer ${key}`, `BEARER   ${key}`]) expect(await ask(good)).toBe(200)
    for (const user of ['x', '', 'somebody@example.org', 'a b', 'caf\xe9']) {
      expect(await ask(basic(`${user}:${key}`))).toBe(200)
    }
    expect(await ask(`basic  ${btoa(`x:${key}`).replace(/=+$/, '')}`)).toBe(200)
    for (const bad of [
      key,
      basic(key),
      basic(`${key}:`),
      basic(`${key}:x`),
      basic(`x:${key} `),
      basic(`x:y:${key}`),
      `Basic x:${key}`,
      'Basic',
      'Basic =',
      `Basic ${key}`,
      `Bearer ${key},x`,
      `Bearer ${key} ${key}`,
      'Bearer',
      `Token ${key}`,
    ]) {
      expect(await ask(bad)).toBe(401)
    }
    // A browser that is asked for Basic opens a dialog.
    for (const headers of [{}, { Authorization: basic('x:y') }]) {
      const answer = await world.api.get('/v1/whoami', headers)
      expect([answer.status, answer.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer realm="mcbackend"'])
    }
  })
})

describe('shares', () => {
  test('read one run, and end with it', async () => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    for (const rid of ['r', 'q']) await newRun(world, admin, rid)
    const expiresAt = in_(world, 3600_000)
    const made = await world.call(admin, 'POST', '/v1/runs/r/shares', { expiresAt })
    expect(made.status).toBe(201)
    const { id, key, url, ...rest } = await jsonOf(made)
    expect(rest).toEqual({ expiresAt })
    expect(new URL(url).hash).toBe(`#${key}`)
    expect(url.split('#')[0]).not.toContain(key)
    expect(id).toBe(key.split('_')[1])
    expect((await world.call(key, 'GET', '/v1/runs/r/chains')).status).toBe(200)
    expect((await world.call(key, 'GET', '/v1/runs/q')).status).toBe(403)
    expect((await world.call(key, 'POST', '/v1/runs/r/shares', {})).status).toBe(403)
    expect((await world.call(key, 'PUT', '/v1/runs/r/chains/1')).status).toBe(403)
    const page = await world.api.get(new URL(url).pathname)
    expect([page.status, page.headers.get('Location')]).toEqual([308, '/ui/runs/r'])
    // A key for the run that is no share outlives it: a writer may register it again.
    const writer = await makeKey(world, 'lab', { scopes: ['write'], run: 'r' })
    expect((await world.call(admin, 'DELETE', '/v1/runs/r')).status).toBe(204)
    await newRun(world, admin, 'r')
    expect((await world.call(key, 'GET', '/v1/runs/r')).status).toBe(401)
    expect((await world.call(writer.key, 'GET', '/v1/runs/r')).status).toBe(200)
  })

  test('of a run that is not there: 404', async () => {
    const world = newWorld()
    const admin = await newLab(world, 'lab')
    await expectProblem(await world.call(admin, 'POST', '/v1/runs/none/shares', {}), 404, 'run_not_found')
    expect((await jsonOf(await world.call(admin, 'GET', '/v1/keys'))).keys).toHaveLength(1)
  })

  test('carry the address that the operator has set', async () => {
    const world = newWorld({ publicUrl: 'https://draws.example.org' })
    const admin = await newLab(world, 'lab')
    await newRun(world, admin, 'r')
    const { url } = await jsonOf(await world.call(admin, 'POST', '/v1/runs/r/shares', {}))
    expect(url).toMatch(/^https:\/\/draws\.example\.org\/shared\/r#mcb_/)
  })
})

test('an audit line for every change, and no secret in any', async () => {
  const world = newWorld()
  const admin = await newLab(world, 'lab')
  await newRun(world, admin, 'r')
  const key = await jsonOf(await world.call(admin, 'POST', '/v1/keys', { name: 'laptop', scopes: ['read'] }))
  await world.call(admin, 'DELETE', `/v1/keys/${key.id}`)
  const share = await jsonOf(await world.call(admin, 'POST', '/v1/runs/r/shares', { expiresAt: null }))
  await world.call(OPERATOR, 'PATCH', '/v1/tenants/lab', { suspended: true })
  await world.call(OPERATOR, 'DELETE', '/v1/tenants/lab')
  const who = `key ${admin.split('_')[1]} of lab`
  expect(world.audit.map(({ action, by, tenant }) => [action, by, tenant])).toEqual([
    ['tenant.create', 'operator', 'lab'],
    ['key.create', 'operator', 'lab'],
    ['key.create', who, 'lab'],
    ['key.revoke', who, 'lab'],
    ['share.create', who, 'lab'],
    ['tenant.change', 'operator', 'lab'],
    ['tenant.delete', 'operator', 'lab'],
  ])
  const text = JSON.stringify(world.audit)
  for (const secret of [admin, key.key, share.key, OPERATOR]) expect(text).not.toContain(secret.slice(-20))
  for (const { requestId, at } of world.audit) expect([requestId.length > 8, Date.parse(at) > 0]).toEqual([true, true])
})
