/** The overview's verdict, the marks of chains, and the log density. */
import { expect, test } from 'vitest'
import type { Check } from '../../web/src/api/shapes.ts'
import { RunSchema } from '../../web/src/run/schema.ts'
import { blamedOf, marksOf } from '../../web/src/screens/overview/chain-marks.ts'
import { lpOf } from '../../web/src/screens/overview/lp.ts'
import { verdictOf } from '../../web/src/screens/overview/verdict.ts'
import { normals } from './samples.ts'

function check(name: string, status: Check['status'], more: Partial<Check> = {}): Check {
  return { check: name, status, message: `${name} says so`, advice: '', chains: [], worst: [], ...more }
}

const worst = [
  { label: 'tau', value: 0.97 },
  { label: 'theta[0]', value: 0.8 },
]

test('the worst comes first, in the order of checks; what is fine is in a few words', () => {
  const { sentences, fine } = verdictOf(
    {
      checks: [
        check('progress', 'ok'),
        check('finite', 'ok'),
        check('stuck', 'unknown'),
        check('divergences', 'fail'),
        check('rhat', 'warn'),
        check('ess', 'fail'),
        check('bfmi', 'ok'),
      ],
    },
    4,
  )
  expect(sentences.map((each) => each.check)).toEqual(['divergences', 'ess', 'rhat', 'stuck'])
  expect(fine.map(({ words }) => words)).toEqual(['no chain is silent', 'all values finite', 'E-BFMI'])
  expect(fine[0]?.message).toBe('progress says so')
})

test.each([
  [check('divergences', 'fail', { worst }), 'pair tau × theta[0]', { tab: 'pairs', more: { x: 'tau', y: 'theta[0]' } }],
  [check('divergences', 'fail'), 'pairs', { tab: 'pairs' }],
  [check('rhat', 'warn', { worst }), 'rank plot of tau', { tab: 'variables', sel: 'tau' }],
  [check('stuck', 'fail', { worst }), 'trace of tau', { tab: 'variables', sel: 'tau' }],
  [check('ess', 'fail', { worst }), 'ESS of tau', { tab: 'variables', sel: 'tau' }],
  [check('finite', 'fail', { worst }), 'trace of tau', { tab: 'variables', sel: 'tau' }],
  [check('bfmi', 'warn'), 'energies', { tab: 'sampler' }],
  [check('treedepth', 'warn'), 'tree depths', { tab: 'sampler' }],
  [check('progress', 'warn', { chains: [{ chain: 3, value: 10 }] }), 'chain 3 alone', { tab: 'overview', chains: [3] }],
])('$check.check leads to the plot that shows it', (found, text, view) => {
  expect(verdictOf({ checks: [found] }, 4).sentences[0]?.way).toEqual({ text, view })
})

test('a check of a newer server is told, and leads nowhere', () => {
  expect(verdictOf({ checks: [check('new', 'warn')] }, 4).sentences[0]).toMatchObject({ check: 'new', way: undefined })
  expect(verdictOf({ checks: [check('new', 'ok')] }, 4).fine).toEqual([{ words: 'new', message: 'new says so' }])
})

test('all chains together are no choice, and what all checks say is told once', () => {
  const behind = check('progress', 'warn', { chains: [{ chain: 3, value: 10 }] })
  expect(verdictOf({ checks: [behind] }, 1).sentences[0]?.way).toBeUndefined()
  const few = { message: 'too few draws' }
  const { sentences } = verdictOf({ checks: [check('rhat', 'unknown', few), check('ess', 'unknown', few)] }, 4)
  expect(sentences.map(({ message }) => message)).toEqual(['too few draws'])
})

test('a chain is marked with what it is to blame for', () => {
  const chains = [0, 1, 2].map((chain) => ({ chain, value: chain === 2 ? 1.001 : 1.4 }))
  const marks = marksOf(
    {
      checks: [
        check('rhat', 'fail', { chains }),
        check('divergences', 'fail', { chains: [{ chain: 1, value: 1 }] }),
        check('bfmi', 'warn', {
          chains: [
            { chain: 0, value: 0.25 },
            { chain: 1, value: 0.9 },
          ],
        }),
        check('treedepth', 'ok', { chains: [{ chain: 0, value: 3 }] }),
      ],
    },
    [],
  )
  const texts = (chain: number) => marks.get(chain)?.map(({ text }) => text)
  expect(texts(0)).toEqual(['E-BFMI 0.25'])
  expect(texts(1)).toEqual(['1 divergence'])
  expect(texts(2)).toEqual(['R-hat 1.00 without it'])
  expect(blamedOf(marks)).toEqual([2])
})

test('a log density that is lower than that of the others is told in standard deviations', () => {
  const lp = (chain: number, shift: number) => ({ chain, values: normals(400, chain + 1).map((each) => each + shift) })
  const marks = marksOf(undefined, [lp(0, 0), lp(1, 0.5), lp(2, -6), lp(3, 0)])
  expect([...marks.keys()]).toEqual([2])
  const sds = Number(/lp lower by ([\d.]+) sd/.exec(marks.get(2)?.[0]?.text ?? '')?.[1])
  expect(sds).toBeGreaterThan(5.5)
  expect(sds).toBeLessThan(6.5)
  expect(marksOf(undefined, [lp(0, 0), { chain: 1, values: Float64Array.of(-9) }]).size).toBe(0)
})

function schemaOf(variables: readonly string[], stats: readonly string[]): RunSchema {
  const column = { dtype: 'float64', shape: [], dims: [], isDeterministic: false, undefinedNdim: false }
  return new RunSchema({
    variables: variables.map((name) => ({ ...column, name })),
    sampleStats: stats.map((name) => ({ ...column, name })),
    coordinates: [],
    data: [],
  })
}

test.each([
  [['mu'], ['lp__', 'lp'], 'lp', 'lp'],
  [['mu'], ['sampler_0__model_logp', 'energy'], 'sampler_0__model_logp', 'lp'],
  [['mu', 'lp__'], ['energy'], 'lp__', 'lp'],
  [['mu'], ['energy'], 'mu', 'first'],
])('of %j and %j, %s stands for the log density', (variables, stats, name, kind) => {
  const found = lpOf(schemaOf(variables, stats))
  expect(found?.scalar.name).toBe(name)
  expect(found?.kind).toBe(kind)
})
