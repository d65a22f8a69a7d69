/** Runs beside each other: scalars that are the same, how much they differ, and what else does. */

import * as v from 'valibot'
import { expect, test } from 'vitest'
import { about } from '../../web/src/api/shapes.ts'
import type { Reason, SummaryRow } from '../../web/src/api/summary.ts'
import { toSvg } from '../../web/src/paint/svg.ts'
import { DARK, LIGHT } from '../../web/src/paint/theme.ts'
import { compareDensityPlot } from '../../web/src/plots/compare-density.ts'
import { compareForestHeight, compareForestPlot } from '../../web/src/plots/compare-forest.ts'
import { RunSchema } from '../../web/src/run/schema.ts'
import { describedRun } from '../../web/src/screens/compare/described.ts'
import { type Described, differencesOf } from '../../web/src/screens/compare/differences.ts'
import { differenceOf, greatestDifference, joinScalars, shownScalars } from '../../web/src/screens/compare/joined.ts'
import { forestPython } from '../../web/src/screens/compare/python.ts'
import { speedOf } from '../../web/src/screens/compare/speed.ts'

function row(label: string, index: readonly number[], mean: number, mcse: number | Reason = 0.1): SummaryRow {
  const variable = label.replace(/\[.*/, '')
  return { variable, index, label, figures: { mean, mcse_mean: mcse } }
}

const labels = (runs: readonly (readonly SummaryRow[] | undefined)[]) =>
  joinScalars(runs).map(({ cells }) => cells.map((cell) => cell?.label ?? '-').join(' '))

test('elements are the same by their labels, wherever they are', () => {
  const a = [row('theta[A]', [0], 1), row('theta[B]', [1], 2), row('mu', [], 0)]
  const b = [row('mu', [], 0), row('theta[B]', [0], 2), row('theta[C]', [1], 3)]
  expect(labels([a, b])).toEqual(['theta[A] -', 'theta[B] theta[B]', '- theta[C]', 'mu mu'])
})

test('where labels have nothing in common, elements are the same by their index, if there are as many', () => {
  const named = [row('theta[A]', [0], 1), row('theta[B]', [1], 2)]
  const bare = [row('theta[0]', [0], 1), row('theta[1]', [1], 2)]
  expect(labels([named, bare])).toEqual(['theta[A] theta[0]', 'theta[B] theta[1]'])
  expect(labels([bare, named, bare])).toEqual(['theta[0] theta[A] theta[0]', 'theta[1] theta[B] theta[1]'])
  expect(labels([named, bare.slice(0, 1)])).toEqual(['theta[A] -', 'theta[B] -', '- theta[0]'])
})

test('a run that cannot be read takes its place, with nothing in it', () => {
  expect(labels([undefined, [row('mu', [], 0)], [row('mu', [], 0)]])).toEqual(['- mu mu'])
  expect(shownScalars(joinScalars([undefined, [row('mu', [], 0)]]), { text: '', order: 'run' })).toEqual([])
})

test('differences are in units of their Monte Carlo error', () => {
  expect(differenceOf(row('a', [], 1, 0.3), row('a', [], 2, 0.4))).toBeCloseTo(2, 12)
  expect(differenceOf(row('a', [], 2, 0.3), row('a', [], 1, 0.4))).toBeCloseTo(-2, 12)
  expect(differenceOf(row('a', [], 2, 'constant'), row('a', [], 2, 'constant'))).toBe(0)
  expect(differenceOf(row('a', [], 2, 'constant'), row('a', [], 3, 'constant'))).toBe(Number.POSITIVE_INFINITY)
  expect(differenceOf(row('a', [], 2, 'too_few'), row('a', [], 3))).toBeUndefined()
  expect(differenceOf(undefined, row('a', [], 3))).toBeUndefined()
})

test('the scalars that differ most come first, and those that cannot be compared last', () => {
  const joined = joinScalars([
    [row('a', [], 0), row('b', [], 0), row('c', [], 0), row('d', [], 0)],
    [row('a', [], 1), row('b', [], -3), row('c', [], 0, 'too_few'), row('e', [], 0)],
  ])
  const shown = (text: string, order: 'run' | 'difference') =>
    shownScalars(joined, { text, order })
      .map(({ label }) => label)
      .join('')
  expect(shown('', 'run')).toBe('abc')
  expect(shown('', 'difference')).toBe('bac')
  expect(shown('A', 'run')).toBe('a')
  const [, b] = joined
  expect(b === undefined ? undefined : greatestDifference(b)).toBeCloseTo(-3 / Math.hypot(0.1, 0.1), 12)
})

test('what is the same in all runs that can be read is no difference', () => {
  const thing = (name: string, whole: string, text = whole): Described => ({ kind: 'variable', name, whole, text })
  const runs = [[thing('a', '1'), thing('b', '1')], undefined, [thing('a', '1'), thing('b', '2')], [thing('a', '1')]]
  expect(differencesOf(runs)).toEqual([{ kind: 'variable', name: 'b', texts: ['1', undefined, '2', undefined] }])
  // A name of one kind is another thing than the same name of another.
  expect(differencesOf([[thing('a', '1')], [{ ...thing('a', '1'), kind: 'data' }]])).toHaveLength(2)
  const alike = differencesOf([[thing('a', 'x1', 'x…')], [thing('a', 'x2', 'x…')], [thing('a', 'x1', 'x…')]])
  expect(alike[0]?.texts).toEqual(['x… (version 1)', 'x… (version 2)', 'x… (version 1)'])
})

const LINE = {
  rid: 'r',
  createdAt: '2026-11-28T08:00:00.000Z',
  updatedAt: '2026-11-28T08:01:40.000Z',
  variables: 1,
  sampleStats: 0,
  chains: 1,
  draws: 10,
}

test('runs are described by all that they were registered with', () => {
  const schema = new RunSchema({
    variables: [
      { name: 'theta', dtype: 'float64', shape: [2], dims: ['school'], isDeterministic: false, undefinedNdim: false },
    ],
    sampleStats: [],
    coordinates: [{ name: 'school', values: { dtype: 'int64', shape: [2], data: 'AQAAAAAAAAACAAAAAAAAAA==' } }],
    data: [],
  })
  const environment = { pymc: '6.4.0' }
  const run = v.parse(about, { ...LINE, tags: ['paper'], attributes: { b: { y: 1, x: 2 } }, facts: { environment } })
  expect(describedRun(schema, run).map(({ kind, name, text }) => [kind, name, text])).toEqual([
    ['variable', 'theta', 'float64 [2] (school)'],
    ['coordinate', 'school', '1, 2'],
    ['attribute', 'b', '{"x":2,"y":1}'],
    ['environment', 'pymc', '6.4.0'],
    ['tags', '', 'paper'],
  ])
})

test('effective draws a second are of the time that the run tells, else of the time that was seen', () => {
  expect(speedOf(v.parse(about, { ...LINE, facts: { samplingTime: 20 } }), 400)).toEqual({
    perSecond: 20,
    basis: 'told',
    seconds: 20,
  })
  expect(speedOf(v.parse(about, { ...LINE, facts: { samplingTime: 'long' } }), 400)).toEqual({
    perSecond: 4,
    basis: 'seen',
    seconds: 100,
  })
  expect(speedOf(v.parse(about, LINE), undefined)).toBeUndefined()
  expect(speedOf(v.parse(about, { ...LINE, updatedAt: LINE.createdAt }), 400)).toBeUndefined()
})

test('names of runs stay texts in Python', () => {
  const python = forestPython({ url: 'http://x', access: 'keyed', runs: [['a"b\n', 'r']], variables: ['mu'] })
  expect(python).toContain('"a\\"b\\n": Client("http://x", os.environ["MCB_TOKEN"]).run("r").to_datatree()')
})

const runs = ['centred', 'non-centred <b>', 'a name that is so long that it does not fit']
const bell = (middle: number) => {
  const x = Float64Array.from({ length: 60 }, (_none, i) => middle - 3 + i / 10)
  return {
    x,
    all: x.map((at) => Math.exp(-((at - middle) ** 2) / 2) / Math.sqrt(2 * Math.PI)),
    chains: [],
    isDiscrete: false,
  }
}
const PLOTS = {
  'compare-forest': () =>
    compareForestPlot({
      runs,
      rows: [
        { label: 'mu', cells: [{ mean: 4.1, ends: [-0.4, 8.8] }, { mean: 4.3, ends: [-0.6, 9.1] }, undefined] },
        {
          label: 'tau',
          cells: [
            { mean: 3.6, ends: [0.6, 8.7] },
            { mean: 3.5, ends: [Number.NaN, Number.NaN] },
            { mean: 1.2, ends: [0.1, 3] },
          ],
        },
      ],
    }),
  'compare-density': () => compareDensityPlot({ label: 'mu', runs, densities: [bell(0), undefined, bell(1)] }),
}

for (const [name, make] of Object.entries(PLOTS)) {
  for (const [colours, theme] of Object.entries({ light: LIGHT, dark: DARK })) {
    test(`${name}, ${colours}`, async () => {
      const plot = make()
      const size = { width: 480, height: name === 'compare-forest' ? compareForestHeight(3, 2) : 240 }
      const options = { ...size, title: plot.title, description: plot.sentence, background: theme.paper }
      const svg = toSvg((painter) => plot.draw(painter, size, theme), options)
      await expect(svg).toMatchFileSnapshot(`approved/${name}-${colours}.svg`)
    })
  }
  test(`${name}: its cursor tells each place, and its table has as many cells as columns`, () => {
    const plot = make()
    const { columns, rows } = plot.table()
    expect(rows.length).toBeGreaterThan(0)
    for (const each of rows) expect(each).toHaveLength(columns.length)
    expect(plot.sentence).toMatch(/\.$/)
    const { cursor } = plot
    for (let place = 0; place < (cursor?.count ?? 0); place++) expect(cursor?.text(place)).not.toMatch(/undefined|NaN/)
    expect(cursor?.nearest(470, 230, { width: 480, height: 240 })).toBeLessThan(cursor?.count ?? 0)
  })
}
