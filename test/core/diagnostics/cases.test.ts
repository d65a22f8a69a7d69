/** Every value that R's posterior and arviz-stats have for chains that are hard to judge. */
import { describe, expect, it } from 'vitest'
import type { Statistic } from '../../../src/core/diagnostics/convention.ts'
import { bfmi } from '../../../src/core/diagnostics/energy.ts'
import { essBulk, essIdentity, essMean, essQuantile, essSd, essTail } from '../../../src/core/diagnostics/ess.ts'
import { mcseMean, mcseQuantile, mcseSd } from '../../../src/core/diagnostics/mcse.ts'
import { paretoKhat } from '../../../src/core/diagnostics/pareto.ts'
import { eti, hdi, mad, mean, median, quantile, sd } from '../../../src/core/diagnostics/quantiles.ts'
import { rhat, rhatFolded, rhatIdentity, rhatNested, rhatSplit, rhatZ } from '../../../src/core/diagnostics/rhat.ts'
import { Scalar, Workspace } from '../../../src/core/diagnostics/scalar.ts'
import {
  CONVENTIONS,
  type DiagnosticCase,
  drawsOfCase,
  type Expected,
  randomCases,
  sharedCases,
} from '../../support/diagnostics.ts'

const STATISTICS: Readonly<Record<string, (scalar: Scalar) => Statistic>> = {
  rhat,
  rhat_split: rhatSplit,
  rhat_id: rhatIdentity,
  rhat_folded: rhatFolded,
  rhat_z: rhatZ,
  rhat_nested: (scalar) =>
    rhatNested(
      scalar,
      Array.from({ length: scalar.chains }, (_, chain) => chain >> 1),
    ),
  ess_bulk: essBulk,
  ess_tail: (scalar) => essTail(scalar, [0.05, 0.95]),
  ess_tail_11_89: (scalar) => essTail(scalar, [1 - 0.89, 0.89]),
  ess_mean: essMean,
  ess_sd: essSd,
  ess_median: (scalar) => essQuantile(scalar, 0.5),
  ess_id: essIdentity,
  ess_q10: (scalar) => essQuantile(scalar, 0.1),
  mcse_mean: mcseMean,
  mcse_sd: mcseSd,
  mcse_median: (scalar) => mcseQuantile(scalar, 0.5),
  mcse_q05: (scalar) => mcseQuantile(scalar, 0.05),
  mcse_q95: (scalar) => mcseQuantile(scalar, 0.95),
  khat: (scalar) => paretoKhat(scalar),
  khat_right: (scalar) => paretoKhat(scalar, 'right'),
  q05: (scalar) => quantile(scalar, 0.05),
  q95: (scalar) => quantile(scalar, 0.95),
  mean,
  sd,
  median,
  mad,
  hdi94_lb: (scalar) => hdi(scalar, 0.94)[0],
  hdi94_ub: (scalar) => hdi(scalar, 0.94)[1],
  eti89_lb: (scalar) => eti(scalar, 0.89)[0],
  eti89_ub: (scalar) => eti(scalar, 0.89)[1],
  bfmi_chain0: ({ values, draws, convention }) => bfmi(values.subarray(0, draws), convention),
}

const shared = sharedCases()

describe('cases of both packages', () => {
  it.skipIf(shared !== undefined)('are absent: ../shared/data/diagnostics is not here', ({ skip }) => skip())
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
