/** The budget of bodies in flight: the youngest yields, and nothing is left of it behind any mixture of bodies. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BodyBudget, type BodyHold } from '../../src/core/budget.ts'
import { McbError } from '../../src/core/errors.ts'

function codeOf(act: () => unknown): string | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return error instanceof McbError ? error.code : String(error)
  }
}

test('the youngest of those that arrive yields, whoever grows', () => {
  const budget = new BodyBudget({ all: 100, tenant: 100 })
  const [first, second, third] = [budget.open(undefined, 0), budget.open(undefined, 0), budget.open(undefined, 0)]
  const cut: string[] = []
  second.onCut = () => cut.push('second')
  third.onCut = () => cut.push('third')
  first.take(40)
  second.take(30)
  third.take(30)
  expect(codeOf(() => third.take(31))).toBe('overloaded')
  expect([cut, budget.bytes]).toEqual([[], 100])
  first.take(50)
  expect([cut, budget.bytes]).toEqual([['third'], 80])
  // It is told again when it asks, and holds nothing.
  expect(codeOf(() => third.take(1))).toBe('overloaded')
  expect(codeOf(() => third.settle())).toBe('overloaded')
  first.take(100)
  expect([cut, budget.bytes]).toEqual([['third', 'second'], 100])
  for (const hold of [first, second, third]) hold.release()
  expect([budget.bytes, budget.bodies]).toEqual([0, 0])
})

test('what has come whole is not cut, and holds its bytes until it is released', () => {
  const budget = new BodyBudget({ all: 100, tenant: 100 })
  const [old, young] = [budget.open(undefined, 0), budget.open(undefined, 0)]
  young.take(60)
  young.settle()
  old.take(40)
  expect(codeOf(() => old.take(41))).toBe('overloaded')
  young.release()
  old.take(41)
  expect(budget.bytes).toBe(41)
})

test('one that is announced as larger than what is left is refused; announcing takes nothing', () => {
  const budget = new BodyBudget({ all: 100, tenant: 100 })
  for (let i = 0; i < 50; i++) budget.open(undefined, 51).take(1)
  expect(budget.bytes).toBe(50)
  expect(codeOf(() => budget.open(undefined, 51))).toBe('overloaded')
  expect(codeOf(() => budget.open(undefined, 50))).toBe(undefined)
  // No wait would make room for it.
  expect(codeOf(() => budget.open(undefined, 101))).toBe('payload_too_large')
})

test('a tenant has a part of the budget, and its own bodies yield to it', () => {
  const budget = new BodyBudget({ all: 100, tenant: 60 })
  const [a, b, c] = [budget.open('a', 0), budget.open('a', 0), budget.open('b', 0)]
  a.take(30)
  b.take(30)
  c.take(40)
  expect(codeOf(() => b.take(31))).toBe('overloaded')
  a.take(31)
  expect([b.bytes, c.bytes, budget.bytes]).toEqual([0, 40, 71])
  expect(codeOf(() => budget.open('a', 61))).toBe('payload_too_large')
})

test('behind any mixture of bodies nothing is counted, and never more than the budget', () => {
  const step = fc.record({
    body: fc.nat(9),
    tenant: fc.constantFrom('a', 'b', undefined),
    what: fc.constantFrom('open', 'take', 'take', 'take', 'settle', 'release'),
    bytes: fc.nat(120),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = new BodyBudget({ all: 100, tenant: 70 })
      const holds = new Map<number, BodyHold>()
      for (const { body, tenant, what, bytes } of steps) {
        codeOf(() => {
          const hold = holds.get(body)
          if (what === 'open') {
            hold?.release()
            holds.delete(body)
            holds.set(body, budget.open(tenant, bytes))
          } else if (what === 'take') hold?.take(bytes)
          else if (what === 'settle') hold?.settle()
          else {
            hold?.release()
            holds.delete(body)
          }
        })
        const sum = [...holds.values()].reduce((total, hold) => total + hold.bytes, 0)
        expect(budget.bytes).toBe(sum)
        expect(sum).toBeLessThanOrEqual(100)
      }
      for (const hold of holds.values()) hold.release()
      expect([budget.bytes, budget.bodies]).toEqual([0, 0])
    }),
  )
})
