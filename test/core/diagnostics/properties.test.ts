/** Properties of statistics: in whatever order chains are, and in whatever unit their draws, the numbers are the same. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Convention, Statistic } from '../../../src/core/diagnostics/convention.ts'
import { essMean } from '../../../src/core/diagnostics/ess.ts'
import { rhatNested } from '../../../src/core/diagnostics/rhat.ts'
import { Scalar, Workspace } from '../../../src/core/diagnostics/scalar.ts'
import { CONVENTIONS } from '../../support/diagnostics.ts'
import { STATISTICS } from '../../support/statistics.ts'

type Kind = 'correlated' | 'antithetic' | 'rounded' | 'coins' | 'heavy'

interface Sample {
  readonly chains: number
  readonly draws: number
  readonly kind: Kind
  readonly seed: number
}

const samples = (...kinds: Kind[]): fc.Arbitrary<Sample> =>
  fc.record({
    chains: fc.integer({ min: 1, max: 6 }),
    draws: fc.oneof(fc.integer({ min: 4, max: 30 }), fc.integer({ min: 30, max: 300 })),
    kind: fc.constantFrom(...kinds),
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  })

/** Draws, chain after chain: multiples of 2⁻²⁰ whose sums and products with powers of two are exact. */
function drawsOf({ chains, draws, kind, seed }: Sample): Float64Array {
  let state = seed
  const uniform = (): number => {
    // Park and Miller's generator.
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  const rho = kind === 'antithetic' ? -0.6 : 0.6
  let last = 0
  return Float64Array.from({ length: chains * draws }, () => {
    last = rho * last + normal()
    if (kind === 'coins') return last > 0 ? 1 : 0
    if (kind === 'rounded') return Math.round(4 * last) / 4
    return Math.round((kind === 'heavy' ? Math.sinh(last) : last) * 2 ** 20) / 2 ** 20
  })
}

function expectSame(what: string, got: Statistic | undefined, expected: Statistic | undefined): void {
  expect(got, what).toBeTypeOf(typeof expected)
  if (typeof expected !== 'number') return void expect(got, what).toBe(expected)
  const error = Math.abs(Number(got) - expected)
  expect(error, `${what}: ${got}, not ${expected}`).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(expected)))
}

const scalarOf = ({ chains, draws }: Sample, values: Float64Array, convention: Convention): Scalar =>
  new Scalar(new Workspace(chains, draws), values, convention)

const NOT_OF_ALL_CHAINS = ['bfmi_chain0', 'rhat_nested']

it.each([
  { chains: 5, draws: 26, seed: 95088 },
  { chains: 2, draws: 30, seed: 124075 },
  { chains: 3, draws: 26, seed: 130941 },
  { chains: 6, draws: 18, seed: 145999 },
])('two autocorrelations that add up to 0 end the sequence in whatever order the chains are: $seed', (shape) => {
  const sample = { ...shape, kind: 'coins' } as const
  const { chains, draws } = sample
  const values = drawsOf(sample)
  const reversed = new Float64Array(values.length)
  for (let chain = 0; chain < chains; chain++) {
    reversed.set(values.subarray(chain * draws, (chain + 1) * draws), (chains - 1 - chain) * draws)
  }
  const [expected, got] = [values, reversed].map((each) => essMean(scalarOf(sample, each, 'posterior')))
  expectSame('ess_mean', got, expected)
})

describe.each(CONVENTIONS)('convention %s', (convention) => {
  const all = samples('correlated', 'antithetic', 'rounded', 'coins', 'heavy')

  it('the order of chains changes nothing', () => {
    const orders = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 })
    fc.assert(
      fc.property(all, orders, (sample, keys) => {
        const { chains, draws } = sample
        const values = drawsOf(sample)
        const order = [...Array(chains).keys()].sort((a, b) => (keys[a] as number) - (keys[b] as number))
        const permuted = new Float64Array(values.length)
        order.forEach((chain, i) => {
          permuted.set(values.subarray(chain * draws, (chain + 1) * draws), i * draws)
        })
        for (const [name, statistic] of Object.entries(STATISTICS)) {
          if (NOT_OF_ALL_CHAINS.includes(name)) continue
          const expected = statistic(scalarOf(sample, values, convention))
          expectSame(name, statistic(scalarOf(sample, permuted, convention)), expected)
        }
        if (chains % 2 === 1) return
        const superchains = order.map((chain) => chain >> 1)
        const expected = STATISTICS.rhat_nested?.(scalarOf(sample, values, convention))
        expectSame('rhat_nested', rhatNested(scalarOf(sample, permuted, convention), superchains), expected)
      }),
      { numRuns: 150, seed: 14 },
    )
  })

  const units = fc.record({
    power: fc.integer({ min: -20, max: 40 }),
    shift: fc.integer({ min: -(2 ** 22), max: 2 ** 22 }),
  })

  it('a larger unit and another zero change no statistic of ranks', () => {
    fc.assert(
      fc.property(all, units, (sample, { power, shift }) => {
        const values = drawsOf(sample)
        const mapped = values.map((value) => 2 ** power * (value + shift / 2 ** 20))
        for (const name of ['rhat', 'rhat_z', 'rhat_folded', 'ess_bulk', 'ess_tail', 'ess_tail_11_89', 'ess_median']) {
          const expected = STATISTICS[name]?.(scalarOf(sample, values, convention))
          expectSame(name, STATISTICS[name]?.(scalarOf(sample, mapped, convention)), expected)
        }
      }),
      { numRuns: 150, seed: 15 },
    )
  })

  it('a mirror changes no statistic of ranks, and swaps the tails', () => {
    // A quantile that falls on a draw is not its mirror image's: the indicator has ≤.
    const between = samples('correlated', 'antithetic', 'heavy').filter(
      ({ chains, draws }) => ((chains * draws - 1) * 5) % 100 !== 0,
    )
    fc.assert(
      fc.property(between, units, (sample, { power }) => {
        const values = drawsOf(sample)
        const mapped = values.map((value) => -(2 ** power) * value)
        for (const name of ['rhat', 'rhat_z', 'rhat_folded', 'ess_bulk', 'ess_tail', 'khat']) {
          const expected = STATISTICS[name]?.(scalarOf(sample, values, convention))
          expectSame(name, STATISTICS[name]?.(scalarOf(sample, mapped, convention)), expected)
        }
      }),
      { numRuns: 150, seed: 16 },
    )
  })

  it('locations and widths follow the unit', () => {
    fc.assert(
      fc.property(all, units, (sample, { power, shift }) => {
        const unit = 2 ** power
        const offset = shift / 2 ** 20
        const values = drawsOf(sample)
        const mapped = values.map((value) => unit * (value + offset))
        const both = (name: string): readonly (Statistic | undefined)[] =>
          [values, mapped].map((each) => STATISTICS[name]?.(scalarOf(sample, each, convention)))
        for (const name of ['mean', 'median', 'q05', 'q95', 'hdi94_lb', 'hdi94_ub', 'eti89_lb', 'eti89_ub']) {
          const [before, after] = both(name)
          expectSame(name, Number(after) / unit, Number(before) + offset)
        }
        for (const name of ['sd', 'mad', 'mcse_mean', 'mcse_median', 'mcse_q05']) {
          const [before, after] = both(name)
          expectSame(name, typeof after === 'number' ? after / unit : after, before)
        }
      }),
      { numRuns: 150, seed: 17 },
    )
  })
})
