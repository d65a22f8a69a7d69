/** A cache that stays within its budget, against the obvious model of one. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LruMap } from '../../src/core/lru.ts'

const BUDGET = 100

/** Entries from the one used longest ago on; the last one may exceed the budget alone. */
class Model {
  entries: [key: number, value: number][] = []

  get(key: number): number | undefined {
    const entry = this.entries.find(([k]) => k === key)
    if (entry !== undefined) this.entries = [...this.entries.filter(([k]) => k !== key), entry]
    return entry?.[1]
  }

  set(key: number, value: number): void {
    this.delete(key)
    this.entries.push([key, value])
    while (this.entries.length > 1 && this.entries.reduce((sum, [, v]) => sum + v, 0) > BUDGET) this.entries.shift()
  }

  delete(key: number): void {
    this.entries = this.entries.filter(([k]) => k !== key)
  }
}

test('keeps what was used last, as much as the budget allows', () => {
  const key = fc.nat(12)
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key, value: fc.nat(BUDGET + 30) }),
    fc.record({ do: fc.constantFrom('get' as const, 'delete' as const), key, value: fc.constant(0) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = new Model()
      const map = new LruMap<number, number>(BUDGET, (value) => value)
      for (const { do: what, key, value } of steps) {
        if (what === 'set') {
          model.set(key, value)
          map.set(key, value)
        } else if (what === 'delete') {
          model.delete(key)
          map.delete(key)
        } else expect(map.get(key)).toBe(model.get(key))
      }
      for (let k = 0; k <= 12; k++) expect(map.get(k)).toBe(model.get(k))
    }),
  )
})
