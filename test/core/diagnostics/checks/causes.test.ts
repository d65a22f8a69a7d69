/** Causes: the chain to blame, ESS that does not grow, and the time that is left. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chainToBlame, rhatWithout } from '../../../../src/core/diagnostics/checks/blame.ts'
import { samplingSeconds, secondsToEss } from '../../../../src/core/diagnostics/checks/eta.ts'
import { essOfFirstHalf, LEAST_GROWTH } from '../../../../src/core/diagnostics/checks/growth.ts'
import type { Statistic } from '../../../../src/core/diagnostics/convention.ts'
import { essBulk } from '../../../../src/core/diagnostics/ess.ts'
import { rhat } from '../../../../src/core/diagnostics/rhat.ts'
import { Scalar, Workspace } from '../../../../src/core/diagnostics/scalar.ts'
import { chainsOf } from '../../../support/draws-of-chains.ts'

const scalarOf = (values: Float64Array, chains: number) =>
  new Scalar(new Workspace(chains, values.length / chains), values, 'posterior')

const numberOf = (value: Statistic): number =>
  value === 'infinite' ? Number.POSITIVE_INFINITY : typeof value === 'number' ? value : Number.NaN

function blamed(values: Float64Array, chains: number): number | undefined {
  const scalar = scalarOf(values, chains)
  const without = Array.from({ length: chains }, (_, chain) => numberOf(rhatWithout(scalar, chain)))
  return chainToBlame({ rhat: numberOf(rhat(scalar)), without })
}

describe('blame', () => {
  it('falls on the chain that is shifted, or wider, wherever it stands', () => {
    const place = fc.integer({ min: 3, max: 8 }).chain((chains) => fc.tuple(fc.constant(chains), fc.nat(chains - 1)))
    fc.assert(
      fc.property(place, fc.nat(), fc.boolean(), ([chains, bad], seed, isShifted) => {
        const values = chainsOf(chains, 200, (x, chain) => (chain !== bad ? x : isShifted ? x + 3 : 6 * x), seed)
        expect(blamed(values, chains)).toBe(bad)
      }),
      { numRuns: 60 },
    )
  })

  it('falls on no chain where all are alike, or each is elsewhere', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(
          blamed(
            chainsOf(4, 100, (x, chain) => x + 3 * chain, seed),
            4,
          ),
        ).toBeUndefined()
      }),
      { numRuns: 20 },
    )
    expect(
      blamed(
        chainsOf(4, 100, (_, chain) => chain),
        4,
      ),
    ).toBeUndefined()
    expect(blamed(chainsOf(1, 100), 1)).toBeUndefined()
  })

  it('is R-hat of the others', () => {
    const values = chainsOf(3, 100, (x, chain) => x + chain)
    const others = Float64Array.of(...values.subarray(0, 100), ...values.subarray(200))
    expect(rhatWithout(scalarOf(values, 3), 1)).toBe(rhat(scalarOf(others, 2)))
    expect(rhatWithout(scalarOf(values, 1), 0)).toBe('too_few')
  })
})

describe('growth', () => {
  const growth = (values: Float64Array) => {
    const scalar = scalarOf(values, 4)
    return numberOf(essBulk(scalar)) / numberOf(essOfFirstHalf(scalar))
  }

  it('is twofold where draws are independent', () => {
    const factor = growth(chainsOf(4, 1000))
    expect(factor).toBeGreaterThan(1.7)
    expect(factor).toBeLessThan(2.3)
  })

  it('is none where chains wander off', () => {
    const sums = [0, 0, 0, 0]
    const walk = chainsOf(4, 1000, (x, chain) => (sums[chain] = (sums[chain] as number) + x))
    expect(growth(walk)).toBeLessThan(LEAST_GROWTH)
  })

  it('is that of the first half of each chain', () => {
    const values = chainsOf(4, 101)
    const firsts = Float64Array.from({ length: 200 }, (_, i) => values[Math.floor(i / 50) * 101 + (i % 50)] as number)
    expect(essOfFirstHalf(scalarOf(values, 4))).toBe(essBulk(scalarOf(firsts, 4)))
    expect(essOfFirstHalf(scalarOf(new Float64Array(400), 4))).toBe('constant')
  })
})

describe('time to an ESS', () => {
  it('is what is missing over what comes a second', () => {
    expect(secondsToEss({ ess: 100, rhat: 1.02, seconds: 50 }, 400)).toBe(150)
    expect(secondsToEss({ ess: 500, rhat: 1.02, seconds: 50 }, 400)).toBe(0)
  })

  it('is told for R-hat below 1.05 alone', () => {
    expect(secondsToEss({ ess: 100, rhat: 1.0499, seconds: 50 }, 400)).toBe(150)
    expect(secondsToEss({ ess: 100, rhat: 1.05, seconds: 50 }, 400)).toBeUndefined()
    expect(secondsToEss({ ess: 100, rhat: Number.POSITIVE_INFINITY, seconds: 50 }, 400)).toBeUndefined()
    expect(secondsToEss({ ess: 100, rhat: 1, seconds: 0 }, 400)).toBeUndefined()
  })

  it('counts the part of the time that was no warmup', () => {
    const times = { createdAt: 1000, updatedAt: 61_000, facts: {}, warmup: 500, draws: 1000 }
    expect(samplingSeconds(times)).toBe(40)
    expect(samplingSeconds({ ...times, facts: { samplingTime: 30 } })).toBe(20)
    expect(samplingSeconds({ ...times, draws: 0 })).toBe(0)
  })
})
