/** Plots of the overview as SVG, compared with approved ones: `-u` approves what was looked at. */
import { expect, test } from 'vitest'
import { toSvg } from '../../web/src/paint/svg.ts'
import { DARK, LIGHT, type Theme } from '../../web/src/paint/theme.ts'
import { essEvolutionPlot } from '../../web/src/plots/ess-evolution.ts'
import type { Plot } from '../../web/src/plots/plot.ts'
import { greatest, rhatDistributionPlot } from '../../web/src/plots/rhat-distribution.ts'
import { normals } from './samples.ts'

const SIZE = { width: 480, height: 220 }

function svgOf(plot: Plot, theme: Theme): string {
  const options = { ...SIZE, title: plot.title, description: plot.sentence, background: theme.paper }
  return toSvg((painter) => plot.draw(painter, SIZE, theme), options)
}

/** R-hats of many scalars of which some have not converged. */
const RHATS = normals(10_000, 5).map((each, i) => (i % 1000 === 7 ? 1.02 + 0.001 * (i / 1000) : 1.001 + 0.0015 * each))
RHATS[42] = 1.21
RHATS[43] = Number.NaN

const label = (place: number) => `theta[${place}]`
const draws = Float64Array.from({ length: 20 }, (_each, i) => 200 * (i + 1))
const evolution = {
  draws,
  bulk: draws.map((each, i) => (i === 0 ? Number.NaN : each * 0.15 + 10 * Math.sin(i))),
  tail: draws.map((each, i) => (i === 0 ? Number.NaN : each * 0.1)),
}

const PLOTS: Readonly<Record<string, () => Plot>> = {
  'R-hat of many scalars': () => rhatDistributionPlot({ title: 'R-hat of all scalars', rhat: RHATS, label }),
  'R-hat, far beyond': () =>
    rhatDistributionPlot({
      title: 'R-hat of all scalars',
      rhat: Float64Array.of(1.0, 1.003, 1.4, Number.POSITIVE_INFINITY),
      label,
    }),
  'R-hat, all far beyond': () =>
    rhatDistributionPlot({
      title: 'R-hat of all scalars',
      rhat: normals(50, 3).map((each) => 1.6 + 0.1 * each),
      label,
    }),
  'R-hat, too few draws': () =>
    rhatDistributionPlot({ title: 'R-hat of all scalars', rhat: new Float64Array(3).fill(Number.NaN), label }),
  'ESS evolution': () =>
    essEvolutionPlot({
      title: 'ESS of tau',
      label: 'tau',
      evolution,
      target: 400,
      outlook: 'ESS 400 is reached',
      note: '4 chains',
    }),
  'ESS evolution, without a target': () => essEvolutionPlot({ title: 'ESS of tau', label: 'tau', evolution }),
}

for (const [name, make] of Object.entries(PLOTS)) {
  for (const [colours, theme] of Object.entries({ light: LIGHT, dark: DARK })) {
    test(`${name}, ${colours}`, async () => {
      await expect(svgOf(make(), theme)).toMatchFileSnapshot(`approved/${name.replaceAll(/\W+/g, '-')}-${colours}.svg`)
    })
  }
  test(`${name}: its cursor tells each place, and its table has as many cells as columns`, () => {
    const plot = make()
    const { columns, rows } = plot.table()
    for (const row of rows) expect(row).toHaveLength(columns.length)
    expect(plot.sentence).toMatch(/\.$/)
    const { cursor } = plot
    if (cursor === undefined) return
    for (const place of [0, cursor.count - 1]) expect(cursor.text(place)).not.toMatch(/undefined|NaN/)
    expect(cursor.nearest(SIZE.width, 50, SIZE)).toBeLessThan(cursor.count)
  })
}

test('each scalar is in one bin', () => {
  const { cursor } = rhatDistributionPlot({ title: '', rhat: RHATS, label })
  let sum = 0
  for (let place = 0; place < (cursor?.count ?? 0); place++) {
    sum += Number(/: ([\d\u202f]+) scalar/.exec(cursor?.text(place) ?? '')?.[1]?.replaceAll('\u202f', ''))
  }
  expect(sum).toBe(9999)
})

test('the worst are told with their names, and the table has the worst first', () => {
  const plot = rhatDistributionPlot({ title: '', rhat: RHATS, label })
  expect(plot.sentence).toContain('the greatest is 1.21 of theta[42]; 11 (0.11 %) above 1.01.')
  expect(plot.table().rows[0]).toEqual(['theta[42]', 1.21])
})

test('the greatest values come first, and numbers alone', () => {
  expect(greatest(Float64Array.of(1, Number.NaN, 3, 2, 3), 3)).toEqual([2, 4, 3])
  expect(greatest(Float64Array.of(Number.NaN), 3)).toEqual([])
})
