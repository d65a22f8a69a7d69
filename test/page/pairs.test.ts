/** Pairs that are proposed, and the search among scalars. */
import { describe, expect, test } from 'vitest'
import type { Checks } from '../../web/src/api/shapes.ts'
import { searchScalars } from '../../web/src/run/scalar-search.ts'
import { RunSchema } from '../../web/src/run/schema.ts'
import { pairOf, pairsAmong, proposalsOf } from '../../web/src/screens/pairs/proposals.ts'

const variable = (name: string, shape: number[] = []) => ({
  ...{ name, dtype: 'float64', shape, dims: [], isDeterministic: false, undefinedNdim: false },
})

const SCHEMA = new RunSchema({
  variables: [variable('mu'), variable('tau'), variable('theta', [8]), variable('word'), variable('big', [10_000])],
  sampleStats: [variable('lp')],
  coordinates: [],
  data: [],
})

type Check = Checks['checks'][number]

function checksWith(...list: readonly Partial<Check>[]): Checks {
  const check: Omit<Check, 'check'> = { status: 'fail', message: '', advice: '', chains: [], worst: [] }
  return {
    ...{ rid: 'r', registration: 'x', draws: 10, status: 'fail' },
    checks: list.map((each) => ({ check: 'rhat', ...check, ...each })),
  }
}

const labels = (schema: RunSchema, checks?: Checks) =>
  proposalsOf(schema, checks).scalars.map(({ scalar }) => scalar.label)

describe('proposals', () => {
  const gathering = {
    check: 'divergences',
    chains: [{ chain: 0, value: 14 }],
    worst: [
      { label: 'tau', value: 0.97, at: 'small' as const },
      { label: 'theta[2]', value: 0.8, at: 'large' as const },
    ],
  }
  const mixing = {
    check: 'rhat',
    worst: [
      { label: 'theta[2]', value: 1.2 },
      { label: 'gone', value: 1.1 },
      { label: 'mu', value: 1.05 },
    ],
  }

  test('begin with scalars that tell divergences, each once', () => {
    const proposals = proposalsOf(SCHEMA, checksWith(mixing, gathering))
    expect(proposals.kind).toBe('divergences')
    expect(proposals.sentence).toContain('the 14 divergent draws')
    expect(proposals.scalars.map(({ scalar, why }) => [scalar.label, why])).toEqual([
      ['tau', 'AUC 0.97, small'],
      ['theta[2]', 'AUC 0.80, large'],
      ['mu', 'R-hat 1.050'],
      ['theta[0]', undefined],
    ])
  })

  test('are those of the worst R-hat, or the first ones', () => {
    expect(labels(SCHEMA, checksWith(mixing))).toEqual(['theta[2]', 'mu', 'tau', 'theta[0]'])
    expect(labels(SCHEMA)).toEqual(['mu', 'tau', 'theta[0]', 'theta[1]'])
    expect(pairsAmong(proposalsOf(SCHEMA, undefined).scalars)).toHaveLength(6)
  })

  test('open as the address has it, as far as it names scalars of the run', () => {
    const proposals = proposalsOf(SCHEMA, checksWith(gathering))
    const open = (more: Record<string, string>) => pairOf(SCHEMA, more, proposals)?.map(({ label }) => label)
    expect(open({})).toEqual(['tau', 'theta[2]'])
    expect(open({ x: 'mu' })).toEqual(['mu', 'tau'])
    expect(open({ x: 'tau' })).toEqual(['tau', 'theta[2]'])
    expect(open({ y: 'tau', x: 'nothing' })).toEqual(['theta[2]', 'tau'])
    expect(open({ x: 'big[9999]', y: 'mu' })).toEqual(['big[9999]', 'mu'])
  })
})

describe('search', () => {
  test('finds parts of names, those that begin so first, and says that there are more', () => {
    expect(searchScalars(SCHEMA, 'TAU').options).toEqual(['tau'])
    expect(searchScalars(SCHEMA, 'theta').options).toHaveLength(8)
    const many = searchScalars(SCHEMA, 'big 99')
    expect(many.options[0]).toBe('big[99]')
    expect(many.options).toHaveLength(50)
    expect(many.isMore).toBe(true)
    expect(searchScalars(SCHEMA, 'nothing')).toEqual({ options: [], isMore: false })
  })
})
