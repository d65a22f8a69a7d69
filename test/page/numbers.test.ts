/** Numbers as people read them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { count, duration, format, percent, rhatText, significant, withError } from '../../web/src/paint/number.ts'
import { linear, ticksOf } from '../../web/src/paint/scale.ts'

/** The number that a text tells. */
const read = (text: string) => Number(text.replaceAll('\u202f', '').replaceAll('−', '-'))

describe('significant digits', () => {
  test('tell any number to within half of their last place', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e300, max: 1e300, noNaN: true }),
        fc.integer({ min: 2, max: 8 }),
        (value, digits) => {
          expect(Math.abs(read(significant(value, digits)) - value)).toBeLessThanOrEqual(
            Math.abs(value) * 0.5001 * 10 ** (1 - digits) + 5e-324,
          )
        },
      ),
    )
  })

  test.each([
    [0.5, '0.500'],
    [-1234.6, '−1235'],
    [123_456, '123456'],
    [12_345_678, '1.23e7'],
    [0.000_012_3, '1.23e−5'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '−∞'],
    [0, '0'],
  ])('%s', (value, text) => expect(significant(value)).toBe(text))
})

test.each([
  [4.123_456, 0.012_3, '4.123'],
  [-0.000_45, 0.1, '−0.00'],
  [1234.567, 12, '1235'],
  [1.5, null, '1.500'],
  [1.5, 0, '1.500'],
])('%s with an error of %s', (value, error, text) => expect(withError(value, error)).toBe(text))

test.each([
  [1, '1.00'],
  [1.0049, '1.00'],
  [1.0123, '1.012'],
  [1.0501, '1.050'],
  [2.345, '2.35'],
  [1e9, '1.00e9'],
])('R-hat %s', (value, text) => expect(rhatText(value)).toBe(text))

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1\u202f000'],
  [1_234_567, '1\u202f234\u202f567'],
])('a count of %s', (value, text) => expect(count(value)).toBe(text))

test.each([
  [3, '3 s'],
  [100, '1 min 40 s'],
  [3600, '1 h'],
  [5400, '1 h 30 min'],
  [90_000, '1 d 1 h'],
  [36_060, '10 h'],
])('%s seconds', (value, text) => expect(duration(value)).toBe(text))

test.each([
  [0, '0 %'],
  [0.0035, '0.35 %'],
  [0.5, '50 %'],
  [1, '100 %'],
])('a share of %s', (value, text) => expect(percent(value)).toBe(text))

test('ticks of any scale have labels that differ, and tell where they are', () => {
  const finite = fc.double({ min: -1e12, max: 1e12, noNaN: true })
  fc.assert(
    fc.property(finite, finite, fc.integer({ min: 2, max: 10 }), (a, b, wanted) => {
      fc.pre(Math.abs(a - b) > 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1e-6))
      const scale = linear([Math.min(a, b), Math.max(a, b)], [0, 100])
      const ticks = ticksOf(scale, wanted)
      expect(new Set(ticks.map(({ label }) => label)).size).toBe(ticks.length)
      const step = ticks.length < 2 ? 1 : (ticks[1]?.value ?? 0) - (ticks[0]?.value ?? 0)
      for (const { value, label } of ticks) expect(Math.abs(read(label) - value)).toBeLessThanOrEqual(step / 2)
    }),
  )
})

test('a tick of a large value with a small step keeps its digits', () => {
  expect(format(1_000_000.5, 0.5)).toBe('1.0000005e6')
})
