/** Plots as SVG files, light and dark, that somebody has looked at and approved: `-u` approves what is new. */
import { expect, test } from 'vitest'
import type { Painter, Size } from '../../web/src/paint/painter.ts'
import { toSvg } from '../../web/src/paint/svg.ts'
import { DARK, LIGHT, type Theme } from '../../web/src/paint/theme.ts'
import type { Plot } from '../../web/src/plots/plot.ts'

const SIZE = { width: 480, height: 220 }

/** Tests of each plot: its picture, its cursor's words and its table. */
export function approve(plots: Readonly<Record<string, () => Plot>>): void {
  for (const [name, make] of Object.entries(plots)) {
    approvePainting(name, SIZE, (painter, theme) => make().draw(painter, SIZE, theme), make)
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
}

/** Tests of a picture that is no plot, as those in tables. */
export function approvePainting(
  name: string,
  size: Size,
  paint: (painter: Painter, theme: Theme) => void,
  words: () => { readonly title: string; readonly sentence: string } = () => ({ title: name, sentence: '' }),
): void {
  for (const [colours, theme] of Object.entries({ light: LIGHT, dark: DARK })) {
    test(`${name}, ${colours}`, async () => {
      const { title, sentence } = words()
      const svg = toSvg((painter) => paint(painter, theme), {
        ...size,
        title,
        description: sentence,
        background: theme.paper,
      })
      await expect(svg).toMatchFileSnapshot(`approved/${name.replaceAll(/\W+/g, '-')}-${colours}.svg`)
    })
  }
}
