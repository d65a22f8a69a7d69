/** Densities of one scalar in several runs, over each other. */
import type { Density } from '../draws/questions.ts'
import { significant } from '../paint/number.ts'
import { extentOf } from '../paint/scale.ts'
import { chainLook } from '../paint/theme.ts'
import { curvePlot, type Series } from './curves.ts'
import { LEGEND_ROOM, legend, shortName } from './legend.ts'
import type { Plot } from './plot.ts'

export interface CompareDensityOptions {
  readonly label: string
  /** Names of all runs, in the order of their colours. */
  readonly runs: readonly string[]
  /** One for each run; undefined where it has none, or not yet. */
  readonly densities: readonly (Density | undefined)[]
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function compareDensityPlot({ label, runs, densities, note, python }: CompareDensityOptions): Plot {
  const series = densities.flatMap((density, i): Series[] => {
    if (density === undefined || density.x.length === 0) return []
    const look: Series['look'] = (theme) => chainLook(theme, i, runs.length)
    const mark = density.isDiscrete ? 'dots' : 'line'
    return [{ name: runs[i] ?? '', x: density.x, y: density.all, look, width: 2, mark }]
  })
  const greatest = extentOf(...series.map(({ y }) => y))[1]
  return curvePlot({
    title: `Density of ${label}, by run`,
    canonical: 'plot_dist',
    sentence: sentenceOf(label, series),
    note,
    python,
    labels: { x: label },
    series,
    yAxis: 'hidden',
    x: extentOf(...series.map(({ x }) => x)),
    // Room for the legend above the highest curve.
    y: [0, (greatest > 0 ? greatest : 1) * 1.22],
    above: (painter, { frame }, theme) => {
      const entries = series.map(({ name, look }) => {
        const { colour, dash } = look(theme)
        return { label: shortName(name), colour, dash, mark: 'line' as const }
      })
      legend(painter, { ...frame, left: frame.left + 4, top: frame.top + LEGEND_ROOM }, entries, theme)
    },
  })
}

function sentenceOf(label: string, series: readonly Series[]): string {
  const modes = series.map(({ name, x, y }) => {
    let mode = 0
    for (let i = 1; i < y.length; i++) if ((y[i] as number) > (y[mode] as number)) mode = i
    return `${significant(x[mode] ?? 0)} in ${name}`
  })
  return modes.length === 0 ? `No density of ${label} yet.` : `Density of ${label}, greatest at ${modes.join(', ')}.`
}
