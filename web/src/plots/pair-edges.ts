/** Marginals of a pair: histograms of each scalar at the edges of the plot. */
import type { Cloud } from '../draws/questions.ts'
import type { Painter } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'
import { edgesOf, kindsOf } from './pair-counts.ts'
import { EDGE, type PairScales } from './pair-scales.ts'

/** Pixels of a bin of points. */
const BIN = 5

interface Histogram {
  /** Pixels between bins, one more than there are bins. */
  readonly edges: Float64Array
  /** Draws a pixel, as bins may differ in width. */
  readonly heights: Float64Array
}

interface Marginal {
  readonly all: Histogram
  readonly chosen?: Histogram | undefined
}

export interface Marginals {
  readonly x: Marginal
  readonly y: Marginal
}

type Places = { readonly x: Float64Array; readonly y: Float64Array }

export function marginalsOf(cloud: Cloud, scales: PairScales, chosen: Places | undefined): Marginals {
  const { frame } = scales
  const alongX = (values: Float64Array) => binned(values, scales.x, frame.left, frame.width)
  const alongY = (values: Float64Array) => binned(values, scales.y, frame.top, frame.height)
  const { points } = cloud
  const all = points === undefined ? summed(cloud, scales) : { x: alongX(points.x), y: alongY(points.y) }
  return {
    x: { all: all.x, chosen: chosen && alongX(chosen.x) },
    y: { all: all.y, chosen: chosen && alongY(chosen.y) },
  }
}

function binned(values: Float64Array, scale: (value: number) => number, start: number, length: number): Histogram {
  const bins = Math.max(1, Math.floor(length / BIN))
  const heights = new Float64Array(bins)
  const width = length / bins
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor((scale(values[i] as number) - start) / width)
    if (bin >= 0 && bin < bins) heights[bin] = (heights[bin] as number) + 1 / width
  }
  return { edges: Float64Array.from({ length: bins + 1 }, (_each, i) => start + i * width), heights }
}

function summed({ grid, x, y }: Cloud, scales: PairScales): { readonly x: Histogram; readonly y: Histogram } {
  const { columns, rows, counts } = grid ?? { columns: 1, rows: 1, counts: new Float64Array(1) }
  const kinds = grid === undefined ? ({ x: 'linear', y: 'linear' } as const) : kindsOf(grid)
  const across = edgesOf(x, columns, kinds.x).map(scales.x)
  const up = edgesOf(y, rows, kinds.y).map(scales.y)
  const totals = { x: new Float64Array(columns), y: new Float64Array(rows) }
  for (let i = 0; i < counts.length; i++) {
    const [column, row] = [i % columns, Math.floor(i / columns)]
    totals.x[column] = (totals.x[column] as number) + (counts[i] as number)
    totals.y[row] = (totals.y[row] as number) + (counts[i] as number)
  }
  const overWidth = (total: Float64Array, edges: Float64Array): Histogram => ({
    edges,
    heights: total.map((each, i) => each / Math.max(1e-9, Math.abs((edges[i + 1] as number) - (edges[i] as number)))),
  })
  return { x: overWidth(totals.x, across), y: overWidth(totals.y, up) }
}

export function paintEdges(painter: Painter, { frame }: PairScales, { x, y }: Marginals, theme: Theme): void {
  const scale = ({ heights }: Histogram) => (EDGE - 6) / Math.max(1e-12, ...heights)
  for (const [name, ink] of [
    ['all', { fill: theme.accent, opacity: 0.3 }],
    ['chosen', { fill: theme.ink, opacity: 0.8 }],
  ] as const) {
    const [above, beside] = [x[name], y[name]]
    if (above !== undefined) {
      const unit = scale(x.all)
      painter.path((sink) => steps(above, (at, height) => [at, frame.top - 2 - height * unit], sink), ink)
    }
    if (beside !== undefined) {
      const unit = scale(y.all)
      painter.path((sink) => steps(beside, (at, height) => [frame.right + 2 + height * unit, at], sink), ink)
    }
  }
}

/** The outline of a histogram, closed along its base. */
function steps(
  { edges, heights }: Histogram,
  place: (at: number, height: number) => readonly [number, number],
  sink: { moveTo(x: number, y: number): void; lineTo(x: number, y: number): void; closePath(): void },
): void {
  sink.moveTo(...place(edges[0] as number, 0))
  for (let i = 0; i < heights.length; i++) {
    sink.lineTo(...place(edges[i] as number, heights[i] as number))
    sink.lineTo(...place(edges[i + 1] as number, heights[i] as number))
  }
  sink.lineTo(...place(edges[heights.length] as number, 0))
  sink.closePath()
}
