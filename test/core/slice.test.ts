/** Python's slices as arithmetic: every row of the oracle, and chains too long to be made. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import table from '../../conformance/golden/files/slices.json' with { type: 'json' }
import { rangeOf, resolveSlice, type Slice } from '../../src/core/draws/slice.ts'
import { pythonSlice } from '../conformance/columns.ts'

function sliceOf(start: unknown, stop: unknown, step: unknown): Slice {
  const bound = (value: unknown) => (typeof value === 'string' ? BigInt(value) : undefined)
  return { start: bound(start), stop: bound(stop), step: bound(step) }
}

test('as Python answers', () => {
  expect(table.rows.length).toBeGreaterThan(1500)
  for (const [length, start, stop, step, first, count, clamped] of table.rows) {
    const asked = { length, start, stop, step }
    expect({ asked, ...resolveSlice(sliceOf(start, stop, step), Number(length)) }).toEqual({
      asked,
      first: Number(first),
      count: Number(count),
      step: BigInt(String(clamped)),
    })
  }
})

const bound = fc.option(fc.oneof(fc.integer({ min: -60, max: 60 }), fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n })), {
  nil: undefined,
})

test('as a walk over the iterations', () => {
  fc.assert(
    fc.property(fc.nat({ max: 50 }), bound, bound, bound, (length, start, stop, step) => {
      fc.pre(step === undefined || BigInt(step) !== 0n)
      const { first, count, step: stride } = resolveSlice({ start, stop, step }, length)
      const small = (value: number | bigint | undefined) =>
        value === undefined ? undefined : Math.max(-200, Math.min(200, Number(value)))
      const expected = pythonSlice(length, small(start), small(stop), small(step))
      expect(Array.from({ length: count }, (_, i) => first + i * (count === 1 ? 1 : Number(stride)))).toEqual(expected)
    }),
    { numRuns: 2000 },
  )
})

test('the range of a slice holds its first and last iteration and nothing beyond', () => {
  fc.assert(
    fc.property(fc.nat({ max: 50 }), bound, bound, bound, (length, start, stop, step) => {
      fc.pre(step === undefined || BigInt(step) !== 0n)
      const slice = resolveSlice({ start, stop, step }, length)
      const { from, to } = rangeOf(slice)
      const indices = Array.from(
        { length: slice.count },
        (_, i) => slice.first + (i === 0 ? 0 : i * Number(slice.step)),
      )
      expect({ from, to }).toEqual(
        slice.count === 0 ? { from: 0, to: 0 } : { from: Math.min(...indices), to: Math.max(...indices) + 1 },
      )
    }),
  )
})

test.each([{ step: 0 }, { step: 0n }, { start: 1.5 }, { stop: Number.NaN }])('no slice: %o', (slice) => {
  expect(() => resolveSlice(slice, 5)).toThrow(expect.objectContaining({ code: 'invalid_slice' }))
})
