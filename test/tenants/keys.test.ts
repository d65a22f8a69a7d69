/** Keys: their form, what a guess costs, and when they stop working. */
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import {
  equalInConstantTime,
  halfSipHash,
  hashOf,
  KeyIds,
  keyIdOf,
  newKey,
  newSecret,
} from '../../src/access/key-format.ts'
import type { ControlStore } from '../../src/access/records.ts'
import { withoutKeys } from '../../src/core/redaction.ts'
import { jsonOf } from '../http/api.ts'
import { makeKey, newControl, newLab, newRun, newWorld, OPERATOR } from './world.ts'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ids = new KeyIds(newSecret())

describe('the form of a key', () => {
  test('an id, a secret of at least 128 random bits, and a checksum', async () => {
    const id = ids.make()
    const key = newKey(id)
    expect(key).toMatch(/^mcb_[0-9A-Za-z]{18}_[0-9A-Za-z]{32}$/)
    expect(keyIdOf(key)).toBe(id)
    expect(26 * Math.log2(62)).toBeGreaterThan(128)
    expect(newKey(id)).not.toBe(key)
  })

  test('characters are evenly distributed', () => {
    const counts = new Map<string, number>()
    for (let i = 0; i < 2000; i++) {
      for (const digit of newKey('x'.repeat(18)).slice(23, 49)) counts.set(digit, (counts.get(digit) ?? 0) + 1)
    }
    expect(counts.size).toBe(62)
    const mean = (2000 * 26) / 62
    // Six standard deviations.
    for (const count of counts.values()) expect(Math.abs(count - mean)).toBeLessThan(6 * Math.sqrt(mean))
  })

  test('one that was copied badly is no key', async () => {
    const key = newKey(ids.make())
    fc.assert(
      fc.property(fc.nat({ max: key.length - 1 }), fc.constantFrom(...DIGITS, '_', ' ', 'é'), (at, digit) => {
        const changed = key.slice(0, at) + digit + key.slice(at + 1)
        expect(keyIdOf(changed)).toBe(changed === key ? keyIdOf(key) : undefined)
      }),
      { numRuns: 1000 },
    )
    for (const text of ['', key.slice(1), `${key}0`, ` ${key}`, `${key}\n`, key.toUpperCase()]) {
      expect(keyIdOf(text)).toBeUndefined()
    }
  })

  test('the checksum is CRC-32 in base 62, so that anybody can recognise a key', () => {
    const body = 'mcb_000000000000000000_00000000000000000000000000'
    expect(keyIdOf(body + checksumOf(body))).toBe('0'.repeat(18))
    expect(newKey('0'.repeat(18))).toSatisfy((key: string) => checksumOf(key.slice(0, -6)) === key.slice(-6))
  })

  test('HalfSipHash-2-4 gives the vectors of its reference', () => {
    // Codes of the bytes 0, 1, 2, … under the key 0, 1, …, 7: vectors.h of the reference implementation.
    const vectors = [0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a, 0x89466e2a, 0x69b6fac5, 0x23fc6358, 0xc563cf8b]
    const text = String.fromCharCode(0, 1, 2, 3, 4, 5, 6, 7)
    const hashes = vectors.map((_, length) => halfSipHash(text.slice(0, length), 0x03020100, 0x07060504))
    expect(hashes).toEqual(vectors)
  })

  test('an id is the own of who has the secret', async () => {
    const others = new KeyIds(newSecret())
    for (let i = 0; i < 100; i++) {
      const id = ids.make()
      expect(ids.isOwn(id)).toBe(true)
      expect(others.isOwn(id)).toBe(false)
    }
    expect(ids.isOwn('0'.repeat(18))).toBe(false)
  })

  test('texts are equal or not, whatever their lengths', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), (a, b) => {
        expect(equalInConstantTime(a, b)).toBe(a === b)
        expect(equalInConstantTime(a, a)).toBe(true)
      }),
    )
    expect(equalInConstantTime('', '')).toBe(true)
    expect(equalInConstantTime('abab', 'ab')).toBe(false)
  })

  test('a text is freed of keys', () => {
    const key = newKey('a'.repeat(18))
    const text = withoutKeys(`GET /v1/runs/${key} and ${key}`)
    expect(text).not.toContain(key.slice(23))
    expect(text).toContain('a'.repeat(18))
  })
})

/** The checksum as somebody else would write it. */
function checksumOf(text: string): string {
  let crc = 0xffffffffn
  for (const byte of Buffer.from(text)) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0xedb88320n : crc >> 1n
  }
  let rest = crc ^ 0xffffffffn
  let digits = ''
  for (let i = 0; i < 6; i++) {
    digits = DIGITS[Number(rest % 62n)] + digits
    rest /= 62n
  }
  return digits
}

/** A control store that counts what it is asked. */
function counted() {
  const control = newControl()
  const calls = { findKey: 0, touchKey: 0 }
  const watched: ControlStore = new Proxy(control, {
    get(target, name) {
      if (name === 'findKey' || name === 'touchKey') calls[name]++
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { control: watched, calls }
}

test('only a hash of a key is kept', async () => {
  const world = newWorld()
  const key = await newLab(world, 'lab')
  const found = await world.control.findKey(keyIdOf(key) ?? '')
  expect(found?.hash).toBe(await hashOf(key))
  expect(JSON.stringify(found)).not.toContain(key.slice(23))
})

describe('look-ups', () => {
  test('a valid key is looked up once in 40 s, also by requests that come at once', async () => {
    const { control, calls } = counted()
    const world = newWorld({ control })
    const key = await newLab(world, 'lab')
    const before = calls.findKey
    const ask = async () => expect((await world.call(key, 'GET', '/v1/whoami')).status).toBe(200)
    await Promise.all(Array.from({ length: 50 }, ask))
    for (let i = 0; i < 50; i++) await ask()
    expect(calls.findKey - before).toBe(1)
    world.clock.now += 41_000
    await ask()
    expect(calls.findKey - before).toBe(2)
  })

  test('when a key was used is noted about once a minute', async () => {
    const { control, calls } = counted()
    const world = newWorld({ control })
    const key = await newLab(world, 'lab')
    for (let second = 0; second < 300; second += 5) {
      world.clock.now += 5000
      await world.call(key, 'GET', '/v1/whoami')
    }
    expect(calls.touchKey).toBeGreaterThan(3)
    expect(calls.touchKey).toBeLessThan(7)
    const { keys } = await jsonOf(await world.call(key, 'GET', '/v1/keys'))
    expect(world.clock.now - Date.parse(keys[0].lastUsedAt)).toBeLessThan(61_000)
  })

  test('a control database that fails is 503, and not remembered', async () => {
    const control = newControl()
    const world = newWorld({ control })
    const key = await newLab(world, 'lab')
    const find = vi.spyOn(control, 'findKey').mockRejectedValueOnce(new Error('the disk is gone'))
    expect((await world.call(key, 'GET', '/v1/whoami')).status).toBe(500)
    find.mockRestore()
    expect((await world.call(key, 'GET', '/v1/whoami')).status).toBe(200)
  })
})

describe('100,000 guesses', () => {
  const GUESSES = 100_000

  test('are all 401, and throttled: hardly any is looked up', async () => {
    const { control, calls } = counted()
    const world = newWorld({ control })
    const key = await newLab(world, 'lab')
    const known = keyIdOf(key) ?? ''
    expect((await world.call(key, 'GET', '/v1/whoami')).status).toBe(200)
    const before = calls.findKey
    const random = () => Array.from({ length: 18 }, () => DIGITS[Math.floor(Math.random() * 62)]).join('')
    // Well formed, with a checksum that is right: of ids that somebody invents, and of one that is in use.
    const guess = (i: number) => newKey(i % 4 === 0 ? known : random())
    const statuses = new Map<number, number>()
    const PARALLEL = 50
    for (let i = 0; i < GUESSES; i += PARALLEL) {
      await Promise.all(
        Array.from({ length: PARALLEL }, async (_, k) => {
          const headers = { Authorization: `Bearer ${guess(i + k)}` }
          const { status } = await world.app.request('/v1/runs/r', { headers })
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
        }),
      )
    }
    expect([...statuses]).toEqual([[401, GUESSES]])
    // One of 62^6 invented ids is taken for an own one.
    expect(calls.findKey - before).toBeLessThan(3)
    expect(calls.touchKey).toBe(1)
    // The holder of a key notices nothing of it.
    expect((await world.call(key, 'GET', '/v1/whoami')).status).toBe(200)
    expect(calls.findKey - before).toBeLessThan(3)
  }, 600_000)

  test('of revoked keys, whose ids are right, are looked up once each', async () => {
    const { control, calls } = counted()
    const world = newWorld({ control })
    const admin = await newLab(world, 'lab')
    const made = []
    for (let i = 0; i < 20; i++) made.push(await makeKey(world, 'lab', { scopes: ['read'] }))
    for (const { id } of made) await world.call(admin, 'DELETE', `/v1/keys/${id}`)
    const before = calls.findKey
    for (let round = 0; round < 20; round++) {
      for (const { key } of made) expect((await world.call(key, 'GET', '/v1/whoami')).status).toBe(401)
    }
    expect(calls.findKey - before).toBe(20)
  })
})

describe('a key stops working', () => {
  /** Two servers on one control database, as two isolates are; both have used the key. */
  async function two() {
    const here = newWorld()
    const there = here.another()
    const admin = await newLab(here, 'lab')
    const { id, key } = await makeKey(here, 'lab', { scopes: ['write'] })
    const ask = async (server: typeof there) => (await server.call(key, 'GET', '/v1/whoami')).status
    expect([await ask(here), await ask(there)]).toEqual([200, 200])
    return { here, there, admin, id, key, ask }
  }

  test('at once where it is revoked, and everywhere within 60 s', async () => {
    const { here, there, admin, id, ask } = await two()
    expect((await here.call(admin, 'DELETE', `/v1/keys/${id}`)).status).toBe(204)
    expect(await ask(here)).toBe(401)
    here.clock.now += 59_000
    expect(await ask(there)).toBe(401)
  })

  test('when it has been in use all the time', async () => {
    const { here, there, admin, id, ask } = await two()
    expect((await here.call(admin, 'DELETE', `/v1/keys/${id}`)).status).toBe(204)
    let ended = 0
    for (let second = 1; second <= 60 && ended === 0; second++) {
      here.clock.now += 1000
      if ((await ask(there)) === 401) ended = second
    }
    expect(ended).toBeGreaterThan(0)
    expect(ended).toBeLessThan(60)
  })

  test('when its tenant is suspended, and works again when that is over', async () => {
    const { here, there, ask } = await two()
    const suspend = (suspended: boolean) => here.call(OPERATOR, 'PATCH', '/v1/tenants/lab', { suspended })
    expect((await suspend(true)).status).toBe(200)
    expect(await ask(here)).toBe(403)
    here.clock.now += 59_000
    expect(await ask(there)).toBe(403)
    expect((await suspend(false)).status).toBe(200)
    here.clock.now += 59_000
    expect([await ask(here), await ask(there)]).toEqual([200, 200])
  })

  test('when its tenant is deleted, also when one of that name is made again', async () => {
    const { here, there, ask } = await two()
    expect((await here.call(OPERATOR, 'DELETE', '/v1/tenants/lab')).status).toBe(204)
    await newLab(here, 'lab')
    expect(await ask(here)).toBe(401)
    here.clock.now += 59_000
    expect(await ask(there)).toBe(401)
  })

  test('to the millisecond when it expires', async () => {
    const world = newWorld()
    await newLab(world, 'lab')
    const expiresAt = new Date(world.clock.now + 10_000).toISOString()
    const { key } = await makeKey(world, 'lab', { scopes: ['read'], expiresAt })
    const ask = async () => (await world.call(key, 'GET', '/v1/whoami')).status
    expect(await ask()).toBe(200)
    world.clock.now += 9999
    expect(await ask()).toBe(200)
    world.clock.now += 1
    expect(await ask()).toBe(401)
  })

  test('and the event stream that it opened ends', async () => {
    const { here, admin, id, key } = await two()
    await newRun(here, admin, 'r')
    const answer = await here.api.get('/v1/runs/r/events', { Authorization: `Bearer ${key}` })
    const reader = answer.body?.getReader()
    expect((await reader?.read())?.done).toBe(false)
    expect((await here.call(admin, 'DELETE', `/v1/keys/${id}`)).status).toBe(204)
    let pieces = 0
    while (!(await reader?.read())?.done) pieces++
    expect(pieces).toBe(0)
  })
})
