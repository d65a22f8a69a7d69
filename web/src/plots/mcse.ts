/** Monte Carlo standard errors of quantiles (`plot_mcse`), beside those of mean and sd. */
import type { Answer } from '../draws/questions.ts'
import { percent, significant } from '../paint/number.ts'
import type { Painter } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'
import { type CurveScales, curvePlot } from './curves.ts'
import type { Plot } from './plot.ts'

export interface McseOptions {
  /** Name of the scalar. */
  readonly label: string
  readonly mcse: Answer<'mcseQuantile'>
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function mcsePlot(options: McseOptions): Plot {
  const { label, mcse, note, python } = options
  const { x, y, mean, sd } = mcse
  const lines = [
    { name: 'mean', value: mean },
    { name: 'sd', value: sd },
  ].filter(({ value }) => Number.isFinite(value))
  return curvePlot({
    title: `MCSE of ${label}`,
    canonical: 'plot_mcse',
    sentence: sentenceOf(options),
    note,
    python,
    labels: { x: 'quantile', y: 'MCSE' },
    x: [0, 1],
    alsoY: [0, ...lines.map(({ value }) => value)],
    series: [{ name: 'MCSE', x, y, look: ({ accent }) => ({ colour: accent }), mark: 'dots' }],
    below: (painter, scales, theme) => {
      for (const [i, line] of lines.entries()) drawLine(painter, scales, { ...line, place: i }, theme)
    },
    place: (at) => `quantile ${significant(at, 3)}`,
  })
}

interface Line {
  readonly name: string
  readonly value: number
  readonly place: number
}

function drawLine(painter: Painter, { frame, y }: CurveScales, { name, value, place }: Line, theme: Theme): void {
  const dash = place === 0 ? [6, 4] : [2, 3]
  painter.line(frame.left, y(value), frame.right, y(value), { stroke: theme.ink, dash, opacity: 0.7 })
  // Beside each other, as the two are often close.
  painter.text(frame.right - 4 - 34 * place, y(value) - 4, name, { fill: theme.quiet, align: 'end' })
}

function sentenceOf({ label, mcse: { x, y, mean, sd } }: McseOptions): string {
  let most = -1
  for (const [i, value] of y.entries()) {
    if (!Number.isNaN(value) && (most < 0 || value > (y[most] as number))) most = i
  }
  if (most < 0) return `${label}: no Monte Carlo error, as its draws are too few or all the same.`
  const errors = `mean ${significant(mean, 2)}, sd ${significant(sd, 2)}`
  return `${label}: Monte Carlo errors: ${errors}, quantiles ${significant(y[most] as number, 2)} at most, at ${percent(x[most] as number)}.`
}
