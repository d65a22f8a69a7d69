/** The table of variables without a page: its filter, its rows, their order, and the figures that it reads. */
import { describe, expect, test } from 'vitest'
import { FIGURE_COLUMNS, intervalOf, REASONS, readPage } from '../../web/src/run/figures-page.ts'
import { RunSchema } from '../../web/src/run/schema.ts'
import { filterOf, matcherOf } from '../../web/src/screens/variables/filter.ts'
import { Listing, maskOfCoords, rowsOf, sortedBy, sortOf } from '../../web/src/screens/variables/listing.ts'

const LABELS = ['mu', 'tau', 'theta[Choate]', "theta[St. Paul's]", 'theta[Deerfield,2]', 'log_tau']
const found = (text: string) => LABELS.filter(matcherOf(filterOf(text)))

describe('the filter', () => {
  test.each([
    ['', LABELS],
    ['tau', ['tau', 'log_tau']],
    ['TAU', ['tau', 'log_tau']],
    ['mu, tau', ['mu', 'tau', 'log_tau']],
    ['~theta', ['mu', 'tau', 'log_tau']],
    ['tau ~log', ['tau']],
    ['/^tau$/', ['tau']],
    ['~/^theta/ ~mu', ['tau', 'log_tau']],
    ["theta[St. Paul's]", ["theta[St. Paul's]"]],
    ['theta[Deerfield,2]', ['theta[Deerfield,2]']],
    ['theta[', ['theta[Choate]', "theta[St. Paul's]", 'theta[Deerfield,2]']],
    ['/theta\\[(Choate|Deerfield)/', ['theta[Choate]', 'theta[Deerfield,2]']],
    ['/[/ ,]2/', ['theta[Deerfield,2]']],
    ['none', []],
  ])('%s', (text, labels) => expect(found(text)).toEqual(labels))

  test('an expression that is none is told, and finds nothing of its own', () => {
    expect(filterOf('/(/').error).toMatch(/Invalid regular expression/)
    expect(filterOf('/a').error).toBeUndefined()
    expect(filterOf('mu').error).toBeUndefined()
  })
})

const variable = (name: string, shape: number[], dims: string[] = []) => ({
  name,
  dtype: 'float64',
  shape,
  dims,
  isDeterministic: false,
  undefinedNdim: false,
})

const schema = new RunSchema({
  variables: [
    variable('mu', []),
    variable('theta', [3, 2], ['school', 'term']),
    { ...variable('word', []), dtype: 'str' },
    variable('one', [1]),
    variable('x', [30]),
  ],
  sampleStats: [],
  coordinates: [],
  data: [],
})
const listing = new Listing(schema, 'draws')
const none = { mask: undefined, order: undefined, toggled: new Set<string>() }

describe('rows', () => {
  test('scalars are numbered in the order of their registration', () => {
    expect(listing.count).toBe(1 + 6 + 1 + 30)
    expect([0, 1, 6, 7, 8, 37].map((at) => listing.label(at))).toEqual([
      'mu',
      'theta[0,0]',
      'theta[2,1]',
      'one[0]',
      'x[0]',
      'x[29]',
    ])
    expect(listing.find('x[29]')).toBe(37)
    expect(listing.find('x[30]')).toBeUndefined()
    expect(listing.find('word')).toBeUndefined()
  })

  test('short vectors are open, long ones are closed, and columns without figures are listed', () => {
    expect([...rowsOf(listing, none)]).toEqual([0, -2, 1, 2, 3, 4, 5, 6, -3, 7, -5])
    const toggled = new Set(['theta', 'x'])
    expect([...rowsOf(listing, { ...none, toggled })]).toEqual([
      0,
      -2,
      -3,
      7,
      -5,
      ...Array.from({ length: 30 }, (_none, i) => 8 + i),
    ])
  })

  test('a filter opens a vector of which few are left, and leaves out what it did not find', () => {
    const mask = new Uint8Array(listing.count)
    mask[9] = 1
    expect([...rowsOf(listing, { ...none, mask })]).toEqual([-5, 9])
  })

  test('sorted rows have no groups', () => {
    const mask = new Uint8Array(listing.count).fill(1, 0, 3)
    expect([...rowsOf(listing, { ...none, mask, order: Uint32Array.of(9, 2, 0, 1) })]).toEqual([2, 0, 1])
  })

  test('coordinates choose along their own dimension alone', () => {
    const mask = maskOfCoords(listing, schema, [
      ['term', ['1']],
      ['school', ['0', '2']],
    ])
    const theta = [...(mask ?? [])].slice(1, 7)
    expect(theta).toEqual([0, 1, 0, 0, 0, 1])
    expect(mask?.[0]).toBe(1)
    expect(maskOfCoords(listing, schema, [])).toBeUndefined()
  })
})

describe('the order', () => {
  const values = Float64Array.of(1.2, Number.NaN, 1.01, Number.NaN, Number.NaN)
  const reasons = Uint8Array.of(
    0,
    REASONS.indexOf('constant'),
    0,
    REASONS.indexOf('infinite'),
    REASONS.indexOf('pending'),
  )

  test('infinite ones are the worst, and those without a figure come last', () => {
    const order = (direction: 'rising' | 'falling', worst: 'least' | 'greatest') =>
      [...sortedBy({ values, reasons, direction, worst })].join()
    expect(order('falling', 'greatest')).toBe('3,0,2,1,4')
    expect(order('rising', 'greatest')).toBe('2,0,3,1,4')
    expect(order('rising', 'least')).toBe('3,2,0,1,4')
  })

  test('the address names it as the API does', () => {
    expect(sortOf('-rhat')).toEqual({ figure: 'rhat', direction: 'falling' })
    expect(sortOf('ess_bulk')).toEqual({ figure: 'ess_bulk', direction: 'rising' })
    expect(sortOf('name')).toBeUndefined()
  })
})

test('figures are read into columns, with the reasons for those that are none', () => {
  const page = readPage(
    {
      draws: 10,
      complete: false,
      progress: 0.5,
      chains: [{}, {}],
      leftOut: [
        { variable: 'word', reason: 'strings' },
        { chain: 3, reason: 'short' },
      ],
      rows: [
        { mean: 1, rhat: null, reasons: { rhat: 'constant' } },
        { mean: 2, rhat: 1.01 },
      ],
      nextCursor: 'c',
    },
    100,
  )
  const at = (column: (typeof FIGURE_COLUMNS)[number], row: number) => {
    const i = FIGURE_COLUMNS.indexOf(column) * 2 + row
    return page.reasons[i] === 0 ? page.values[i] : REASONS[page.reasons[i] ?? 0]
  }
  expect([at('mean', 0), at('mean', 1), at('rhat', 0), at('rhat', 1), at('sd', 0)]).toEqual([
    1,
    2,
    'constant',
    1.01,
    'pending',
  ])
  expect(page).toMatchObject({
    first: 100,
    rows: 2,
    draws: 10,
    chains: 2,
    isComplete: false,
    progress: 0.5,
    nextCursor: 'c',
  })
  expect(page.leftOut).toEqual([
    { name: 'word', reason: 'strings' },
    { name: 'chain 3', reason: 'short' },
  ])
})

test('the interval of the address, and 89 % of equal tails otherwise', () => {
  expect(intervalOf('hdi:0.94')).toEqual({ kind: 'hdi', prob: 0.94 })
  for (const text of [undefined, '', 'hdi:2', 'eti:0', 'eti:0.89'])
    expect(intervalOf(text)).toEqual({ kind: 'eti', prob: 0.89 })
})
