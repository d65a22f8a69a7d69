/**
 * Bounds of a tenant's keys and of a run's shares, which every control store promises. Knows no platform.
 *
 * @example
 * keyBounds({ name: 'memory', open: () => new SqlControl(driver) })
 */
import { describe, expect, test } from 'vitest'
import { hashOf, newKey } from '../../src/access/key-format.ts'
import { type ControlStore, type KeyRecord, NO_LIMITS } from '../../src/access/records.ts'

export interface BoundsSubject {
  readonly name: string
  /** Each call gives another one on the same database. */
  open(): ControlStore
}

const NOW = Date.UTC(2026, 10, 20)
const LIMIT = 5
let made = 0

function record(change: Partial<KeyRecord> = {}): KeyRecord {
  const id = String(++made).padStart(18, '0')
  return {
    id,
    name: id,
    scopes: ['read'],
    run: null,
    share: false,
    createdAt: NOW,
    expiresAt: null,
    lastUsedAt: null,
    ...change,
  }
}

export function keyBounds({ name, open }: BoundsSubject): void {
  const add = async (control: ControlStore, tenant: number, change: Partial<KeyRecord> = {}) => {
    const key = record(change)
    await control.addKey(tenant, key, await hashOf(newKey(key.id)), LIMIT)
    return key
  }
  const newTenant = async (control: ControlStore) => {
    const tenant = `bounded-${++made}`
    await control.createTenant(tenant, NO_LIMITS, NOW)
    return (await control.findTenant(tenant))?.id ?? 0
  }
  const share = (run: string, more: Partial<KeyRecord> = {}) => ({ share: true, run, ...more })
  const full = expect.objectContaining({ code: 'quota_exceeded', fields: expect.objectContaining({ limit: LIMIT }) })

  describe(`${name}: bounds of keys`, () => {
    test('a tenant has so many keys, and may make another when one is revoked', async () => {
      const control = open()
      const [tenant, other] = [await newTenant(control), await newTenant(control)]
      const keys = []
      for (let i = 0; i < LIMIT; i++) keys.push(await add(control, tenant, i % 2 ? { run: 'r' } : {}))
      await expect(add(control, tenant)).rejects.toEqual(full)
      await add(control, other)
      expect(await control.listKeys(tenant, null)).toHaveLength(LIMIT)
      await control.removeKey(tenant, keys[0]?.id ?? '', null)
      await add(control, tenant)
      await expect(add(control, tenant)).rejects.toEqual(full)
    })

    test('shares are counted a run, and apart from keys', async () => {
      const control = open()
      const tenant = await newTenant(control)
      for (let i = 0; i < LIMIT; i++) await add(control, tenant, share('r'))
      await expect(add(control, tenant, share('r'))).rejects.toEqual(full)
      for (let i = 0; i < LIMIT; i++) await add(control, tenant, share('other'))
      for (let i = 0; i < LIMIT; i++) await add(control, tenant)
      await control.removeShares(tenant, 'r')
      await add(control, tenant, share('r'))
    })

    test.each([['keys'], ['shares']])(
      '%s that have expired count nothing, and go when room is needed',
      async (kind) => {
        const control = open()
        const tenant = await newTenant(control)
        const more = kind === 'keys' ? {} : share('r')
        await add(control, tenant, more)
        for (let i = 1; i < LIMIT; i++) await add(control, tenant, { ...more, expiresAt: NOW + 10 })
        // To the millisecond: at its time a key is expired.
        await expect(add(control, tenant, { ...more, createdAt: NOW + 9 })).rejects.toEqual(full)
        for (let i = 1; i < LIMIT; i++) await add(control, tenant, { ...more, createdAt: NOW + 10 })
        await expect(add(control, tenant, { ...more, createdAt: NOW + 10 })).rejects.toEqual(full)
        const kept = await control.listKeys(tenant, null)
        expect(kept.filter(({ expiresAt }) => expiresAt === null)).toHaveLength(LIMIT)
        expect(kept).toHaveLength(LIMIT)
      },
    )

    test('those who make them at once do not pass it', async () => {
      const controls = [open(), open(), open()]
      const [first] = controls
      if (first === undefined) return
      for (const more of [{}, share('r')]) {
        const tenant = await newTenant(first)
        const adding = Array.from({ length: 4 * LIMIT }, (_, i) => add(controls[i % 3] ?? first, tenant, more))
        const outcomes = await Promise.allSettled(adding)
        expect(await first.listKeys(tenant, null)).toHaveLength(LIMIT)
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(LIMIT)
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toEqual(full)
        }
      }
    })
  })
}
