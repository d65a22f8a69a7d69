/** Observed data against replications of the posterior predictive: densities over each other (`plot_ppc_dist`). */
import { bottomAxis } from '../paint/axes.ts'
import { count, significant } from '../paint/number.ts'
import { type Painter, polyline, type Size } from '../paint/painter.ts'
import { extentOf, type Frame, frameOf, linear, type Scale } from '../paint/scale.ts'
import { LEGEND_ROOM, legend } from './legend.ts'
import type { Plot } from './plot.ts'

export interface PredictiveOptions {
  /** Name of the observed data, and of the variable that replicates them. */
  readonly observed: string
  readonly replicated: string
  /** Places of all densities. */
  readonly x: Float64Array
  /** Density, or shares of whole numbers, of the data. */
  readonly data: Float64Array
  readonly replications: readonly Float64Array[]
  readonly isDiscrete: boolean
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function predictivePlot(options: PredictiveOptions): Plot {
  const { observed, replicated, x, data, replications, isDiscrete, note, python } = options
  const [lower, upper] = bandOf(replications, x.length)
  const outside = x.reduce((sum, _at, i) => sum + (isOutside(data, lower, upper, i) ? 1 : 0), 0)
  const kind = isDiscrete ? 'Shares' : 'Densities'
  return {
    title: `${observed} against ${replicated}`,
    canonical: 'plot_ppc_dist',
    sentence: `${kind} of the observed ${observed} and of ${count(replications.length)} replications, between ${significant(x[0] ?? 0)} and ${significant(x.at(-1) ?? 0)}; the observed one leaves the range of the replications at ${outside} of ${x.length} places.`,
    note,
    python,
    draw: (painter, size, theme) => {
      const scales = scalesOf(options, size)
      bottomAxis(painter, scales.frame, scales.x, theme, { label: observed })
      const opacity = replications.length > 20 ? 0.25 : 0.45
      for (const each of replications) drawCurve(painter, scales, options, each, { stroke: theme.accent, opacity })
      drawCurve(painter, scales, options, data, { stroke: theme.ink, width: 2.25 })
      const entries = [
        { label: `observed ${observed}`, colour: theme.ink, mark: 'line' },
        { label: `${count(replications.length)} replications`, colour: theme.accent, mark: 'line' },
      ] as const
      legend(painter, { ...scales.frame, top: LEGEND_ROOM }, entries, theme)
    },
    table: () => ({
      columns: [observed, 'observed', 'least replication', 'greatest replication'],
      rows: [...x].map((at, i) => [at, data[i] ?? null, lower[i] ?? null, upper[i] ?? null]),
    }),
    cursor: {
      count: x.length,
      nearest: (px, _py, size) => {
        const wanted = scalesOf(options, size).x.invert(px)
        let best = 0
        for (const [i, at] of x.entries()) if (Math.abs(at - wanted) < Math.abs((x[best] ?? 0) - wanted)) best = i
        return best
      },
      text: (place) =>
        `${observed} ${significant(x[place] ?? 0)}: observed ${significant(data[place] ?? 0)}, replications ${significant(lower[place] ?? 0)} to ${significant(upper[place] ?? 0)}`,
      draw: (painter, size, theme, place) => {
        const { frame, x: across, y } = scalesOf(options, size)
        const at = across(x[place] ?? 0)
        painter.line(at, frame.top, at, frame.bottom, { stroke: theme.axis })
        painter.circle(at, y(data[place] ?? 0), 3.5, { fill: theme.ink, stroke: theme.paper })
      },
    },
  }
}

interface Scales {
  readonly frame: Frame
  readonly x: Scale
  readonly y: Scale
}

function scalesOf({ x, data, replications, isDiscrete }: PredictiveOptions, size: Size): Scales {
  const frame = frameOf(size, { left: 12, right: 12, top: LEGEND_ROOM + 4, bottom: 36 })
  const most = extentOf(data, ...replications)[1]
  const [low, high] = extentOf(x)
  // A level reaches half a step to both sides.
  const half = isDiscrete ? (x.length < 2 ? 0.5 : ((x[1] as number) - (x[0] as number)) / 2) : 0
  return {
    frame,
    x: linear([low - half, high + half], [frame.left, frame.right]),
    y: linear([0, most > 0 ? 1.04 * most : 1], [frame.bottom, frame.top]),
  }
}

/** A line through a density; level steps around whole numbers. */
function drawCurve(
  painter: Painter,
  { x, y }: Scales,
  { x: at, isDiscrete }: PredictiveOptions,
  values: Float64Array,
  ink: { readonly stroke: string; readonly width?: number; readonly opacity?: number },
): void {
  const across = (i: number) => x(at[i] as number)
  const up = (i: number) => y(values[i] as number)
  if (!isDiscrete) {
    painter.path((sink) => polyline(sink, at.length, across, up), ink)
    return
  }
  const half = at.length < 2 ? x(0.5) - x(0) : (across(1) - across(0)) / 2
  painter.path((sink) => {
    for (let i = 0; i < at.length; i++) {
      if (i === 0) sink.moveTo(across(i) - half, up(i))
      else sink.lineTo(across(i) - half, up(i))
      sink.lineTo(across(i) + half, up(i))
    }
  }, ink)
}

function bandOf(curves: readonly Float64Array[], length: number): readonly [Float64Array, Float64Array] {
  const lower = new Float64Array(length).fill(Number.POSITIVE_INFINITY)
  const upper = new Float64Array(length).fill(Number.NEGATIVE_INFINITY)
  for (const curve of curves) {
    for (let i = 0; i < length; i++) {
      lower[i] = Math.min(lower[i] as number, curve[i] as number)
      upper[i] = Math.max(upper[i] as number, curve[i] as number)
    }
  }
  return [lower, upper]
}

function isOutside(data: Float64Array, lower: Float64Array, upper: Float64Array, i: number): boolean {
  return (data[i] as number) < (lower[i] as number) || (data[i] as number) > (upper[i] as number)
}
