/** Counters that grow with a chain. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Counters } from '../../../src/core/diagnostics/counters.ts'

const bytesOf = (values: readonly number[]) => new Uint8Array(Float64Array.from(values).buffer)

const seen = (counters: Counters) => ({
  draws: counters.draws,
  least: [...counters.least],
  greatest: [...counters.greatest],
  notFinite: [...counters.notFinite],
  notZero: [...counters.notZero],
  totals: Array.from({ length: counters.elements }, (_, element) => counters.total(element)),
})

describe('counters', () => {
  test('are the same however the draws are divided', () => {
    const divided = fc.array(fc.array(fc.tuple(fc.double(), fc.double()), { maxLength: 5 }), { maxLength: 8 })
    fc.assert(
      fc.property(divided, (parts) => {
        const apart = new Counters(2)
        for (const part of parts) apart.add(bytesOf(part.flat()), 'float64')
        const once = new Counters(2)
        once.add(bytesOf(parts.flat().flat()), 'float64')
        expect(seen(apart)).toEqual(seen(once))
      }),
    )
  })

  test('have extremes and means of what is finite', () => {
    const draws = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(draws, (values) => {
        const counters = new Counters(1)
        counters.add(bytesOf([...values, Number.NaN, Number.POSITIVE_INFINITY]), 'float64')
        expect(counters.draws).toBe(values.length + 2)
        expect(counters.notFinite[0]).toBe(2)
        expect(counters.least[0] === Math.min(...values)).toBe(true)
        expect(counters.greatest[0] === Math.max(...values)).toBe(true)
        expect(counters.total(0)).toBeCloseTo(
          values.reduce((a, b) => a + b, 0),
          6,
        )
      }),
    )
  })

  test('lose no digits behind many draws', () => {
    const counters = new Counters(1)
    counters.add(bytesOf([1e16, ...new Array<number>(1000).fill(1), -1e16]), 'float64')
    expect(counters.total(0)).toBe(1000)
  })

  test('count flags and integers of 64 bits', () => {
    const flags = new Counters(1)
    flags.add(Uint8Array.of(0, 1, 1, 0), 'bool')
    expect(flags.notZero[0]).toBe(2)
    const counts = new Counters(1)
    counts.add(new Uint8Array(BigInt64Array.of(-3n, 5n).buffer), 'int64')
    expect([counts.least[0], counts.greatest[0], counts.total(0)]).toEqual([-3, 5, 2])
  })
})
