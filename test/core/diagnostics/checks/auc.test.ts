/** Places of divergences: the area against the definition, pair by pair. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Divergent } from '../../../../src/core/diagnostics/checks/auc.ts'
import { Scalar, Workspace } from '../../../../src/core/diagnostics/scalar.ts'

/** All pairs of a draw that diverged and one that did not. */
function naive(values: readonly number[], mask: readonly boolean[]): number {
  let [larger, pairs] = [0, 0]
  for (const [i, a] of values.entries()) {
    for (const [j, b] of values.entries()) {
      if (!mask[i] || mask[j] || Number.isNaN(a) || Number.isNaN(b)) continue
      pairs++
      larger += a > b ? 1 : a === b ? 0.5 : 0
    }
  }
  return larger / pairs
}

const NUMBER = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, 1, 2, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
)

test('the area is the share of pairs, ties counted half', () => {
  const draw = fc.tuple(NUMBER, fc.boolean())
  fc.assert(
    fc.property(fc.array(draw, { minLength: 1, maxLength: 60 }), (draws) => {
      const values = draws.map(([value]) => value)
      const mask = draws.map(([, isDivergent]) => isDivergent)
      const got = new Divergent(Uint8Array.from(mask, Number)).auc(scalarOf(1, values))
      const expected = naive(values, mask)
      if (Number.isNaN(expected)) expect(got).toBeNaN()
      else expect(got).toBeCloseTo(expected, 12)
    }),
    { numRuns: 1000 },
  )
})

const scalarOf = (chains: number, values: readonly number[]) =>
  new Scalar(new Workspace(chains, values.length / chains), Float64Array.from(values), 'posterior')

test('small values have a small area, and one mask serves many scalars', () => {
  const divergent = new Divergent(Uint8Array.of(1, 0, 0, 1, 0))
  expect(divergent.count).toBe(2)
  expect(divergent.auc(scalarOf(1, [-5, 1, 2, -4, 3]))).toBe(0)
  expect(divergent.auc(scalarOf(1, [5, 1, 2, 4, 3]))).toBe(1)
  expect(divergent.auc(scalarOf(1, [1, 1, 1, 1, 1]))).toBe(0.5)
})
