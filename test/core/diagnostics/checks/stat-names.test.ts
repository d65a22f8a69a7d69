/** Names of sampler stats: one table for all samplers, which knows what the Python package knows. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, test } from 'vitest'
import { ARVIZ_NAMES, arvizName, statsCalled } from '../../../../src/core/diagnostics/checks/stat-names.ts'
import { treeDepthLimit } from '../../../../src/core/diagnostics/checks/tree-depth.ts'
import { buildSchema } from '../../../../src/core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../../../src/core/limits.ts'

const PYTHON = new URL('../../../../clients/python/src/mcbackend_edge/stat_names.py', import.meta.url)

function found(arviz: string, names: readonly string[]): string[] {
  const stats = names.map((name) => ({ name, dtype: 'float64', shape: [] }))
  return statsCalled(arviz, buildSchema([], stats, DEFAULT_LIMITS)).map(({ name }) => name)
}

describe('names of stats', () => {
  test.each([
    ['diverging', 'PyMC', ['depth', 'diverging', 'energy'], ['diverging']],
    [
      'diverging',
      'a compound step',
      ['sampler_0__diverging', 'sampler_1__diverging'],
      ['sampler_0__diverging', 'sampler_1__diverging'],
    ],
    ['diverging', 'Stan', ['lp__', 'divergent__'], ['divergent__']],
    ['energy', 'Stan', ['energy__', 'energy_error'], ['energy__']],
    ['energy', 'the second sampler', ['sampler_0__accept', 'sampler_1__energy'], ['sampler_1__energy']],
    ['tree_depth', 'Stan', ['treedepth__'], ['treedepth__']],
    ['tree_depth', 'PyMC', ['sampler_0__depth'], ['sampler_0__depth']],
    ['reached_max_treedepth', 'PyMC', ['sampler_0__reached_max_treedepth'], ['sampler_0__reached_max_treedepth']],
    ['reached_max_treedepth', 'nutpie', ['maxdepth_reached', 'depth'], ['maxdepth_reached']],
    ['step_size', 'Stan', ['stepsize__', 'step_size_bar'], ['stepsize__']],
    ['n_steps', 'Stan', ['n_leapfrog__'], ['n_leapfrog__']],
    ['acceptance_rate', 'PyMC', ['mean_tree_accept'], ['mean_tree_accept']],
    ['lp', 'a stat that has the name takes it', ['lp__', 'lp'], ['lp']],
    ['diverging', 'no NUTS', ['accepted', 'divergences'], []],
  ] as const)('%s of %s', (arviz, _sampler, names, expected) => {
    expect(found(arviz, names)).toEqual(expected)
  })

  it('leave out stats of several numbers, and of strings', () => {
    const stats = [
      { name: 'energy', dtype: 'float64', shape: [3] },
      { name: 'sampler_0__energy', dtype: 'str', shape: [] },
      { name: 'energy__', dtype: 'float64', shape: [1] },
    ]
    expect(statsCalled('energy', buildSchema([], stats, DEFAULT_LIMITS)).map(({ name }) => name)).toEqual(['energy__'])
  })

  it('are those of the Python package, and more', () => {
    const source = readFileSync(fileURLToPath(PYTHON), 'utf8')
    const table = /ARVIZ_NAMES = \{([\s\S]*?)\n\}/.exec(source)?.[1] ?? ''
    const entries = [...table.matchAll(/"(\w+)": "(\w+)"/g)]
    expect(entries.length).toBeGreaterThan(8)
    for (const [, own = '', arviz] of entries) expect(ARVIZ_NAMES.get(own), own).toBe(arviz)
  })

  it('lose the number of the sampler', () => {
    expect(arvizName('sampler_12__depth')).toBe('tree_depth')
    expect(arvizName('sampler_1__')).toBe('sampler_1__')
    expect(arvizName('my_sampler_1__depth')).toBe('my_sampler_1__depth')
  })
})

describe('the greatest depth', () => {
  test.each([
    ['settings of Stan', { settings: { max_depth: 12 } }, {}, { depth: 12, isAssumed: false }],
    ['settings of Stan as text', { settings: { max_depth: '8' } }, {}, { depth: 8, isAssumed: false }],
    [
      'settings of nutpie',
      { settings: { sampler: 'nuts', settings: { maxdepth: 7 } } },
      {},
      { depth: 7, isAssumed: false },
    ],
    ['an attribute', {}, { max_depth: '11' }, { depth: 11, isAssumed: false }],
    [
      'facts before attributes',
      { settings: { max_treedepth: 9 } },
      { max_depth: '11' },
      { depth: 9, isAssumed: false },
    ],
    ['nothing', { settings: null }, {}, { depth: 10, isAssumed: true }],
    ['nonsense', { settings: { max_depth: -1, maxdepth: 2.5 } }, { max_depth: 'deep' }, { depth: 10, isAssumed: true }],
  ] as const)('from %s', (_source, facts, attributes, expected) => {
    expect(treeDepthLimit(facts, attributes)).toEqual(expected)
  })

  it('of a sampler within a compound one', () => {
    const steps = [{ method: 'Metropolis' }, { method: 'NUTS', maxTreedepth: 14 }]
    expect(treeDepthLimit({ settings: { steps } }, {}, 1)).toEqual({ depth: 14, isAssumed: false })
    expect(treeDepthLimit({ settings: { steps } }, {}, 0)).toEqual({ depth: 10, isAssumed: true })
  })
})
