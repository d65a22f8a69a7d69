/** Numbers as text: the digits of the engine for float64, of NumPy for float32. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { writeFloat32, writeFloat64, writeInteger } from '../../src/core/formats/tables/decimal.ts'

const out = new Uint8Array(64)
const textOf = (end: number) => new TextDecoder().decode(out.subarray(0, end))
const float64 = (x: number) => textOf(writeFloat64(out, 0, x))
const float32 = (x: number) => textOf(writeFloat32(out, 0, x))

/** The engine's digits, in the form of a table. */
function expected(x: number): string {
  if (Number.isNaN(x)) return 'NaN'
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf'
  if (Object.is(x, -0)) return '-0.0'
  return Number.isInteger(x) && Math.abs(x) < 1e21 ? `${x}.0` : String(x)
}

describe('float64', () => {
  test('has the shortest digits, as String gives them', () => {
    fc.assert(
      fc.property(fc.double(), (x) => float64(x) === expected(x)),
      { numRuns: 20_000 },
    )
    const usual = fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -6, max: 18 }))
    fc.assert(
      fc.property(usual, ([x, power]) => float64(x * 10 ** power) === expected(x * 10 ** power)),
      { numRuns: 20_000 },
    )
  })

  test('keeps decimals of few digits, and neighbours of powers', () => {
    const few = fc.tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: 0, max: 12 }))
    fc.assert(fc.property(few, ([n, power]) => float64(n / 10 ** power) === expected(n / 10 ** power)))
    for (let power = -30; power < 30; power++) {
      for (const base of [2, 10]) {
        const x = base ** power
        for (const near of [x, x * (1 + Number.EPSILON), x * (1 - Number.EPSILON / 2), -x]) {
          expect(float64(near)).toBe(expected(near))
        }
      }
    }
  })

  test.each([
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [0.1 + 0.2, '0.30000000000000004'],
    [5e-324, '5e-324'],
    [1e16, '10000000000000000.0'],
    [1e21, '1e+21'],
    [-Number.MAX_VALUE, '-1.7976931348623157e+308'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ])('%s is %s', (x, text) => expect(float64(x)).toBe(text))
})

describe('float32', () => {
  test('reads back as the same float32, and no decimal of fewer digits does', () => {
    const any = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ min: -10, max: 10, noNaN: true }),
    )
    fc.assert(
      fc.property(any, (x) => {
        const text = float32(x)
        expect(Math.fround(Number(text))).toBe(x)
        const digits = text
          .replace(/e.*/, '')
          .replace(/[-.]/g, '')
          .replace(/^0+|0+$/g, '').length
        if (digits > 1) expect(Math.fround(Number(x.toPrecision(digits - 1)))).not.toBe(x)
      }),
      { numRuns: 20_000 },
    )
  })

  // NumPy's `str(np.float32(x))`, where Python writes an exponent later than JavaScript.
  test.each([
    [0.1, '0.1'],
    [1 / 3, '0.33333334'],
    [16_777_216, '16777216.0'],
    [3.4028234663852886e38, '3.4028235e+38'],
    [1.401298464324817e-45, '1e-45'],
    [2 ** -20, '9.536743e-7'],
    [2 ** -96, '1.2621775e-29'],
    [-(2 ** 90), '-1.2379401e+27'],
    [123_456.789, '123456.79'],
    [-0, '-0.0'],
    [Number.NaN, 'NaN'],
  ])('%s is %s', (x, text) => expect(float32(Math.fround(x))).toBe(text))
})

test('integers are exact', () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (n) => textOf(writeInteger(out, 0, n)) === String(n)))
  for (const n of [0, 9, 10, 99, 100, 99_999_999, 100_000_000, 100_000_001, 2 ** 53]) {
    expect(textOf(writeInteger(out, 0, n))).toBe(String(n))
  }
})
