/** Keys that are not known, one after the other: the address that sends them is held up, and nobody who has a key is. */
import { describe, expect, test } from 'vitest'
import { networkOf } from '../../src/access/address.ts'
import { KeyFailures } from '../../src/access/failures.ts'
import { keyIdOf, newKey } from '../../src/access/key-format.ts'
import { expectProblem } from '../http/api.ts'
import { bearer, makeKey, newControl, newLab, newWorld, OPERATOR, type World } from './world.ts'

/** A world in which a header of these tests says where a request comes from. */
function newPlaces(): World {
  const control = newControl()
  return newWorld({
    control,
    keys: { control, operatorToken: OPERATOR, addressOf: (c) => c.req.header('From-Address') },
  })
}
const guess = () => newKey(Array.from({ length: 18 }, () => Math.floor(Math.random() * 10)).join(''))
const ask = ({ api }: World, key: string, address: string, path = '/v1/whoami') =>
  api.get(path, { ...bearer(key), 'From-Address': address })

test('after a minute of failures there is 429, and each second lets one through', async () => {
  const world = newPlaces()
  const statuses = []
  for (let i = 0; i < 70; i++) statuses.push((await ask(world, guess(), '192.0.2.1')).status)
  expect(statuses).toEqual([...new Array(60).fill(401), ...new Array(10).fill(429)])
  const refused = await ask(world, guess(), '192.0.2.1')
  const { detail } = await expectProblem(refused, 429, 'rate_limited')
  expect(detail).toContain('address')
  expect(refused.headers.get('Retry-After')).toBe('1')
  expect((await ask(world, guess(), '192.0.2.2')).status).toBe(401)
  world.clock.now += 1000
  expect((await ask(world, guess(), '192.0.2.1')).status).toBe(401)
  expect((await ask(world, guess(), '192.0.2.1')).status).toBe(429)
})

test('valid keys are never held up: not from the same address, not when they are new, not the operator', async () => {
  const world = newPlaces()
  const admin = await newLab(world, 'lab')
  for (let i = 0; i < 200; i++) await ask(world, i % 2 ? guess() : 'nonsense', '192.0.2.1')
  expect((await ask(world, guess(), '192.0.2.1')).status).toBe(429)
  for (let i = 0; i < 100; i++) expect((await ask(world, admin, '192.0.2.1')).status).toBe(200)
  const { key } = await makeKey(world, 'lab', { scopes: ['read'] })
  expect((await ask(world, key, '192.0.2.1')).status).toBe(200)
  expect((await ask(world, OPERATOR, '192.0.2.1', '/v1/tenants')).status).toBe(200)
  // Without a key nothing is guessed.
  const none = await world.api.get('/v1/whoami', { 'From-Address': '192.0.2.1' })
  await expectProblem(none, 401, 'unauthorized')
})

test('revoked and half-copied keys, other schemes and Basic are counted, whatever the route', async () => {
  const world = newPlaces()
  const admin = await newLab(world, 'lab')
  const { id, key } = await makeKey(world, 'lab', { scopes: ['read'] })
  await world.call(admin, 'DELETE', `/v1/keys/${id}`)
  const wrong = [`Bearer ${key}`, `Bearer ${admin.slice(0, -1)}`, 'Negotiate abc', `Basic ${btoa(`x:${key}`)}`]
  const paths = ['/v1/runs', '/v1/runs/r', '/v1/tenants', '/v1/runs/r/chains']
  let last = 0
  for (let i = 0; i < 61; i++) {
    const headers = { Authorization: wrong[i % 4] ?? '', 'From-Address': '2001:db8::1' }
    last = (await world.api.get(paths[i % 4] ?? '', headers)).status
  }
  expect(last).toBe(429)
  // Public pages and the check of the storage are there for everybody.
  const headers = { Authorization: 'Bearer x', 'From-Address': '2001:db8::1' }
  expect((await world.api.get('/healthz', headers)).status).toBe(200)
})

test('thousands of new keys of others hold up nobody', async () => {
  const world = newPlaces()
  const admin = await newLab(world, 'lab')
  // Each is looked up: all that was known is forgotten when a key is revoked.
  const ids = await Promise.all(Array.from({ length: 300 }, () => makeKey(world, 'lab', { scopes: ['read'] })))
  for (let round = 0; round < 25; round++) {
    const [first] = ids
    await world.call(admin, 'DELETE', `/v1/keys/${first?.id}`)
    ids.shift()
    const answers = await Promise.all(ids.map(({ key }) => ask(world, key, '192.0.2.9')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  }
}, 180_000)

describe('what is counted together', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['nonsense:', 'nonsense:'],
  ])('%s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })

  test('no more than ten thousand addresses are kept in mind', () => {
    const failures = new KeyFailures()
    for (let i = 0; i < 100; i++) failures.count('192.0.2.1', 0)
    const others = (count: number) => {
      for (let i = 0; i < count; i++) failures.count(`10.0.${i >> 8}.${i & 255}`, 0)
    }
    others(9_999)
    expect(failures.count('192.0.2.1', 0)).toBe(1)
    others(10_000)
    expect(failures.count('192.0.2.1', 0)).toBe(0)
  })
})

test('guesses in the tests are keys in form', () => {
  expect(keyIdOf(guess())).toBeDefined()
})
