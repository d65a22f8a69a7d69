/** Sums, orders and quantiles, which all statistics rest on, against plain arithmetic, SciPy and NumPy (test/core/diagnostics/numerics-golden/make.py). */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Autocovariance } from '../../../src/core/diagnostics/autocovariance.ts'
import { betaQuantileFloor, incompleteBeta, logGamma } from '../../../src/core/diagnostics/beta.ts'
import type { Autocovariances } from '../../../src/core/diagnostics/geyer.ts'
import { IndicatorAutocovariance } from '../../../src/core/diagnostics/indicator.ts'
import { meanOf, pairwiseSum } from '../../../src/core/diagnostics/moments.ts'
import { normalQuantile, rankScores } from '../../../src/core/diagnostics/normal.ts'
import { quantileOf } from '../../../src/core/diagnostics/quantiles.ts'
import { Sorter } from '../../../src/core/diagnostics/sort.ts'
import { CONVENTIONS } from '../../support/diagnostics.ts'

interface Golden {
  readonly normal: readonly [probabilities: readonly number[], quantiles: readonly number[]]
  readonly beta: readonly (readonly [p: number, a: number, b: number, size: number, place: number])[]
  readonly samples: readonly {
    readonly sorted: readonly number[]
    readonly p: readonly number[]
    readonly quantiles: readonly number[]
  }[]
}

const GOLDEN: Golden = JSON.parse(
  gunzipSync(readFileSync(new URL('numerics-golden/numerics.json.gz', import.meta.url))).toString('utf8'),
)

/** Pseudo-random numbers in [0, 1) (mulberry32). */
function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

/** The mean over all chains of the biased autocovariance at a lag, by its definition. */
function plainAutocovariance(values: Float64Array, chains: number, lag: number): number {
  const length = values.length / chains
  let total = 0
  for (let chain = 0; chain < chains; chain++) {
    const own = values.subarray(chain * length, (chain + 1) * length)
    const mean = own.reduce((sum, value) => sum + value, 0) / length
    for (let i = 0; i + lag < length; i++) total += ((own[i] as number) - mean) * ((own[i + lag] as number) - mean)
  }
  return total / length / chains
}

function expectAutocovariances(acov: Autocovariances, values: Float64Array, chains: number): void {
  const length = values.length / chains
  const scale = Math.max(plainAutocovariance(values, chains, 0), Number.MIN_VALUE)
  for (let lag = 0; lag < length; lag++) {
    const error = Math.abs(acov.at(lag) - plainAutocovariance(values, chains, lag))
    expect(error / scale, `lag ${lag} of ${chains} × ${length}`).toBeLessThan(1e-13)
  }
}

describe('autocovariances', () => {
  const shapes = fc.record({
    chains: fc.integer({ min: 1, max: 9 }),
    // Direct sums up to 128, a transform of the lags from 64 on beyond.
    length: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 120, max: 140 }), fc.constant(300)),
    seed: seeds,
  })

  it('sums and transforms agree with the definition, also when the memory is used again', () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(...CONVENTIONS), ({ chains, length, seed }, convention) => {
        const random = uniform(seed)
        const acov = new Autocovariance(chains, length, 'chains')
        for (let again = 0; again < 2; again++) {
          const values = Float64Array.from({ length: chains * length }, () => 10 + random())
          expectAutocovariances(acov.of(values, convention), values, chains)
        }
      }),
      { numRuns: 60, seed: 1 },
    )
  })

  it('counts of bits agree with the definition, for any set of draws', () => {
    fc.assert(
      fc.property(shapes, fc.double({ min: 0, max: 1, noNaN: true }), ({ chains, length, seed }, share) => {
        const random = uniform(seed)
        const total = chains * length
        const order = Uint32Array.from({ length: total }, (_, i) => i)
        for (let i = total - 1; i > 0; i--) {
          const j = Math.floor(random() * (i + 1))
          const other = order[j] as number
          order[j] = order[i] as number
          order[i] = other
        }
        const from = Math.floor(random() * total * share)
        const to = Math.max(from, Math.floor(total * share))
        const values = new Float64Array(total)
        for (let place = from; place < to; place++) values[order[place] as number] = 1
        const indicator = new IndicatorAutocovariance(chains, length).of(order, from, to)
        expect(indicator.isConstant).toBe(values.every((value) => value === values[0]))
        expectAutocovariances(indicator, values, chains)
        const plain = new Autocovariance(chains, length, 'chains').of(values, 'posterior')
        expect(indicator.between).toBeCloseTo(plain.between, 14)
      }),
      { numRuns: 60, seed: 2 },
    )
  })
})

describe('the order of numbers', () => {
  const special = [0, -0, Number.MIN_VALUE, -Number.MIN_VALUE, 2 ** -1022, Number.MAX_VALUE, -Number.MAX_VALUE]
  const numbers = fc.array(
    fc.oneof(
      fc.double({ noNaN: true }),
      fc.constantFrom(...special, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      // The same high word, and low words that differ.
      fc.integer({ min: -40, max: 40 }).map((i) => 1 + i * 2 ** -52),
      fc.integer({ min: -3, max: 3 }),
    ),
    { maxLength: 200 },
  )

  /** Stable: equal numbers, and -0 and 0, stay as they are. */
  function expectOrder(values: Float64Array, order: Uint32Array): void {
    const places = [...values.keys()].sort((i, j) => {
      const [a, b] = [values[i] as number, values[j] as number]
      return a < b ? -1 : a > b ? 1 : i - j
    })
    expect([...order]).toEqual(places)
  }

  it('is that of a comparison, in memory of its size or larger, again and again', () => {
    fc.assert(
      fc.property(numbers, numbers, (one, two) => {
        const sorter = new Sorter(200)
        for (const values of [one, two, one]) {
          const doubles = Float64Array.from(values)
          expectOrder(doubles, sorter.order(doubles))
          expectOrder(doubles, new Sorter(doubles.length).order(doubles))
        }
      }),
      { numRuns: 300, seed: 3 },
    )
  })

  it.each([
    ['of all sizes', (random: () => number) => (random() - 0.5) * 10 ** (600 * random() - 300)],
    ['with a handful of values', (random: () => number) => Math.floor(5 * random())],
    ['that differ in their last bits', (random: () => number) => 1e15 + Math.floor(1e4 * random()) / 8],
    ['all equal', () => 7],
  ] as const)('100,000 numbers %s', (_, next) => {
    const random = uniform(4)
    const values = Float64Array.from({ length: 100_000 }, () => next(random))
    const order = new Sorter(values.length).order(values)
    expect(Float64Array.from(order, (i) => values[i] as number)).toEqual(values.slice().sort())
    expect(new Set(order).size).toBe(values.length)
    for (let i = 1; i < order.length; i++) {
      const [a, b] = [order[i - 1] as number, order[i] as number]
      if (values[a] === values[b] && a >= b) expect.fail(`${a} stands before ${b}`)
    }
  })
})

describe('distributions', () => {
  it('normal quantiles are those of SciPy, to 4e-15', () => {
    const [probabilities, quantiles] = GOLDEN.normal
    expect(probabilities.length).toBeGreaterThan(300)
    probabilities.forEach((p, i) => {
      const expected = quantiles[i] as number
      const error = Math.abs(normalQuantile(p) - expected)
      expect(error, `at ${p}`).toBeLessThanOrEqual(4e-15 * Math.max(1, Math.abs(expected)))
    })
  })

  it('scores of ranks are symmetric, rise, and follow the formula', () => {
    for (const size of [1, 2, 3, 10, 101, 4000]) {
      const scores = rankScores(size)
      for (let twice = 2; twice <= 2 * size; twice++) {
        expect(scores[twice]).toBe(0 - (scores[2 * size + 2 - twice] as number))
        if (twice > 2) expect(scores[twice]).toBeGreaterThan(scores[twice - 1] as number)
        expect(scores[twice]).toBeCloseTo(normalQuantile((twice / 2 - 0.375) / (size + 0.25)), 12)
      }
    }
  })

  it('places of beta quantiles are those of SciPy', () => {
    expect(GOLDEN.beta.length).toBeGreaterThan(300)
    for (const [p, a, b, size, place] of GOLDEN.beta) {
      expect(betaQuantileFloor(p, a, b, size), `${p} of Beta(${a}, ${b}), ${size}`).toBe(place)
    }
  })

  it('incomplete beta functions of whole numbers are sums of binomial probabilities', () => {
    for (const [x, a, b] of [
      [0.3, 4, 7],
      [0.5, 1, 1],
      [0.9, 30, 2],
      [0.01, 2, 50],
    ] as const) {
      const n = a + b - 1
      let sum = 0
      for (let j = a; j <= n; j++) {
        const log = logGamma(n + 1) - logGamma(j + 1) - logGamma(n - j + 1)
        sum += Math.exp(log + j * Math.log(x) + (n - j) * Math.log1p(-x))
      }
      expect(incompleteBeta(x, a, b)).toBeCloseTo(sum, 13)
    }
  })
})

describe('quantiles and sums', () => {
  it('quantiles of samples are those of NumPy, bit for bit', () => {
    for (const { sorted, p, quantiles } of GOLDEN.samples) {
      const got = p.map((each) => quantileOf(Float64Array.from(sorted), each, 'arviz'))
      expect(got, `of ${sorted.length}`).toEqual(quantiles)
    }
  })

  it('quantiles as R has them differ in the last digits at most', () => {
    for (const { sorted, p, quantiles } of GOLDEN.samples) {
      const scale = Math.max(...sorted.map(Math.abs))
      p.forEach((each, i) => {
        const got = quantileOf(Float64Array.from(sorted), each, 'posterior')
        expect(Math.abs(got - (quantiles[i] as number))).toBeLessThanOrEqual(
          Math.max(1e-15 * scale, 2 * Number.MIN_VALUE),
        )
      })
    }
  })

  it('sums in pairs and means agree with sums in whole numbers', () => {
    const random = uniform(5)
    for (const length of [0, 1, 7, 8, 9, 127, 128, 129, 1000, 4097]) {
      const values = Float64Array.from({ length }, () => Math.floor(2 ** 30 * random()))
      const sum = values.reduce((total, value) => total + BigInt(value), 0n)
      expect(pairwiseSum(values)).toBe(Number(sum))
      if (length > 0) expect(meanOf(values)).toBeCloseTo(Number(sum) / length, 6)
    }
  })
})
