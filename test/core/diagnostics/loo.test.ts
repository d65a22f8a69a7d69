/** LOO against the results of R's loo and of arviz-stats, which test/core/diagnostics/loo-golden/make.py has written down. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Convention, Statistic } from '../../../src/core/diagnostics/convention.ts'
import { type Loo, likelihoodEfficiencies, posteriorEfficiency, psisLoo } from '../../../src/core/diagnostics/loo.ts'
import { CONVENTIONS } from '../../support/diagnostics.ts'
import { SHARED_DATA } from '../../support/shared.ts'
import { testUnless } from '../../support/skip.ts'

/** A number, or the package's word for none; of pointwise results one for each observation. */
type Results = Readonly<Record<string, number | string | readonly (number | string)[]>>

interface Case {
  readonly chains: number
  readonly draws: number
  readonly values: readonly number[]
  readonly efficiency: readonly number[]
  readonly posterior: Results
  readonly arviz: Results
}

const GOLDEN: {
  readonly cases: Readonly<Record<string, Case>>
  readonly non_centered_eight: Readonly<Record<'posterior' | 'posterior_efficiencies' | 'arviz', Results>>
} = JSON.parse(gunzipSync(readFileSync(new URL('loo-golden/loo.json.gz', import.meta.url))).toString('utf8'))

const NAMES: Readonly<Record<string, (loo: Loo) => Statistic | readonly number[]>> = {
  elpd_loo: (loo) => loo.elpdLoo,
  se_elpd_loo: (loo) => loo.elpdLooSe,
  p_loo: (loo) => loo.pLoo,
  se_p_loo: (loo) => loo.pLooSe,
  looic: (loo) => loo.looic,
  se_looic: (loo) => loo.looicSe,
  mcse_elpd_loo: (loo) => loo.mcse,
  good_k: (loo) => loo.goodK,
  above: (loo) => loo.aboveGoodK,
  elpd: (loo) => [...loo.pointwise.elpd],
  p: (loo) => [...loo.pointwise.p],
  k: (loo) => [...loo.pointwise.k],
  mcse: (loo) => [...loo.pointwise.mcse],
  ess: (loo) => [...loo.pointwise.ess],
}

function expectLoo(loo: Loo, expected: Results, except: readonly string[] = []): void {
  let compared = 0
  for (const [name, value] of Object.entries(expected)) {
    const get = NAMES[name]
    if (get === undefined || except.includes(name)) continue
    compared++
    const got = get(loo)
    if (typeof value === 'string') expect(got, name).toBeTypeOf('string')
    else if (typeof value === 'number') expectNear(name, got as number, value)
    else
      value.forEach((each, i) => {
        expectNear(`${name} ${i}`, (got as number[])[i], each)
      })
  }
  expect(compared).toBeGreaterThan(4)
}

function expectNear(name: string, got: number | undefined, expected: number | string): void {
  expect(got, name).toBeTypeOf('number')
  if (typeof expected === 'string') {
    expect(String(got), name).toBe(WORDS[expected])
    return
  }
  const least = Math.max(1e-12, 1e-9 * Math.abs(expected))
  expect(Math.abs(Number(got) - expected), `${name}: ${got}, not ${expected}`).toBeLessThanOrEqual(least)
}

/** Words of both packages. */
const WORDS: Readonly<Record<string, string>> = { Inf: 'Infinity', inf: 'Infinity', nan: 'NaN', NaN: 'NaN' }

/** Errors of ArviZ, as reasons. */
const ERRORS: Readonly<Record<string, string>> = {
  'All tail values are the same': 'constant',
  'n_draws_tail must be at least 5': 'too_few',
}

const looOf = (each: Case, convention: Convention): Loo =>
  psisLoo(
    { values: Float64Array.from(each.values), chains: each.chains, draws: each.draws },
    { convention, efficiency: Float64Array.from(each.efficiency) },
  )

describe('LOO of small cases', () => {
  for (const [name, each] of Object.entries(GOLDEN.cases)) {
    for (const convention of CONVENTIONS) {
      it(`${name}, ${convention}`, () => {
        const loo = looOf(each, convention)
        const { error } = each[convention]
        if (error === undefined) {
          // R has none where likelihoods underflow.
          expectLoo(loo, each[convention], name === 'far' ? ['mcse'] : [])
          return
        }
        const reason = ERRORS[String(error)]
        expect(reason).toBeDefined()
        expect(loo).toMatchObject({ elpdLoo: reason, elpdLooSe: reason, pLoo: reason, looic: reason, mcse: reason })
        expect([...loo.reasons.values()]).toContain(reason)
      })
    }

    it(`${name}: efficiencies of likelihoods`, () => {
      const got = likelihoodEfficiencies({ ...each, values: Float64Array.from(each.values) })
      const expected = each.posterior.relative_eff
      // R has a number and no vector of one observation; NA counts as 1.
      const all = Array.isArray(expected) ? expected : [expected]
      all.forEach((value, i) => {
        expectNear(`${i}`, got[i], value === 'NA' ? 1 : value)
      })
    })
  }

  it('has Monte Carlo errors where likelihoods underflow, the same as where they do not', () => {
    const { normal, far } = GOLDEN.cases
    if (normal === undefined || far === undefined) throw new Error('no such cases')
    const errors = looOf(far, 'posterior').pointwise.mcse
    looOf(normal, 'posterior').pointwise.mcse.forEach((error, i) => {
      expect(errors[i]).toBeCloseTo(error, 9)
    })
  })
})

describe('log-likelihoods that are not finite', () => {
  const values = Float64Array.from({ length: 3 * 400 }, (_, i) => -1 - (((i * 7919) % 400) / 100) ** 0.5)
  const broken = (value: number, observation: number) =>
    Float64Array.from(values, (old, i) => (i === observation * 400 + 17 ? value : old))

  for (const convention of CONVENTIONS) {
    for (const [value, reason] of [
      [Number.NaN, 'nan'],
      [Number.POSITIVE_INFINITY, 'infinite'],
      [Number.NEGATIVE_INFINITY, 'infinite'],
    ] as const) {
      it(`${value}, ${convention}: a reason for its observation and for sums, estimates for the others`, () => {
        const whole = psisLoo({ values, chains: 4, draws: 100 }, { convention })
        const loo = psisLoo({ values: broken(value, 1), chains: 4, draws: 100 }, { convention })
        expect([...loo.reasons]).toEqual([[1, reason]])
        expect(loo).toMatchObject({ elpdLoo: reason, elpdLooSe: reason, pLoo: reason, looic: reason, mcse: reason })
        const pointwise = [...whole.pointwise.elpd]
        pointwise[1] = Number.NaN
        expect([...loo.pointwise.elpd]).toEqual(pointwise)
        expect(loo.pointwise.k[1]).toBeNaN()
      })
    }

    it(`finite ones that overflow, ${convention}`, () => {
      const extreme = values.map((value, i) => (i % 400 === 3 ? -1.7e308 : i % 400 === 5 ? 1.7e308 : value))
      const loo = psisLoo({ values: extreme, chains: 4, draws: 100 }, { convention })
      expect(loo.elpdLoo).toBe('infinite')
      expect([...loo.reasons.values()]).toEqual(['infinite', 'infinite', 'infinite'])
    })

    it(`no observations, no draws, ${convention}`, () => {
      const none = { elpdLoo: 'too_few', looic: 'too_few', mcse: 'too_few', aboveGoodK: 0 }
      expect(psisLoo({ values: new Float64Array(), chains: 4, draws: 100 }, { convention })).toMatchObject(none)
      expect(psisLoo({ values: new Float64Array(), chains: 0, draws: 0 }, { convention })).toMatchObject(none)
    })
  }

  it('refuses values and efficiencies that do not fit', () => {
    expect(() => psisLoo({ values, chains: 7, draws: 100 }, { convention: 'arviz' })).toThrow(RangeError)
    expect(() => psisLoo({ values, chains: 0, draws: 100 }, { convention: 'arviz' })).toThrow(RangeError)
    const options = { convention: 'arviz', efficiency: new Float64Array(2) } as const
    expect(() => psisLoo({ values, chains: 4, draws: 100 }, options)).toThrow(RangeError)
  })
})

const EIGHT = `${SHARED_DATA}/pymc/non_centered_eight.nc`
const PYTHON = process.env.MCB_GOLDEN_PYTHON ?? 'python3'

/** Writes doubles: of each scalar of a group, chain after chain. */
const READ = `
import sys
import netCDF4
for variable in netCDF4.Dataset(sys.argv[1])[sys.argv[2]].variables.values():
    if variable.dimensions[:2] == ("chain", "draw"):
        values = variable[:].data.reshape(4 * 500, -1)
        sys.stdout.buffer.write(values.T.astype("<f8").tobytes())
`

function whyNot(): string | undefined {
  if (!existsSync(EIGHT)) return '../shared/data/pymc is not here'
  try {
    execFileSync(PYTHON, ['-c', 'import netCDF4'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no Python with netCDF4 (MCB_GOLDEN_PYTHON names one)'
  }
}

function scalarsOf(group: string): Float64Array {
  const bytes = execFileSync(PYTHON, ['-c', READ, EIGHT, group], { maxBuffer: 2 ** 26 })
  return new Float64Array(Uint8Array.from(bytes).buffer)
}

describe('eight schools, sampled with PyMC', () => {
  const test = testUnless(whyNot())
  const sizes = { chains: 4, draws: 500 }

  test('LOO of R, with its own efficiency and with those of the likelihoods', () => {
    const logLikelihood = { values: scalarsOf('log_likelihood'), ...sizes }
    const { posterior, posterior_efficiencies: relative } = GOLDEN.non_centered_eight
    expectLoo(psisLoo(logLikelihood, { convention: 'posterior' }), posterior)
    const efficiency = likelihoodEfficiencies(logLikelihood)
    expectLoo(psisLoo(logLikelihood, { convention: 'posterior', efficiency }), relative)
  })

  test('LOO of ArviZ, with the efficiency of the posterior', () => {
    const posterior = scalarsOf('posterior')
    const scalars = Array.from({ length: posterior.length / 2000 }, (_, i) =>
      posterior.subarray(2000 * i, 2000 * (i + 1)),
    )
    const efficiency = posteriorEfficiency(scalars, 4, 500)
    const { arviz } = GOLDEN.non_centered_eight
    expectNear('efficiency', efficiency, Number(arviz.efficiency))
    const loo = psisLoo({ values: scalarsOf('log_likelihood'), ...sizes }, { convention: 'arviz', efficiency })
    expectLoo(loo, arviz)
    expect(posteriorEfficiency(scalars, 1, 2000)).toBe(1)
  })
})
