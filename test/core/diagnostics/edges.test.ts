/** Draws at the edges of what there is: each statistic is a finite number or a reason, and never an error. */
import { describe, expect, it } from 'vitest'
import type { Statistic } from '../../../src/core/diagnostics/convention.ts'
import { bfmi } from '../../../src/core/diagnostics/energy.ts'
import { essQuantile } from '../../../src/core/diagnostics/ess.ts'
import { mcseQuantile } from '../../../src/core/diagnostics/mcse.ts'
import { eti, hdi, quantile } from '../../../src/core/diagnostics/quantiles.ts'
import { rhatNested } from '../../../src/core/diagnostics/rhat.ts'
import { Scalar, Workspace } from '../../../src/core/diagnostics/scalar.ts'
import { CONVENTIONS } from '../../support/diagnostics.ts'
import { STATISTICS } from '../../support/statistics.ts'

const { rhat_nested: _, ...OF_ANY_CHAINS } = STATISTICS

const MORE: Readonly<Record<string, (scalar: Scalar) => Statistic>> = {
  ...OF_ANY_CHAINS,
  rhat_nested: (scalar) =>
    rhatNested(
      scalar,
      Array.from({ length: scalar.chains }, (_, chain) => chain % (scalar.chains % 2 === 0 ? 2 : 1)),
    ),
  ess_q0: (scalar) => essQuantile(scalar, 0),
  ess_q1: (scalar) => essQuantile(scalar, 1),
  mcse_q0: (scalar) => mcseQuantile(scalar, 0),
  mcse_q1: (scalar) => mcseQuantile(scalar, 1),
  q0: (scalar) => quantile(scalar, 0),
  q1: (scalar) => quantile(scalar, 1),
  eti_lb: (scalar) => eti(scalar, 1e-9)[0],
  eti_ub: (scalar) => eti(scalar, 1 - 1e-9)[1],
  hdi_lb: (scalar) => hdi(scalar, 1e-9)[0],
  hdi_ub: (scalar) => hdi(scalar, 1 - 1e-9)[1],
  bfmi: ({ values, convention }) => bfmi(values, convention),
}

const REASONS = ['constant', 'too_few', 'nan', 'infinite']

/** Draws by their places: mixtures of ordinary ones with those at an edge. */
const FILLINGS: Readonly<Record<string, (i: number) => number>> = {
  'ordinary ones': (i) => Math.sin(i * i),
  NaN: () => Number.NaN,
  'NaN among others': (i) => (i % 5 === 2 ? Number.NaN : Math.sin(i * i)),
  infinity: () => Number.POSITIVE_INFINITY,
  'minus infinity': () => Number.NEGATIVE_INFINITY,
  'both infinities': (i) => (i % 2 === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
  'infinity among others': (i) => (i % 5 === 2 ? Number.POSITIVE_INFINITY : Math.sin(i * i)),
  'infinities and NaN': (i) => [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1][i % 4] as number,
  'the least subnormal': (i) => (i % 3 === 0 ? Number.MIN_VALUE : 0),
  subnormals: (i) => Math.round(Math.sin(i * i) * 9) * Number.MIN_VALUE,
  'negative zeros': () => -0,
  'both zeros': (i) => (i % 2 === 0 ? 0 : -0),
  'the greatest numbers': (i) => Math.sign(Math.sin(i * i)) * Number.MAX_VALUE,
  '1e308 and less': (i) => 1e308 * Math.sin(i * i),
  '1e160, whose squares overflow': (i) => 1e160 * Math.sin(i * i),
  '1e-170, whose squares underflow': (i) => 1e-170 * Math.sin(i * i),
  'all magnitudes': (i) => Math.sin(i) * 10 ** (((i * 37) % 600) - 300),
  'a constant': () => 0.1,
  'last digits': (i) => 1e15 + (i % 3) / 8,
}

const CHAINS = [0, 1, 2, 3, 4]
const DRAWS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 25, 130]

describe.each(CONVENTIONS)('convention %s', (convention) => {
  it.each(Object.entries(FILLINGS))('%s', (_name, draw) => {
    for (const chains of CHAINS) {
      for (const draws of DRAWS) {
        const workspace = new Workspace(chains, draws)
        const values = Float64Array.from({ length: chains * draws }, (_, i) => draw(i))
        const before = values.slice()
        for (const [name, statistic] of Object.entries(MORE)) {
          const value = statistic(new Scalar(workspace, values, convention))
          const what = `${name} of ${chains} × ${draws}: ${value}`
          expect(typeof value === 'number' ? Number.isFinite(value) : REASONS.includes(value), what).toBe(true)
        }
        expect(values).toEqual(before)
      }
    }
  })

  it('tells the draws that are to blame', () => {
    const reasonsOf = (draw: (i: number) => number) => {
      const scalar = () =>
        new Scalar(
          new Workspace(4, 100),
          Float64Array.from({ length: 400 }, (_, i) => draw(i)),
          convention,
        )
      return ['mean', 'sd', 'ess_mean', 'mcse_mean', 'rhat_split', 'rhat_id'].map((name) =>
        STATISTICS[name]?.(scalar()),
      )
    }
    expect(new Set(reasonsOf((i) => (i === 7 ? Number.NaN : i % 3 === 0 ? Number.POSITIVE_INFINITY : i)))).toEqual(
      new Set(['nan']),
    )
    expect(new Set(reasonsOf((i) => (i === 7 ? Number.NEGATIVE_INFINITY : Math.sin(i))))).toEqual(new Set(['infinite']))
  })
})
