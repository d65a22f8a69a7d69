/** Every value that R's posterior and arviz-stats have for chains that are hard to judge. */
import { describe, expect, it } from 'vitest'
import type { Statistic } from '../../../src/core/diagnostics/convention.ts'
import { Scalar, Workspace } from '../../../src/core/diagnostics/scalar.ts'
import {
  CONVENTIONS,
  type DiagnosticCase,
  drawsOfCase,
  type Expected,
  randomCases,
  sharedCases,
} from '../../support/diagnostics.ts'
import { STATISTICS } from '../../support/statistics.ts'

const shared = sharedCases()

describe('cases of both packages', () => {
  it('of the shared data are 53', ({ skip }) => {
    if (shared === undefined) return skip('../shared/data/diagnostics is absent')
    expect(shared).toHaveLength(53)
  })
  for (const each of shared ?? []) testCase(each)
})

describe('random cases of both packages', () => {
  for (const each of randomCases()) testCase(each)
})

function testCase(each: DiagnosticCase): void {
  for (const convention of CONVENTIONS) {
    it(`${each.name}, ${convention}`, () => {
      const values = drawsOfCase(each)
      const workspace = new Workspace(each.chains.length, each.chains[0]?.length ?? 0)
      const expected = Object.entries(each[convention])
      expect(expected.length).toBeGreaterThan(20)
      for (const [name, value] of expected) {
        const got = STATISTICS[name]?.(new Scalar(workspace, values, convention))
        expectValue(`${name} of ${each.name}`, got, name.startsWith('rhat') ? withoutNoise(value) : value)
      }
    })
  }
}

/** R-hat of chains that are constant, each at another value, is a quotient of rounding errors: 10¹⁵ or so stands for infinity. */
function withoutNoise(value: Expected): Expected {
  return typeof value === 'number' && value > 1e12 ? 'infinite' : value
}

function expectValue(what: string, got: Statistic | undefined, expected: Expected): void {
  expect(got, what).toBeTypeOf(typeof expected)
  if (typeof expected === 'string') return
  expect(Math.abs(Number(got) - expected), `${what}: ${got}, not ${expected}`).toBeLessThanOrEqual(
    Math.max(1e-12, 1e-9 * Math.abs(expected)),
  )
}
