/** Plots as SVG, compared with approved ones: `npx vitest run test/page/plots.test.ts -u` approves what was looked at. */
import { expect, test } from 'vitest'
import { toSvg } from '../../web/src/paint/svg.ts'
import { DARK, LIGHT, type Theme } from '../../web/src/paint/theme.ts'
import type { Plot } from '../../web/src/plots/plot.ts'
import { tracePlot } from '../../web/src/plots/trace.ts'
import { traced } from './samples.ts'

const SIZE = { width: 480, height: 220 }

/** The file that a plot gives, on paper of the theme. */
function svgOf(plot: Plot, theme: Theme): string {
  const options = { ...SIZE, title: plot.title, description: plot.sentence, background: theme.paper }
  return toSvg((painter) => plot.draw(painter, SIZE, theme), options)
}

const PLOTS: Readonly<Record<string, () => Plot>> = {
  trace: () =>
    tracePlot({
      title: 'Trace of tau',
      label: 'tau',
      chains: traced(4, 200, 50),
      all: [0, 1, 2, 3],
      window: [0, 200],
      brush: { kind: 'interval', start: 100, stop: 130 },
    }),
  'trace of many chains, one to blame': () =>
    tracePlot({
      title: 'Trace of mu',
      label: 'mu',
      chains: traced(12, 100, 0),
      all: [...traced(12, 100, 0).keys()],
      blamed: [3],
      window: [0, 100],
    }),
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
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) expect(row).toHaveLength(columns.length)
    expect(plot.sentence).toMatch(/\.$/)
    const { cursor } = plot
    if (cursor === undefined) return
    for (const place of [0, cursor.count - 1]) expect(cursor.text(place)).not.toMatch(/undefined|NaN/)
    expect(cursor.nearest(SIZE.width, 50, SIZE)).toBeLessThan(cursor.count)
  })
}
