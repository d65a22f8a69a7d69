/** Energies: how they are distributed, and how far they change from draw to draw (`plot_energy`). */
import type { Energies, EnergyDensities } from '../draws/questions.ts'
import { significant } from '../paint/number.ts'
import { polyline } from '../paint/painter.ts'
import { type CurveScales, curvePlot } from './curves.ts'
import { LEGEND_ROOM, legend } from './legend.ts'
import type { Plot } from './plot.ts'

export interface EnergyOptions {
  readonly energies: Energies
  /** The chain that is shown alone. */
  readonly chain?: number | undefined
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function energyPlot({ energies, chain, note, python }: EnergyOptions): Plot {
  const { x, chains } = energies
  const shown: EnergyDensities = chains.find((each) => each.chain === chain) ?? energies.all
  const whose = chain === undefined ? '' : ` of chain ${chain}`
  const [wide, narrow] = [spreadOf(x, shown.marginal), spreadOf(x, shown.transition)]
  const most = Math.max(...shown.marginal, ...shown.transition)
  return curvePlot({
    title: `Energy${whose}`,
    canonical: 'plot_energy',
    sentence: `Energies${whose} spread by ${significant(wide)} (sd) around their mean, and change by ${significant(narrow)} (sd) from draw to draw: ${wordsOf(narrow / wide)}.`,
    note,
    python,
    labels: { x: 'energy less its mean' },
    yAxis: 'hidden',
    y: [0, most > 0 ? 1.2 * most : 1],
    series: [
      { name: 'transition', x, y: shown.transition, look: ({ warn }) => ({ colour: warn, dash: [6, 3] }), width: 2 },
      { name: 'marginal', x, y: shown.marginal, look: ({ accent }) => ({ colour: accent }), width: 2 },
    ],
    below: (painter, scales, theme) => {
      for (const [values, fill, opacity] of [
        [shown.marginal, theme.accent, 0.2],
        [shown.transition, theme.warn, 0.14],
      ] as const) {
        painter.path(
          (sink) => {
            polyline(sink, x.length, ...alongOf(scales, x, values))
            sink.lineTo(scales.x(x.at(-1) ?? 0), scales.y(0))
            sink.lineTo(scales.x(x[0] ?? 0), scales.y(0))
            sink.closePath()
          },
          { fill, opacity },
        )
      }
    },
    above: (painter, { frame }, theme) => {
      const entries = [
        { label: 'marginal', colour: theme.accent, mark: 'line' },
        { label: 'transition', colour: theme.warn, mark: 'line', dash: [6, 3] },
      ] as const
      legend(painter, { ...frame, top: frame.top + LEGEND_ROOM }, entries, theme)
    },
  })
}

function alongOf({ x, y }: CurveScales, at: Float64Array, values: Float64Array) {
  return [(i: number) => x(at[i] as number), (i: number) => y(values[i] as number)] as const
}

/** Standard deviation of a density around 0. */
function spreadOf(x: Float64Array, density: Float64Array): number {
  let [weight, squares] = [0, 0]
  for (let i = 0; i < x.length; i++) {
    weight += density[i] as number
    squares += (density[i] as number) * (x[i] as number) ** 2
  }
  return Math.sqrt(squares / weight)
}

/** Below it, the E-BFMI, whose root it nearly is, is below the threshold of CmdStan. */
const SLOW = Math.sqrt(0.3)

function wordsOf(ratio: number): string {
  if (Number.isNaN(ratio)) return 'too few draws to tell more'
  return ratio < SLOW ? 'momenta reach its tails slowly' : 'momenta reach its tails'
}
