/** Effective sample sizes over the distribution: of quantiles, and of the intervals between them (`plot_ess`). */
import type { Curve } from '../draws/questions.ts'
import { count, percent, significant } from '../paint/number.ts'
import type { Painter } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'
import { type CurveScales, curvePlot } from './curves.ts'
import type { Plot } from './plot.ts'

export interface EssOptions {
  /** Name of the scalar. */
  readonly label: string
  /** `local`: of the draws between two quantiles; `quantile`: of one quantile's estimate. */
  readonly kind: 'local' | 'quantile'
  readonly curve: Curve
  /** ESS that is to be reached. */
  readonly target: number
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function essPlot(options: EssOptions): Plot {
  const { label, kind, curve, target, note, python } = options
  return curvePlot({
    title: kind === 'local' ? `ESS of intervals of ${label}` : `ESS of quantiles of ${label}`,
    canonical: 'plot_ess',
    sentence: sentenceOf(options),
    note,
    python,
    labels: { x: 'quantile', y: 'ESS' },
    x: [0, 1],
    alsoY: [0, target * 1.1],
    series: [
      {
        name: 'ESS',
        x: curve.x,
        y: curve.y,
        look: ({ accent }) => ({ colour: accent }),
        mark: kind === 'local' ? 'dots' : 'line',
      },
    ],
    below: (painter, scales, theme) => drawTarget(painter, scales, target, theme),
    place: (x) => `quantile ${significant(x, 3)}`,
  })
}

function drawTarget(painter: Painter, { frame, y }: CurveScales, target: number, theme: Theme): void {
  painter.line(frame.left, y(target), frame.right, y(target), { stroke: theme.ink, dash: [5, 4], opacity: 0.7 })
  painter.text(frame.right - 4, y(target) - 4, `target ${count(target)}`, { fill: theme.quiet, align: 'end' })
}

function sentenceOf({ label, kind, curve, target }: EssOptions): string {
  let least = -1
  for (const [i, value] of curve.y.entries()) {
    if (!Number.isNaN(value) && (least < 0 || value < (curve.y[least] as number))) least = i
  }
  if (least < 0) return `${label}: no effective sample size, as its draws are too few or all the same.`
  const below = curve.y.filter((value) => value < target).length
  const of = kind === 'local' ? 'intervals' : 'quantiles'
  const at = `at the ${percent(curve.x[least] as number)} quantile`
  const share =
    below === 0 ? `all are above ${count(target)}` : `${below} of ${curve.y.length} are below ${count(target)}`
  return `${label}: the least ESS of ${of} is ${count(curve.y[least] as number)}, ${at}; ${share}.`
}
