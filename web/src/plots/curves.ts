/** Plots that are curves over one axis: their axes, what lies below them, a cursor that reads them, and their table. */
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { significant } from '../paint/number.ts'
import { type Painter, polyline, type Size } from '../paint/painter.ts'
import { extentOf, type Frame, frameOf, linear, niceDomain, type Scale } from '../paint/scale.ts'
import type { Theme } from '../paint/theme.ts'
import type { Plot, PlotBrush, PlotCursor, PlotTable } from './plot.ts'
import { nearestIn } from './trace.ts'

export interface Series {
  /** Name in the table and at the cursor. */
  readonly name: string
  readonly x: ArrayLike<number>
  readonly y: ArrayLike<number>
  readonly look: (theme: Theme) => { readonly colour: string; readonly dash?: readonly number[] | undefined }
  readonly width?: number | undefined
  readonly opacity?: number | undefined
  readonly mark?: 'line' | 'dots' | undefined
}

export interface CurveScales {
  readonly frame: Frame
  readonly x: Scale
  readonly y: Scale
}

export interface CurveOptions {
  readonly title: string
  readonly canonical?: string | undefined
  readonly sentence: string
  readonly note?: string | undefined
  readonly python?: string | undefined
  /** Names of the axes. */
  readonly labels: { readonly x: string; readonly y?: string | undefined }
  readonly series: readonly Series[]
  /** Ends of the axes; without, round numbers around all values. */
  readonly x?: readonly [number, number] | undefined
  readonly y?: readonly [number, number] | undefined
  /** Values that the axis y shows in any case. */
  readonly alsoY?: readonly number[] | undefined
  /** Painted before the curves, inside of the axes. */
  readonly below?: ((painter: Painter, scales: CurveScales, theme: Theme) => void) | undefined
  readonly above?: ((painter: Painter, scales: CurveScales, theme: Theme) => void) | undefined
  /** Words of a place of the first series before those of all curves; its x when absent. */
  readonly place?: ((x: number) => string) | undefined
  /** Further columns of the table, as long as the first series. */
  readonly columns?: readonly { readonly name: string; readonly values: ArrayLike<number> }[] | undefined
  readonly yAxis?: 'shown' | 'hidden' | undefined
  readonly onBrush?: ((interval: readonly [number, number] | undefined) => void) | undefined
}

/** Curves that a cursor reads aloud at most. */
const TOLD = 8

export function curvePlot(options: CurveOptions): Plot {
  const { title, canonical, sentence, note, python, labels, series, below, above, yAxis = 'shown' } = options
  return {
    title,
    canonical,
    sentence,
    note,
    python,
    draw: (painter, size, theme) => {
      const scales = curveScales(options, size)
      const { frame, x, y } = scales
      if (below !== undefined) painter.clip(...insideOf(frame), () => below(painter, scales, theme))
      if (yAxis === 'shown') leftAxis(painter, frame, y, theme, { label: labels.y })
      bottomAxis(painter, frame, x, theme, { label: labels.x })
      painter.clip(...insideOf(frame), () => {
        // The first one lies on top.
        for (const each of series.toReversed()) drawSeries(painter, scales, each, theme)
        above?.(painter, scales, theme)
      })
    },
    table: () => tableOf(options),
    cursor: cursorOf(options),
    brush: brushOf(options),
  }
}

function insideOf({ left, top, width, height }: Frame): [number, number, number, number] {
  return [left, top - 1, width, height + 2]
}

export function curveScales(options: CurveOptions, size: Size): CurveScales {
  const { series, labels, alsoY = [], yAxis = 'shown' } = options
  const frame = frameOf(size, {
    left: yAxis === 'hidden' ? 12 : labels.y === undefined ? 44 : 60,
    right: 14,
    bottom: 36,
  })
  const xs = options.x ?? extentOf(...series.map(({ x }) => x))
  const ys = options.y ?? niceDomain(extentOf(...series.map(({ y }) => y), alsoY))
  return { frame, x: linear(xs, [frame.left, frame.right]), y: linear(ys, [frame.bottom, frame.top]) }
}

function drawSeries(painter: Painter, { x, y }: CurveScales, series: Series, theme: Theme): void {
  const { colour, dash } = series.look(theme)
  const { opacity = 1, width = 1.5, mark = 'line' } = series
  const [px, py] = [(i: number) => x(series.x[i] as number), (i: number) => y(series.y[i] as number)]
  if (mark === 'line') {
    painter.path((sink) => polyline(sink, series.x.length, px, py), { stroke: colour, width, dash, opacity })
    return
  }
  for (let i = 0; i < series.x.length; i++) {
    if (Number.isFinite(series.y[i])) painter.circle(px(i), py(i), 2.5, { fill: colour, opacity })
  }
}

function cursorOf(options: CurveOptions): PlotCursor {
  const { series, place = (x: number) => `${options.labels.x} ${significant(x, 4)}` } = options
  const places = series[0]?.x ?? []
  return {
    count: places.length,
    nearest: (px, _py, size) => nearestIn(places, curveScales(options, size).x.invert(px)),
    text: (at) => {
      const x = places[at] ?? 0
      const told = series.slice(0, TOLD).map((each) => {
        const y = each.y[nearestIn(each.x, x)]
        return `${each.name} ${y === undefined || Number.isNaN(y) ? 'none' : significant(y, 3)}`
      })
      const more = series.length > TOLD ? [`${series.length - TOLD} more`] : []
      return `${place(x)}: ${[...told, ...more].join(', ')}`
    },
    draw: (painter, size, theme, at) => {
      const { frame, x, y } = curveScales(options, size)
      const wanted = places[at] ?? 0
      painter.line(x(wanted), frame.top, x(wanted), frame.bottom, { stroke: theme.axis })
      for (const each of series.slice(0, TOLD)) {
        const i = nearestIn(each.x, wanted)
        const value = each.y[i]
        if (value === undefined || !Number.isFinite(value)) continue
        painter.circle(x(each.x[i] ?? 0), y(value), 3, { fill: each.look(theme).colour, stroke: theme.paper })
      }
    },
  }
}

function brushOf(options: CurveOptions): PlotBrush | undefined {
  const { onBrush } = options
  if (onBrush === undefined) return undefined
  return {
    kind: 'interval',
    choose: (area, size) => {
      if (area === undefined) return onBrush(undefined)
      const { x } = curveScales(options, size)
      const [from, to] = [x.invert(area.x0), x.invert(area.x1)]
      onBrush([Math.min(from, to), Math.max(from, to)])
    },
  }
}

/** A row for each x; curves of other places than the first one's have rows of their own. */
function tableOf({ series, labels, columns = [] }: CurveOptions): PlotTable {
  const [first] = series
  const isShared = series.every(({ x }) => x === first?.x)
  if (first === undefined || !isShared) {
    const rows = series.flatMap(({ name, x, y }) => Array.from(x, (at, i) => [name, at, numberOrNull(y[i])]))
    return { columns: ['curve', labels.x, labels.y ?? 'value'], rows }
  }
  const rows = Array.from(first.x, (at, i) => [
    at,
    ...series.map(({ y }) => numberOrNull(y[i])),
    ...columns.map(({ values }) => numberOrNull(values[i])),
  ])
  return { columns: [labels.x, ...series.map(({ name }) => name), ...columns.map(({ name }) => name)], rows }
}

function numberOrNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value
}
