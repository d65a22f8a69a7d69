/** The budget of bodies in flight: the youngest yields, and nothing is left of it behind any mixture of bodies. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { McbError } from '../../src/core/errors.ts'
import { BodyBudget, type BodyHold } from '../../src/http/body-budget.ts'

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

test('those that trickle yield to whoever finds no room, the oldest first, and not before they had their time', () => {
  let now = 0
  const budget = new BodyBudget({ all: 100, tenant: 100 }, { slowBytes: 10, slowMs: 1000, now: () => now })
  const cut: string[] = []
  const arriving = ['first', 'second', 'brisk', 'third'].map((name) => {
    const hold = budget.open(undefined, 0)
    hold.onCut = () => cut.push(name)
    hold.take(25)
    hold.arrived(24)
    return hold
  })
  // Nobody wants their room: they may take as long as they like.
  now = 100_000
  expect(codeOf(() => budget.open(undefined, 10))).toBe('overloaded')
  const trickle = (brisk: number) => {
    for (const [i, hold] of arriving.entries()) hold.arrived(i === 2 ? brisk : 1)
  }
  now += 999
  trickle(10)
  expect(codeOf(() => budget.open(undefined, 10))).toBe('overloaded')
  now += 1
  expect(codeOf(() => budget.open(undefined, 10).take(25))).toBe(undefined)
  expect([cut, budget.bytes]).toEqual([['first'], 100])
  expect(codeOf(() => budget.open(undefined, 50))).toBe(undefined)
  expect([cut, budget.bytes]).toEqual([['first', 'second', 'third'], 50])
  // One that goes on has its time anew.
  now += 999
  expect(codeOf(() => budget.open(undefined, 100))).toBe('overloaded')
  now += 1
  trickle(9)
  expect(codeOf(() => budget.open(undefined, 100))).toBe(undefined)
  expect(cut).toEqual(['first', 'second', 'third', 'brisk'])
})

test('a body that trickles yields within its tenant only, if the tenant is what has no room', () => {
  let now = 0
  const budget = new BodyBudget({ all: 100, tenant: 50 }, { slowBytes: 10, slowMs: 1000, now: () => now })
  const [other, own] = [budget.open('b', 0), budget.open('a', 0)]
  other.take(40)
  own.take(40)
  expect(codeOf(() => budget.open('a', 20))).toBe('overloaded')
  now += 1000
  expect(codeOf(() => budget.open('a', 20))).toBe(undefined)
  expect([other.bytes, own.bytes]).toEqual([40, 0])
})

test('behind any mixture of bodies nothing is counted, and never more than the budget', () => {
  const step = fc.record({
    body: fc.nat(9),
    tenant: fc.constantFrom('a', 'b', undefined),
    what: fc.constantFrom('open', 'take', 'take', 'take', 'settle', 'release', 'arrive', 'wait'),
    bytes: fc.nat(120),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let now = 0
      const budget = new BodyBudget({ all: 100, tenant: 70 }, { slowBytes: 50, slowMs: 100, now: () => now })
      const holds = new Map<number, BodyHold>()
      for (const { body, tenant, what, bytes } of steps) {
        codeOf(() => {
          const hold = holds.get(body)
          if (what === 'open') {
            hold?.release()
            holds.delete(body)
            holds.set(body, budget.open(tenant, bytes))
          } else if (what === 'take') hold?.take(bytes)
          else if (what === 'arrive') hold?.arrived(bytes)
          else if (what === 'wait') now += bytes
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
